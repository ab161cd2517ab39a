"""Whether every file of a run is what was written: by its checksums, and by those that each file carries in itself."""

import csv
import io
import json
import zipfile

import numpy as np

from rcgan_nb.archive import checkpoint
from rcgan_nb.archive.finder import Found
from rcgan_nb.archive.run import SUMS, sha256

GOOD = ("whole", "written since")


def verify(run: Found) -> list[dict]:
    """A row for each file: file, state, reason.

    States: "whole" (its checksum agrees, or there is none and its own ones and its form do), "written since" (it is
    whole, but no checksum was taken), "changed" (whole, but not what was written), "damaged", "missing".
    """
    sums, rows = _sums(run), []
    for name in sorted(run.sizes.keys() | sums.keys()):
        if name != SUMS and not name.endswith(".partial"):
            rows.append({"file": name, **_state(run, name, sums)})
    return rows


def table(runs: list[Found]):
    """A row for each run: how many of its files are whole, and what is wrong with the others."""
    import pandas as pd

    rows = []
    for run in runs:
        found = verify(run)
        wrong = [f"{row['file']}: {row['state']}" for row in found if row["state"] not in GOOD]
        rows.append({"run": run.name, "files": len(found), "whole": len(found) - len(wrong), "wrong": "; ".join(wrong)})
    return pd.DataFrame(rows, columns=["run", "files", "whole", "wrong"])


def _sums(run) -> dict:
    try:
        sums = json.loads(run.read(SUMS)) if SUMS in run.sizes else {}
        return sums if isinstance(sums, dict) else {}
    except (OSError, ValueError, RecursionError):
        return {}


def _state(run, name, sums):
    if name not in run.sizes:
        return {"state": "missing", "reason": "it has a checksum, but is not there"}
    try:
        content = run.read(name)
        if name in sums and sha256(content) == sums[name]:
            return {"state": "whole", "reason": "its checksum agrees"}
        reason = _form(name, content)
    except Exception as error:  # decoders of damaged files raise what they like
        return {"state": "damaged", "reason": f"{type(error).__name__}: {error}"}
    if name in sums:
        return {"state": "changed", "reason": "its checksum is another than the one taken when it was written"}
    return {"state": "written since" if sums else "whole", "reason": reason}


def _form(name, content) -> str:
    """What can be told of a file without a checksum of ours. Raises anything: it is damaged."""
    if name.startswith("checkpoints/") and name.endswith(".npz"):
        checkpoint.read(io.BytesIO(content))
        return "every array's checksum agrees"
    if name.endswith(".npz"):
        with zipfile.ZipFile(io.BytesIO(content)) as file:
            if wrong := file.testzip():
                raise ValueError(f"{wrong} in it has a wrong checksum")
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            shapes = [file[array].shape for array in file.files]
        return f"{len(shapes)} arrays whose checksums agree"
    if name.endswith((".json", ".ipynb")):
        json.loads(content)
        return "JSON"
    if name.endswith(".csv"):
        header, *rows = csv.reader(io.StringIO(content.decode()))
        odd = [i for i, row in enumerate(rows, 2) if len(row) != len(header)]
        if odd:
            raise ValueError(f"line {odd[0]} has not as many columns as the first")
        return f"a table of {len(rows)} rows"
    if name.endswith((".png", ".gif")):
        return _picture(content)
    return "there is no checksum, and its kind carries none"


def _picture(content) -> str:
    from PIL import Image

    with Image.open(io.BytesIO(content)) as image:
        image.load()
        return f"a picture, {image.width} x {image.height}"
