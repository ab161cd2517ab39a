"""The wheel that colab.ipynb installs: it has all it needs, changes nothing that is there, and trains as on Colab."""

import ast
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import nbformat
import pytest
from packaging.requirements import Requirement

from rcgan_nb import archive

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = [name for name in ("rcgan_nb", "drive_sync") if (ROOT / name).is_dir()]
BIN = Path(sys.executable).parent
# google.colab as a kernel of Colab has it from its start: drive.mount puts the user's Drive at a folder.
COLAB = """
import sys, types
from pathlib import Path

def mount(where):
    Path("mounted").write_text(where)

colab = types.ModuleType("google.colab")
colab.drive = types.SimpleNamespace(mount=mount)
sys.modules["google.colab"] = colab
"""


def run(*command, check=True, **options):
    """A process's result, with its words in the error."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=300, **options)
    assert not check or done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """`make wheel` in a copy of the checkout, with a folder for Drive; the copy, and what make said."""
    if not shutil.which("make"):
        pytest.skip("runs where make is installed")
    copy = tmp_path_factory.mktemp("copy")
    for name in (*PACKAGES, "notebooks"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "Makefile", "requirements.lock"):
        shutil.copy(ROOT / name, copy)
    (copy / "build/lib/rcgan_nb").mkdir(parents=True)
    (copy / "build/lib/rcgan_nb/long_gone.py").touch()  # of an earlier build
    (copy / "complete").touch()
    return copy, run(
        "make", "wheel", f"BIN={BIN}", "ENV=complete", "--old-file=complete", f"DRIVE={copy / 'drive'}", cwd=copy
    ).stdout


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """Python of an environment that has all packages of this one but no rcgan_nb, and may be installed into."""
    folder = tmp_path_factory.mktemp("machine")
    run(sys.executable, "-m", "venv", "--without-pip", folder / "env")
    python, others = folder / "env/bin/python", folder / "others"
    others.mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if "rcgan_nb" not in path.name and path.suffix != ".pth":
            (others / path.name).symlink_to(path)
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").stdout.strip())
    (site / "others.pth").write_text(f"{others}\n")
    return python


def clean(**more):
    """The environment without the checkout, and without any network for pip."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "RCGAN_RUNS")}
    return environment | {"PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"} | more


def wheel_of(built) -> Path:
    (found,) = (built[0] / "drive").glob("rcgan_nb-*.whl")
    return found


def test_it_holds_library_notebooks_and_commands_and_nothing_else(built):
    copy, said = built
    assert f"The wheel lies in {copy / 'drive'}." in said and not (copy / "build").exists()
    names = zipfile.ZipFile(wheel_of(built)).namelist()
    inside = {name.split("/", 1)[1] for name in names if ".data/data/share/rcgan_nb/" in name}
    assert {Path(name).name for name in inside} == {path.name for path in (ROOT / "notebooks").glob("*.ipynb")}
    modules = {str(path.relative_to(ROOT)) for top in PACKAGES for path in (ROOT / top).rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == modules
    assert any(name.endswith("entry_points.txt") for name in names)


def test_make_without_a_folder_says_where_the_wheel_goes(built):
    copy, _ = built
    said = run("make", "wheel", f"BIN={BIN}", "ENV=complete", "--old-file=complete", cwd=copy).stdout
    assert "into the folder rcgan_nb of your Google Drive" in said and "dist/rcgan_nb-" in said


def test_pip_would_change_nothing_that_is_installed(built, machine):
    pip = [machine, "-m", "pip", "install", "--dry-run", "--quiet", "--report", "-"]
    (ours,) = json.loads(run(*pip, wheel_of(built), env=clean()).stdout)["install"]
    assert ours["metadata"]["name"] == "rcgan-nb"
    bounds = [bound for need in ours["metadata"]["requires_dist"] for bound in Requirement(need).specifier]
    assert {bound.operator for bound in bounds} == {">="}  # an upper bound would take what is there away


def test_colab_notebook_as_on_colab(built, machine, tmp_path):
    """A machine with TensorFlow and a Drive: it installs the newest wheel, trains, keeps the run in the Drive."""
    copy, _ = built
    home = tmp_path / "drive"
    shutil.copytree(copy / "drive", home)
    (home / "rcgan_nb-0.0.1-py3-none-any.whl").write_text("an older one, not even whole")
    os.utime(home / "rcgan_nb-0.0.1-py3-none-any.whl", (1, 1))
    (tmp_path / "sitecustomize.py").write_text(COLAB)
    book = (copy / "notebooks/colab.ipynb").read_text().replace("/content/drive/MyDrive/rcgan_nb", str(home))
    (tmp_path / "colab.ipynb").write_text(book)
    tiny = {"steps": 6, "hidden_units": 8, "sample_every": 3, "checkpoint_every": 3, "run_name": "far"}
    words = [word for name, value in tiny.items() for word in ("-p", name, value)]
    papermill = [machine, "-m", "papermill", "--no-progress-bar", "colab.ipynb", "out.ipynb"]
    run(*papermill, *words, cwd=tmp_path, env=clean(PYTHONPATH=str(tmp_path)))
    assert (tmp_path / "mounted").read_text() == "/content/drive"
    assert archive.find(home / "runs/far").status() == "finished"
    cells = [cell for cell in nbformat.read(tmp_path / "out.ipynb", 4).cells if cell.cell_type == "code"]
    kept = "".join(cells[4].outputs[0].data["text/plain"])
    assert all(before == after for before, after in ast.literal_eval(kept).values()), kept
    where = Path(run(machine, "-c", "import rcgan_nb; print(rcgan_nb.__file__)", cwd=tmp_path, env=clean()).stdout)
    assert machine.parents[1] in where.parents


def test_colab_notebook_without_a_wheel_says_what_to_do(machine, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(COLAB)
    book = (ROOT / "notebooks/colab.ipynb").read_text().replace("/content/drive/MyDrive/rcgan_nb", str(tmp_path / "no"))
    (tmp_path / "colab.ipynb").write_text(book)
    papermill = [machine, "-m", "papermill", "--no-progress-bar", "colab.ipynb", "out.ipynb"]
    done = run(*papermill, cwd=tmp_path, env=clean(PYTHONPATH=str(tmp_path)), check=False)
    assert done.returncode == 1 and "run make wheel, and put dist/rcgan_nb-*.whl there" in done.stderr


def test_installed_it_knows_where_things_are(built, machine, tmp_path):
    """Without a checkout: runs/ where Python was started, notebooks where the wheel put them, the command `rcgan`."""
    run(machine, "-m", "pip", "install", "--quiet", "--no-deps", "--force-reinstall", wheel_of(built), env=clean())
    code = "from rcgan_nb import paths; print(paths.runs()); print(paths.notebooks() / 'train.ipynb')"
    runs, book = run(machine, "-c", code, cwd=tmp_path, env=clean()).stdout.split()
    assert Path(runs) == tmp_path / "runs" and Path(book).is_file() and machine.parents[1] in Path(book).parents
    said = run(
        machine.parent / "rcgan", "batch", "--grid", "train.ipynb", "--dry-run", cwd=tmp_path, env=clean()
    ).stdout
    assert said == "train: would be run\n" and not (tmp_path / "runs").exists()
