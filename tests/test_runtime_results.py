"""What a server calls results, brought home: real files through the far side's own code, and a server that lies."""

import asyncio
import base64
import hashlib
import json
import os

import pytest
from runs_made import process, run_at

from rcgan_nb.runtimes import results, shelf


@pytest.fixture
def far(tmp_path, monkeypatch):
    folder = tmp_path / "far"
    folder.mkdir()
    monkeypatch.setattr(shelf, "folder", lambda: folder)
    return folder


async def honest(function, *arguments):
    return json.loads(json.dumps(getattr(shelf, function)(*arguments)))


def fetch(home, ask=honest, begun=0, process=1):
    asyncio.run(home.fetch(ask, begun, process))


def make(folder, name, files, *segments):
    """A run's folder with these files (name: text) and the processes that worked on it."""
    (folder / name).mkdir(parents=True, exist_ok=True)
    files = {"config.json": "{}", "segments.json": json.dumps([{"id": i} for i in segments])} | files
    for path, text in files.items():
        (folder / name / path).parent.mkdir(exist_ok=True)
        (folder / name / path).write_text(text)


def tree(folder):
    return {str(p.relative_to(folder)): p.read_text() for p in sorted(folder.rglob("*")) if p.is_file()}


A, B, C = "aaaaaaaa1111", "bbbbbbbb2222", "cccccccc3333"


def test_a_run_comes_home_whole_and_again_where_it_changed(far, runs):
    make(far, "one", {"metrics.csv": "1", "checkpoints/step-1.npz": "x"}, A)
    (far / "one" / "checkpoints" / "step-2.npz.partial").write_text("half")
    (far / "one" / ".hidden").write_text("h")
    home = results.Home(runs)
    fetch(home)
    assert home.count == 4 and "one/checkpoints/step-1.npz" in tree(runs) and len(tree(runs)) == 4
    (far / "one" / "metrics.csv").write_text("12")
    (far / "one" / "checkpoints" / "step-2.npz").write_text("y")
    (far / "one" / "checkpoints" / "step-1.npz").unlink()
    fetch(home)
    assert home.count == 6 and tree(runs)["one/metrics.csv"] == "12"
    assert [p.name for p in (runs / "one" / "checkpoints").iterdir()] == ["step-2.npz"]  # as it is there
    for path in sorted(far.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    fetch(home)
    assert len(tree(runs)) == 4  # a machine that is wiped takes nothing from us


def test_only_what_this_notebook_wrote_is_fetched(far, runs, tmp_path):
    (tmp_path / "else").mkdir()
    (tmp_path / "else" / "secret").write_text("s")
    for name, pid in (("ours", 1), ("theirs", 2), ("old", 2)):
        make(far, name, {"heartbeat.json": json.dumps({"pid": pid})}, A)
    for path in (far / "old").iterdir():
        os.utime(path, ns=(5, 5))
    (far / "prepared").mkdir()
    (far / "prepared" / "new.npz").write_text("n")
    (far / "prepared" / "old.npz").write_text("o")
    os.utime(far / "prepared" / "old.npz", ns=(5, 5))
    (far / "away").symlink_to(tmp_path / "else")
    (far / "ours" / "link").symlink_to(tmp_path / "else" / "secret")
    fetch(results.Home(runs), begun=10)
    names = {name.split("/")[0] for name in tree(runs)}
    assert names == {"ours", "prepared"} and "prepared/old.npz" not in tree(runs) and "ours/link" not in tree(runs)
    (far / "old" / "evaluation.json").write_text("{}")  # judged now, by us
    fetch(results.Home(runs), begun=10)
    assert "old/evaluation.json" in tree(runs) and "old/config.json" in tree(runs)


@pytest.mark.parametrize(
    ("here", "there", "name"),
    [
        ((A,), (A, B), "run"),  # gone on with there
        ((A, B), (A, C), "run-cccccccc"),  # gone on with on both sides
        ((A, B), (A, C, B), "run-cccccccc"),  # the same name as it goes on there
        ((A, B), (A,), "run-aaaaaaaa"),  # gone on with here: what was made there meanwhile comes, too
        ((B,), (A,), "run-aaaaaaaa"),  # two runs of one name
        ((), (A,), "run-aaaaaaaa"),
        ((A,), (), "run-server"),
    ],
)
def test_a_run_that_went_on_otherwise_here_stays(far, runs, caplog, here, there, name):
    make(runs, "run", {"metrics.csv": "here"}, *here)
    make(far, "run", {"metrics.csv": "there"}, *there)
    before = tree(runs / "run")
    fetch(results.Home(runs))
    assert tree(runs / name) == tree(far / "run")
    if name != "run":
        assert tree(runs / "run") == before and f"the server's is {name}" in caplog.text


@pytest.mark.parametrize(("step", "name"), [(100, "one"), (60, "one-bbbbbbbb")])
def test_a_run_that_went_further_here_than_the_copy_gone_on_with_there_stays(far, runs, step, name):
    ours = run_at(runs / "one", 100, [process(A)])
    before = tree_of_bytes(ours.path)
    run_at(far / "one", 120, [process(A), process(B, step)])
    fetch(results.Home(runs))
    assert (tree_of_bytes(runs / "one") == before) == (name != "one")
    assert [s["id"][:8] for s in json.loads((runs / name / "segments.json").read_text())] == ["aaaaaaaa", "bbbbbbbb"]


def tree_of_bytes(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_set_of_the_same_name_stays(far, runs, caplog):
    for folder, text in ((far, "there"), (runs, "here")):
        (folder / "prepared").mkdir(parents=True)
        (folder / "prepared" / "set.npz").write_text(text)
    fetch(results.Home(runs))
    beside = f"set-{hashlib.sha256(b'there').hexdigest()[:8]}.npz"
    assert tree(runs) == {"prepared/set.npz": "here", f"prepared/{beside}": "there"}
    assert f"is another one here and stays; the server's is {beside}" in caplog.text


NAMES = [
    "../out",
    "/tmp/out",
    "a/../../out",
    "a//b",
    "a/./b",
    "..",
    "",
    "a\\..\\b",
    "C:evil",
    ".ssh/x",
    "a\x00b",
    "a\nb",
]
NAMES += ["a" * 201, "/".join("a" * 21), "~/x", 5, None, "x/"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_leads_out_of_the_runs_folder(runs, tmp_path, name):
    async def lying(function, *arguments):
        return [["good.txt", 1, 1], [name, 1, 1]]

    with pytest.raises(ValueError, match="leads out of the runs folder or is odd"):
        fetch(results.Home(runs), lying)
    assert not runs.exists() and sorted(p.name for p in tmp_path.iterdir()) == []


SHA = hashlib.sha256(b"data").hexdigest()


def lying(size=4, sent=b"data", sha=SHA, name="file.txt", line=((), 0)):
    async def ask(function, *arguments):
        if function == "chunk":
            return base64.b64encode(sent[arguments[1] :]).decode()
        return {"changed": [[name, size, 1]], "digest": [size, sha], "line": line}[function]

    return ask


@pytest.mark.parametrize(
    "lie",
    [{"sent": b"date"}, {"sent": b"dat"}, {"sent": b"data and more"}, {"size": 3}, {"sha": "0" * 64}, {"sha": None}],
)
def test_what_is_not_what_it_is_said_to_be_leaves_nothing(runs, lie):
    with pytest.raises(ValueError, match="file.txt changed while it was read, or is not what the server says it is"):
        fetch(results.Home(runs), lying(**lie))
    assert tree(runs) == {}
    fetch(results.Home(runs), lying())
    assert tree(runs) == {"file.txt": "data"}


def test_more_than_the_disk_holds_is_refused_at_once(runs):
    with pytest.raises(OSError, match="do not fit on the disk"):
        fetch(results.Home(runs), lying(size=10**18))


def test_links_here_lead_nowhere(far, runs, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    runs.mkdir()
    (runs / "sets").symlink_to(outside)
    (far / "sets").mkdir()
    (far / "sets" / "x.npz").write_text("x")
    with pytest.raises(ValueError, match="leads out of .* by a link"):
        fetch(results.Home(runs))
    assert tree(outside) == {}


@pytest.mark.parametrize("line", [[["../../x", 5, {}, ["../../x", 0]], "y"], {}, [5, 0], [[["aaaaaaaa1111"]], 0]])
def test_a_run_s_processes_may_be_lies(runs, line):
    make(runs, "run", {}, A)
    before = tree(runs)
    fetch(results.Home(runs), lying(name="run/config.json", line=line))
    assert tree(runs) == before | {"run-server/config.json": "data"}
