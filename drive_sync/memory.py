"""What both sides had when they were last alike: a journal that is written as a sync goes on, so that nothing is lost
when it is interrupted."""

import contextlib
import dataclasses
import json
import os
import threading
from pathlib import Path

from drive_sync.listing import Known


class Memory:
    """Files as they were when both sides were alike, by their paths here.

    Each line of the journal is a path and what is known of it since; a line cut short by a crash does not count: such a
    file is compared anew. Nothing is written before the first `compact`.
    """

    def __init__(self, journal):
        self.journal = Path(journal)
        self.known: dict[str, Known] = {}
        self._lock = threading.Lock()
        for line in self.journal.read_bytes().split(b"\n") if self.journal.exists() else []:
            with contextlib.suppress(ValueError, TypeError):
                path, facts = json.loads(line)
                self._set(path, Known(**facts) if facts else None)

    def _set(self, path, known):
        if known:
            self.known[path] = known
        else:
            self.known.pop(path, None)

    def note(self, path, known: Known | None):
        """Remember a file as it is now on both sides; None: on neither."""
        with self._lock:
            self._set(path, known)
            with open(self.journal, "ab") as file:
                file.write(_line(path, known))

    def compact(self):
        """One line for each file, and none for those that are gone; also mends a last line that was cut short."""
        partial = self.journal.with_name(f"{self.journal.name}.partial")
        with open(partial, "wb") as file:
            file.writelines(_line(path, known) for path, known in sorted(self.known.items()))
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, self.journal)


def _line(path, known):
    return json.dumps([path, dataclasses.asdict(known) if known else None]).encode() + b"\n"
