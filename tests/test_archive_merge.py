"""Continuations joined into one run: what comes from where, what has to be chosen, what goes aside and comes back."""

import shutil
import zipfile

import numpy as np
import pytest
from runs_made import facts, process, run_at

from rcgan_nb import archive, cli, paths, train
from rcgan_nb.archive import aside, checkpoint, merging
from rcgan_nb.archive.run import Run
from rcgan_nb.archive.verifying import GOOD


def merged(name, *places, accept=(), to=""):
    return merging.merge(merging.plan(archive.survey(paths.runs(), *places), name, name=to), accept=accept)


def started(run, step):
    return {"run": run.name, "step": step, "segment": run.segment}


def zipped(folder, path):
    with zipfile.ZipFile(path, "w") as file:
        for found in sorted(folder.rglob("*")):
            file.write(found, f"some/where/{folder.name}/{found.relative_to(folder)}")
    return path


def test_a_run_gone_on_with_elsewhere_and_its_beginning_become_one(runs, tmp_path):
    run_at(runs / "faces", 100, [process("a")])
    run_at(tmp_path / "faces", 200, [process("a"), process("b", 100)], marker=2.0)
    run, went = merged("faces", zipped(tmp_path / "faces", tmp_path / "faces (1).zip"))
    assert run.path == runs / "faces" and run.name == "faces"
    assert [s["id"][0] for s in facts(run, "segments.json")] == ["a", "b"]
    assert run.metrics()["step"] == [float(s) for s in range(10, 201, 10)]
    assert (went / "faces" / "config.json").exists() and (tmp_path / "faces (1).zip").exists()
    assert all(row["state"] in GOOD for row in archive.verify(archive.survey().named("faces")[0]))


def test_a_partial_copy_lends_what_the_other_lost(runs, tmp_path):
    long = run_at(runs / "long", 200, [process("a"), process("b", 100)], marker=2.0)
    run_at(tmp_path / "old", 100, [process("a")], marker=2.0)
    lines = (long.path / "metrics.csv").read_text().splitlines()
    (long.path / "metrics.csv").write_text("\n".join([lines[0], *lines[11:]]) + "\n")  # steps 10 to 100 are gone
    for sheet in long.path.glob("samples/step-0000050*"):
        sheet.unlink()
    whole = long.path / "checkpoints/step-0000200.npz"
    spare = tmp_path / "spare"
    shutil.copytree(long.path, spare)
    whole.write_bytes(whole.read_bytes()[:-500] + bytes(500))
    plan = merging.plan(archive.survey(runs, tmp_path / "old"), "long")
    assert plan.missing == ()
    run, _ = merged("long", tmp_path / "old", spare)
    assert run.metrics()["step"] == [float(s) for s in range(10, 201, 10)]
    assert len(list(run.path.glob("samples/*.png"))) == 4
    assert checkpoint.read(run.checkpoint())[1]["step"] == 200


def test_a_chain_of_starts_keeps_steps_seconds_and_the_best(runs):
    first = run_at(runs / "first", 100, [process("a")], marker=1.0)
    second = run_at(runs / "second", 150, [process("b", 100)], started_from=started(first, 100), marker=2.0)
    run_at(runs / "third", 250, [process("c", 150)], started_from=started(second, 150), marker=3.0)
    (first.path / "checkpoints/best.npz").unlink()
    checkpoint.write(first.path / "checkpoints/best.npz", {"generator/000": np.zeros(4)}, step=50, validation_mmd2=-9.0)
    (first.path / "alarms.json").write_text('[{"step": 40, "what": "x"}, {"step": 90, "what": "y"}]')
    run, went = merged("third")
    assert run.name == "first" and sorted(p.name for p in went.iterdir()) == ["first", "moved.json", "second", "third"]
    metrics = run.metrics()
    assert metrics["step"] == [float(s) for s in range(10, 251, 10)]
    assert metrics["seconds"] == [round(s * 0.1, 3) for s in range(10, 251, 10)]
    assert metrics["d_loss"] == [1.0] * 10 + [2.0] * 5 + [3.0] * 10
    assert checkpoint.read(run.checkpoint("best"))[1]["validation_mmd2"] == -9.0
    assert [p.name for p in sorted(run.path.glob("checkpoints/step*"))] == ["step-0000200.npz", "step-0000250.npz"]
    assert [a["step"] for a in run.alarms()] == [40, 90]
    assert facts(run, "data.json")["merged_from"] == [
        {"run": "first", "after": 0, "to": 100},
        {"run": "second", "after": 100, "to": 150},
        {"run": "third", "after": 150, "to": 250},
    ]
    assert "started_from" not in facts(run, "data.json") and run.config.steps == 250
    assert (run.path / "figures/losses.png").exists()
    with pytest.raises(FileExistsError, match="first is there again"):
        aside.restore(went.name)
    shutil.rmtree(run.path)
    assert sorted(p.name for p in aside.restore(went.name)) == ["first", "second", "third"]
    assert not went.exists() and Run(runs / "third").metrics()["d_loss"] == [3.0] * 10


def test_what_overlaps_or_is_missing_has_to_be_accepted(runs):
    first = run_at(runs / "first", 200, [process("a")])
    run_at(runs / "second", 150, [process("b", 100)], started_from=started(first, 100), marker=2.0)
    with pytest.raises(ValueError, match="overlap: first did steps 101 to 200, before which the next run was started"):
        merged("second")
    assert (runs / "second").exists() and not (runs / ".first.partial").exists()
    run, _ = merged("second", accept=["overlap"])
    assert run.metrics()["d_loss"] == [1.0] * 10 + [2.0] * 5


def test_what_was_done_after_the_step_from_which_another_process_went_on_overlaps_too(runs):
    run_at(runs / "home", 300, [process("a")])
    run_at(runs / "other", 200, [process("a"), process("b", 150)], marker=2.0)
    with pytest.raises(
        ValueError, match="overlap: home did steps 151 to 300, before which another process went on; they are left out"
    ):
        merged("other")
    run_at(runs / "third/home", 200, [process("a"), process("c", 150)])
    with pytest.raises(ValueError, match=r"'home' went on in 2 ways; .*home \(300 steps\); .*home \(200 steps\)"):
        merged("home")
    shutil.rmtree(runs / "third")
    run, went = merged("other", accept=["overlap"], to="both")
    assert run.metrics()["step"] == [float(s) for s in range(10, 201, 10)]
    assert sorted(p.name for p in went.iterdir()) == ["home", "moved.json", "other"]


def test_a_copy_that_parted_lends_no_step_of_its_own(runs, tmp_path):
    main = run_at(runs / "main", 300, [process("a"), process("b", 200)]).path
    lines = (main / "metrics.csv").read_text().splitlines()
    (main / "metrics.csv").write_text("\n".join([*lines[:11], *lines[21:]]) + "\n")  # steps 110 to 200 are gone
    for sheet in main.glob("samples/step-*"):
        sheet.unlink()
    other = run_at(tmp_path / "other", 250, [process("a"), process("c", 100)], marker=2.0).path
    (other / "alarms.json").write_text('[{"step": 90, "what": "x"}, {"step": 150, "what": "y"}]')
    plan = merging.plan(archive.survey(runs, tmp_path / "other"), "main", name="joined")
    assert plan.missing == ("figures of 10 steps from 110 to 200",)
    run, _ = merging.merge(plan, accept=["missing"])
    assert run.metrics()["step"] == [float(s) for s in (*range(10, 101, 10), *range(210, 301, 10))]
    assert {p.name for p in run.path.glob("samples/*.npz")} == {"step-0000050.npz", "step-0000100.npz"}
    assert [alarm["step"] for alarm in run.alarms()] == [90]


def test_what_went_on_from_a_step_before_the_end_lends_no_checkpoint_after_it(runs, tmp_path):
    run_at(runs / "main", 300, [process("a"), process("b", 200)])
    for path in (runs / "main").glob("checkpoints/*0300.npz"):
        path.write_bytes(path.read_bytes()[:-500] + bytes(500))
    (runs / "main/checkpoints/best.npz").unlink()
    other = run_at(tmp_path / "other", 300, [process("a"), process("b", 200), process("c", 250)], marker=2.0).path
    for name in ("best", "step-0000250"):
        (other / f"checkpoints/{name}.npz").unlink()
    checkpoint.write(other / "checkpoints/best.npz", {"generator/000": np.zeros(4)}, step=290, validation_mmd2=-9.0)
    plan = merging.plan(archive.survey(runs, tmp_path / "other"), str(runs / "main"), name="joined")
    run, _ = merging.merge(plan)
    assert [p.name for p in run.path.glob("checkpoints/*")] == ["step-0000250.npz"]


@pytest.mark.parametrize("what", ["codec", "shapes", "names"])
def test_the_best_of_another_scaling_or_of_other_networks_is_not_taken(runs, what):
    first = run_at(runs / "first", 100, [process("a")])
    run_at(runs / "second", 200, [process("b", 100)], started_from=started(first, 100))
    (first.path / "checkpoints/best.npz").unlink()
    arrays = {"generator/001" if what == "names" else "generator/000": np.zeros(3 if what == "shapes" else 4)}
    checkpoint.write(first.path / "checkpoints/best.npz", arrays, step=50, validation_mmd2=-9.0)
    if what == "codec":
        first.write_json("data.json", first.data | {"codec": {"scaler": "standard"}})
    run, _ = merged("second")
    assert checkpoint.read(run.checkpoint("best"))[1]["validation_mmd2"] == 1 / 200


def test_a_gap_is_said_with_its_steps(runs):
    first = run_at(runs / "first", 100, [process("a")])
    run_at(runs / "second", 150, [process("b", 100)], started_from=started(first, 100))
    lines = (first.path / "metrics.csv").read_text().splitlines()
    (first.path / "metrics.csv").write_text("\n".join(lines[:6]) + "\n")
    with pytest.raises(ValueError, match="missing: figures of 5 steps from 60 to 100. Nothing was done"):
        merged("second")
    run, _ = merged("second", accept=["missing"])
    assert run.metrics()["step"] == [10.0, 20.0, 30.0, 40.0, 50.0, *(float(s) for s in range(110, 151, 10))]
    assert run.metrics()["seconds"][5] == 6.0  # after the last of its seconds that are known


def test_a_beginning_that_is_not_there_is_said(runs, tmp_path):
    first = run_at(tmp_path / "first", 100, [process("a")])
    second = run_at(runs / "second", 150, [process("b", 100)], started_from=started(first, 100))
    run_at(runs / "third", 200, [process("c", 150)], started_from=started(second, 150))
    with pytest.raises(ValueError, match="steps 1 to 100 were done by 'first', which was not found"):
        merged("third")
    run, _ = merged("third", accept=["missing"])
    assert facts(run, "data.json")["started_from"]["run"] == "first"


def test_of_two_ways_one_has_to_be_named_and_the_beginning_stays_for_the_other(runs, tmp_path):
    run_at(runs / "faces", 100, [process("a")])
    run_at(tmp_path / "one", 150, [process("a"), process("b", 100)], marker=2.0)
    run_at(tmp_path / "two", 200, [process("a"), process("c", 100)], marker=3.0)
    with pytest.raises(
        ValueError, match=r"'faces' went on in 2 ways; say which .*one \(150 steps\).*two \(200 steps\)"
    ):
        merged("faces", tmp_path / "one", tmp_path / "two")
    run_at(tmp_path / "other", 100, [process("x")])
    run_at(tmp_path / "others", 150, [process("x"), process("y", 100)])
    survey = archive.survey(runs, tmp_path / "one", tmp_path / "two", tmp_path / "other", tmp_path / "others")
    plan = merging.plan(survey, str(tmp_path / "two"), name="joined")
    assert [b.split(" ", 1)[1] for b in plan.branches] == ["went on from step 100 and is no part of this"]
    assert plan.moved == ()  # the other way would lose its beginning
    run, went = merging.merge(plan)
    assert run.metrics()["d_loss"] == [3.0] * 20 and went is None and (runs / "faces").exists()


def test_children_of_one_run_are_told_and_only_the_named_is_joined(runs):
    first = run_at(runs / "first", 100, [process("a")])
    for name in "bc":
        run_at(runs / name, 150, [process(name, 100)], started_from=started(first, 100))
    survey = archive.survey()
    with pytest.raises(ValueError, match="there is a run 'first' already, and it stays, because c came from it, too"):
        merging.plan(survey, "b")
    plan = merging.plan(survey, "b", name="joined")
    assert [path.name for path in plan.moved] == ["b"] and "c started from from step 100" not in plan.branches


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nobody", "no run 'nobody' was found; found: alone, silent"),
        ("alone", "alone is one run already"),
        ("silent", "'silent' cannot be merged: segments.json is missing"),
    ],
)
def test_what_cannot_be_joined_is_refused(runs, name, message):
    run_at(runs / "alone", 100)
    run_at(runs / "silent", 100).path.joinpath("segments.json").unlink()
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        merging.plan(archive.survey(), name)


def test_a_run_being_trained_stays(runs):
    run = run_at(runs / "busy", 100, [process("a")])
    run_at(runs / "later", 150, [process("b", 100)], started_from=started(run, 100))
    run.beat("running", 100)
    with pytest.raises(ValueError, match="busy is being trained at this moment"):
        merging.plan(archive.survey(), "later")


def test_a_stop_half_way_leaves_everything_where_it_was(runs, monkeypatch):
    first = run_at(runs / "first", 100, [process("a")])
    run_at(runs / "second", 150, [process("b", 100)], started_from=started(first, 100))
    monkeypatch.setattr(merging, "draw", lambda run: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        merged("second")
    assert sorted(p.name for p in runs.iterdir()) == ["first", "second"]


def test_the_command_does_nothing_without_yes(runs, capsys):
    first = run_at(runs / "first", 100, [process("a")])
    run_at(runs / "second", 150, [process("b", 100)], started_from=started(first, 100))
    assert cli.main(["runs", "merge", "second"]) == 0
    out = capsys.readouterr().out
    assert "steps 101 to 150: " in out and "goes to archive/" in out and "Nothing was done; --yes does it." in out
    assert sorted(p.name for p in runs.iterdir()) == ["first", "second"]
    assert cli.main(["runs", "merge", "second", "--as", "both", "--yes"]) == 0
    name = capsys.readouterr().out.split("restore ")[1].split()[0]
    assert sorted(p.name for p in runs.iterdir()) == ["archive", "both"]
    assert cli.main(["runs", "restore"]) == 0 and capsys.readouterr().out.strip() == name
    assert cli.main(["runs", "restore", name]) == 0
    assert sorted(p.name for p in runs.iterdir()) == ["archive", "both", "first", "second"]
    assert cli.main(["runs", "restore", "nothing"]) == 1
    assert "nothing was moved aside as 'nothing'; known: none" in capsys.readouterr().err


def test_trained_halves_become_the_unbroken_run_and_go_on_like_it(runs, tmp_path, eagerly):
    settings = {"dataset": "digits", "hidden_units": 4, "batch_size": 16, "tensorboard": True}
    settings |= {"log_every": 2, "watch_every": 2, "sample_every": 4, "checkpoint_every": 4}
    train(run_name="unbroken", steps=12, **settings)
    half = train(run_name="half", steps=8, **settings)
    second = train(run_name="second", start_from="half", steps=12, **settings)
    assert facts(second, "data.json")["started_from"] == {"run": "half", "step": 8, "segment": half.segment}
    run, _ = merged("second")
    whole = archive.find("unbroken")
    assert {k: v for k, v in run.metrics().items() if k != "seconds"} == {
        k: v for k, v in whole.metrics().items() if k != "seconds"
    }
    assert np.all(np.diff(run.metrics()["seconds"]) > 0)
    assert [p.name for p in sorted(run.path.glob("samples/*"))] == [
        p.name for p in sorted(whole.path.glob("samples/*"))
    ]
    for which in ("last", "best"):
        one, other = (checkpoint.read(r.checkpoint(which))[0] for r in (run, whole))
        assert all(np.array_equal(one[name], other[name]) for name in one)
    assert _scalars(run, "d_loss") == _scalars(whole, "d_loss")
    one, other = train(resume="half", steps=16), train(resume="unbroken", steps=16)
    assert one.metrics()["d_loss"] == other.metrics()["d_loss"]


def _scalars(run, tag):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(run.path / "tensorboard"), size_guidance={"tensors": 0}).Reload().Tensors(tag)
    return [event.step for event in found]
