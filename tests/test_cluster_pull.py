"""What comes home from a machine reached by ssh: whole files alone, and never over what went on here."""

import shutil

import pytest
from cluster_servers import profile
from runs_made import facts, process, run_at

from rcgan_nb import archive, cli
from rcgan_nb.archive.run import Run
from rcgan_nb.archive.verifying import GOOD, verify
from rcgan_nb.machine import cluster, gather


@pytest.fixture
def far(sshd, tmp_path):
    """The runs folder behind the profile `there`."""
    cluster.profiles().parent.mkdir(parents=True)
    cluster.profiles().write_text(profile(sshd, "there", tmp_path / "there"))
    (tmp_path / "there/runs").mkdir(parents=True)
    return tmp_path / "there/runs"


def pull():
    said = []
    gather.pull(cluster.profile("there"), said.append)
    return said


def tree(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_run_comes_home_while_it_is_made_and_ends_as_it_is_there(far, runs):
    run_at(far / "faces", 100, state="running")
    (far / "faces/checkpoints/step-0000150.npz.partial").write_bytes(b"half")
    (far / "faces/samples/step-0000075.png").write_bytes(b"of a stop, which is forgotten when the run goes on")
    assert pull() == ["run faces: running at step 100"] and pull() == []
    came = tree(runs / "faces")
    assert came.keys() == tree(far / "faces").keys() - {"checkpoints/step-0000150.npz.partial"}
    (runs / "faces/evaluation.json").write_text("{}")  # what was made here stays
    shutil.rmtree(far / "faces")
    run = run_at(far / "faces", 250)
    run.seal()
    assert pull() == ["run faces: finished at step 250"]
    assert {name: data for name, data in tree(runs / "faces").items() if name != "evaluation.json"} == tree(run.path)
    assert [p.name for p in sorted((runs / "faces/checkpoints").iterdir())][1:] == [
        "step-0000200.npz",
        "step-0000250.npz",
    ]
    here = archive.survey(runs).named("faces")[0]
    assert {row["state"] for row in verify(here) if row["file"] != "evaluation.json"} <= set(GOOD)


def test_what_is_cleared_away_there_stays_here(far, runs):
    run = run_at(far / "faces", 200).path
    pull()
    came = tree(runs / "faces")
    shutil.rmtree(run / "checkpoints")
    shutil.rmtree(run / "samples")
    (run / "samples").mkdir()
    pull()
    assert tree(runs / "faces") == came
    (run / "samples/step-0000150.png").write_bytes(b"the last one left")
    pull()
    names = {name for name in came if name.startswith(("samples/", "checkpoints/"))}
    replaced = {f"samples/step-0000{step}.{end}" for step in ("050", "100") for end in ("png", "npz")}
    assert {name for name in tree(runs / "faces") if name in names} == names - replaced


def test_two_machines_that_went_on_with_one_run_are_both_kept(far, runs):
    first, mine, theirs = process("aaaa"), process("bbbb", 100), process("cccc", 100)
    run_at(far / "faces", 150, [first, theirs], marker=2.0)
    run_at(runs / "faces", 200, [first, mine], marker=3.0)
    before = tree(runs / "faces")
    said = pull()
    assert said[0] == f"run faces went on otherwise here and stays; that of there is faces-{theirs['id'][:8]}"
    assert tree(runs / "faces") == before and tree(runs / f"faces-{theirs['id'][:8]}") == tree(far / "faces")
    # There it goes on once more, in a third process: into the same folder here.
    shutil.rmtree(far / "faces")
    run_at(far / "faces", 300, [first, theirs, process("dddd", 150)])
    pull()
    assert sorted(p.name for p in runs.glob("faces*")) == ["faces", f"faces-{theirs['id'][:8]}"]
    assert Run(runs / f"faces-{theirs['id'][:8]}").metrics()["step"][-1] == 300 and tree(runs / "faces") == before


def test_what_went_on_here_stays_and_what_went_on_there_comes(far, runs):
    first, second = process("aaaa"), process("bbbb", 100)
    run_at(far / "here-further", 100, [first])
    run_at(runs / "here-further", 200, [first, second])
    run_at(far / "there-further", 200, [first, second])
    run_at(runs / "there-further", 100, [first])
    before = tree(runs / "here-further")
    assert pull() == ["run there-further: finished at step 200"]
    assert tree(runs / "here-further") == before and len(list(runs.glob("*further*"))) == 2
    assert tree(runs / "there-further") == tree(far / "there-further")


def test_the_further_of_two_copies_of_a_run_is_never_written_over(far, runs):
    first, second = process("aaaa"), process("bbbb", 100)
    run_at(runs / "faces", 300, [first])
    run_at(far / "faces", 200, [first, second])  # which went on with a copy of ours from an earlier step
    run_at(runs / "grown", 200, [first, second])
    run_at(far / "grown", 300, [first])
    run_at(runs / "copied", 300, [first])
    run_at(far / "copied", 200, [first])
    before = tree(runs)
    beside = {"faces": f"faces-{second['id'][:8]}", "grown": f"grown-{first['id'][:8]}"}
    for _ in range(2):
        said = pull()
        assert "run copied is a copy of an earlier step there; that of here stays" in said
        assert tree(runs).items() >= before.items()
        assert {p.name for p in runs.iterdir()} - {"cluster"} == {"faces", "grown", "copied", *beside.values()}
        assert all(tree(runs / here) == tree(far / name) for name, here in beside.items())


def test_what_is_trained_here_is_not_written_over_though_it_went_on_there(far, runs):
    run = run_at(runs / "faces", 100, [process("aaaa")])
    run_at(far / "faces", 200, [process("aaaa"), process("bbbb", 100)])
    run.beat("running", 100)
    before = tree(runs / "faces")
    assert pull() == ["not fetched: run faces is being trained here, and went on elsewhere, too; stop it here first."]
    assert tree(runs / "faces") == before
    run.beat("interrupted", 100)
    assert pull() == ["run faces: finished at step 200"]


def test_a_stranger_of_the_same_name_stays(far, runs):
    (runs / "faces").mkdir(parents=True)
    (runs / "faces/notes.txt").write_text("mine")
    run_at(far / "faces", 100)
    assert "went on otherwise here" in pull()[0]
    assert tree(runs / "faces") == {"notes.txt": b"mine"}
    assert (runs / f"faces-{facts(Run(far / 'faces'), 'segments.json')[0]['id'][:8]}/config.json").exists()


def test_a_line_that_breaks_leaves_what_was_good_and_goes_on(far, runs, sshd, tmp_path):
    run_at(far / "faces", 100, state="running")
    pull()
    good = tree(runs / "faces")
    shutil.rmtree(far / "faces")
    run_at(far / "faces", 200)
    big = bytes(range(256)) * 4096
    (far / "faces/checkpoints/best.npz").write_bytes(big)
    cut = "exec 4<&0 3<>/dev/tcp/%h/%p; cat <&4 >&3 & dd bs=1024 count=300 status=none <&3; kill $!"
    (sshd.folder / "cut").write_text(
        (sshd.folder / "config").read_text() + f"ProxyCommand bash -c '{cut}'\nCompression no\n"
    )
    whole = cluster.profiles().read_text()
    cluster.profiles().write_text(whole.replace(f"{sshd.folder}/config", f"{sshd.folder}/cut"))
    with pytest.raises(OSError, match="there: "):
        pull()
    shown = {name: data for name, data in tree(runs / "faces").items() if ".rsync-partial" not in name}
    assert shown == good and facts(Run(runs / "faces"), "heartbeat.json")["state"] == "running"
    cluster.profiles().write_text(whole)
    assert pull() == ["run faces: finished at step 200"]
    assert tree(runs / "faces") == tree(far / "faces")


def test_nothing_leads_out_of_the_runs_folder(far, runs, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "secret").write_text("secret")
    run_at(far / "faces", 50)
    (far / "faces/samples/leak.png").symlink_to(tmp_path / "secret")
    run_at(far / "linked", 50)
    run_at(far / "latest", 50)
    runs.mkdir()
    (runs / "linked").symlink_to(tmp_path / "elsewhere")
    said = pull()
    assert not (runs / "faces/samples/leak.png").exists() and not list((tmp_path / "elsewhere").iterdir())
    assert any("linked is a link; results stay inside" in line for line in said)
    assert any("'latest' has a meaning of its own" in line for line in said) and not (runs / "latest").exists()


def test_batches_keep_apart_from_ours(far, runs):
    for folder, text in (
        (far / "batches/grid", "there"),
        (far / "batches/new", "there"),
        (runs / "batches/grid", "here"),
    ):
        folder.mkdir(parents=True)
        (folder / "state.json").write_text(text)
    pull()
    (far / "batches/new/state.json").write_text("further")
    pull()
    read = {p.name: (p / "state.json").read_text() for p in (runs / "batches").iterdir()}
    assert read == {"grid": "here", "grid-there": "there", "new": "further"}


def test_watching_goes_on_until_it_is_stopped(far, runs, monkeypatch, capsys):
    run_at(far / "faces", 50, state="running")
    away, slept = far.parent.with_name("away"), []

    def sleep(seconds):
        slept.append(seconds)
        if len(slept) == 3:
            raise KeyboardInterrupt
        # First there is nothing to be found there; then it is back, and further.
        if len(slept) == 1:
            far.parent.rename(away)
        else:
            away.rename(far.parent)
            shutil.rmtree(far / "faces")
            run_at(far / "faces", 100)

    monkeypatch.setattr("rcgan_nb.cli.cluster.time.sleep", sleep)
    assert cli.main(["cluster", "pull", "there", "--watch", "0"]) == 1
    assert "--watch takes seconds, at least 1, but 0 came" in capsys.readouterr().err
    assert cli.main(["cluster", "pull", "there", "--watch", "2"]) == 130
    out = capsys.readouterr().out
    assert "run faces: running at step 50" in out and "Trying again in 2 seconds" in out
    assert out.endswith("run faces: finished at step 100\n") and slept == [2, 2, 2]
