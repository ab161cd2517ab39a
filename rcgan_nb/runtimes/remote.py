"""A notebook run on a kernel elsewhere: started, watched, ended, its results brought home."""

import asyncio
import contextlib
import dataclasses
import logging
import signal
import threading

import nbformat
from jupyter_core.utils import ensure_event_loop, run_sync
from nbclient.exceptions import CellExecutionError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient

from rcgan_nb import paths
from rcgan_nb.runtimes import left, results
from rcgan_nb.runtimes.client import FarError, RemoteKernelClient
from rcgan_nb.runtimes.server import ServerError

COPY_EVERY = 120  # seconds between copies of what a run has written so far
FIRST_WORDS = """__import__("json").dumps([
    __import__("time").time_ns(), __import__("os").getpid(), str(__import__("rcgan_nb.paths").paths.runs())
])"""

logger = logging.getLogger("papermill")


def execute(nb_man, kernel_name, find_server, *, start_timeout=60, execution_timeout=None, **options):
    """Run the notebook of papermill's manager on a server; what stops it is written into the notebook, too.

    Args:
        find_server: gives the server, or says why not.
        options: as papermill's own engine takes them: log_output, stdout_file, stderr_file.
    """
    options = {name: options.get(name) for name in ("log_output", "stdout_file", "stderr_file")}
    options |= {"startup_timeout": start_timeout, "timeout": execution_timeout, "iopub_timeout": 60}
    with _terminable(), _told(nb_man):
        RemoteNotebook(nb_man, find_server(), kernel_name=kernel_name, log=logger, **options).execute()


class RemoteNotebook(PapermillNotebookClient):
    """A notebook whose kernel runs on a server."""

    def __init__(self, nb_man, server, **options):
        super().__init__(nb_man, **options)
        self.server = server
        self.home = results.Home(paths.runs())

    @contextlib.contextmanager
    def setup_kernel(self, **_):
        """Start a kernel there; afterwards, whatever happened, end it and bring its results home."""
        for note in _aside(left.end(self.server)):
            self._bring_home(note, quietly=True)
        kernel = _aside(self.server.start_kernel(self.kernel_name, timeout=self.startup_timeout))
        self.note = left.Note.of(self.server, kernel)
        self.note.write()
        self.kc = RemoteKernelClient(self.server, kernel)
        # Papermill asks the kernel outside of the loop, where tornado wants a current one; asyncio.run leaves none.
        asyncio.set_event_loop(ensure_event_loop())
        try:
            run_sync(self._connect)()
            with self._copies():
                yield
        except BaseException as error:
            self._end(interrupted=not isinstance(error, Exception))
            if not self.lost:
                self._bring_home(self.note, quietly=True)
            raise
        self._end()
        if not self.lost:
            self._bring_home(self.note)

    async def _connect(self):
        """Wait for the kernel, and ask it for its time, its process and its runs folder."""
        await self.kc.start_channels(self.startup_timeout)
        await self.kc.wait_for_ready(timeout=self.startup_timeout)
        self.kc.allow_stdin = False
        try:
            begun, process, there = await self.kc.evaluate(FIRST_WORDS)
        except FarError as error:
            raise ServerError(
                f"the kernel {self.kernel_name!r} on {self.server.url} cannot import rcgan_nb ({error}); install it "
                "there with pip."
            ) from None
        self.note = dataclasses.replace(self.note, begun=begun, process=process)
        self.note.write()
        logger.info("Kernel %s on %s; results go to %s there.", self.note.kernel, self.server.url, there)

    def _end(self, *, interrupted=False):
        """End the kernel. One that is interrupted may first end its step and write its checkpoint."""
        self.lost = self.kc.link.lost
        try:
            if interrupted and not self.lost:
                with contextlib.suppress(ServerError):  # it is ended in any case
                    _aside(self.server.settle(self.note.kernel))
            self.kc.stop_channels()
            _aside(self.server.end_kernel(self.note.kernel, timeout=1 if self.lost else 15))
            self.note.remove()
        except ServerError as error:
            self.lost = True
            logger.error(
                "Kernel %s may still run: %s The next notebook that runs there ends it and brings its results home.",
                self.note.kernel,
                error,
            )

    def _bring_home(self, note, *, quietly=False):
        """Fetch what a notebook wrote; quietly where there is more to be told or done."""
        if not note.begun:
            return
        try:
            _aside(self._fetch(note))
        except (ServerError, ValueError, TypeError, OSError, RuntimeError) as error:
            if not quietly:
                raise
            logger.error("The results were not brought home: %s", error)

    async def _fetch(self, note, stopped=lambda: False):
        async with results.courier(self.server, self.kernel_name) as ask:
            before = self.home.count, self.home.size
            await self.home.fetch(ask, note.begun, note.process, stopped)
        count, size = self.home.count - before[0], self.home.size - before[1]
        if count:
            logger.info("Brought home: %d files, %.1f MB, into %s.", count, size / 1e6, self.home.folder)

    @contextlib.contextmanager
    def _copies(self):
        """Bring home every two minutes what is there, so that a lost machine costs little."""
        stop = threading.Event()

        def copy():
            while not stop.wait(COPY_EVERY):
                try:
                    _aside(self._fetch(self.note, stop.is_set))
                except Exception as error:  # the next copy, or the last one, may succeed
                    logger.warning("The runs were not copied this time: %s", error)

        thread = threading.Thread(target=copy, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(30)

    def execute_cell(self, cell, cell_index, **options):
        """As nbclient's, but a cell whose kernel died is told from one that ended: papermill calls both completed."""
        try:
            return super().execute_cell(cell, cell_index, **options)
        except CellExecutionError:
            raise
        except BaseException as error:
            if isinstance(error, DeadKernelError):
                error = DeadKernelError(self.kc.dead)
            self.nb_man.cell_exception(cell, cell_index)
            _tell(cell, error)
            raise error from None


def _aside(coroutine):
    """Run on a loop of its own: on nbclient's, a cell that was interrupted would go on, and raise again."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(coroutine)
    finally:
        loop.close()


@contextlib.contextmanager
def _told(nb_man):
    """Write into the notebook what stops it outside of a cell: papermill would call it completed."""
    try:
        yield
    except BaseException as error:
        cells = [cell for cell in nb_man.nb.cells if cell.cell_type == "code"]
        if cells and not any(cell.metadata.papermill["status"] == nb_man.FAILED for cell in cells):
            done = [cell for cell in cells if cell.metadata.papermill["status"] == nb_man.COMPLETED]
            cell = done[-1] if done else cells[0]
            nb_man.cell_exception(cell)
            _tell(cell, error)
        nb_man.nb.metadata.papermill["exception"] = True
        raise


def _tell(cell, error):
    name, reason = type(error).__name__, str(error) or "the notebook was stopped."
    cell.outputs.append(nbformat.v4.new_output("error", ename=name, evalue=reason, traceback=[f"{name}: {reason}"]))


@contextlib.contextmanager
def _terminable():
    """Let SIGTERM end the notebook as Ctrl-C does, with its kernel ended and its results brought home."""

    def stop(number, _):
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
