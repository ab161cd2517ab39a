"""Downsampling, scaling and masks in one go: what prepare.ipynb does."""

import dataclasses

import numpy as np

from rcgan_nb import paths
from rcgan_nb.config import SCALERS, PrepareConfig
from rcgan_nb.data import SETS, codec, load, masking, scaling, tails
from rcgan_nb.data.images import shrink
from rcgan_nb.series import SeriesSet, read


def prepare(config: PrepareConfig) -> SeriesSet:
    """Load, downsample, fit scaler and masks on the training part, and save under the set's new name.

    Where the same set is there already, it stays; another of that name is replaced with `overwrite` alone.

    The saved series stay in original units; the fitted transforms travel with them and are applied at the door of the
    networks, so that everything generated returns in original units.
    """
    if config.name in SETS:
        raise ValueError(f"name {config.name!r} is a data set's own; choose another for the prepared set.")
    s = load(**config.load_arguments())
    if s.scaling:
        raise ValueError(f"{config.dataset!r} is a prepared set; prepare its original with all that is wanted.")
    s = downsample_image(s, config.downsample_image)
    s = downsample_time(s, config.downsample_time)
    chain = fitted(s.part("train"), config.scaler, hide=config.hide, keep=config.keep, weigh=config.weigh)
    info = {**s.info, "name": config.name, "prepared from": config.dataset}
    prepared = dataclasses.replace(s, scaling=scaling.to_json(chain), info=info)
    path = paths.prepared(config.name)
    if path.exists() and not config.overwrite:
        if read(path).fingerprint() == prepared.fingerprint():
            return prepared
        raise FileExistsError(
            f"another prepared set {config.name!r} exists already; choose another name or set overwrite."
        )
    prepared.save(path)
    return prepared


def fitted(train: SeriesSet, scaler: str, **masks) -> list:
    """The transforms that masks and a scaler stand for, fitted on the training part (see `data.scaling`).

    Args:
        masks: hide, keep and weigh, as `masking.weights` takes them.
    """
    table = masking.weights(train, **masks)
    count = train.valid.sum(0)
    # A step at which nobody was ever observed has no mean of its own.
    mean = np.where(count > 0, np.where(train.valid, train.x, 0.0).sum(0) / count.clip(1), codec.means(train))
    first = [scaling.Weights(table, mean)] if (table != 1).any() else []
    return scaling.fit(tails.chosen(scaler, train), codec.filled(train, codec.means(train)), train.inside, first)


def scaled(s: SeriesSet, chain, mean) -> SeriesSet:
    """A set as the networks will see it: `mean` of each feature fills what comes before the first observed value."""
    x, _ = scaling.forward(chain, codec.filled(s, mean))
    return dataclasses.replace(s, x=x.astype(np.float32), scaling=None)


def downsample_image(s: SeriesSet, factor: int) -> SeriesSet:
    """Every factor x factor pixels become one, their mean. Pictures that are read by rows."""
    if factor == 1:
        return s
    if not s.image or s.order != "rows":
        raise ValueError("downsample_image needs pictures read by rows; use downsample_time for other series.")
    height, width = s.image
    if height % factor or width % factor:
        raise ValueError(f"downsample_image {factor} does not divide a picture of {height} x {width} pixels.")
    x = shrink(s.x, height // factor, width // factor)
    names = tuple(f"column {i}" for i in range(x.shape[2]))
    return dataclasses.replace(s, x=x, conditions=_fewer_conditions(s, factor), image=x.shape[1:], features=names)


def downsample_time(s: SeriesSet, factor: int) -> SeriesSet:
    """Every `factor` steps become one, the mean of what was observed; the last block may be shorter."""
    if factor == 1:
        return s
    seq_len = s.x.shape[1]
    if factor > seq_len:
        raise ValueError(f"downsample_time {factor} is more than the {seq_len} steps there are.")
    x, seen = _block_means(s.x, s.valid, factor)
    observed = None if s.observed is None else seen
    lengths = None if s.lengths is None else -(-s.lengths // factor)
    new = {"x": x, "observed": observed, "lengths": lengths, "conditions": _fewer_conditions(s, factor)}
    return dataclasses.replace(s, **new, image=(), order="rows")


def _fewer_conditions(s: SeriesSet, factor: int):
    """Conditions of every `factor` steps, their mean before the end of the series; None without conditions."""
    if s.conditions is None:
        return None
    inside = np.broadcast_to(s.inside[:, :, :1], s.conditions.shape)
    return _block_means(s.conditions, inside, factor)[0]


def _block_means(x, valid, factor):
    """Means of the valid values of every `factor` steps, `(n, blocks, features)`, and bool: was there any."""
    n, seq_len, features = x.shape
    blocks = -(-seq_len // factor)
    pad = ((0, 0), (0, blocks * factor - seq_len), (0, 0))
    shape = (n, blocks, factor, features)
    total = np.pad(np.where(valid, x, 0.0), pad).reshape(shape).sum(2)
    counted = np.pad(valid, pad).reshape(shape).sum(2)
    return (total / counted.clip(1)).astype(np.float32), counted > 0


def compare_scalers(train: SeriesSet) -> dict[str, np.ndarray]:
    """The first series `(seq_len, num_features)` as every scaler would show it to the networks."""
    filled = codec.filled(train, codec.means(train))
    fitted = {name: scaling.fit(name, filled, train.inside) for name in SCALERS}
    return {name: scaling.forward(chain, filled[:1])[0][0] for name, chain in fitted.items()}


def roundtrip(door: codec.Codec, s: SeriesSet) -> dict[str, float]:
    """How far series come back from scaling, as a share of their range; parts with weight 0 are left out."""
    back, valid = door.decode(door.encode(s), s.y), s.valid
    for transform in door.chain:
        if isinstance(transform, scaling.Weights):
            valid = valid & (transform.weights > 0)
    difference = np.abs(back.x - s.x)[valid].max() / np.ptp(s.x[s.valid])
    return {"largest difference / range": float(difference), "values compared": int(valid.sum())}
