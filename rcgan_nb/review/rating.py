"""Rating in a notebook, for whoever has an account on this machine."""

import getpass
import json
import os
import random

from rcgan_nb.plots.base import in_page
from rcgan_nb.review import letters, store


def rate(name, progress=print):
    """A widget that asks one question after the other; each click is kept at once, in the review's folder.

    The answers are this account's: it owns the file they are in. `collect` counts them.
    Raises: FileNotFoundError: there is no such review here.
    """
    import ipywidgets

    desk = Desk(name)
    progress(
        f"{len(desk.left)} questions of review {name!r} wait for {getpass.getuser()}. In a notebook that is open in a "
        "browser, click below; where there is none, rate by mail, or open review.ipynb in JupyterLab on this machine."
    )
    if not desk.left:
        return ipywidgets.HTML("Nothing is left to rate. Thank you.")
    return _view(ipywidgets, desk)


class Desk:
    """The questions that this account has not answered yet, in random order, and where its answers go."""

    def __init__(self, name):
        self.path = store.folder(name)
        try:
            facts = json.loads((self.path / "review.json").read_text())
        except FileNotFoundError:
            raise FileNotFoundError(f"there is no review {name!r} in {self.path.parent}; prepare it first.") from None
        self.question = facts["question"]
        self.file = self.path / "answers" / f"{os.getuid()}.jsonl"
        written = self.file.read_bytes() if self.file.exists() else b""
        whole = written.rpartition(b"\n")[0]  # a last line without its end was not written
        done = {json.loads(line)["item"] for line in whole.splitlines()}
        self.left = [item for item in facts["items"] if item["id"] not in done]
        random.SystemRandom().shuffle(self.left)

    def pictures(self) -> list[bytes]:
        """The sheets of the present question."""
        return [(self.path / "sheets" / f"{int(name, 16):016x}.png").read_bytes() for name in self.left[0]["sheets"]]

    def answer(self, value):
        """Keep an answer to the present question, and go on to the next.

        Raises: PermissionError: this account may not write there.
        """
        line = json.dumps({"item": self.left[0]["id"], "answer": value}) + "\n"
        try:
            with open(self.file, "a+b") as file:
                file.seek(0)
                if half := file.read().rpartition(b"\n")[2]:
                    file.truncate(file.tell() - len(half))
                file.write(line.encode())
                file.flush()
                os.fchmod(file.fileno(), 0o644)  # whoever began the review has to read it
                os.fsync(file.fileno())
        except PermissionError:
            raise PermissionError(
                f"this account may not write to {self.file.parent}; its owner can let the group: chmod g+w."
            ) from None
        del self.left[0]


def _view(ipywidgets, desk):
    box = ipywidgets.VBox()

    def show():
        if not desk.left:
            box.children = [ipywidgets.HTML("Nothing is left to rate. Thank you.")]
            return
        names = letters.NAMES[desk.question]
        sheets = enumerate(desk.pictures(), 1)  # in words no more than their place: who answers may not know whose
        pictures = [ipywidgets.HTML(in_page(content, f"sheet {k}")) for k, content in sheets]
        buttons = [ipywidgets.Button(description=text) for text in names.values()]
        for button, value in zip(buttons, names, strict=True):
            button.on_click(lambda _, item=desk.left[0], value=value: click(item, value))
        title = ipywidgets.HTML(f"{letters.QUESTION[desk.question]} ({len(desk.left)} left)")
        box.children = [title, ipywidgets.HBox(pictures), ipywidgets.HBox(buttons)]

    def click(item, value):
        if item in desk.left[:1]:  # the second of a double click comes after its question has gone
            desk.answer(value)
            show()

    show()
    return box
