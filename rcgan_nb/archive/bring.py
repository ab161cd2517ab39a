"""Runs from elsewhere, brought into the runs folder: out of an archive file, a mirror, another folder."""

import os
import shutil

from rcgan_nb import paths
from rcgan_nb.archive.finder import Found
from rcgan_nb.archive.run import Run


def bring(found: Found, *, name="") -> Run:
    """Copy a run that was found elsewhere into the runs folder, whole or not at all. A numbered double that stands in
    for a file that is missing or broken, such as "config (1).json", gets its name.

    Args:
        name: in the runs folder; its own by default.
    Raises: FileExistsError: there is a run of that name. ValueError: nothing in it can be used.
    """
    target = paths.inside(paths.runs(), name or found.name)
    if found.use == "nothing":
        raise ValueError(f"{found.path} holds nothing that can be used: {'; '.join(found.problems)}.")
    if target.exists():
        remedy = f"join them with `rcgan runs merge`, or give another name than {target.name!r}"
        raise FileExistsError(f"there is a run {target.name!r} already; {remedy}.")
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    read = {f"{what}.json": file for what, file in found.facts["read"].items()}
    plain = {file: name for name, file in read.items()}
    try:
        for file in [file for file in found.sizes if read.get(file, file) == file]:
            place = paths.below(partial, plain.get(file, file))
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(found.read(file))
        os.rename(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Run(target)
