"""Real Jupyter servers on loopback, and a proxy in front of them that can be cut."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

import nbformat
from servers import free_port, until

TOKEN = "a-secret-of-the-tests"
CLONE = Path(__file__).resolve().parents[1]


class JupyterServer:
    """`jupyter server`, or `jupyter lab`, with a runs folder of its own, far from the tests' one."""

    def __init__(self, folder, *options, token=TOKEN, program="jupyter_server"):
        self.folder, self.token = folder, token
        self.runs, self.data = folder / "far-runs", folder / "jupyter"
        self.url = f"http://127.0.0.1:{free_port()}"
        env = {**os.environ, "RCGAN_RUNS": str(self.runs), "PYTHONPATH": str(CLONE), "IPYTHONDIR": str(folder / "ip")}
        env["JUPYTER_PATH"] = str(self.data)
        self.root = folder / "root"
        self.root.mkdir(parents=True)
        command = [sys.executable, "-m", program, "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1"]
        command += [f"--ServerApp.port={self.url.rsplit(':', 1)[1]}", "--ServerApp.port_retries=0"]
        command += [f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={self.root}", *options]
        self.log = open(folder / "server.log", "w")  # noqa: SIM115
        self.process = subprocess.Popen(command, env=env, cwd=self.root, stdout=self.log, stderr=self.log)
        self.wait()

    def wait(self):
        until(self._answers)

    def _answers(self):
        assert self.process.poll() is None, (self.folder / "server.log").read_text()
        with contextlib.suppress(OSError):
            return self.get("/api/status")

    def get(self, path, method="GET"):
        request = urllib.request.Request(self.url + path, method=method)
        request.add_header("Authorization", f"token {self.token}")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    def kernels(self):
        return [kernel["id"] for kernel in self.get("/api/kernels")]

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)
        self.log.close()


class Proxy:
    """A TCP proxy; cut() closes what is open and refuses more until mend(); silence() lets nothing through any more."""

    def __init__(self, target):
        self.target = ("127.0.0.1", int(target.rsplit(":", 1)[1]))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.broken = self.silent = False
        self.pairs, self.seen = [], bytearray()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            if self.broken:
                near.close()
                continue
            far = socket.create_connection(self.target)
            self.pairs.append((near, far))
            threading.Thread(target=self._pump, args=(near, far, True), daemon=True).start()
            threading.Thread(target=self._pump, args=(far, near, False), daemon=True).start()

    def _pump(self, source, sink, keep):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if keep:
                    self.seen += data
                if not self.silent:
                    sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut(self):
        self.broken = True
        for pair in self.pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        self.pairs = []

    def mend(self):
        self.broken = self.silent = False

    def silence(self):
        self.silent = True

    def close(self):
        self.cut()
        self.listener.close()


def notebook(path, *sources):
    """Write a notebook of these cells; the first is the parameters cell."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    book.cells[0].metadata["tags"] = ["parameters"]
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, path)
    return path


class Papermill:
    """`papermill --engine ...` in a process of its own."""

    def __init__(self, engine, source, output, *options, url="", token=TOKEN, **env):
        self.output = Path(output)
        env = {"RCGAN_JUPYTER_URL": url, "RCGAN_JUPYTER_TOKEN": token, "PYTHONPATH": str(CLONE), **env}
        engine = ["--engine", engine] if engine else []
        command = [sys.executable, "-m", "papermill", *engine, "--no-progress-bar", "--log-output"]
        command += ["--autosave-cell-every", "1", str(source), str(output), *options]
        pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        self.process = subprocess.Popen(command, env={**os.environ, **env}, **pipe)
        self.lines = []
        self.reader = threading.Thread(target=lambda: self.lines.extend(iter(self.process.stdout.readline, "")))
        self.reader.start()

    @property
    def text(self):
        return "".join(self.lines)

    def until(self, words):
        """Wait until papermill prints these words."""
        until(lambda: words in self.text or not self.reader.is_alive())
        assert words in self.text, self.text
        return self

    def end(self):
        """Exit code."""
        code = self.process.wait(300)
        self.reader.join(60)
        return code

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)

    def book(self):
        return nbformat.read(self.output, 4)

    def failed(self):
        """The outputs of errors in the notebook, which must call itself failed."""
        book = self.book()
        assert book.metadata.papermill["exception"] is True
        statuses = [cell.metadata.papermill["status"] for cell in book.cells if cell.cell_type == "code"]
        assert statuses.count("failed") == 1 and "completed" not in statuses[statuses.index("failed") :]
        outputs = [o for cell in book.cells if cell.cell_type == "code" for o in cell.outputs]
        return "".join(o.evalue for o in outputs if o.output_type == "error")
