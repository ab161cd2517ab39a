"""Picture sets: digits, mnist, mnist3, fashion. A picture is read by rows: a step is a row, a feature a column."""

import gzip
import hashlib
import zlib

import numpy as np

from rcgan_nb import paths
from rcgan_nb.data.download import fetch
from rcgan_nb.series import PARTS, SeriesSet, split

# SHA-256 of the unpacked bytes, which identifies a file whatever packed it, and MD5 of the publisher's own gzip.
IDX = {
    "mnist": {
        "url": "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "train-images-idx3-ubyte": (
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        ),
        "train-labels-idx1-ubyte": (
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "d53e105ee54ea40749a09fcbcd1e9432",
        ),
        "t10k-images-idx3-ubyte": (
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "9fb629c4189551a2d022fa330f9573f3",
        ),
        "t10k-labels-idx1-ubyte": (
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            "ec29112dd5afc8b62a52d9c1d73c3e9c",
        ),
    },
    "fashion": {
        "url": "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "train-images-idx3-ubyte": (
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        ),
        "train-labels-idx1-ubyte": (
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "25c81989df183df01b3e8a0aad5dffbe",
        ),
        "t10k-images-idx3-ubyte": (
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "bef4ecab320f06d8554ea6380940ec79",
        ),
        "t10k-labels-idx1-ubyte": (
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            "bb300cfdad3c16e7a12a480ee83cd310",
        ),
    },
}
CLOTHES = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")


def digits(*, image_size=0) -> SeriesSet:
    """1,797 handwritten digits, 8 x 8 pixels of 0 to 16, ten classes; embedded in scikit-learn.

    Source: Alpaydin and Kaynak 1998, UCI machine learning repository, CC BY 4.0. Split 70/15/15 by label.
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return _pictures(
        bunch.images,
        bunch.target,
        tuple(str(k) for k in range(10)),
        split(len(bunch.target), labels=bunch.target),
        image_size,
        name="digits",
        source="Alpaydin and Kaynak 1998, UCI machine learning repository (test part of optdigits)",
        licence="CC BY 4.0",
    )


def mnist(*, image_size=0) -> SeriesSet:
    """70,000 handwritten digits, 28 x 28 pixels of 0 to 255, ten classes.

    Source: LeCun, Cortes and Burges 1998, CC BY-SA 3.0. The publisher's 10,000 are the test part, 15 % of the other
    60,000 (by label) the validation part.
    """
    images, y, parts = _idx_set("mnist")
    return _pictures(images, y, tuple("0123456789"), parts, image_size, **_MNIST)


def mnist3() -> SeriesSet:
    """Digits 0 to 2 of mnist at 14 x 14 pixels (means of 2 x 2): the task of the TSTR table in Esteban et al. 2017."""
    images, y, parts = _idx_set("mnist")
    few = y < 3
    info = {**_MNIST, "name": "mnist3"}
    return _pictures(images[few], y[few], tuple("012"), parts[few], 14, **info)


def fashion(*, image_size=0) -> SeriesSet:
    """70,000 pictures of clothes, 28 x 28 pixels of 0 to 255, ten classes.

    Source: Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747, MIT. Split as mnist.
    """
    images, y, parts = _idx_set("fashion")
    source = "Fashion-MNIST, Xiao, Rasul and Vollgraf 2017 (Zalando Research), arXiv:1708.07747"
    return _pictures(images, y, CLOTHES, parts, image_size, name="fashion", source=source, licence="MIT")


_MNIST = {"name": "mnist", "source": "MNIST, LeCun, Cortes and Burges 1998", "licence": "CC BY-SA 3.0"}


def _pictures(images, y, classes, parts, image_size, **info) -> SeriesSet:
    x = shrink(images, image_size, image_size) if image_size else images.astype(np.float32)
    return SeriesSet(
        x=x,
        y=y.astype(np.int32),
        split=parts,
        classes=classes,
        image=x.shape[1:],
        features=tuple(f"column {i}" for i in range(x.shape[2])),
        info=info,
    )


def shrink(images, rows, columns) -> np.ndarray:
    """Resample pictures `(n, height, width)` to rows x columns pixels; every new pixel is the mean of its area."""
    n, height, width = images.shape
    if height % rows == 0 and width % columns == 0:
        shape = (n, rows, height // rows, columns, width // columns)
        return images.reshape(shape).mean((2, 4)).astype(np.float32)
    from PIL import Image

    # A box filter is the mean over the area when shrinking; growing (28 to 64) needs the smoother bilinear one.
    how = Image.Resampling.BOX if rows < height and columns < width else Image.Resampling.BILINEAR
    return np.stack([np.asarray(Image.fromarray(i.astype(np.float32)).resize((columns, rows), how)) for i in images])


def _idx_set(name):
    """Pictures, labels and split of the publisher's four files."""
    files = {part: [_idx(name, f"{part}-{kind}") for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")]
             for part in ("train", "t10k")}  # fmt: skip
    (images, y), (test_images, test_y) = files["train"], files["t10k"]
    parts = split(len(y), labels=y, shares=(0.85, 0.15, 0.0))
    test = np.full(len(test_y), PARTS.index("test"), np.int8)
    return np.concatenate([images, test_images]), np.concatenate([y, test_y]), np.concatenate([parts, test])


def _idx(name, file):
    """Read one IDX file, packed or not, from the data folder, fetching it if it is not there."""
    folder = paths.data() / name
    sha256, md5 = IDX[name][file]
    path = folder / file
    if not path.exists():
        path = fetch(folder / f"{file}.gz", IDX[name]["url"] + f"{file}.gz", f"md5:{md5}")
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} cannot be unpacked ({error}); delete it, and it is fetched again.") from error
    if hashlib.sha256(raw).hexdigest() != sha256:
        raise ValueError(f"{path} is not the publisher's file (SHA-256 differs); delete it, and it is fetched again.")
    dimensions = np.frombuffer(raw, ">i4", count=raw[3], offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(dimensions)
