"""Tables of an old archive: settings (init.csv) and losses (log.csv), all schemas, in the figures of ours.

| log.csv, after epoch and batch | written by |
|---|---|
| d_loss, d_acc, g_loss, g_acc | RGAN v1 to v4 |
| d_loss, g_loss | RGAN_v5, RCGAN v1 and v2 |
| d_loss, d_a_loss, g_loss, g_a_loss | RCGAN v3 and v4: the totals, and the adversarial part of them |

Ours (`metrics.csv`) differ: d_loss adds the losses at real and fake series, which theirs averages, so it is twice as
large; d_classes and g_classes, the auxiliary classifier's part, stand beside d_loss and g_loss, not in them. A row came
every 20 batches. Where a log was lost the old tool wrote rows of NaN; such a gap stays one.
"""

import csv
import math
from dataclasses import dataclass
from pathlib import Path

EVERY = 20  # batches from one row to the next
MOST = 999_999  # epochs, and batches of an epoch; more is damage
NAN = math.nan


@dataclass(frozen=True)
class Log:
    """Rows of a log.csv, as numbers by column; what could not be read is counted."""

    header: tuple[str, ...]
    rows: list[dict]
    unreadable: int = 0

    @property
    def largest_batch(self) -> int:
        return int(max((row["batch"] for row in self.rows if math.isfinite(row["batch"])), default=0))

    def whole_epochs(self) -> int:
        """Epochs up to the last whose rows are all there."""
        if not self.rows:
            return 0
        last = self.rows[-1]
        whole = not math.isfinite(last["batch"]) or last["batch"] == self.largest_batch
        return int(last["epoch"]) - (not whole)


def read(path) -> Log:
    """A log.csv; empty when it is missing or has no rows. Lines that were cut short are left out."""
    header, lines = _table(path)
    if not {"epoch", "batch", "d_loss", "g_loss"} <= set(header):
        return Log((), [], len(lines) + bool(header))
    rows = []
    for line in lines:
        try:
            row = {name: float(text or "nan") for name, text in zip(header, line, strict=True)}
        except ValueError:
            continue
        if 1 <= row["epoch"] <= MOST and (math.isnan(row["batch"]) or 1 <= row["batch"] <= MOST):
            rows.append(row)
    return Log(header, rows, len(lines) - len(rows))


def settings(path) -> list[dict]:
    """Rows of an init.csv, as text by column: one for each start of training; none when it is missing."""
    header, lines = _table(path)
    return [dict(zip(header, line, strict=False)) for line in lines if line and len(line) <= len(header)]


def number(row, name, default):
    """A number of an init.csv's row: int where it is whole, as 256 and, after a join, 256.0; else the default."""
    try:
        value = float(row.get(name) or "nan")
    except ValueError:
        value = NAN
    if not math.isfinite(value):
        return default
    return int(value) if value == int(value) else value


def ours(row) -> dict[str, float]:
    """A row's figures as metrics.csv names and counts them."""
    d_loss, g_loss = row.get("d_a_loss", row["d_loss"]), row.get("g_a_loss", row["g_loss"])
    found = {"d_loss": 2 * d_loss, "g_loss": g_loss, "loss_ratio": 2 * d_loss / g_loss if g_loss else math.inf}
    if "d_a_loss" in row:
        found |= {"d_classes": 2 * (row["d_loss"] - d_loss), "g_classes": row["g_loss"] - g_loss}
    return found | {name: row[name] for name in ("d_acc", "g_acc") if name in row}


def gap(epochs) -> list[dict]:
    """A row of NaN for each epoch whose losses are lost."""
    return [{"epoch": float(k + 1), "batch": NAN, "d_loss": NAN, "g_loss": NAN} for k in range(epochs)]


def write(path, rows):
    """Rows as metrics.csv; what one schema does not know is nan there."""
    first = ("step", "seconds", "d_loss", "g_loss", "loss_ratio")
    further = dict.fromkeys(name for row in rows for name in row if name not in first)
    columns = (*first, *further)
    blank = dict.fromkeys(columns, NAN)
    with open(path, "w", newline="") as file:
        table = csv.DictWriter(file, columns)
        table.writeheader()
        table.writerows(blank | row for row in rows)


def _table(path):
    """Header and lines of a CSV file as text; nothing of a file that is missing, or is no text."""
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace").replace("\0", "")
        header, *lines = list(csv.reader(text.splitlines())) or [[]]
    except (OSError, csv.Error):
        return (), []
    return tuple(name.strip() for name in header), lines
