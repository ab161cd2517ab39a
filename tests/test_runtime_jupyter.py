"""The engine `jupyter` against a real server: what a run there gives, and what is told when something breaks."""

import asyncio
import contextlib
import csv
import json
import os
import re
import signal
import sys
import threading
import time
from pathlib import Path

import nbformat
import papermill
import pytest
from runtime_servers import CLONE, TOKEN, JupyterServer, Papermill, Proxy, notebook
from servers import until

from rcgan_nb.runtimes import left, remote
from rcgan_nb.runtimes.server import from_environment

SOON = 60  # seconds within which trouble must be told, also where the machine is busy


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = JupyterServer(tmp_path_factory.mktemp("server"))
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def environment(server, monkeypatch):
    monkeypatch.setenv("RCGAN_JUPYTER_URL", server.url)
    monkeypatch.setenv("RCGAN_JUPYTER_TOKEN", TOKEN)
    yield
    if server.process.poll() is None:
        assert server.kernels() == []


@pytest.fixture
def proxy(server, monkeypatch):
    proxy = Proxy(server.url)
    monkeypatch.setenv("RCGAN_JUPYTER_URL", proxy.url)
    yield proxy
    proxy.close()


def run(tmp_path, *sources, engine="jupyter", **options):
    """Run a notebook of these cells; returns it as it was written."""
    source = notebook(tmp_path / "in.ipynb", "n: int = 1  # a number", *sources)
    options = {"autosave_cell_every": 0, "progress_bar": False} | options
    papermill.execute_notebook(source, tmp_path / "out.ipynb", engine_name=engine, **options)
    return nbformat.read(tmp_path / "out.ipynb", 4)


def failed(tmp_path):
    """What the notebook's one failed cell says; the notebook calls itself failed, later cells wait."""
    book = nbformat.read(tmp_path / "out.ipynb", 4)
    assert book.metadata.papermill["exception"] is True
    statuses = [cell.metadata.papermill["status"] for cell in book.cells]
    assert statuses.count("failed") == 1 and "completed" not in statuses[statuses.index("failed") :], statuses
    return next(o.evalue for cell in book.cells for o in cell.get("outputs", []) if o.output_type == "error")


@contextlib.contextmanager
def meanwhile(path, act):
    """Do something as soon as the file exists; gives the times at which it began."""
    times, over = [], threading.Event()

    def wait():
        while not Path(path).exists() and not over.wait(0.02):
            pass
        if Path(path).exists():
            times.append(time.monotonic())
            act()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    try:
        yield times
    finally:
        over.set()
        thread.join(20)


# Tells its process's number in a file that is there at once as a whole, and works on.
WORK = "import os, time, pathlib\nsign = pathlib.Path({!r})\nsign.with_suffix('.new').write_text(str(os.getpid()))\n"
WORK += "os.replace(sign.with_suffix('.new'), sign)\ntime.sleep(600)"


def texts(book):
    return "".join(o.text for cell in book.cells for o in cell.get("outputs", []) if o.output_type == "stream")


def test_a_run_there_equals_a_local_one(server, tmp_path, runs):
    settings = {"dataset": "sines", "steps": 4, "hidden_units": 8, "batch_size": 8, "sample_every": 2}
    settings |= {"checkpoint_every": 2, "log_every": 1, "run_name": "same"}
    books, tables = [], []
    for engine in (None, "jupyter"):
        out = tmp_path / f"{engine}.ipynb"
        source = CLONE / "notebooks" / "train.ipynb"
        papermill.execute_notebook(source, out, settings, engine_name=engine, progress_bar=False, cwd=tmp_path)
        books.append(nbformat.read(out, 4))
        with open(runs / "same" / "metrics.csv") as file:
            tables.append([{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)])
        here = {path.relative_to(runs / "same") for path in (runs / "same").rglob("*")}
        os.rename(runs / "same", tmp_path / str(engine))
    assert tables[0] == tables[1] and len(tables[0]) == 4
    assert [bare(cell) for cell in books[0].cells] == [bare(cell) for cell in books[1].cells]
    assert books[0].metadata.language_info == books[1].metadata.language_info
    assert here == {path.relative_to(tmp_path / "None") for path in (tmp_path / "None").rglob("*")}
    assert TOKEN not in (tmp_path / "jupyter.ipynb").read_text()


def bare(cell):
    """A cell's outputs without what time makes different."""
    text = "".join(str(o.get("text", o.get("data"))) for o in cell.get("outputs", []))
    shown = re.sub(r"[^\n]*\r", "", text)  # progress that was overwritten
    shown = re.sub(r" +", " ", shown)  # tables are as wide as their seconds are long
    return cell.source, cell.get("execution_count"), re.sub(r"\d+\.\d+|\d+ s\b|\d+:\d\d\b", "#", shown)


def test_a_notebook_runs_after_other_asynchronous_work(tmp_path):
    for _ in range(2):
        assert texts(run(tmp_path, "print('n is', n)")) == "n is 1\n"
        asyncio.run(asyncio.sleep(0))


def test_widgets_keep_their_state(tmp_path):
    """Also with the older protocol of JSON frames, which Colab speaks."""
    server = JupyterServer(tmp_path / "json", "--ZMQChannelsWebsocketConnection.kernel_ws_protocol=")
    cells = ["import ipywidgets\nipywidgets.IntProgress(n)", "ipywidgets.Image(value=b'abc', format='png')"]
    cells += ["out = ipywidgets.Output()\nwith out:\n    print('inside')\nout"]
    try:
        states = []
        for engine, url in ((None, ""), ("jupyter", os.environ["RCGAN_JUPYTER_URL"]), ("jupyter", server.url)):
            os.environ["RCGAN_JUPYTER_URL"] = url
            book = run(tmp_path, *cells, engine=engine, parameters={"n": 5})
            (widgets,) = book.metadata.widgets.values()
            states.append(sorted(simple(model) for model in widgets["state"].values()))
        assert states[0] == states[1] == states[2]
        assert any("IntProgress" in state and "'value': 5" in state for state in states[0])
        assert any("YWJj" in state for state in states[0])  # abc, sent as a binary buffer
        assert any("OutputModel" in state and "inside" in state for state in states[0])
        assert server.kernels() == []
    finally:
        server.stop()


def simple(model):
    return re.sub(r"[0-9a-f]{32}", "ID", str({**model, "state": dict(sorted(model["state"].items()))}))


def test_a_cell_that_fails_is_told_and_its_results_come_home(server, tmp_path, runs):
    write = f"import pathlib\nfolder = pathlib.Path({str(server.runs)!r}) / 'broken'\nfolder.mkdir(parents=True)\n"
    write += "(folder / 'config.json').write_text('{}')"
    with pytest.raises(papermill.PapermillExecutionError, match="ZeroDivisionError"):
        run(tmp_path, write, "n / 0", "print('never')")
    assert (runs / "broken" / "config.json").read_text() == "{}"


def test_a_killed_kernel(tmp_path):
    done, sign = tmp_path / "out.ipynb", tmp_path / "works"
    source = notebook(tmp_path / "in.ipynb", "n: int = 1", "print('first')", WORK.format(str(sign)), "print('never')")
    with meanwhile(sign, lambda: (time.sleep(0.3), os.kill(int(sign.read_text()), signal.SIGKILL))) as times:
        mill = Papermill("jupyter", source, done, url=os.environ["RCGAN_JUPYTER_URL"])
        assert mill.end() == 138
    assert time.monotonic() - times[0] < SOON
    assert "the kernel died" in mill.text and "the kernel died" in failed(tmp_path)


def test_a_killed_server(tmp_path, monkeypatch):
    monkeypatch.setenv("RCGAN_JUPYTER_PATIENCE", "4")
    server = JupyterServer(tmp_path / "other")
    monkeypatch.setenv("RCGAN_JUPYTER_URL", server.url)
    sign = tmp_path / "works"
    with meanwhile(sign, server.process.kill) as times, pytest.raises(RuntimeError, match="was lost for 4 s"):
        run(tmp_path, WORK.format(str(sign)))
    assert time.monotonic() - times[0] < SOON
    assert f"the connection to {server.url} was lost for 4 s" in failed(tmp_path)
    until(lambda: not alive(int(sign.read_text())))
    server.stop()


def alive(pid):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    return False


# It is silent for a moment as the line is cut: what is on its way then is lost.
TALK = "import time, pathlib\nfor i in range(40):\n    print('line', i, flush=True)\n    time.sleep(0.1)\n"
TALK += "    if i == 5:\n        pathlib.Path({!r}).touch()\n        time.sleep(0.5)\n"


@pytest.mark.parametrize("away", [1, 6], ids=["while the cell runs", "until it has ended"])
def test_a_short_loss_is_survived_and_loses_no_line(tmp_path, proxy, caplog, away, monkeypatch):
    monkeypatch.setenv("RCGAN_JUPYTER_PATIENCE", "60")

    def lose():
        proxy.cut()
        time.sleep(away)
        proxy.mend()

    sign = tmp_path / "talks"
    with meanwhile(sign, lose):
        book = run(tmp_path, TALK.format(str(sign)), "print('next', n)")
    assert texts(book).split("line ")[1:] == [f"{i}\n" for i in range(39)] + ["39\nnext 1\n"]
    assert "lost; trying again" in caplog.text and "is there again" in caplog.text


def test_a_line_cut_between_cells_is_noticed_before_a_cell_is_sent(tmp_path, proxy):
    sign = tmp_path / "done"
    first = f"import pathlib, threading\nthreading.Timer(0.5, pathlib.Path({str(sign)!r}).touch).start()"
    saves = []

    def save(book, path):  # the loop stands still while papermill writes: the cut falls between two cells
        time.sleep(0.7 if not sign.exists() and saves.append(1) is None and len(saves) > 4 else 0)
        nbformat.write(book, path)

    with pytest.MonkeyPatch.context() as patch, meanwhile(sign, lambda: (proxy.cut(), time.sleep(1), proxy.mend())):
        patch.setattr("papermill.engines.write_ipynb", save)
        book = run(tmp_path, first, "print('second')", "print('third')")
    assert sign.exists() and texts(book) == "second\nthird\n"


@pytest.mark.parametrize(("break_it", "patience"), [(Proxy.cut, "4"), (Proxy.silence, "")], ids=["cut", "silent"])
def test_a_long_loss_is_told_and_what_was_left_is_brought_home(
    server, tmp_path, proxy, runs, break_it, patience, monkeypatch
):
    monkeypatch.setenv("RCGAN_JUPYTER_PATIENCE", patience)
    sign, folder = tmp_path / "works", server.runs / f"lonely-{break_it.__name__}"
    write = f"import pathlib\nfolder = pathlib.Path({str(folder)!r})\nfolder.mkdir(parents=True)\n"
    write += "(folder / 'config.json').write_text('{}')"
    with (
        meanwhile(sign, lambda: break_it(proxy)) as times,
        pytest.raises(RuntimeError, match=f"was lost for {patience or 8} s"),
    ):
        run(tmp_path, write, WORK.format(str(sign)))
    assert time.monotonic() - times[0] < SOON
    assert f"was lost for {patience or 8} s" in failed(tmp_path)
    assert len(server.kernels()) == 1 and len(list(left.folder().glob("*.json"))) == 1
    proxy.mend()
    (note,) = left._notes()
    note.path.write_text(note.path.read_text().replace(f'"pid": {os.getpid()}', '"pid": 999999999'))  # that one ended
    assert texts(run(tmp_path, "print('again')")) == "again\n"
    assert (runs / folder.name / "config.json").exists() and not list(left.folder().glob("*.json"))


def test_a_kernel_ended_by_somebody_else(server, tmp_path):
    sign = tmp_path / "works"

    def end():
        (kernel,) = server.kernels()
        server.get(f"/api/kernels/{kernel}", "DELETE")

    with meanwhile(sign, end) as times, pytest.raises(RuntimeError, match="the kernel is gone: somebody ended it"):
        run(tmp_path, WORK.format(str(sign)))
    assert time.monotonic() - times[0] < SOON
    failed(tmp_path)


def test_a_kernel_that_dies_while_nobody_looks(tmp_path, proxy, monkeypatch):
    monkeypatch.setenv("RCGAN_JUPYTER_PATIENCE", "60")
    sign = tmp_path / "works"

    def kill():
        proxy.cut()
        os.kill(int(sign.read_text()), signal.SIGKILL)
        time.sleep(5)
        proxy.mend()

    with meanwhile(sign, kill) as times, pytest.raises(RuntimeError, match="died and was started anew"):
        run(tmp_path, WORK.format(str(sign)))
    assert time.monotonic() - times[0] < SOON + 5


def test_a_wrong_token(tmp_path, monkeypatch, proxy):
    monkeypatch.setenv("RCGAN_JUPYTER_TOKEN", "wrong-secret")
    begun = time.monotonic()
    with pytest.raises(OSError, match=r"refuses the token \(403\); set RCGAN_JUPYTER_TOKEN"):
        run(tmp_path, "print('never')")
    assert time.monotonic() - begun < SOON
    assert "refuses the token" in failed(tmp_path) and "wrong-secret" not in (tmp_path / "out.ipynb").read_text()


def test_the_token_goes_into_one_header_and_nowhere_else(server, tmp_path, proxy, caplog):
    caplog.set_level("DEBUG")
    run(tmp_path, "print(n)")
    seen = bytes(proxy.seen)
    assert (
        seen.count(TOKEN.encode()) == len(re.findall(rb"Authorization: token " + TOKEN.encode() + rb"\r\n", seen)) > 4
    )
    for text in (caplog.text, (tmp_path / "out.ipynb").read_text(), (server.folder / "server.log").read_text()):
        assert TOKEN not in text


def test_a_full_disk_there(server, tmp_path):
    fill = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
    fill += "import pathlib\npathlib.Path('big').write_bytes(bytes(50_000))"
    with pytest.raises(papermill.PapermillExecutionError, match="OSError"):
        run(tmp_path, fill)


def test_a_full_disk_here(server, tmp_path, runs):
    write = f"import pathlib\nfolder = pathlib.Path({str(server.runs)!r}) / 'large'\nfolder.mkdir(parents=True)\n"
    write += "(folder / 'config.json').write_text('{}')\n(folder / 'weights.bin').write_bytes(bytes(300_000))"
    source = notebook(tmp_path / "in.ipynb", "n: int = 1", write)
    limit = tmp_path / "sitecustomize.py"
    limit.write_text("import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n")
    path = f"{tmp_path}{os.pathsep}{CLONE}"
    mill = Papermill("jupyter", source, tmp_path / "out.ipynb", url=server.url, PYTHONPATH=path)
    assert mill.end() == 1 and "File too large" in mill.text
    assert "File too large" in failed(tmp_path)
    assert [p.name for p in (runs / "large").iterdir()] == ["config.json"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 1), (signal.SIGTERM, 143)])
def test_stopping_papermill_lets_a_cell_keep_its_work(server, tmp_path, runs, number, code):
    folder = server.runs / f"stopped-{code}"
    work = f"import pathlib, time\nfolder = pathlib.Path({str(folder)!r})\nfolder.mkdir(parents=True)\n"
    work += "(folder / 'config.json').write_text('{}')\nprint('works', flush=True)\ntry:\n    time.sleep(600)\n"
    work += "except KeyboardInterrupt:\n    (folder / 'kept').touch()"
    source = notebook(tmp_path / "in.ipynb", "n: int = 1", work)
    mill = Papermill("jupyter", source, tmp_path / "out.ipynb", url=server.url).until("works")
    begun = time.monotonic()
    mill.process.send_signal(number)
    assert mill.end() == code and time.monotonic() - begun < SOON
    assert (runs / folder.name / "kept").exists(), mill.text
    failed(tmp_path)


def test_the_kernel_of_a_killed_papermill_is_ended_by_the_next(server, tmp_path):
    source = notebook(tmp_path / "in.ipynb", "n: int = 1", "import time\nprint('works', flush=True)\ntime.sleep(600)")
    mill = Papermill("jupyter", source, tmp_path / "killed.ipynb", url=server.url).until("works")
    mill.process.kill()
    mill.end()
    assert len(server.kernels()) == 1
    assert texts(run(tmp_path, "print('again')")) == "again\n"


def test_runs_are_copied_while_a_cell_works(server, tmp_path, runs, monkeypatch):
    monkeypatch.setattr(remote, "COPY_EVERY", 1)
    folder = server.runs / "long"
    work = f"import pathlib, time\nfolder = pathlib.Path({str(folder)!r})\nfolder.mkdir(parents=True)\n"
    work += "(folder / 'config.json').write_text('{}')\nend = time.time() + 300\n"
    work += f"while not pathlib.Path({str(tmp_path / 'seen')!r}).exists() and time.time() < end:\n    time.sleep(0.1)"
    with meanwhile(runs / "long" / "config.json", (tmp_path / "seen").touch) as times:
        run(tmp_path, work)
    assert times


def test_a_kernel_that_is_not_there(tmp_path):
    with pytest.raises(OSError, match=r"has no kernel 'ir', only .*python3.*; choose with papermill's -k"):
        run(tmp_path, "1", kernel_name="ir", language="python")
    assert "has no kernel 'ir'" in failed(tmp_path)


def test_a_kernel_without_the_library(server, tmp_path):
    (tmp_path / "rcgan_nb.py").write_text("raise ImportError('not here')")
    spec = {"argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"], "language": "python"}
    spec |= {"display_name": "bare", "env": {"PYTHONPATH": str(tmp_path)}}
    folder = server.data / "kernels" / "bare"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(json.dumps(spec))
    with pytest.raises(OSError, match=r"cannot import rcgan_nb \(ImportError: not here\); install it there"):
        run(tmp_path, "1", kernel_name="bare", language="python")
    assert "install it there" in failed(tmp_path)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", r"RCGAN_JUPYTER_URL is ''; the engine jupyter needs the server's address"),
        ("localhost:8888", "such as http://127.0.0.1:8888"),
        ("http://127.0.0.1:8888/?token=secret", "carries more than an address"),
    ],
)
def test_an_address_that_is_none(monkeypatch, url, message):
    monkeypatch.setenv("RCGAN_JUPYTER_URL", url)
    with pytest.raises(ValueError, match=message) as error:
        from_environment()
    assert "secret" not in str(error.value)
