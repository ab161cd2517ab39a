"""Runs found in folders, zips and tars, broken, doubled or hostile; checked, pruned, brought in."""

import io
import json
import os
import random
import shutil
import subprocess
import sys
import tarfile
import zipfile

import legacy_made
import numpy as np
import pytest
from runs_made import facts, process, run_at

from drive_sync import sync
from rcgan_nb import archive, cli, paths
from rcgan_nb.archive import aside, finder, lineage, pruning, trees
from rcgan_nb.archive.bring import bring
from rcgan_nb.archive.run import Run
from rcgan_nb.archive.verifying import verify


def found(*places):
    return {run.name: run for run in archive.survey(*places).runs}


def tarred(folder, path, mode="w:gz"):
    with tarfile.open(path, mode) as file:
        file.add(folder, f"./{folder.name}")
    return path


def test_a_run_is_found_by_its_files_wherever_it_lies(tmp_path):
    run_at(tmp_path / "a/deep/down/faces", 200)
    other = tmp_path / "a/deep/down/faces/other"  # other programs have such files, too
    other.mkdir()
    (other / "config.json").write_text('{"theme": "dark"}')
    run_at(tmp_path / "packed", 100)
    tarred(tmp_path / "packed", tmp_path / "a/saved.tgz")
    run = found(tmp_path / "a")["faces"]
    assert (run.step, run.use, run.problems, run.status) == (200, "all", [], "finished")
    assert "other/config.json" in run.sizes and run.size == sum(f.stat().st_size for f in run.path.rglob("*.*"))
    packed = found(tmp_path / "a")["packed"]
    assert packed.path == tmp_path / "a/saved.tgz/packed" and packed.step == 100 and packed.use == "all"
    assert packed.read("samples/step-0000050.png") == (tmp_path / "packed/samples/step-0000050.png").read_bytes()


def test_a_run_at_the_top_of_an_archive_has_the_name_of_the_file(tmp_path):
    run = run_at(tmp_path / "x", 100)
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as file:
        for path in run.path.rglob("*.*"):
            file.write(path, path.relative_to(run.path))
    assert found(tmp_path / "faces.zip")["faces"].step == 100


def test_runs_below_runs_keep_their_files_apart(tmp_path):
    run_at(tmp_path / "outer", 100)
    run_at(tmp_path / "outer/inner", 50)
    runs = found(tmp_path)
    assert runs["inner"].step == 50 and not any(name.startswith("inner/") for name in runs["outer"].sizes)


def test_what_is_broken_is_said_and_the_rest_serves(tmp_path):
    run = run_at(tmp_path / "cut", 200).path
    for path in run.glob("checkpoints/step-*"):
        path.write_bytes(path.read_bytes()[:300])
    (run / "heartbeat.json").write_text('{"state": "fin')
    (run / "config.json").rename(run / "config (1).json")  # as a second download is called
    cut = found(tmp_path)["cut"]
    assert cut.use == "all" and cut.facts["config"]["steps"] == 200 and cut.status == "never started"
    assert cut.problems[0].startswith("heartbeat.json cannot be read")
    assert cut.problems[1:] == [f"checkpoints/step-0000{n}.npz is cut short" for n in (150, 200)]
    shutil.rmtree(run / "checkpoints")
    assert found(tmp_path)["cut"].use == "figures" and found(tmp_path)["cut"].problems[-1] == "no whole checkpoint"
    for path in [*run.glob("*.csv"), *run.glob("samples/*")]:
        path.unlink()
    assert found(tmp_path)["cut"].use == "nothing"


def _add(name, content=b"x", link=""):
    def write(path):
        with tarfile.open(path, "w") as file:
            member = tarfile.TarInfo(name)
            member.size = 0 if link else len(content)
            if link:
                member.type, member.linkname = tarfile.SYMTYPE, link
            file.addfile(member, io.BytesIO(content))

    return write


def _twice(path):
    with zipfile.ZipFile(path, "w") as file, pytest.warns(UserWarning, match="Duplicate"):
        file.writestr("a/config.json", "{}")
        file.writestr("a/config.json", "[]")


def _bomb(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a/0", bytes(2 << 20))


HOSTILE = {
    "up.tar": (_add("../../out.json"), "the name '../../out.json' leads out of"),
    "root.tar": (_add("/etc/passwd"), "the name '/etc/passwd' leads out of"),
    "back.tar": (_add("a\\..\\b"), "leads out of"),
    "drive.tar": (_add("C:/x"), "leads out of"),
    "link.tar": (_add("a/config.json", link="/etc/passwd"), "'a/config.json' in it is a link or a device, not a file"),
    "twice.zip": (_twice, "it holds several files of one name"),
    "bomb.zip": (_bomb, "are a bomb, not results"),
    "text.zip": (lambda path: path.write_text("no zip"), "it is no whole zip"),
    "text.tar.gz": (lambda path: path.write_text("no tar"), "it is no whole zip or tar"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_archives_that_are_not_to_be_trusted_are_refused_with_the_reason(tmp_path, monkeypatch, name):
    monkeypatch.setattr(trees, "BOMB", (1 << 20, 200))
    make, reason = HOSTILE[name]
    make(tmp_path / name)
    survey = archive.survey(tmp_path)
    ((path, why),) = survey.refused
    assert path == tmp_path / name and reason in why and not survey.runs


def test_links_in_folders_are_not_followed(tmp_path):
    run_at(tmp_path / "elsewhere/faces", 100)
    (tmp_path / "here").mkdir()
    (tmp_path / "here/faces").symlink_to(tmp_path / "elsewhere/faces")
    assert found(tmp_path / "here") == {} and list(found(tmp_path / "here/faces")) == ["faces"]


def test_old_archives_are_brought_in_chain_by_chain(runs, tmp_path, capsys):
    for name in ("2019_12_01_10_00_00_RGAN_mnist", "2019_12_02_10_00_00_RCGAN_faces"):
        legacy_made.run(tmp_path / "pickles", name)
    legacy_made.run(tmp_path / "pickles", "2019_12_01_10_00_00_RGAN_2019_12_03_10_00_00_mnist")
    assert cli.main(["runs", "import", str(tmp_path / "pickles")]) == 0
    out = capsys.readouterr().out
    assert "logs and pictures only" in out and out.count(" now.") == 2
    chained = runs / "2019_12_01_10_00_00_RGAN_2019_12_03_10_00_00_mnist"
    assert sorted(p.name for p in runs.iterdir()) == [chained.name, "2019_12_02_10_00_00_RCGAN_faces"]
    assert len(facts(Run(chained), "segments.json")) == 2
    first = tmp_path / "pickles/2019_12_01_10_00_00_RGAN_mnist"
    assert cli.main(["runs", "import", str(first), "--as", "first"]) == 0
    assert found()["first"].use == "figures" and cli.main(["runs", "import", str(first), "--as", "first"]) == 1


def test_an_archive_of_the_ancestor_is_known(tmp_path):
    folder = tmp_path / "2019_11_20_10_00_00_RGAN_mnist"
    folder.mkdir()
    (folder / "init.csv").write_text("data\nmnist\n")
    (folder / "log.csv").write_text("epoch,batch,d_loss,g_loss\n")
    assert "make it a run: rcgan runs import" in archive.survey(tmp_path).refused[0][1]


MISHAPS = ("missing", "cut", "bytes", "doubled", "nonsense", "deep", "packed", "half zip", "empty", "odd types")


def _spoil(run, how, rng):
    """Do to a run what downloads, full disks and strangers do."""
    files = sorted(p for p in run.rglob("*") if p.is_file())
    victims = rng.sample(files, rng.randint(1, 4))
    for file in victims:
        content = file.read_bytes()
        if how == "missing":
            file.unlink()
        elif how == "cut":
            file.write_bytes(content[: rng.randrange(len(content) + 1)])
        elif how == "bytes":
            at = rng.randrange(len(content))
            file.write_bytes(content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :])
        elif how == "doubled":
            shutil.copy(file, file.with_name(f"{file.stem} (1){file.suffix}"))
        elif how == "nonsense":
            file.write_bytes(rng.randbytes(200))
        elif how == "empty":
            file.write_bytes(b"")
        elif file.suffix == ".json":
            odd = ["[[]]", "3", "null", '{"segments": 1}', '[{"id": [], "step": "x"}]', '{"summary": 5, "step": true}']
            file.write_text("[" * 100_000 if how == "deep" else rng.choice(odd))


def test_two_hundred_trees_crash_nothing_and_none_is_lost(tmp_path):
    rng = random.Random(7)
    names = {}
    template = run_at(tmp_path / "template", 100).path
    for k in range(200):
        how = MISHAPS[k % len(MISHAPS)]
        folder = tmp_path / "all" / rng.choice("abc") / f"run {k}"
        shutil.copytree(template, folder)
        _spoil(folder, how, rng)
        if how in ("packed", "half zip"):
            path = folder.with_name(f"run {k}.zip")
            with zipfile.ZipFile(path, "w") as file:
                for member in folder.rglob("*.*"):
                    file.write(member, f"run {k}/{member.relative_to(folder)}")
            shutil.rmtree(folder)
            if how == "half zip":
                path.write_bytes(path.read_bytes()[: rng.randrange(10, path.stat().st_size - 30)])
        names[f"run {k}"] = how
    survey = archive.survey(tmp_path / "all")
    rows = finder.rows(survey.runs)
    assert len({row["name"] for row in rows}) == len(rows)
    seen = {row["name"] for row in rows} | {path.stem for path, _ in survey.refused}
    assert seen == set(names)  # none is lost
    assert all(names[path.stem] == "half zip" for path, _ in survey.refused) and len(survey.refused) == 20
    assert sum(row["use"] == "all" for row in rows) > 90 and all(row["problems"] or row["use"] == "all" for row in rows)
    assert len(lineage.rows(survey.runs)) <= len(rows)
    for run in survey.runs:
        verify(run)
        assert run.status


def test_a_damaged_file_of_any_kind_is_told_from_whole_ones(tmp_path, capsys):
    run = run_at(tmp_path / "faces", 200)
    states = {row["file"]: row["state"] for row in verify(found(tmp_path)["faces"])}
    assert set(states.values()) == {"whole"} and len(states) == 17
    for name in ("samples/step-0000050.npz", "samples/step-0000100.png", "checkpoints/best.npz", "metrics.csv"):
        path = run.path / name
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 0x10
        path.write_bytes(content[: -1 if name == "metrics.csv" else None].replace(b",1.5\n", b"\n", 1))
    bad = {row["file"] for row in verify(found(tmp_path)["faces"]) if row["state"] == "damaged"}
    assert bad == {"samples/step-0000050.npz", "samples/step-0000100.png", "checkpoints/best.npz", "metrics.csv"}
    assert cli.main(["runs", "verify", "--also", str(tmp_path)]) == 1
    assert "checkpoints/best.npz: damaged" in capsys.readouterr().out


def test_checksums_tell_what_was_changed_or_went(tmp_path):
    run = run_at(tmp_path / "faces", 100)
    run.seal()
    (run.path / "report.html").write_text("later")
    text = (run.path / "watch.csv").read_text()
    (run.path / "watch.csv").write_text(text.replace("1.0", "0.5"))
    (run.path / "samples/step-0000050.png").unlink()
    states = {row["file"]: row["state"] for row in verify(found(tmp_path)["faces"]) if row["state"] != "whole"}
    assert states == {
        "report.html": "written since",
        "heartbeat.json": "written since",
        "watch.csv": "changed",
        "samples/step-0000050.png": "missing",
    }


def test_lineage_is_told_by_processes_and_not_by_names(tmp_path):
    first = run_at(tmp_path / "b", 100, [process("a")])
    run_at(tmp_path / "a", 150, [process("a"), process("x", 100)])
    shutil.copytree(first.path, tmp_path / "copy")
    begun = {"run": "whatever", "step": 50, "segment": first.segment}
    run_at(tmp_path / "c", 200, [process("c", 50)], started_from=begun)
    run_at(tmp_path / "d", 90, [process("d", 40)], started_from={"run": "gone", "step": 40, "segment": "e" * 32})
    rows = {row["name"]: row for row in lineage.rows(archive.survey(tmp_path).runs)}
    order = list(rows)
    assert rows["b"]["copies"] == 2 and order == ["b", "a", "c", "d"]  # of copies the shortest name; children follow
    assert (rows["a"]["how"], rows["a"]["start"], order[rows["a"]["parent"]]) == ("went on", 100, "b")
    assert (rows["c"]["how"], rows["c"]["start"], order[rows["c"]["parent"]]) == ("started from", 50, "a")
    assert (rows["d"]["how"], rows["d"]["from"], rows["d"]["parent"]) == ("started from", "gone", None)
    shutil.rmtree(tmp_path / "copy")
    shutil.rmtree(tmp_path / "b")
    run_at(tmp_path / "z", 140, [process("a"), process("y", 120)])
    rows = {row["name"]: row for row in lineage.rows(archive.survey(tmp_path).runs)}
    assert (rows["z"]["how"], rows["z"]["start"], rows["z"]["from"]) == ("went on otherwise", 120, "a")


def test_pruning_moves_what_serves_nobody_and_brings_it_back(runs, capsys):
    run_at(runs / "faces", 200, [process("a"), process("b", 100)])
    run_at(runs / "older", 100, [process("a")])
    dead = run_at(runs / "dead", 40, state="failed").path
    (runs / "faces/samples/x.partial").write_text("half")
    assert not list(dead.glob("checkpoints/*"))
    assert cli.main(["runs", "prune", "--samples", "2"]) == 0
    out = capsys.readouterr().out
    assert "older: faces is the same run, gone on with" in out and "dead: it is failed and kept no checkpoint" in out
    assert "faces/samples/x.partial: half written" in out and "Nothing was done; --yes does it." in out
    assert (runs / "older").exists()
    assert cli.main(["runs", "prune", "--samples", "2", "--yes"]) == 0
    (name,) = aside.kept()
    assert [p.name for p in sorted(runs.iterdir())] == ["archive", "faces"]
    assert [p.name for p in sorted((runs / "faces/samples").glob("*.png"))] == ["step-0000050.png", "step-0000200.png"]
    assert list(found()) == ["faces"]  # what lies aside is not found
    assert "dead" in found(runs / "archive")
    assert cli.main(["runs", "restore", name]) == 0
    assert len(list((runs / "faces/samples").iterdir())) == 9 and (runs / "dead").exists()
    assert not list((runs / "archive").iterdir())


def test_a_runs_folder_that_is_a_link_is_its_target(tmp_path, monkeypatch):
    """The checkout's own folder, on another disk."""
    (tmp_path / "checkout/notebooks").mkdir(parents=True)
    (tmp_path / "disk").mkdir()
    (tmp_path / "checkout/runs").symlink_to(tmp_path / "disk")
    monkeypatch.delenv("RCGAN_RUNS")
    monkeypatch.setattr(paths, "CHECKOUT", tmp_path / "checkout")
    monkeypatch.setattr(sync, "__file__", str(tmp_path / "checkout/drive_sync/sync.py"))
    assert paths.runs() == sync.runs_folder() == tmp_path / "disk"
    runs = paths.runs()
    run_at(runs / "faces", 200, [process("a"), process("b", 100)])
    older = run_at(runs / "older", 100, [process("a")]).path
    assert [what for what, _ in pruning.plan(archive.survey()).what] == [older]
    assert pruning.prune(pruning.plan(archive.survey())) and list(found()) == ["faces"]  # nor what lies aside now


def test_pruning_refuses_what_makes_no_sense(runs):
    run_at(runs / "faces", 100)
    with pytest.raises(ValueError, match="give 2 or more, not 1"):
        pruning.plan(archive.survey(), samples=1)
    with pytest.raises(FileNotFoundError, match="there is no run 'face' in .*; known: faces"):
        pruning.plan(archive.survey(), ["face"])
    assert pruning.prune(pruning.plan(archive.survey())) is None


def test_only_what_lies_in_the_runs_folder_goes_aside(runs, tmp_path):
    run = run_at(tmp_path / "faces", 100)
    with pytest.raises(ValueError, match="does not lie in .*runs; only what lies there is moved"):
        aside.move([run.path], "test")


def test_a_list_of_moves_that_was_altered_leads_nowhere(runs):
    run_at(runs / "faces", 100)
    went = aside.move([runs / "faces"], "test")
    (went / "moved.json").write_text('["../../outside"]')
    with pytest.raises(ValueError, match="the name '../../outside' leads out of"):
        aside.restore(went.name)


def test_runs_are_brought_in_whole_or_not_at_all(runs, tmp_path, capsys):
    run = run_at(tmp_path / "faces", 100)
    path = tarred(run.path, tmp_path / "saved.tar.xz", "w:xz")
    assert cli.main(["runs", "import", str(path)]) == 0
    assert sorted(p.name for p in runs.iterdir()) == ["faces"]
    assert (runs / "faces/checkpoints/best.npz").read_bytes() == (run.path / "checkpoints/best.npz").read_bytes()
    assert cli.main(["runs", "import", str(path)]) == 1
    assert "there is a run 'faces' already; join them with `rcgan runs merge`" in capsys.readouterr().out
    assert cli.main(["runs", "import", str(path), "--as", "again"]) == 0
    assert found()["again"].step == 100
    shutil.rmtree(run.path / "checkpoints")
    for name in (*run.path.glob("*.csv"), *run.path.glob("samples/*")):
        name.unlink()
    with pytest.raises(ValueError, match="faces holds nothing that can be used: no whole checkpoint"):
        bring(found(run.path)["faces"], name="new")
    assert sorted(p.name for p in runs.iterdir()) == ["again", "faces"]


def test_lists_and_facts_read_well(runs, tmp_path, capsys):
    run_at(runs / "faces", 200, [process("a"), process("b", 100)])
    (tmp_path / "bad.zip").write_text("no zip")
    assert cli.main(["runs", "list", str(runs), str(tmp_path / "bad.zip")]) == 0
    out = capsys.readouterr().out
    assert "faces" in out and "200/200" in out and "finished" in out and "not used: " in out
    assert cli.main(["runs", "show", "faces"]) == 0
    out = capsys.readouterr().out
    assert "from step 100 on there" in out and "checkpoints/step-0000200.npz" in out and "lineage  began" in out
    assert cli.main(["runs", "show", "fases"]) == 1
    assert "no run 'fases' was found" in capsys.readouterr().err
    assert cli.main(["runs", "list", str(tmp_path / "nowhere")]) == 1
    assert "there is no folder or file" in capsys.readouterr().err


def test_five_hundred_runs_are_listed_in_two_seconds(runs, tmp_path):
    template = run_at(tmp_path / "template", 500).path
    for k in range(500):
        shutil.copytree(template, runs / f"run-{k:03}", copy_function=os.link)
    program = "import time; t = time.perf_counter(); from rcgan_nb import archive; from rcgan_nb.archive import finder"
    program += "; n = len(finder.rows(archive.survey().runs)); print(n, time.perf_counter() - t)"
    seconds = []
    for _ in range(3):
        out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
        assert out[0] == "500"
        seconds.append(float(out[1]))
    assert min(seconds) < 2, seconds


def test_a_broken_checkpoint_and_a_newer_one_are_told_apart(tmp_path):
    run = run_at(tmp_path / "faces", 100)
    path = run.path / "checkpoints/step-0000100.npz"
    with np.load(path) as file:
        arrays = dict(file)
    arrays["meta"] = np.array(json.dumps({"format": 99, "step": 100}))
    np.savez(path, **arrays)
    row = next(r for r in verify(found(tmp_path)["faces"]) if r["file"].endswith("0100.npz"))
    assert row["state"] == "damaged" and "checkpoint format 99" in row["reason"]


def test_what_is_named_twice_is_found_once(tmp_path):
    run_at(tmp_path / "faces", 100)
    assert len(archive.survey(tmp_path, tmp_path / "faces").runs) == 1
    assert trees.is_packed("x.TGZ") and not trees.is_packed("x.npz")
