"""Starts of training in a chain, with their epochs, and the step of ours that each of their batches is.

A step of ours is one update of the generator, as is a batch there: an epoch has ceil(series / batch_size). The column
`epochs` of init.csv is what was asked for, and `until` where a start ended, counted through the folder. Weights were
kept every `saving_rate` epochs and at the end; a start that goes on with another does so from the last kept, whatever
came after.
"""

from dataclasses import dataclass

from rcgan_nb.archive.legacy import logs, networks
from rcgan_nb.archive.legacy.chains import Chain, Folder
from rcgan_nb.archive.legacy.sets import SETS
from rcgan_nb.config import TrainConfig


@dataclass(frozen=True)
class Segment:
    """One start of training.

    Attributes:
        row: of init.csv.
        before, epochs: epochs of its folder before it, and its own, as far as they count.
        first_step: steps of the chain before it.
        per_epoch: steps of an epoch.
        last: whether nothing goes on from it; then what came after the weights counts, too.
    """

    folder: Folder
    row: dict
    config: TrainConfig
    before: int
    epochs: int
    first_step: int
    per_epoch: int
    last: bool

    @property
    def last_step(self) -> int:
        return self.first_step + self.epochs * self.per_epoch

    def step(self, epoch, batch=None) -> int:
        """The step of a batch, by default the last, of an epoch as the folder counts them."""
        return self.first_step + int(epoch - self.before - 1) * self.per_epoch + int(batch or self.per_epoch)

    def holds(self, epoch) -> bool:
        return self.before < epoch and (self.last or epoch <= self.before + self.epochs)

    @property
    def finished(self) -> bool:
        return self.epochs >= networks.value(self.row, "epochs")

    @property
    def saved(self) -> int:
        """The epoch of the weights that were kept last, as the folder counts."""
        return self.before + kept(self.epochs, self.row)


def kept(epochs, row) -> int:
    """The epoch after which weights were kept last."""
    if epochs >= networks.value(row, "epochs") or logs.number(row, "until", 0):
        return epochs
    return epochs - epochs % max(1, networks.value(row, "saving_rate"))


def of_chain(chain: Chain) -> tuple[list[Segment], list[str]]:
    """The starts of training of a chain, in order, and what there is to say of them."""
    found, remarks, step = [], [], 0
    for folder in chain.folders:
        ends_here = folder is chain.folders[-1]
        for row, before, epochs, last in _starts(folder, ends_here):
            per_epoch = _per_epoch(folder, row)
            config = _config(folder, row)
            found.append(Segment(folder, row, config, before, epochs, step, per_epoch, last))
            step = found[-1].last_step
        remarks += _remarks(folder, found[-1].per_epoch)
    return found, remarks


def _starts(folder, ends_here):
    """Row, epochs before, own epochs, and whether nothing follows, of each start in a folder."""
    rows, before = folder.rows or [{}], 0
    for row in rows:
        final = row is rows[-1]
        done = max(0, folder.epochs - before)
        until = logs.number(row, "until", 0)
        if until:
            epochs = max(0, int(until) - before)
        else:
            epochs = done if final and ends_here else kept(done, row) if final else 0
        yield row, before, epochs, final and ends_here
        before += epochs


def _per_epoch(folder, row) -> int:
    """Steps of an epoch, by the size of the data set; of one that is not known, the last batch that the log shows."""
    known = SETS[folder.data].series if folder.data in SETS else 0
    steps = -(-known // max(1, networks.value(row, "batch_size")))  # what is no size, `_config` refuses
    return max(1, steps, folder.log.largest_batch)


def _config(folder, row) -> TrainConfig:
    per_epoch = _per_epoch(folder, row)
    try:
        return networks.settings(
            row,
            conditional=folder.model == "RCGAN",
            dataset=SETS[folder.data].dataset if folder.data in SETS else folder.data or TrainConfig.dataset,
            log_every=logs.EVERY,
            sample_every=per_epoch,
            watch_every=per_epoch,
            checkpoint_every=per_epoch * max(1, networks.value(row, "saving_rate")),
        )
    except ValueError as error:
        raise ValueError(f"{folder.path / 'init.csv'}: {error}") from error


def _remarks(folder, per_epoch):
    name, row = folder.path.name, folder.rows[-1] if folder.rows else {}
    if not folder.began:
        yield f"{name} is not named as the old program names runs: when it began, and what it goes on with, is unknown."
    if not folder.rows:
        yield f"{name} has no init.csv that can be read; the old program's defaults stand in for its settings."
    if folder.data not in SETS:
        yield f"{name}: how many series {folder.data!r} had is unknown; {per_epoch} steps count as an epoch."
    elif per_epoch > -(-SETS[folder.data].series // networks.value(row, "batch_size")):
        yield f"{name} logged more batches in an epoch, {per_epoch}, than {folder.data} has; another set of that name?"
    if folder.data == "faces":
        yield "Its faces were cut otherwise (LFWcrop, 64 pixels reduced to 28) than those of our data set lfw."
    if not folder.log.header:
        yield f"{name} has no log.csv that can be read; its losses are gaps in metrics.csv."
    elif folder.log.unreadable:
        yield f"{name}: {folder.log.unreadable} lines of log.csv could not be read and are left out."
    if folder.model == "RCGAN" and folder.log.header and "d_a_loss" not in folder.log.header:
        yield f"{name} logged totals alone: its losses hold the classifier's part, if it had one."
    for setting in ("droprate", "momentum"):
        if networks.value(row, setting) != networks.BUILT_IN[setting]:
            here = networks.value(row, setting), networks.BUILT_IN[setting]
            yield "{}: {} was {}, and rcgan_v4 trains with {}.".format(name, setting, *here)
