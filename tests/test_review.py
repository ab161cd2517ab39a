"""A review from its first mail to its scores, through real mail servers on this machine."""

import email
import io
import subprocess
import sys
from email import policy

import numpy as np
import pytest
from mail_servers import PASSWORD, Delivers, Dovecot, Keeps, needs_dovecot, smtp_server
from review_made import PEOPLE, links, people, reply, runs

from drive_sync.restricted import says_restricted
from rcgan_nb import archive, mail, paths, review
from rcgan_nb.cli import main
from rcgan_nb.review import ReviewConfig, counting, store


@pytest.fixture
def kept(monkeypatch):
    """An SMTP server that keeps what it gets, named in the environment."""
    handler = Keeps()
    smtp = smtp_server(handler)
    monkeypatch.setenv("RCGAN_SMTP_URL", f"smtp://rcgan@127.0.0.1:{smtp.port}")
    monkeypatch.setenv("RCGAN_MAIL_FROM", "rcgan@lab.example")
    for kind in ("SMTP", "IMAP"):
        monkeypatch.setenv(f"RCGAN_{kind}_PASSWORD", PASSWORD)
    yield handler
    smtp.stop()


@pytest.fixture
def dovecot(monkeypatch):
    server = Dovecot("rcgan", *PEOPLE)
    monkeypatch.setenv("RCGAN_IMAP_URL", f"imap://rcgan@127.0.0.1:{server.port}")
    yield server
    server.stop()


def shown(name="review"):
    """What the sheets show: id -> run, '' for real series."""
    with store.opened() as db:
        return {row["id"]: row["run"] for row in db.execute("SELECT * FROM sheet WHERE review = ?", (name,))}


def sheets(name="review"):
    """The same by the sheets' files: PNG -> run."""
    folder = paths.runs() / "reviews" / name / "sheets"
    return {(folder / f"{sheet}.png").read_bytes(): run for sheet, run in shown(name).items()}


def pictures(raw) -> list[bytes]:
    message = email.message_from_bytes(raw, policy=policy.default)
    return [part.get_content() for part in message.walk() if part.get_content_type() == "image/png"]


@needs_dovecot
def test_from_mails_to_scores_by_the_command(monkeypatch, kept, dovecot, capsys):
    """Reviewers who always take the better sheet for real: links clicked, mails delivered, scores in order."""
    runs("fine", "poor", "worse")
    people()
    smtp = smtp_server(Delivers(dovecot))
    monkeypatch.setenv("RCGAN_SMTP_URL", f"smtp://rcgan@127.0.0.1:{smtp.port}")
    try:
        words = ["review", "send", "--runs", "fine,poor,worse", "--cap", "20"]
        assert main(words) == 0
        said = capsys.readouterr().out
        assert "would begin: 6 questions on 3 runs: fine, poor, worse" in said and "Nothing was sent" in said
        assert all(f"to {name} <{PEOPLE[name]}>: 6" in said for name in PEOPLE)
        assert not mail.waiting() and not dovecot.mails("anna") and not (paths.runs() / "reviews").exists()
        assert main([*words, "--yes"]) == 0
        order = ["", "fine", "poor", "worse"]
        places = {picture: order.index(run) for picture, run in sheets().items()}
        for who, address in PEOPLE.items():
            asked = dovecot.mails(who)
            assert len(asked) == 6
            for raw in asked:
                left, right = (places[picture] for picture in pictures(raw))
                to, subject = links(raw)["the left one" if left < right else "the right one"]
                mail.send(to, subject, "Just send this mail as it is.")  # from rcgan@..., so: the wrong reviewer
                dovecot.append("rcgan", [reply(address, to, subject)])
        capsys.readouterr()
        assert main(["review", "collect"]) == 0
        assert capsys.readouterr().out == "36/36 replies read\n18 x counted\n18 x wrong reviewer\n"
        assert main(["review", "collect"]) == 0 and capsys.readouterr().out == "nothing new\n"
        assert main(["review", "report"]) == 0
        said = capsys.readouterr().out
        assert "18 answers to 18 questions" in said and "(Krippendorff's alpha): 1.00" in said
        assert (
            "real sheets taken for synthetic: 0% [0%, 30%] of 9" in said and "kept aside: 18 x wrong reviewer" in said
        )
        scores = review.scores("review")
        assert 0 > scores["fine"].value > scores["poor"].value > scores["worse"].value
        assert all(s.low < s.value < s.high and s.answers == 9 for s in scores.values())
    finally:
        smtp.stop()


def test_nothing_on_a_sheet_or_in_a_mail_tells_whose_it_is(kept):
    names = runs("secret-one", "secret-two")
    people()
    review.send(ReviewConfig(runs="secret-*"))
    assert len(kept.mails) == 9
    for _, raw in kept.mails:
        assert not any(name.encode() in raw for name in (*names, "digits", str(paths.runs())))
        for content in pictures(raw):
            kinds, at = [], 8
            while at < len(content):
                kinds.append(content[at + 4 : at + 8])
                at += 12 + int.from_bytes(content[at : at + 4], "big")
            assert set(kinds) <= {b"IHDR", b"PLTE", b"IDAT", b"IEND"}
    from PIL import Image

    sizes = {Image.open(io.BytesIO(content)).size for _, raw in kept.mails for content in pictures(raw)}
    assert len(sizes) == 1
    public = [path for path in (paths.runs() / "reviews").rglob("*") if path.is_file()]
    text = "".join(f"{path}\n{path.read_bytes()}" for path in public)
    assert "secret" not in text and "lab.example" not in text and len(set(shown().values())) == 3
    assert (paths.personal() / "reviews.sqlite").stat().st_mode & 0o77 == 0


def test_sheets_show_series_of_their_run_and_real_ones_of_the_validation_part():
    runs("one", "two")
    from rcgan_nb import load, plots
    from rcgan_nb.review.sheets import Artist

    files = {name: paths.runs() / name / "samples/step-0000100.npz" for name in ("one", "two")}
    artist = Artist(files, {"dataset": "digits"}, control=True)
    data = load("digits")
    real, own = artist.sets[""], artist.sets["two"]
    assert real.fingerprint() == data.part("validation").fingerprint() and artist.limits == plots.frame(real)
    rows = artist._some(own)
    assert own.y[rows].tolist() == [k for k in range(10) for _ in range(5)] and len(set(rows)) == 50
    assert artist.draw("one") != artist.draw("one") and not np.array_equal(artist._some(real), artist._some(real))


def test_real_sheets_of_restricted_data_are_shown_to_nobody(kept):
    people()
    runs("one", "two", restricted="a licence")
    assert "no real sheets are shown; mind the data's licence" in str(review.plan(ReviewConfig(runs="one,two")))
    review.send(ReviewConfig(runs="one,two"))
    assert set(shown().values()) == {"one", "two"} and len(kept.mails) == 3
    mark = paths.runs() / "reviews/review/data.json"  # for drive_sync; it makes no run of the review
    assert says_restricted(mark) and [run.name for run in archive.survey().runs] == ["one", "two"]
    runs("three")
    assert not (review.prepare(ReviewConfig(name="open", runs="three")).path / "data.json").exists()
    with pytest.raises(ValueError, match="run one has nothing beside it: real sheets of restricted data"):
        review.plan(ReviewConfig(name="other", runs="one"))


def test_a_person_gets_no_more_than_the_cap_and_the_rest_another_day(kept):
    runs("one", "two", "three")
    people()
    config = ReviewConfig(runs="one,two,three", cap=4)
    said = []
    assert (
        review.send(config, progress=said.append) == 12
        and said[-1] == "12 mails went; 6 wait for the cap, send again tomorrow"
    )
    assert review.send(config) == 0 and "nobody is asked" in str(review.plan(config))
    assert review.send(ReviewConfig(name="other", runs="one", cap=5)) == 3  # one each, from all reviews together
    with store.opened() as db:
        db.execute("UPDATE task SET sent = sent - 86500")
        db.commit()
    assert review.send(config) == 6 and review.send(config) == 0
    addresses = [to[0] for to, _ in kept.mails]
    assert {address: addresses.count(address) for address in addresses} == dict.fromkeys(PEOPLE.values(), 7)


def test_an_address_without_room_for_a_token_leaves_it_to_the_subject(kept, monkeypatch):
    runs("one")
    people(anna="anna@lab.example")
    monkeypatch.setenv("RCGAN_MAIL_FROM", f"{'long' * 10}@lab.example")
    review.send(ReviewConfig(runs="one"))
    ((_, raw),) = kept.mails
    message = email.message_from_bytes(raw, policy=policy.default)
    to, subject = links(raw)["the left one"]
    assert message["Reply-To"] == to == f"{'long' * 10}@lab.example" and subject.startswith("[rcgan-1.1.")


def test_fewer_people_than_reviewers_share_the_questions(kept):
    runs("one", "two", "three")
    people()
    review.send(ReviewConfig(runs="one,two,three", per_item=1))
    addresses = [to[0] for to, _ in kept.mails]
    assert sorted(addresses.count(address) for address in PEOPLE.values()) == [2, 2, 2]
    with pytest.raises(ValueError, match="reviewers.toml has no address of 'ana'; did you mean 'anna'"):
        review.plan(ReviewConfig(name="other", runs="one", reviewers="bert, ana"))


@needs_dovecot
def test_who_wants_no_more_mails_gets_none_and_is_replaced(kept, dovecot):
    runs("one", "two", "three")
    people()
    config = ReviewConfig(runs="one,two,three", per_item=2, cap=50)
    review.send(config)
    ours = {to[0]: raw for to, raw in kept.mails}
    to, subject = links(ours["anna@lab.example"])["leave"]
    dovecot.append("rcgan", [reply("anna@lab.example", to, subject)])
    own = email.message_from_bytes(ours["bert@lab.example"], policy=policy.default)
    dovecot.append("rcgan", [reply("Bert <bert@lab.example>", own["Reply-To"], f"Re: {own['Subject']}", " STOP.\n")])
    assert review.collect() == {"no more mails": 2}
    before = len(kept.mails)
    review.send(config)
    later = [to[0] for to, _ in kept.mails[before:]]
    assert set(later) == {"cleo@lab.example"} and len(set(map(str, later))) == 1
    with store.opened() as db:
        words = "SELECT count(*) FROM task WHERE reviewer = 'cleo'"
        assert db.execute(words).fetchone()[0] == 6  # all questions: the others were silent
    review.send(ReviewConfig(name="other", runs="one"))
    assert {to[0] for to, _ in kept.mails[before:]} == {"cleo@lab.example"}


@needs_dovecot
def test_rating_from_one_to_five(kept, dovecot):
    runs("one", "two")
    people()
    review.send(ReviewConfig(runs="one,two", question="rate"))
    assert len(kept.mails) == 9
    given = {"one": (5, 4, 5), "two": (2, 1, 3), "": (5, 2, 4)}
    whose = sheets()
    for (to,), raw in kept.mails:
        (picture,) = pictures(raw)
        answer = given[whose[picture]][list(PEOPLE.values()).index(to)]
        back, subject = links(raw)[str(answer)]
        dovecot.append("rcgan", [reply(to, back, subject)])
    assert review.collect() == {"counted": 9}
    found = review.report("review")
    assert found.scores["one"].value == pytest.approx(14 / 3) and found.scores["two"].value == 2
    assert found.scores["two"][1:] == (1.0, pytest.approx(2 + 4.30265 / 3**0.5), 3)  # Student's t, 2 degrees
    assert found.deceived[0] == pytest.approx(1 / 3) and found.rows()[0]["set"] == "one"


def test_a_wrong_password_or_a_server_that_is_down_leaves_nothing_half_sent(kept, monkeypatch, capsys):
    runs("one", "two")
    people()
    monkeypatch.setenv("RCGAN_SMTP_PASSWORD", "wrong")
    assert main(["review", "send", "--runs", "one,two", "--yes"]) == 1
    assert "refuses user 'rcgan'" in capsys.readouterr().err
    monkeypatch.setenv("RCGAN_SMTP_URL", "smtp://rcgan@127.0.0.1:9")
    assert main(["review", "send", "--runs", "one,two", "--yes"]) == 1
    assert "cannot be used" in capsys.readouterr().err
    assert not mail.waiting() and not kept.mails and not (paths.runs() / "reviews").exists()
    with store.opened() as db:
        assert store.find(db, "review") is None


def test_a_process_that_ends_between_outbox_and_note_asks_once(kept, monkeypatch):
    runs("one", "two")
    people(anna="anna@lab.example")
    config = ReviewConfig(runs="one,two", per_item=1)
    queue, deliver = mail.queue, mail.deliver

    def queue_and_die(message, name):
        queue(message, name)
        raise KeyboardInterrupt

    monkeypatch.setattr(mail, "queue", queue_and_die)
    with pytest.raises(KeyboardInterrupt):
        review.send(config)
    monkeypatch.setattr(mail, "queue", queue)
    assert len(mail.waiting()) == 1
    review.send(config)
    subjects = [email.message_from_bytes(raw)["Subject"] for _, raw in kept.mails]
    assert len(subjects) == len(set(subjects)) == 3 and deliver() == 0


def test_what_is_wrong_is_said(kept):
    with pytest.raises(ValueError, match=r"runs 'sweep-\*' are none in"):
        review.plan(ReviewConfig(runs="sweep-*"))
    runs("one", "two")
    with pytest.raises(ValueError, match='nobody can be asked by mail: write .*reviewers.toml with .*anna = "anna@'):
        review.send(ReviewConfig(runs="one"))
    assert "nobody can be asked by mail" in str(review.plan(ReviewConfig(runs="one")))
    for text, message in [
        ('anna = "anna"', "nobody can be asked by mail"),
        ("anna = 3", r"says anna = 3; it should have a line for each"),
        ('anna = "an na@lab.example"', "'an na@lab.example' of anna is no mail address"),
        ("anna", "reviewers.toml cannot be read"),
    ]:
        people()
        (paths.personal() / "reviewers.toml").write_text(text)
        with pytest.raises(ValueError, match=message):
            review.send(ReviewConfig(runs="one"))
    people()
    run = archive.find("two")
    run.write_json("data.json", run.data | {"fingerprint": "other"})
    with pytest.raises(ValueError, match="runs one, two learned from different data"):
        review.plan(ReviewConfig(runs="*"))
    (archive.find("one").path / "samples/step-0000100.npz").unlink()
    (archive.find("one").path / "samples/step-0000050.npz").unlink()
    with pytest.raises(ValueError, match="run one has no samples in"):
        review.plan(ReviewConfig(runs="one"))
    review.prepare(ReviewConfig(runs="two"))
    with pytest.raises(ValueError, match="the review 'review' asks 'pair' of two; give it the same, or choose"):
        review.plan(ReviewConfig(runs="two", question="rate"))
    with pytest.raises(ValueError, match="there is no review 'reveiw'; known: review"):
        review.report("reveiw")
    with pytest.raises(ValueError, match="cannot name a file or folder"):
        ReviewConfig(name="../out")
    (paths.runs() / "reviews/new").mkdir()
    (paths.runs() / "reviews/new/review.json").write_text("{}")
    with pytest.raises(ValueError, match="is of another account or was cut off; choose another name"):
        review.prepare(ReviewConfig(name="new", runs="two"))
    (paths.personal() / "reviews.sqlite").write_text("no database" * 100)
    with pytest.raises(OSError, match="reviews.sqlite cannot be used .file is not a database.; was it written by"):
        review.report("review")


def test_two_processes_send_each_mail_once(kept):
    runs("one", "two")
    people()
    config = ReviewConfig(runs="one,two")
    review.prepare(config)
    code = "from rcgan_nb import review; review.send(review.ReviewConfig(runs='one,two'))"
    both = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    asked = [(to[0], email.message_from_bytes(raw)["Reply-To"]) for to, raw in kept.mails]
    assert len(asked) == len(set(asked)) == 9


@needs_dovecot
def test_a_mailbox_that_cannot_be_read_is_said_and_what_came_before_is_counted(kept, dovecot, monkeypatch, capsys):
    runs("one", "two")
    people(anna="anna@lab.example")
    review.send(ReviewConfig(runs="one,two"))
    for (to,), raw in kept.mails:
        dovecot.append("rcgan", [reply(to, *links(raw)["the left one"])])
    monkeypatch.setattr(counting, "AT_ONCE", 1)
    with pytest.raises(mail.MailError, match="cannot be used .*check RCGAN_IMAP_URL"):
        review.collect(progress=lambda text: dovecot.kill())
    assert review.report("review").answered == 1
    assert main(["review", "collect"]) == 1 and "cannot be used" in capsys.readouterr().err
    monkeypatch.delenv("RCGAN_IMAP_URL")
    assert main(["review", "collect"]) == 1 and "RCGAN_IMAP_URL is ''; mail needs" in capsys.readouterr().err
