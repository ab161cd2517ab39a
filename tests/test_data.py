import gzip
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from rcgan_nb import data, paths, series
from rcgan_nb.data import images

REAL = os.environ.get("RCGAN_DATA", "")
needs_mnist = pytest.mark.skipif(
    not (Path(REAL) / "mnist").is_dir(), reason="runs where RCGAN_DATA names a folder with mnist/ and fashion/"
)


def test_digits_is_the_default_set():
    s = data.load("digits")
    assert s.x.shape == (1797, 8, 8)
    assert (s.x.min(), s.x.max(), s.num_classes) == (0, 16, 10)
    assert [len(s.part(p)) for p in series.PARTS] == [1258, 270, 269]
    assert s.fingerprint() == data.load("digits").fingerprint()


def test_sines_are_sines():
    x = data.load("sines").x[:, :, 0]
    assert x.shape == (14000, 30)
    # A sum of x_t, x_t-1, x_t-2 with the wave's own frequency vanishes: sin(a+2b) + sin(a) = 2 cos(b) sin(a+b).
    cosine = (x[:, 2] + x[:, 0]) / (2 * x[:, 1])
    error = np.abs(x[:, 3] + x[:, 1] - 2 * cosine * x[:, 2])
    assert np.median(error) < 1e-5
    assert 0.85 < np.abs(x).max() <= 0.9


def test_smooth_has_the_covariance_of_the_paper():
    x = data.load("smooth").x[:, :, 0]
    found = np.cov(x.T)
    time = np.arange(30)
    assert np.abs(found - 0.2 * np.exp(-0.1 * (time[:, None] - time) ** 2)).max() < 0.02


def test_sines5():
    s = data.load("sines5")
    assert s.x.shape == (10000, 24, 5)
    assert s.x.min() >= 0 and s.x.max() <= 1


def test_unknown_set_offers_the_nearest():
    with pytest.raises(
        ValueError, match="dataset 'lwf' is not known; did you mean 'lfw'.*Known: digits, eicu, fashion"
    ):
        data.load("lwf")


def test_an_option_that_means_nothing_is_refused():
    with pytest.raises(ValueError, match="image_size means nothing to the data set 'sines'"):
        data.load("sines", image_size=14)
    with pytest.raises(ValueError, match="image_order 'diagonal' is not known"):
        data.load("digits", image_order="diagonal")


def test_options_are_not_ignored(tmp_path, small):
    small.save(tmp_path / "a.npz")
    small.save(paths.prepared("mine"))
    for name in (str(tmp_path / "a.npz"), "mine", "digits"):
        with pytest.raises(ValueError, match="seq_len means nothing"):
            data.load(name, seq_len=4)
    with pytest.raises(ValueError, match="image_order 'pixels' needs a set of pictures"):
        data.load("sines", image_order="pixels")


def test_own_pictures_need_not_be_square(tmp_path):
    x = np.random.default_rng(0).random((40, 3, 4))
    np.savez(tmp_path / "own.npz", x=x, image=(3, 4))
    s = data.load(str(tmp_path / "own.npz"), image_order="pixels")
    assert s.x.shape == (40, 12, 1) and (s.images() == x).all()


def test_a_second_set_is_read_as_the_first():
    left, right = data.pair(data.load("digits", image_order="pixels"), "digits", image_order="pixels")
    assert left.x.shape == right.x.shape == (1797, 64, 1)
    with pytest.raises(ValueError, match=r"the sets have \(steps, features\) \(8, 8\) and \(30, 1\)"):
        data.pair(data.load("digits"), "sines")


def test_image_orders():
    rows, columns, pixels = (data.load("digits", image_order=order) for order in ("rows", "columns", "pixels"))
    assert (columns.x == rows.x.transpose(0, 2, 1)).all()
    assert pixels.x.shape == (1797, 64, 1)
    assert (pixels.images() == rows.images()).all() and (columns.images() == rows.images()).all()


def test_shrink_is_the_mean_of_the_area():
    picture = np.arange(36.0).reshape(1, 6, 6)
    assert images.shrink(picture, 3, 3)[0, 0, 0] == picture[0, :2, :2].mean()
    odd = images.shrink(np.arange(30.0).reshape(1, 5, 6), 3, 4)
    assert odd.shape == (1, 3, 4)
    assert odd.mean() == pytest.approx(14.5, abs=0.5)
    assert images.shrink(picture, 9, 9).shape == (1, 9, 9)


@needs_mnist
def test_mnist_from_the_publishers_files():
    s = data.load("mnist")
    assert s.x.shape == (70000, 28, 28)
    assert [len(s.part(p)) for p in series.PARTS] == [51000, 9000, 10000]
    assert s.part("test").y[:5].tolist() == [7, 2, 1, 0, 4]  # the well-known first test digits


@needs_mnist
def test_mnist3_and_fashion():
    s = data.load("mnist3")
    assert s.x.shape == (18623 + 3147, 14, 14)  # 18,623 is the paper's own number of training digits
    assert data.load("fashion", image_size=14).x.shape == (70000, 14, 14)


@needs_mnist
@pytest.mark.parametrize("damage", ["cut", "flipped", "altered"])
def test_damaged_idx_file_is_refused(tmp_path, monkeypatch, damage):
    shutil.copytree(Path(REAL) / "mnist", tmp_path / "mnist")
    monkeypatch.setenv("RCGAN_DATA", str(tmp_path))
    victim = tmp_path / "mnist" / "t10k-labels-idx1-ubyte.gz"
    packed = bytearray(victim.read_bytes())
    raw = bytearray(gzip.decompress(packed))
    raw[100] ^= 1
    packed[2000] ^= 0xFF
    victim.write_bytes({"cut": packed[:1000], "flipped": packed, "altered": gzip.compress(raw)}[damage])
    with pytest.raises(
        ValueError, match="is not the publisher's file" if damage == "altered" else "cannot be unpacked"
    ):
        data.load("mnist")


def test_no_file_and_no_network(tmp_path, monkeypatch):
    monkeypatch.setenv("RCGAN_DATA", str(tmp_path))
    monkeypatch.setitem(images.IDX["mnist"], "url", "http://127.0.0.1:9/")
    with pytest.raises(FileNotFoundError, match="could not be fetched from http://127.0.0.1:9/.*set RCGAN_DATA"):
        data.load("mnist")
    assert not list(tmp_path.rglob("*-ubyte*"))


@needs_mnist
def test_download_is_checked_and_kept(tmp_path, monkeypatch):
    """A real server on loopback: a file whose checksum differs is not kept, the right one is, once."""
    import functools
    import hashlib
    import http.server
    import threading

    from rcgan_nb.data.download import fetch

    source = Path(REAL) / "mnist"
    name = "t10k-labels-idx1-ubyte.gz"
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(source))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/{name}"
        with pytest.raises(FileNotFoundError, match="could not be fetched"):
            fetch(tmp_path / name, url, "md5:" + "0" * 32)
        assert not (tmp_path / name).exists()
        digest = hashlib.md5((source / name).read_bytes()).hexdigest()
        assert fetch(tmp_path / name, url, f"md5:{digest}").read_bytes() == (source / name).read_bytes()
        server.shutdown()
    assert fetch(tmp_path / name, url, "md5:unused").exists()  # there already: the server is not asked


@pytest.fixture
def faces(tmp_path, monkeypatch):
    """An LFW tree with drawn pictures: 12 persons with 3 pictures and one with 9."""
    from PIL import Image

    monkeypatch.setenv("RCGAN_DATA", str(tmp_path))
    home = tmp_path / "lfw_home"
    for person in range(13):
        folder = home / "lfw_funneled" / f"Person_{person:02d}"
        folder.mkdir(parents=True)
        for k in range(9 if person == 12 else 3):
            picture = np.full((250, 250, 3), 20 * person, np.uint8)
            picture[:125] = 255
            Image.fromarray(picture).save(folder / f"Person_{person:02d}_{k + 1:04d}.jpg")


def test_lfw_without_labels_splits_by_person(faces):
    s = data.load("lfw")
    assert s.x.shape == (45, 28, 28) and s.y is None
    assert s.x[:, :12].min() > 240 and s.x[:, 14:].max() < 250  # upright, grey, 0 to 255, cut from row 70 to 195
    sides = [set(s.part(p).groups) for p in series.PARTS]
    assert not (sides[0] & sides[1] or sides[0] & sides[2] or sides[1] & sides[2])


def test_lfw_needs_no_right_to_write_and_sees_new_pictures(faces, tmp_path):
    shutil.copytree(
        tmp_path / "lfw_home/lfw_funneled/Person_00", tmp_path / "lfw_home/lfw_funneled/Person_99", dirs_exist_ok=True
    )
    assert len(data.load("lfw")) == 48
    assert {p.name for p in (tmp_path / "lfw_home").iterdir()} == {"lfw_funneled"}


def test_lfw_with_identities(faces):
    s = data.load("lfw", min_faces_per_person=9, image_size=64)
    assert s.x.shape == (9, 64, 64)
    assert s.classes == ("Person 12",)
    assert len(set(s.split)) == 3


def test_prepared_sets_are_found_by_name(small):
    small.save(paths.prepared("mine"))
    assert data.load("mine").fingerprint() == small.fingerprint()
    with pytest.raises(ValueError, match="did you mean 'mine'"):
        data.load("mien")


def test_a_file_that_is_not_there():
    with pytest.raises(FileNotFoundError, match="there is no file nowhere.csv"):
        data.load("nowhere.csv")
