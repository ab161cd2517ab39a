"""What a sync would do: two listings and the memory of the last sync in, actions out. Nothing is touched here."""

import re
from dataclasses import dataclass, field
from functools import lru_cache

from drive_sync import names, runs
from drive_sync.listing import FOLDER, Known, Local, Remote, Tree

DOUBLE = re.compile(r" \(\d+\)(?=(\.[^.]*)?\Z)")  # what browsers and Drive add to the name of a second copy


@dataclass(frozen=True)
class Action:
    """One thing to do.

    Attributes:
        kind: get, put, delete (here), trash (in Drive), mkdir, rename (in Drive); same and forget only change what is
            remembered.
        path: where it lies here.
        to: get: the path it gets here, where another file stays at `path`. put: the title that the file in Drive gets,
            which stays beside ours. mkdir, rename: the title.
    """

    kind: str
    path: str
    why: str = ""
    remote: Remote | None = None
    local: Local | None = None
    to: str = ""

    @property
    def size(self) -> int:
        side = {"get": self.remote, "put": self.local}.get(self.kind)
        return (side and side.size) or 0


@dataclass
class Plan:
    """Actions; paths that are left as they are, and why; and what makes a deletion unsafe (problems)."""

    verb: str
    actions: list[Action] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)

    def of(self, *kinds) -> list[Action]:
        return [action for action in self.actions if action.kind in kinds]

    def rows(self) -> list[dict]:
        """A row for each thing that a user would see happen, or not happen."""
        shown = self.of("get", "put", "mkdir", "rename", "delete", "trash")
        rows = [{"do": a.kind, "path": a.path, "bytes": a.size, "why": a.why} for a in shown]
        left = {"left": self.left, "problem": self.problems}
        return rows + [
            {"do": do, "path": p, "bytes": 0, "why": why} for do, some in left.items() for p, why in some.items()
        ]


@dataclass(frozen=True)
class Filter:
    """Which paths take part. A pattern without a leading "/" holds at any depth, "*" ends at a "/" and "**" does not, a
    pattern that ends in "/" is all of a folder. Paths have to match one of `include`, if there are any, and none of
    `exclude`."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def takes(self, path) -> bool:
        included = not self.include or any(_pattern(p).fullmatch(path) for p in self.include)
        return included and not any(_pattern(p).fullmatch(path) for p in self.exclude)


@lru_cache
def _pattern(text):
    start = "" if text.startswith("/") else "(?:.*/)?"
    text = text.lstrip("/") + ("**" if text.endswith("/") else "")
    parts = re.split(r"(\*\*|\*|\?)", text)
    wild = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile(start + "".join(wild.get(part, re.escape(part)) for part in parts), re.DOTALL)


def judge(here: Local | None, there: Remote | None, known: Known | None) -> str:
    """What became of a file since the last sync: same, new, changed or deleted here or there, conflict, gone."""
    changed_here = bool(here) and (known is None or here.md5 != known.md5)
    changed_there = bool(there) and (known is None or there.stamp != known.stamp)
    if here and there:
        if here.md5 == there.md5 or not (changed_here or changed_there):
            return "same"
        if changed_here and changed_there:
            return "conflict"
        return "changed here" if changed_here else "changed there"
    if not (here or there):
        return "gone"
    side, other, changed = ("here", "there", changed_here) if here else ("there", "here", changed_there)
    if known is None:
        return f"new {side}"
    return f"changed {side}" if changed else f"deleted {other}"


@dataclass(frozen=True)
class Runs:
    """How the runs on both sides belong together (see runs.py), by their paths here.

    Attributes:
        relations: run -> whether it went on, and where.
        titles: run here -> the title that its folder gets in Drive, where another run has its own.
    """

    relations: dict[str, str] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)


def match_runs(here, there: Tree, lines_here, lines_there) -> tuple[Tree, Runs]:
    """Give each run in Drive the path of the run here that it is; of two that parted, a path of its own.

    Args:
        here: path -> Local.
        lines_here, lines_there: path of a run -> its runs.Line, of all here, of those there that may be one here.
    Returns: the tree with these paths, and what the runs are to each other.
    """
    found = runs.pair(lines_here, lines_there)
    pairs = {run: to for run, to in found.items() if run != to}
    moved = Tree(*({_moved(path, pairs): one for path, one in part.items()} for part in vars(there).values()))
    back = {to: run for run, to in found.items()}
    relations = {run: runs.relation(lines_here[run], lines_there[back[run]]) for run in lines_here if run in back}
    alone = [run for run in lines_here if run not in back and run in lines_there]
    titles = {run: runs.beside(run, lines_here[run], there.folders).rpartition("/")[2] for run in alone}
    return moved, Runs(relations, {run: names.decode(title) for run, title in titles.items()})


def _moved(path, pairs):
    run = next((run for run in pairs if path == run or path.startswith(f"{run}/")), None)
    return path if run is None else pairs[run] + path[len(run) :]


def make(verb, here, there: Tree, known, *, matched=Runs(), chosen=Filter()) -> Plan:
    """What `pull` would do here, or `push` in Drive.

    Args:
        here: path -> Local. there: what lies in Drive. known: path -> Known, of the last sync.
        matched: of `match_runs`. chosen: paths that take no part are as if they were on neither side.
    """
    plan = Plan(verb, left={path: why for path, why in there.left_out.items() if chosen.takes(path)})
    clashing = _clashes(here, there)
    for path in sorted({*here, *there.files, *known}):
        if not chosen.takes(path) or _below(path, there.left_out):
            continue
        if path in clashing:
            plan.problems[path] = "is a file on one side and a folder on the other; rename one of them"
            continue
        # What is known of a run that parted since is of the other one.
        before = None if runs.of(path, matched.titles) else known.get(path)
        state = judge(here.get(path), there.files.get(path), before)
        relation = matched.relations.get(runs.of(path, matched.relations))
        action = _decide(plan, state, relation, path, here.get(path), there.files.get(path), before)
        if action:
            plan.actions.append(action)
    return plan


def _below(path, folders):
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def _clashes(here, there):
    """Paths that are a file on one side and a folder, or below a file, on the other."""
    above = lambda paths: {path[:k] for path in paths for k, c in enumerate(path) if c == "/"}  # noqa: E731
    folders_here, folders_there = above(here), above(there.files)
    odd = (here.keys() & folders_there) | (there.files.keys() & folders_here)
    return {path for path in (*here, *there.files) if odd and _below(path, odd)}


WANTED = {"pull": ("new there", "changed there"), "push": ("new here", "changed here")}
GONE = {"pull": ("deleted there", "delete"), "push": ("deleted here", "trash")}
SET_BACK = {"pull": runs.HERE, "push": runs.THERE}  # a run that went on since would be set back by this verb


def _decide(plan, state, relation, path, here, there, known):
    """The action for one file, or None; what is left alone for a reason is noted in the plan."""
    verb = plan.verb
    if state == "same":
        return Action("same", path, "", there, here) if known != remembered(here, there) else None
    if state == "gone":
        return Action("forget", path)
    if relation == SET_BACK[verb]:
        plan.left[path] = f"its run {relation}; {'push' if verb == 'pull' else 'pull'} brings the other side up to date"
    elif verb == "push" and there and there.export:
        if state != "new there":
            plan.left[path] = "an export of a document of Google's, which is not written to"
    elif state == "conflict" and relation not in (runs.HERE, runs.THERE):
        return _both(verb, path, here, there)
    elif state == "conflict" or state in WANTED[verb]:
        why = f"its run {relation}" if state == "conflict" else state
        return Action("get" if verb == "pull" else "put", path, why, there, here)
    elif state == GONE[verb][0]:
        return Action(GONE[verb][1], path, state, there, here)
    return None


def _both(verb, path, here, there):
    """A file that changed on both sides keeps its place on this side; the other one goes beside it."""
    folder, slash, name = path.rpartition("/")
    to = names.tagged(name, there.md5[:8] or names.digest(there.stamp))
    if verb == "pull":
        why = f"changed on both sides; the one here stays, Drive's becomes {to}"
        return Action("get", path, why, there, here, folder + slash + to)
    return Action("put", path, f"changed on both sides; Drive's becomes {to} there", there, here, names.decode(to))


def remembered(here: Local, there: Remote) -> Known:
    """A file that is alike on both sides, as it is remembered."""
    return Known(there.id, there.title, there.stamp, here.size, here.mtime, here.md5)


def with_folders(plan: Plan, there: Tree, matched: Runs) -> Plan:
    """The plan, with the folders first that Drive lacks for what is put."""
    needed = {}
    for action in plan.of("put"):
        path = action.path
        for k in (k for k, c in enumerate(path) if c == "/"):
            if path[:k] not in there.folders:
                title = matched.titles.get(path[:k]) or names.decode(path[:k].rpartition("/")[2])
                needed[path[:k]] = Action("mkdir", path[:k], "new here", to=title)
    return Plan(plan.verb, [*needed.values(), *plan.actions], plan.left, plan.problems)


def without(plan: Plan, held: dict[str, str]) -> Plan:
    """The plan without these paths, which are left for the reasons given."""
    kept = [action for action in plan.actions if action.path not in held]
    return Plan(plan.verb, kept, plan.left | held, plan.problems)


def dedupe(children, tree: Tree) -> Plan:
    """How every title would come once in its folder in Drive.

    Of copies with the same content (also those called "name (1)") the eldest stays and the others go to Drive's trash;
    different ones of the same title are renamed to the name that they have here.
    """
    plan = Plan("dedupe")
    paths = {remote.handle: path for path, remote in tree.files.items()} | {v: k for k, v in tree.folders.items()}
    for items in children.values():
        items = sorted(items, key=lambda item: (item.get("createdDate", ""), item["id"]))
        copies = _copies(items)
        plan.actions += [Action("trash", paths[i["id"]], f"a copy of {o['title']}", _plain(i)) for i, o in copies]
        gone, titles = {item["id"] for item, _ in copies}, set()
        for item in (item for item in items if item["id"] not in gone and item["id"] in paths):
            if item["title"] in titles:
                title = names.tagged(item["title"], names.digest(item["id"]))
                plan.actions.append(
                    Action("rename", paths[item["id"]], "its title is there already", _plain(item), to=title)
                )
            titles.add(item["title"])
    return plan


def _copies(items):
    """Files of a folder that are copies, each with the elder one that stays."""
    elder, found = {}, []
    for item in sorted(items, key=lambda item: bool(DOUBLE.search(item["title"]))):  # one without a number stays
        key = (DOUBLE.sub("", item["title"]), item.get("md5Checksum"))
        if item["mimeType"] == FOLDER or not key[1] or "shortcut" in item:
            continue
        if key in elder:
            found.append((item, elder[key]))
        else:
            elder[key] = item
    return found


def _plain(item):
    return Remote(item["id"], item["title"], "", item.get("md5Checksum", ""), handle=item["id"])
