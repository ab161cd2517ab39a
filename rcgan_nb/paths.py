"""Where results and data lie. No other module asks for the current directory or an environment variable."""

import os
import sysconfig
from pathlib import Path, PurePosixPath

CHECKOUT = Path(__file__).resolve().parents[1]
MOVED = "archive"  # under the runs folder: what merging and pruning moved out of the way
RESERVED = ("latest", "prepared", "batches", "reviews", "sweeps", "cluster", MOVED)


def runs() -> Path:
    """Folder of all results: RCGAN_RUNS, else `runs/` of the checkout, else `runs/` where Python was started."""
    if os.environ.get("RCGAN_RUNS"):
        return Path(os.environ["RCGAN_RUNS"]).expanduser().resolve()
    return ((CHECKOUT if (CHECKOUT / "notebooks").is_dir() else Path.cwd()) / "runs").resolve()  # it may be a link


def notebooks() -> Path:
    """Folder of the notebooks: the checkout's, else where the wheel put them."""
    of_checkout = CHECKOUT / "notebooks"
    return of_checkout if of_checkout.is_dir() else Path(sysconfig.get_path("data")) / "share/rcgan_nb/notebooks"


def data() -> Path:
    """Folder of downloaded data: RCGAN_DATA, else the user's cache folder."""
    if os.environ.get("RCGAN_DATA"):
        return Path(os.environ["RCGAN_DATA"]).expanduser().resolve()
    import pooch

    return Path(pooch.os_cache("rcgan_nb"))


def personal() -> Path:
    """Folder of what is nobody else's business, such as addresses: RCGAN_CONFIG, else the user's own for settings."""
    if os.environ.get("RCGAN_CONFIG"):
        return Path(os.environ["RCGAN_CONFIG"]).expanduser().resolve()
    import platformdirs

    return platformdirs.user_config_path("rcgan_nb")


def prepared(name: str) -> Path:
    """File of the prepared set `name`, written by prepare.ipynb and read by `load`."""
    return inside(runs() / "prepared", name).with_name(f"{name}.npz")


def inside(folder: Path, name: str) -> Path:
    """`folder / name`, refusing a name that leads anywhere but directly into the folder."""
    if name in RESERVED:
        raise ValueError(f"{name!r} has a meaning of its own and cannot name a run; choose another name.")
    if not name or name in (".", "..") or Path(name).name != name or "\\" in name:
        raise ValueError(f"{name!r} cannot name a file or folder; use a plain name without slashes, such as 'trial-1'.")
    return folder / name


def below(folder: Path, name: str) -> Path:
    """`folder / name` for a name with "/" in it, refusing one that leads out of the folder."""
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\\" in name or ":" in parts[0] or "\x00" in name:
        raise ValueError(f"the name {name!r} leads out of {folder}.")
    return folder.joinpath(*parts)
