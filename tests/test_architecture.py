"""The house rules: who may import whom, what `import rcgan_nb` may cost, how long files may be."""

import ast
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# A module imports only from rooms before its own; their order stands in CONTRIBUTING.md.
HOUSE = (ROOT / "CONTRIBUTING.md").read_text().split("## The house")[1].split("\n## ")[0]
ROOMS = re.findall(r"^- `(\w+)`: ", HOUSE, re.MULTILINE)
ALONE = {"losses", "stabilisers", "devices", "networks", "plots"}
FORBIDDEN = {("evaluation", "gan"), ("evaluation", "networks")}


def modules():
    return sorted((ROOT / "rcgan_nb").rglob("*.py"))


def room(path):
    inside = path.relative_to(ROOT / "rcgan_nb")
    return inside.parts[0].removesuffix(".py")


def imported_rooms(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "rcgan_nb":
            parts = node.module.split(".")
            yield from [parts[1]] if len(parts) > 1 else [alias.name for alias in node.names]


def test_every_room_stands_in_the_house_once():
    assert sorted(ROOMS) == sorted({room(path) for path in modules()} - {"__init__"})


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_only_from_rooms_above(path):
    here = room(path)
    if here == "__init__":
        return
    for other in imported_rooms(path):
        if other == here:
            continue
        assert here not in ALONE, f"{here} imports {other}, but should import nothing of ours"
        assert ROOMS.index(other) < ROOMS.index(here), f"{here} imports {other}, which comes after it"
        assert (here, other) not in FORBIDDEN


def test_files_stay_short():
    long = [path for path in [*modules(), *(ROOT / "tests").glob("*.py")] if len(path.read_text().splitlines()) > 400]
    assert not long


def test_import_is_quick_and_without_tensorflow():
    code = "import sys, rcgan_nb; assert not {'tensorflow', 'keras', 'sklearn', 'numpy'} & set(sys.modules)"
    empty, ours = [], []
    for _ in range(5):
        for program, times in (("pass", empty), (code, ours)):
            begun = time.perf_counter()
            subprocess.run([sys.executable, "-c", program], check=True)
            times.append(time.perf_counter() - begun)
    assert min(ours) - min(empty) < 0.3


def test_tensorflow_comes_without_remarks_and_errors_stay():
    program = "import rcgan_nb, os, sys, tensorflow; os.write(2, b'still here'); print(len(sys.meta_path))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == "still here"
    program = "import rcgan_nb, sys; sys.path.insert(0, 'x'); sys.modules['google.protobuf'] = None; import tensorflow"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 1 and "ModuleNotFoundError" in done.stderr


def test_functions_traced_again_are_no_remark_and_other_warnings_are():
    program = """import rcgan_nb, tensorflow as tf
for k in range(1, 9):
    tf.function(lambda x: x + 1)(tf.zeros(k))
    f = globals().setdefault("f", tf.function(lambda x: x + 1))
    f(tf.zeros(k))
tf.get_logger().warning("still here")"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "retracing" not in done.stderr and "still here" in done.stderr


def test_unknown_name_is_an_attribute_error():
    import rcgan_nb

    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        rcgan_nb.trian  # noqa: B018
