"""A review is begun: who is asked what, by which sheets; and its mails go out."""

import json
import random
import secrets
import time
from dataclasses import dataclass
from fnmatch import fnmatch

from rcgan_nb import archive, mail, paths
from rcgan_nb.review import design, letters, people, store

CHANCE = random.SystemRandom()  # no seed: who knows one could tell which sheet is whose
DAY = 24 * 3600


@dataclass(frozen=True)
class Plan:
    """What `send` would send: number of questions, mails for each person now, and later because of the cap."""

    review: store.Review
    new: bool
    items: int
    now: dict
    later: int
    restricted: bool

    def __str__(self):
        runs = json.loads(self.review.runs)
        begun = "would begin" if self.new else "has begun"
        lines = [f"review {self.review.name} {begun}: {self.items} questions on {len(runs)} runs: {', '.join(runs)}"]
        lines += [f"  to {name} <{address}>: {count}" for (name, address), count in self.now.items()]
        lines += [f"  {self.later} more wait for another day (cap)"] if self.later else []
        if not self.now:
            lines.append("  nobody is asked anything at present" if people.asked(()) else f"  {people.nobody()}")
        if self.restricted:
            lines.append("  the runs learned from restricted data: no real sheets are shown; mind the data's licence")
        return "\n".join(lines)


def runs_of(config) -> list:
    """The runs of a review, each once.

    Raises: FileNotFoundError, ValueError: there is none, or they learned from different data.
    """
    found = {}
    for name in filter(None, (part.strip() for part in config.runs.split(","))):
        names = [name] if "*" not in name else sorted(_matching(name))
        found |= {run.name: run for run in map(archive.find, names)}
    if not found:
        raise ValueError(f"runs {config.runs!r} are none in {paths.runs()}; `rcgan runs list` shows all.")
    prints = {run.data["fingerprint"] for run in found.values()}
    if len(prints) > 1:
        raise ValueError(f"runs {', '.join(found)} learned from different data; a review compares those of one set.")
    for run in found.values():
        samples(run)
    return list(found.values())


def samples(run):
    """The file of the last samples of a run.

    Raises: ValueError: it has none.
    """
    found = sorted(run.path.glob("samples/step-*.npz"))
    if not found:
        raise ValueError(f"run {run.name} has no samples in {run.path / 'samples'}; it ended before the first.")
    return found[-1]


def _matching(pattern) -> list[str]:
    return [path.parent.name for path in paths.runs().glob("*/config.json") if fnmatch(path.parent.name, pattern)]


def restricted(runs) -> bool:
    return any(run.data.get("summary", {}).get("restricted") for run in runs)


def prepare(config) -> store.Review:
    """The review of that name; where there is none it is begun: sheets are drawn, and lie in random order."""
    with store.opened() as db:
        before = _same(db, config)
        if before:
            return before
        runs = runs_of(config)
        items = _items(config, runs)
        folder = store.folder(config.name)
        if (folder / "review.json").exists():
            raise ValueError(f"{folder} is of another account or was cut off; choose another name, or delete it.")
        _draw(folder, runs, items)
        shown = [{"id": number, "sheets": [sheet for sheet, _ in item]} for number, item in enumerate(items, 1)]
        (folder / "review.json").write_text(json.dumps({"question": config.question, "items": shown}, indent=1) + "\n")
        review = _begin(db, config, runs, items)
        db.commit()
        return review


def _items(config, runs) -> list[list[tuple[str, str]]]:
    """The questions: the sheets of each, as a name that says nothing and the run ('' for real series)."""
    names, control = sorted(run.name for run in runs), not restricted(runs)
    if config.question == "pair" and len(names) == 1 and not control:
        raise ValueError(f"run {names[0]} has nothing beside it: real sheets of restricted data are shown to nobody.")
    if config.question == "pair":
        drawn = design.pairs(names, config.rounds, control, CHANCE)
    else:
        drawn = design.single(names, control, CHANCE)
    return [[(secrets.token_hex(8), run) for run in shown] for shown in drawn]


def _draw(folder, runs, items):
    from rcgan_nb.review import sheets  # matplotlib takes a second, and mails are fetched without

    files = {run.name: samples(run) for run in runs}
    artist = sheets.Artist(files, runs[0].config.load_arguments(), control=not restricted(runs))
    for name in ("sheets", "answers"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    if restricted(runs):  # drive_sync leaves a folder here that says so
        (folder / "data.json").write_text(json.dumps({"summary": {"restricted": True}}) + "\n")
    for sheet, run in (pair for item in items for pair in item):
        (folder / f"sheets/{sheet}.png").write_bytes(artist.draw(run))


def _same(db, config):
    """The review of that name, which has to be of the same runs and question."""
    before = store.find(db, config.name)
    if before:
        names = [run.name for run in runs_of(config)] if config.runs != "latest" else json.loads(before.runs)
        if sorted(names) != json.loads(before.runs) or config.question != before.question:
            raise ValueError(
                f"the review {config.name!r} asks {before.question!r} of {', '.join(json.loads(before.runs))}; "
                "give it the same, or choose another name."
            )
    return before


def _begin(db, config, runs, items) -> store.Review:
    """Write a review's rows, without committing them."""
    names, key = json.dumps(sorted(run.name for run in runs)), secrets.token_bytes(32)
    review = store.Review(config.name, config.question, names, key, config.per_item, config.days)
    db.execute("INSERT INTO review VALUES (?, ?, ?, ?, ?, ?)", tuple(vars(review).values()))
    for number, item in enumerate(items, 1):
        db.executemany("INSERT INTO sheet VALUES (?, ?, ?)", [(sheet, review.name, run) for sheet, run in item])
        first, second = [*(sheet for sheet, _ in item), None][:2]
        db.execute("INSERT INTO item VALUES (?, ?, ?, ?)", (review.name, number, first, second))
    return review


def plan(config) -> Plan:
    """What `send` would do with these settings. Nothing is written.

    Raises: FileNotFoundError, ValueError: no such runs or reviewers.
    """
    with store.opened() as db:
        review = _same(db, config)
        new = review is None
        if new:
            runs = runs_of(config)
            review = _begin(db, config, runs, _items(config, runs))
        due, later = _due(db, review, config)
        now = {}
        for task in sorted(due, key=lambda task: task["reviewer"]):
            who = task["reviewer"], task["address"]
            now[who] = now.get(who, 0) + 1
        items = db.execute("SELECT count(*) FROM item WHERE review = ?", (review.name,)).fetchone()[0]
        return Plan(review, new, items, now, later, restricted(_still_there(review)))


def _still_there(review) -> list:
    names = json.loads(review.runs)
    return [archive.find(name) for name in names if (paths.runs() / name / "config.json").is_file()]


def _due(db, review, config):
    """Tasks whose mails may go now, in random order, and how many more there are; new tasks are not committed."""
    asked = {name: one for name, one in people.asked(config.whom()).items() if not _has_left(db, one.addresses)}
    _assign(db, review, asked)
    words = "SELECT * FROM task WHERE review = ? AND sent IS NULL AND address IS NOT NULL AND answer IS NULL"
    tasks = [task for task in db.execute(words, (review.name,)) if task["reviewer"] in asked]
    CHANCE.shuffle(tasks)
    room = {name: config.cap - _lately(db, one.addresses[0]) for name, one in asked.items()}
    due = []
    for task in tasks:
        room[task["reviewer"]] -= 1
        due += [task] if room[task["reviewer"]] >= 0 else []
    return due, len(tasks) - len(due)


def _has_left(db, addresses) -> bool:
    gone = {row["address"] for row in db.execute("SELECT address FROM gone")}
    return any(address.lower() in gone for address in addresses)


def _lately(db, address) -> int:
    words = "SELECT count(*) FROM task WHERE lower(address) = ? AND sent > ?"
    return db.execute(words, (address.lower(), time.time() - DAY)).fetchone()[0]


def _assign(db, review, asked):
    """Give each item to as many people as it needs, those with the fewest first; who left in silence is replaced."""
    words = "SELECT * FROM task WHERE review = ? AND address IS NOT NULL"
    tasks = db.execute(words, (review.name,)).fetchall()
    load = {name: sum(task["reviewer"] == name for task in tasks) for name in asked}
    items = db.execute("SELECT id FROM item WHERE review = ?", (review.name,)).fetchall()
    CHANCE.shuffle(items)
    for item in items:
        of_item = [task for task in tasks if task["item"] == item["id"]]
        had = {task["reviewer"] for task in of_item}
        count = sum(task["answer"] is not None or not _has_left(db, [task["address"]]) for task in of_item)
        free = sorted((name for name in asked if name not in had), key=lambda name: (load[name], CHANCE.random()))
        for name in free[: max(review.per_item - count, 0)]:
            load[name] += 1
            values = review.name, item["id"], name, asked[name].addresses[0], CHANCE.randrange(2)
            db.execute("INSERT INTO task(review, item, reviewer, address, swapped) VALUES (?, ?, ?, ?, ?)", values)


def send(config, progress=print) -> int:
    """Begin the review if need be, and send the mails that are due; returns how many went into the outbox.

    Raises: ValueError, MailError: before anything was sent: no server, wrong password, no reviewers.
    """
    plan(config)
    if not people.asked(config.whom()):
        raise ValueError(people.nobody())
    mail.check()
    review = prepare(config)
    with store.opened() as db:
        due, later = _due(db, review, config)
        db.commit()
        for number, task in enumerate(due, 1):
            with db:
                _write(db, review, task)
            progress(f"{number}/{len(due)} written, to {task['reviewer']}")
    mail.deliver()
    progress(f"{len(due)} mails went" + (f"; {later} wait for the cap, send again tomorrow" if later else ""))
    return len(due)


def _write(db, review, task):
    """Note that a task's mail goes, and put it into the outbox; one that another process has sent does not go again.

    After a crash between outbox and commit the outbox gets it once more, under the same name.
    """
    words = "UPDATE task SET sent = ? WHERE number = ? AND sent IS NULL"
    if not db.execute(words, (time.time(), task["number"])).rowcount:
        return
    item = db.execute("SELECT * FROM item WHERE review = ? AND id = ?", (review.name, task["item"])).fetchone()
    shown = [name for name in (item["first"], item["second"]) if name]
    pictures = [(review.path / f"sheets/{name}.png").read_bytes() for name in shown]
    message = letters.letter(review, task, pictures[::-1] if task["swapped"] else pictures)
    mail.queue(message, f"review-{task['number']}")
