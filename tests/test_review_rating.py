"""Ratings in the notebook: who has an account here, and only who owns a file, speaks in it."""

import getpass
import json
import os
import random
import re
from base64 import b64decode

import pytest
from review_made import people, reply, runs

from rcgan_nb import paths, review
from rcgan_nb.review import ReviewConfig, rating, replies, store


@pytest.fixture
def begun():
    """A review of two runs, begun without a mail server; the folder of its answers."""
    runs("one", "two")
    people(anna=["anna@lab.example", getpass.getuser()])
    return review.prepare(ReviewConfig(runs="one,two")).path / "answers"


def widgets(view):
    title, sheets, buttons = view.children
    parts = [re.search('alt="(.*?)".*base64,(.*?)"', sheet.value).groups() for sheet in sheets.children]
    said, shown = zip(*parts, strict=True)
    assert said == ("sheet 1", "sheet 2")[: len(said)]
    return title.value, [b64decode(sheet) for sheet in shown], list(buttons.children)


def whose():
    with store.opened() as db:
        ids = {row["id"]: row["run"] for row in db.execute("SELECT * FROM sheet")}
    return {(paths.runs() / f"reviews/review/sheets/{name}.png").read_bytes(): run for name, run in ids.items()}


def test_clicks_become_scores(begun):
    said = []
    view = review.rate("review", progress=said.append)
    assert f"3 questions of review 'review' wait for {getpass.getuser()}" in said[0] and "rate by mail" in said[0]
    order, runs_of = ["", "one", "two"], whose()
    for left in (3, 2, 1):
        title, sheets, buttons = widgets(view)
        assert f"({left} left)" in title and [b.description for b in buttons] == ["the left one", "the right one"]
        first, second = (order.index(runs_of[sheet]) for sheet in sheets)
        buttons[first > second].click()
        assert len(next(begun.iterdir()).read_text().splitlines()) == 4 - left  # kept at once
    assert "Thank you" in view.children[0].value
    assert "Thank you" in review.rate("review", progress=said.append).value and said[-1].startswith("0 questions")
    assert review.collect(mailbox=False) == {"counted": 3} and review.collect(mailbox=False) == {}
    scores = review.scores("review")
    assert 0 > scores["one"].value > scores["two"].value and review.report("review").deceived[0] == 0
    with store.opened() as db:
        assert {row["reviewer"] for row in db.execute("SELECT * FROM task")} == {"anna"}


def test_a_double_click_answers_one_question(begun):
    view = review.rate("review", progress=lambda text: None)
    for count in (1, 2, 3):
        button = widgets(view)[2][0]
        for _ in range(3):
            button.click()
        assert len(next(begun.iterdir()).read_text().splitlines()) == count
    assert "Thank you" in view.children[0].value


def test_an_answer_that_was_cut_short_is_asked_again(begun):
    desk = rating.Desk("review")
    for cut in (10, 1):  # within a line, and only its end
        desk.answer(1)
        file = next(begun.iterdir())
        file.write_bytes(file.read_bytes()[:-cut])
        desk = rating.Desk("review")
        assert len(desk.left) == 3
    for left in (2, 1, 0):
        desk.answer(2)
        assert len(rating.Desk("review").left) == left
    assert review.collect(mailbox=False) == {"counted": 3}


def test_rating_from_one_to_five(begun):
    runs("three")
    review.prepare(ReviewConfig(name="rated", runs="three", question="rate"))
    view = review.rate("rated", progress=lambda text: None)
    while len(view.children) == 3:
        _, (sheet,), buttons = widgets(view)
        assert [button.description for button in buttons] == ["1", "2", "3", "4", "5"]
        buttons[3].click()
    assert review.collect(mailbox=False) == {"counted": 2}
    assert review.scores("rated") == {"three": (4.0, 1.0, 5.0, 1)}  # one answer says next to nothing


def test_lines_that_the_notebook_did_not_write(begun):
    lines = ["no json", "[1]", '{"item": 99, "answer": 1}', '{"item": 1, "answer": 3}', '{"item": 1, "answer": true}']
    lines += ['{"item": 1, "answer": 2}', '{"item": 1, "answer": 1}', '{"item": [1], "answer": 1}', "[" * 5000]
    (begun / "any.jsonl").write_text("\n".join(lines) + '\n{"item": 2, "answ')
    os.symlink(begun / "any.jsonl", begun / "other.jsonl")
    said = []
    assert review.collect(mailbox=False, progress=said.append) == {"garbled": 7, "counted": 1, "doubled": 1}
    assert said == [f"left out: {begun / 'other.jsonl'} cannot be read"]
    with open(begun / "any.jsonl", "a") as file:
        file.write('er": 1}\n')
    assert review.collect(mailbox=False) == {"counted": 1}
    assert review.report("review").aside == {"doubled": 1, "garbled": 7}


@pytest.mark.skipif(os.getuid() != 0, reason="runs where files can be given to another account: as root")
def test_a_file_speaks_for_its_owner(begun):
    for name, owner in (("a", 0), ("b", 65534)):
        (begun / f"{name}.jsonl").write_text(json.dumps({"item": 1, "answer": 1}) + "\n")
        os.chown(begun / f"{name}.jsonl", owner, -1)
    assert review.collect(mailbox=False) == {"counted": 2}
    with store.opened() as db:
        found = {row["reviewer"] for row in db.execute("SELECT * FROM task")}
    assert found == {"anna", "account nobody"}


def test_what_is_wrong_is_said(begun, monkeypatch):
    with pytest.raises(FileNotFoundError, match="there is no review 'other' in .*; prepare it first"):
        review.rate("other")

    def refused(*_):
        raise PermissionError

    monkeypatch.setattr(rating, "open", refused, raising=False)
    desk = rating.Desk("review")
    with pytest.raises(PermissionError, match="may not write to .*answers; its owner can let the group: chmod g"):
        desk.answer(1)
    assert len(desk.left) == 3


def test_no_bytes_stop_a_reply_from_being_read():
    random.seed(7)
    whole = reply("Ann <a@b.c>", "r+rcgan-1.0.499154." + "a" * 26 + "@b.c", "Re: =?utf-8?q?gr=C3=BCn?=", "1\nü\n" * 20)
    whole = whole.replace(b"utf-8", b"multipart/mixed", 1) + b"Content-Type: text/html\r\n\r\n<p>1<!-- <![if"
    for _ in range(3000):
        cut = bytearray(whole)
        for _ in range(random.randrange(1, 30)):
            cut[random.randrange(len(cut))] = random.choice(b'\x00\xff<>=?;:\r\n"b1 ')
        found = replies.read(bytes(cut))
        assert (found.sender + found.subject + found.line).encode() is not None  # as SQLite wants to have it
