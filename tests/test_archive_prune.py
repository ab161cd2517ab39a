"""What pruning takes for a copy or an earlier state of a run, and what it leaves."""

import shutil

from runs_made import process, run_at

from rcgan_nb import archive
from rcgan_nb.archive import lineage, pruning


def test_a_run_that_is_further_than_where_another_went_on_from_it_parted(runs):
    home = run_at(runs / "home", 300, [process("a")]).path
    run_at(runs / "other", 200, [process("a"), process("b", 150)])
    row = next(row for row in lineage.rows(archive.survey().runs) if row["name"] == "other")
    assert (row["how"], row["start"], row["from"]) == ("went on otherwise", 150, "home")
    assert str(pruning.plan(archive.survey())) == "nothing"
    for path in home.glob("checkpoints/step-*"):
        path.unlink()
    assert str(pruning.plan(archive.survey())) == "nothing"  # it did those steps, whatever is left of them
    shutil.rmtree(home)
    run_at(home, 170, [process("a")], state="killed")  # what came after its last checkpoint was done again
    assert str(pruning.plan(archive.survey())) == "home: other is the same run, gone on with"


def test_pruning_keeps_the_copy_that_holds_a_whole_checkpoint(runs):
    cut = run_at(runs / "x", 300, [process("a")], state="interrupted").path
    run_at(runs / "x-copy", 200, [process("a")], state="interrupted")
    for path in cut.glob("checkpoints/*"):
        path.write_bytes(path.read_bytes()[:50])
    assert str(pruning.plan(archive.survey())) == "x: x-copy is the same run, as far or further"
    shutil.rmtree(runs / "x-copy/checkpoints")  # where no copy holds one, none is the double of another
    (cut / "heartbeat.json").write_text((cut / "heartbeat.json").read_text().replace("interrupted", "finished"))
    assert str(pruning.plan(archive.survey())) == "x-copy: it is interrupted and kept no checkpoint"


def test_pruning_names_the_run_that_stays(runs):
    steps = [process("a"), process("b", 100), process("c", 200)]
    for k, name in enumerate(("first", "second", "third")):
        run_at(runs / name, 100 * (k + 1), steps[: k + 1])
    shutil.copytree(runs / "second", runs / "second-copy")
    shutil.copytree(runs / "first", runs / "first-copy")
    going = {path.name: reason for path, reason in pruning.plan(archive.survey()).what}
    assert going == dict.fromkeys(
        ("first", "first-copy", "second", "second-copy"), "third is the same run, gone on with"
    )
    named = pruning.plan(archive.survey(), ["first", "first-copy"])
    assert {reason for _, reason in named.what} == {"second is the same run, gone on with"}
