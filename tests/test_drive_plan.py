"""drive_sync decides: names, what became of a file, runs that parted, filters, duplicates. Nothing is touched."""

import ast
import os
import random
import re
import unicodedata
from pathlib import Path

import pytest

from drive_sync import listing, names, plan, runs
from drive_sync.listing import FOLDER, SHORTCUT, Known, Local, Remote, Tree

ROOT = Path(__file__).resolve().parents[1]


def test_drive_sync_and_rcgan_nb_meet_in_files_only():
    for room, other in (("drive_sync", "rcgan_nb"), ("rcgan_nb", "drive_sync")):
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                imported = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                imported += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                assert not [name for name in imported if name.split(".")[0] == other], path
    assert all(len(path.read_text().splitlines()) <= 400 for path in (ROOT / "drive_sync").glob("*.py"))


# Names.

ODD = ["", " ", "/", ".", "..", "...", "a/b", "../../etc/passwd", "\\", "C:\\x", '?*<>|"', "-rf", "~lock", ".hidden"]
ODD += ["con", "CON.txt", "aux.tar.gz", "nul ", "LPT1", "com²", "tab\there", "nul\0l", "line\n", "x.", "x. ", "50%"]
ODD += ["%", "%2F", "%2f", "%%41", "a%2", "%25", "%" * 300, "/" * 100, "a" * 300, "é" * 200 + ".npz", "a" * 250 + "."]
ODD += [
    "A.txt",
    "a.txt",
    "ß",
    "ss",
    "名前",
    "\U0001f600",
    "\u202egpj.exe",
    "e\u0301.txt",
    "\u00e9.txt",
    "\u212b",
    "\ud83d",
]
ODD += ["\ud83d", "a/\u0301", ".\u0301\u0302", "*\u0327"]  # an accent after what is escaped


def made_titles(seed, count):
    """Titles of characters that make trouble, and some that do not."""
    chance = random.Random(seed)
    pieces = list("aB.%/\\: ~2F5eé\u0301\0\n\x7f\u2028\u202e\ud800\udc00名\U0001f600?*") + ["con", "..", "%25", "nul."]
    return ["".join(chance.choices(pieces, k=chance.randrange(12))) for _ in range(count)]


def assert_safe(name):
    encoded = name.encode()  # a lone surrogate could not be
    assert 0 < len(encoded) <= 255 and not re.search(r'[\x00-\x1f\x7f/\\:*?"<>|\u202e]', name)
    assert name[0] not in ".~" and name[-1] not in ". " and unicodedata.is_normalized("NFC", name)
    assert not re.fullmatch(r"(?i)(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]) *(\..*)?", name)


def test_a_name_is_safe_and_leads_back_to_its_title():
    for title in [*ODD, *made_titles(1, 5000)]:
        assert names.decode(names.encode(title)) == unicodedata.normalize("NFC", title)
        assert_safe(names.name_all([("k", title, "")], {})["k"])


def test_the_disk_takes_every_name_in_its_folder(tmp_path):
    found = names.name_all([(f"id{k}", title, "") for k, title in enumerate([*ODD, *made_titles(4, 200)])], {})
    for name in found.values():
        (tmp_path / name).touch()
    listed = {unicodedata.normalize("NFC", name) for name in os.listdir(tmp_path)}
    assert listed == set(found.values())


def test_what_encode_would_not_write_is_its_own_title():
    for name in ("a%20b", "%41", "%FF", "%C3", "100%25", ".hidden%2F"):
        assert names.decode(name) == name


def test_titles_of_a_folder_get_different_names_that_stay():
    titles = [*ODD, *ODD, *made_titles(2, 400)]
    siblings = [(f"id{k}", title, f"{k % 7}") for k, title in enumerate(titles)]
    found = names.name_all(siblings, {})
    assert len({names.folded(name) for name in found.values()}) == len(titles)
    for name in found.values():
        assert_safe(name)
    shuffled = random.Random(3).sample(siblings, len(siblings))
    assert names.name_all(shuffled, {}) == found  # whatever the order in which Drive lists
    known = {key: (title, found[key]) for key, title, _ in siblings}
    fewer = siblings[: len(ODD)]  # their elder doubles are gone
    assert names.name_all(fewer, known) == {key: found[key] for key, _, _ in fewer}


def test_the_eldest_of_equal_titles_keeps_the_plain_name():
    found = names.name_all([("new", "a.txt", "2"), ("old", "a.txt", "1"), ("Big", "A.TXT", "3")], {})
    assert found["old"] == "a.txt"
    assert re.fullmatch(r"a-[0-9a-f]{8}\.txt", found["new"]) and re.fullmatch(r"A-[0-9a-f]{8}\.TXT", found["Big"])


# What lies in Drive.


def item(key, title, kind="text/plain", **facts):
    usual = {"id": key, "title": title, "mimeType": kind, "createdDate": key, "modifiedDate": "2026-11-01T00:00:00Z"}
    return usual | ({"md5Checksum": f"md5 of {key}", "fileSize": "3"} if kind == "text/plain" else {}) | facts


def test_arrange_gives_paths_and_says_what_is_left_out():
    document, form = f"{listing.GOOGLE}document", f"{listing.GOOGLE}form"
    children = {
        "root": [item("d", "a/b", FOLDER), item("f", "Form", form), item("n", "Notes", document)],
        "d": [item("x", "x.txt"), item("s", "gone", SHORTCUT), item("root", "back", FOLDER, shortcut="s2")],
    }
    children["d"].append(item("x2", "y.txt", shortcut="s3"))
    tree = listing.arrange(children, "root")
    assert tree.folders == {"": "root", "a%2Fb": "d"}
    assert tree.files["Notes.docx"].stamp == "2026-11-01T00:00:00Z" and tree.files["Notes.docx"].export
    assert (tree.files["a%2Fb/x.txt"].md5, tree.files["a%2Fb/x.txt"].size) == ("md5 of x", 3)
    assert (tree.files["a%2Fb/y.txt"].id, tree.files["a%2Fb/y.txt"].handle) == ("x2", "s3")
    assert tree.left_out == {
        "Form": f"of type {form}, which cannot be downloaded",
        "a%2Fb/gone": "a shortcut, and what it leads to is not there",
        "a%2Fb/back": "a shortcut to a folder that it lies in",
    }


def test_a_name_that_is_here_is_kept_by_the_one_that_is_remembered_or_else_the_eldest():
    children = {"root": [item("2", "a:b"), item("1", "a:b"), item("3", "c"), item("0", "c")]}
    path_of = lambda tree: {one.id: path for path, one in tree.files.items()}  # noqa: E731
    here = ["a:b", "c"]
    found = path_of(listing.arrange(children, "root", here=here))
    assert (found["1"], found["2"], found["0"]) == ("a:b", "a%3Ab", "c")
    known = {"a:b": Known("2", "a:b", "s", 1, 1, "m")}
    found = path_of(listing.arrange(children, "root", known, here))
    assert (found["1"], found["2"]) == ("a%3Ab", "a:b")
    assert path_of(listing.arrange(children, "root"))["1"] == "a%3Ab"
    assert listing.arrange({"root": [item("x", "../a:b")]}, "root", here=["../a:b"]).files.keys() == {"%2E.%2Fa%3Ab"}


def test_look_takes_files_and_leaves_hidden_links_and_unfinished_ones(tmp_path):
    for name in ("a.txt", ".hidden", "b.partial", ".drive_sync/c", "d/e"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "link").symlink_to("a.txt")
    found, left = listing.look(tmp_path)
    assert {path: one.size for path, one in found.items()} == {"a.txt": 5, "d/e": 3} and left == {"link": "a link"}
    assert found["a.txt"].md5 == "a5e54d1fd7bb69a228ef0dcd2431367e"
    facts = found["a.txt"]
    known = {"a.txt": Known("k", "a.txt", "s", 5, facts.mtime, "as remembered")}
    assert listing.look(tmp_path, known)[0]["a.txt"].md5 == "as remembered"
    assert listing.look(tmp_path, known, checksum=True)[0] == found


# What became of a file.


def here(md5):
    return md5 and Local(len(md5), 1, md5)


def there(md5, key="k", export=""):
    return md5 and Remote(key, "t", md5, "" if export else md5, len(md5), "2026-11-01T00:00:00Z", export, key)


def known(md5):
    return md5 and Known("k", "t", md5, len(md5), 1, md5)


# here, there, at the last sync: what became of it; what pull and push do.
TABLE = [
    ("A", "A", "A", "same", None, None),
    ("A", "A", "", "same", "same", "same"),
    ("B", "B", "A", "same", "same", "same"),
    ("", "A", "", "new there", "get", None),
    ("A", "", "", "new here", None, "put"),
    ("A", "B", "A", "changed there", "get", None),
    ("B", "A", "A", "changed here", None, "put"),
    ("", "A", "A", "deleted here", None, "trash"),
    ("A", "", "A", "deleted there", "delete", None),
    ("", "B", "A", "changed there", "get", None),  # a change beats a deletion
    ("B", "", "A", "changed here", None, "put"),
    ("B", "C", "A", "conflict", "get", "put"),
    ("B", "C", "", "conflict", "get", "put"),
    ("", "", "A", "gone", "forget", "forget"),
]


@pytest.mark.parametrize(("a", "b", "c", "state", "pull", "push"), TABLE)
def test_what_became_of_a_file_and_what_is_done(a, b, c, state, pull, push):
    assert plan.judge(here(a) or None, there(b) or None, known(c) or None) == state
    sides = {"p": here(a)} if a else {}, Tree({"p": there(b)} if b else {}), {"p": known(c)} if c else {}
    for verb, kind in (("pull", pull), ("push", push)):
        assert [action.kind for action in plan.make(verb, *sides).actions] == ([kind] if kind else [])


def test_a_conflict_keeps_both():
    sides = {"d/p.txt": here("B")}, Tree({"d/p.txt": there("0123456789")}), {}
    (pulled,), (pushed,) = plan.make("pull", *sides).actions, plan.make("push", *sides).actions
    assert (pulled.path, pulled.to) == ("d/p.txt", "d/p-01234567.txt")
    assert (pushed.path, pushed.to) == ("d/p.txt", "p-01234567.txt")


def test_exports_are_never_written_to():
    document = Tree({"p": there("2", export="x/y")})
    for own, before in ((here("B"), known("1")), (here("B"), known("2")), (None, known("2"))):
        made = plan.make("push", {"p": own} if own else {}, document, {"p": before})
        assert not made.actions and made.left == {"p": "an export of a document of Google's, which is not written to"}
    assert plan.make("pull", {}, document, {}).actions[0].kind == "get"


def test_a_file_here_and_a_folder_there_is_a_problem():
    made = plan.make("pull", {"x": here("A")}, Tree({"x/y": there("B"), "z": there("C")}), {})
    assert [action.path for action in made.actions] == ["z"]
    assert set(made.problems) == {"x", "x/y"} and "a file on one side and a folder on the other" in made.problems["x"]


@pytest.mark.parametrize(
    ("pattern", "takes", "leaves"),
    [
        ("*.csv", ["a.csv", "d/a.csv"], ["a.csv.gz", "csv"]),
        ("/*.csv", ["a.csv"], ["d/a.csv"]),
        ("digits/", ["digits/a", "x/digits/b/c"], ["digits", "digits2/a"]),
        ("d/**/x", ["d/a/x", "d/a/b/x"], ["d/x"]),
        ("step-?.npz", ["step-1.npz", "c/step-2.npz"], ["step-10.npz", "step-/.npz"]),
        ("a[1].txt", ["a[1].txt"], ["a1.txt"]),
    ],
)
def test_filters(pattern, takes, leaves):
    assert all(plan.Filter(include=(pattern,)).takes(path) for path in takes)
    assert not any(plan.Filter(include=(pattern,)).takes(path) for path in leaves)
    assert not any(plan.Filter(exclude=(pattern,)).takes(path) for path in takes)
    assert all(plan.Filter(exclude=(pattern,)).takes(path) for path in leaves)


def test_what_takes_no_part_is_not_deleted():
    sides = {"a.csv": here("A"), "b.txt": here("B")}, Tree(), {"a.csv": known("A"), "b.txt": known("B")}
    made = plan.make("pull", *sides, chosen=plan.Filter(exclude=("*.csv",)))
    assert [(action.kind, action.path) for action in made.actions] == [("delete", "b.txt")]


def test_what_was_left_out_in_drive_is_not_deleted_here():
    tree = Tree(left_out={"d": "a shortcut, and what it leads to is not there"})
    made = plan.make("pull", {"d/x": here("A")}, tree, {"d/x": known("A")})
    assert not made.actions and made.left == tree.left_out


# Runs.


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ("ab", "ab", runs.SAME),
        ("a", "ab", runs.THERE),
        ("ab", "a", runs.HERE),
        ("ab", "ac", runs.PARTED),
        ("ab", "b", runs.PARTED),
        ("", "a", runs.PARTED),
        ("a", "", runs.PARTED),
    ],
)
def test_relation(ours, theirs, expected):
    assert runs.relation(runs.Line(tuple(ours)), runs.Line(tuple(theirs))) == expected


@pytest.mark.parametrize(("last", "expected"), [(3000, runs.THERE), (3001, runs.PARTED)])
def test_who_went_on_from_a_step_before_what_is_here_parted(last, expected):
    short, grown = runs.Line(("a",), (0,), last), runs.Line(("a", "b"), (0, 3000), 3500)
    assert runs.relation(short, grown) == expected
    assert runs.relation(grown, short) == (runs.HERE if expected == runs.THERE else runs.PARTED)


def test_the_line_of_a_run_is_told_by_its_segments_and_checkpoints():
    files = ["r/checkpoints/step-0000900.npz", "r/checkpoints/step-10000000.npz", "r/samples/step-99999999.npz"]
    lines = runs.lines({"r": '[{"id": "aa", "step": 0}, {"id": "bb", "step": 7}]', "s": '[{"id": "aa"}]'}, files)
    assert lines == {"r": runs.Line(("aa", "bb"), (0, 7), 10_000_000), "s": runs.Line(("aa",))}


def test_the_line_of_what_is_no_list_of_segments():
    texts = ("", "{}", "[1]", "[{}]", '{"id": 1}', "[" * 100000)
    assert [runs.line(text, 5).ids for text in texts] == [()] * 6


OURS, THEIRS = "0" * 32, "f" * 32


def segments(path, files, md5):
    return {f"{path}/segments.json": md5} | {f"{path}/{name}": value for name, value in files.items()}


def matched(names_here, names_there):
    """match_runs on trees that hold nothing but runs: name -> ids."""
    local = {f"{run}/segments.json": here("".join(ids)) for run, ids in names_here.items()}
    files = {f"{run}/segments.json": there("".join(ids), key=run) for run, ids in names_there.items()}
    tree = Tree(files, {"": "root"} | {run: f"folder {run}" for run in names_there})
    lines = ({run: runs.Line(tuple(ids)) for run, ids in names.items()} for names in (names_here, names_there))
    return plan.match_runs(local, tree, *lines)


def test_of_two_runs_that_parted_the_other_side_gets_a_name_of_its_own():
    tree, found = matched({"r": ["a", OURS]}, {"r": ["a", THEIRS]})
    assert list(tree.files) == ["r-ffffffff/segments.json"] and tree.folders["r-ffffffff"] == "folder r"
    assert found.titles == {"r": "r-00000000"} and not found.relations


def test_runs_that_parted_are_known_again_without_memory():
    ours, theirs, later = ["a", OURS], ["a", THEIRS], ["a", THEIRS, "e" * 32]
    tree, found = matched({"r": ours, "r-ffffffff": theirs}, {"r": later, "r-00000000": ours})
    assert {path: one.id for path, one in tree.files.items()} == {
        "r-ffffffff/segments.json": "r",
        "r/segments.json": "r-00000000",
    }
    assert found.relations == {"r": runs.SAME, "r-ffffffff": runs.THERE} and not found.titles


def test_a_name_beside_that_is_taken_is_lengthened():
    tree, _ = matched({"r": [OURS], "r-ffffffff": ["1" * 32]}, {"r": [THEIRS]})
    assert list(tree.files) == ["r-ffffffffffffffff/segments.json"]


@pytest.mark.parametrize("verb", ["pull", "push"])
def test_a_run_that_went_on_is_updated_as_a_whole_and_never_set_back(verb):
    local = {"r/m.csv": here("B"), "r/own": here("O"), "r/same": here("A")}
    tree = Tree({"r/m.csv": there("C"), "r/new": there("N"), "r/same": there("A")})
    before = {"r/m.csv": known("A"), "r/same": known("A")}
    ahead, behind = (runs.THERE, runs.HERE) if verb == "pull" else (runs.HERE, runs.THERE)
    ours, theirs, kind = ("r/own", "r/new", "get") if verb == "pull" else ("r/new", "r/own", "put")
    going = plan.make(verb, local, tree, before, matched=plan.Runs({"r": ahead}))
    assert [(a.kind, a.path, a.to) for a in going.actions if a.kind != "same"] == [
        (kind, "r/m.csv", ""),
        (kind, theirs, ""),
    ]
    staying = plan.make(verb, local, tree, before, matched=plan.Runs({"r": behind}))
    assert [a.kind for a in staying.actions] in ([], ["same"]) and set(staying.left) == {"r/m.csv", ours, theirs}


def test_folders_are_made_from_the_top_with_their_titles():
    made = plan.make("push", {"r/a%2Fb/f": here("A"), "q/g": here("B")}, Tree(folders={"": "root", "q": "Q"}), {})
    whole = plan.with_folders(made, Tree(folders={"": "root", "q": "Q"}), plan.Runs(titles={"r": "r-00000000"}))
    assert [(a.path, a.to) for a in whole.of("mkdir")] == [("r", "r-00000000"), ("r/a%2Fb", "a/b")]
    assert whole.actions[0].kind == "mkdir"


# Duplicates.


def test_dedupe_trashes_copies_and_renames_others():
    same = {"md5Checksum": "one"}
    children = {
        "root": [item("1", "a.txt", **same), item("2", "a (1).txt", **same), item("3", "a.txt", **same)]
        + [item("4", "a.txt"), item("5", "a (2).txt"), item("6", "run", FOLDER), item("7", "run", FOLDER)],
        "6": [item("8", "a.txt", **same)],
    }
    made = plan.dedupe(children, listing.arrange(children, "root"))
    assert {a.remote.id for a in made.of("trash")} == {"2", "3"}
    renamed = {a.remote.id: a.to for a in made.of("rename")}
    assert set(renamed) == {"4", "7"} and re.fullmatch(r"a-[0-9a-f]{8}\.txt", renamed["4"])
    assert renamed["7"].startswith("run-")
