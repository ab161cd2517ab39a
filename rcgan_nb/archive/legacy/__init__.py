"""Archives of the project that this one grew out of (mv-temporal-rgan: RGAN v1 to v5, RCGAN v1 to v4) as runs of ours.

An archive is a folder of folders, `pickles/<run>/`, one for each time training was started. `import_archive` makes one
run of a run there and of all that it goes on with; `plan` says what that would be. Nothing in the archive changes, and
none of its code runs: tables are read as text, weights with h5py, optimisers' states by an allow-list (`pickles`).

What is converted stands where it is done: names and chains in `chains`, logs in `logs`, weights in `weights`, networks
and optimisers in `networks`, the sheet of samples that proves them in `sheet`.
"""

from rcgan_nb.archive.legacy.chains import find_chains
from rcgan_nb.archive.legacy.importing import import_archive, plan

__all__ = ["find_chains", "import_archive", "plan"]
