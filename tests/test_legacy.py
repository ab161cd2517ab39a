"""Old archives without their networks: chains, tables, pictures, the runs that become of them, and what is said."""

import json
import math

import legacy_made as made
import numpy as np
import pytest

from rcgan_nb import generate
from rcgan_nb.archive import find
from rcgan_nb.archive.legacy import chains, find_chains, import_archive, logs, plan

A, B, C, D = (f"2019_12_0{day}_10_00_00" for day in (1, 2, 3, 4))


@pytest.fixture
def pickles(tmp_path):
    return tmp_path / "pickles"


def names(chain):
    return [folder.path.name for folder in chain.folders]


def rows_of(run):
    columns = run.metrics()
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


# Chains ---------------------------------------------------------------------------------------------------------------


def test_a_run_goes_on_with_that_of_its_parents_time_model_and_data(pickles):
    chain = [f"{A}_RGAN_mnist", f"{A}_RGAN_{B}_mnist", f"{B}_RGAN_{D}_mnist"]
    others = [f"{C}_RGAN_mnist", f"{B}_RGAN_{C}_fashion", f"{A}_RCGAN_{B}_mnist", f"{B}_RCGAN_{C}_mnist"]
    for name in [*chain, *others]:
        made.run(pickles, name)
    (pickles / "archive").mkdir()
    found = {names(c)[-1]: c for c in find_chains(pickles)}
    assert set(found) == {chain[-1], f"{C}_RGAN_mnist", f"{B}_RGAN_{C}_fashion", f"{B}_RCGAN_{C}_mnist"}
    assert names(found[chain[-1]]) == chain and not found[chain[-1]].remarks
    assert names(found[f"{B}_RCGAN_{C}_mnist"]) == [f"{A}_RCGAN_{B}_mnist", f"{B}_RCGAN_{C}_mnist"]
    assert f"goes on with a run of {A}, which is not there" in found[f"{B}_RCGAN_{C}_mnist"].remarks[0]
    assert names(chains.chain_of(pickles / chain[1])) == chain[:2]
    assert str(found[chain[-1]]) == " -> ".join(chain)


def test_branches_stay_apart(pickles):
    for name in (f"{A}_RGAN_mnist", f"{A}_RGAN_{B}_mnist", f"{A}_RGAN_{C}_mnist"):
        made.run(pickles, name)
    found = find_chains(pickles)
    assert [names(c)[-1] for c in found] == [f"{A}_RGAN_{B}_mnist", f"{A}_RGAN_{C}_mnist"]
    assert f"{A}_RGAN_{C}_mnist, a branch of its own" in found[0].remarks[0]


def test_a_run_cannot_go_on_with_a_later_one(pickles):
    made.run(pickles, f"{B}_RGAN_{A}_mnist")
    made.run(pickles, f"{A}_RGAN_{B}_mnist")
    made.run(pickles, f"{C}_RGAN_{C}_mnist")
    assert [names(c) for c in find_chains(pickles)] == [
        [f"{B}_RGAN_{A}_mnist", f"{A}_RGAN_{B}_mnist"],
        [f"{C}_RGAN_{C}_mnist"],
    ]


def test_a_name_may_hold_underscores_and_a_copys_marks(pickles):
    made.run(pickles, f"{A}_RGAN_my_own_set")
    made.run(pickles, f"{A}_RGAN_{B}_my_own_set (1)")
    (chain,) = find_chains(pickles)
    assert names(chain) == [f"{A}_RGAN_my_own_set", f"{A}_RGAN_{B}_my_own_set (1)"]
    assert {f.data for f in chain.folders} == {"my_own_set"}
    assert chains.read(made.run(pickles, f"{C}_rgan_mnist")).model == "RGAN"  # as early versions wrote it


def joined(pickles, name, count, **changed):
    rows = [{"data": "mnist", **made.ROW, "until": 2 * (k + 1)} for k in range(count)]
    rows[-1] |= changed
    return made.run(pickles, name, rows=rows, done=2 * count)


def test_joined_runs_give_way_to_their_sources(pickles):
    made.run(pickles / "archive", f"{A}_RGAN_mnist")
    made.run(pickles / "archive", f"{A}_RGAN_{B}_mnist")
    joined(pickles, f"{B}_RGAN_mnist", 2)
    made.run(pickles, f"{B}_RGAN_{C}_mnist")
    (chain,) = find_chains(pickles)
    assert names(chain) == [f"{A}_RGAN_mnist", f"{A}_RGAN_{B}_mnist", f"{B}_RGAN_{C}_mnist"]
    assert chain.remarks == (f"pickles/{B}_RGAN_mnist joins the same runs and is left out.",)
    assert names(chains.chain_of(pickles / f"{B}_RGAN_mnist")) == names(chain)[:2]
    assert names(chains.chain_of(pickles / "archive" / f"{A}_RGAN_{B}_mnist")) == names(chain)[:2]


def test_runs_that_the_old_tool_confused_are_told_apart(pickles):
    """From the third link on it took any run of the data set: here that of D, which began anew."""
    made.run(pickles / "archive", f"{A}_RGAN_mnist")
    made.run(pickles / "archive", f"{A}_RGAN_{B}_mnist")
    made.run(pickles / "archive", f"{C}_RGAN_{D}_mnist")
    made.run(pickles / "archive", f"{C}_RGAN_mnist")
    joined(pickles, f"{D}_RGAN_mnist", 3)
    found = {names(c)[-1]: c for c in find_chains(pickles)}
    assert names(found[f"{A}_RGAN_{B}_mnist"]) == [f"{A}_RGAN_mnist", f"{A}_RGAN_{B}_mnist"]
    assert names(found[f"{C}_RGAN_{D}_mnist"]) == [f"{C}_RGAN_mnist", f"{C}_RGAN_{D}_mnist"]
    (remark,) = found[f"{C}_RGAN_{D}_mnist"].remarks
    assert "joins 3 runs, but by their names 2 belong together: the old tool confused others" in remark


def test_joined_runs_without_their_sources_are_taken_with_a_doubt(pickles):
    joined(pickles, f"{A}_RGAN_mnist", 3)
    joined(pickles, f"{B}_RGAN_mnist", 2, latent_dim=7)
    made.run(pickles, f"{C}_RGAN_{D}_mnist")  # incomplete, beside a joined one that is whole
    joined(pickles, f"{D}_RGAN_mnist", 2)
    found = {names(c)[-1]: c for c in find_chains(pickles)}
    assert set(found) == {f"{day}_RGAN_mnist" for day in (A, B, D)}
    assert "whose folders are not there; whether the old tool confused" in found[f"{A}_RGAN_mnist"].remarks[0]
    assert "joins runs that differ in latent_dim, so that none can" in found[f"{B}_RGAN_mnist"].remarks[0]


def test_doubles_and_what_never_began_are_left_out(pickles):
    made.run(pickles, f"{A}_RGAN_mnist", done=2)
    made.run(pickles, f"{A}_RGAN_mnist (1)", done=4)
    made.run(pickles, f"{A}_RGAN_{B}_mnist", done=1, epochs=1, batch_size=1)  # killed while it made room
    (pickles / "notes").mkdir()
    (pickles / f"{C}_RGAN_mnist").symlink_to(made.run(pickles.parent / "elsewhere", f"{C}_RGAN_mnist"))
    (chain,) = find_chains(pickles)
    assert names(chain) == [f"{A}_RGAN_mnist (1)"]
    assert chain.remarks == (f"pickles/{A}_RGAN_mnist is the same run as {A}_RGAN_mnist (1) and is left out.",)


def test_only_never_begun_has_no_steps(pickles):
    folder = made.run(pickles, f"{A}_RGAN_{B}_mnist", done=1, epochs=1, batch_size=1)
    with pytest.raises(ValueError, match="holds nothing but the step by which the old program made room"):
        plan(folder)


# Tables ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "figures"),
    [
        ("RGAN_v5", {"d_loss": 2.04, "g_loss": 2.0}),
        ("RGAN_v4", {"d_loss": 2.04, "g_loss": 2.0, "d_acc": 0.75, "g_acc": 0.5}),
        ("RCGAN_v4", {"d_loss": 0.51, "g_loss": 0.5, "d_classes": 1.53, "g_classes": 1.5}),
    ],
)
def test_every_schema_becomes_our_figures(pickles, schema, figures):
    folder = made.run(pickles, f"{A}_RCGAN_mnist", schema=schema)
    run = import_archive(folder, "old")
    rows = rows_of(run)
    assert [row["step"] for row in rows] == [60 * e + b for e in range(4) for b in (20, 40, 60)]
    expected = {"step": 20, "loss_ratio": figures["d_loss"] / figures["g_loss"]} | figures
    assert {name: value for name, value in rows[0].items() if name != "seconds"} == pytest.approx(expected)
    assert (run.path / f"ancestor/{folder.name}/log.csv").read_bytes() == (folder / "log.csv").read_bytes()
    assert (run.path / "figures/losses.png").exists()
    totals = any("logged totals alone" in remark for remark in run.data["imported"]["remarks"])
    assert totals == (schema != "RCGAN_v4")


def test_gaps_and_damaged_lines(tmp_path):
    path = tmp_path / "log.csv"
    odd = "2,4\n2,x,0,0\nnan,20,1,1\n4,inf,1,1\n1e9,20,1,1\n"
    path.write_text(f"epoch,batch,d_loss,g_loss\n1,,,\n2,20,0.5,nan\n{odd}3,20,0.5,\0 0\n3,40,0.")
    log = logs.read(path)
    assert [row["epoch"] for row in log.rows] == [1, 2, 3] and log.unreadable == 6
    assert math.isnan(log.rows[0]["batch"]) and math.isnan(log.rows[1]["g_loss"])
    assert logs.ours(log.rows[2])["loss_ratio"] == math.inf
    for text in ("", "epoch,batch,d_loss,g_loss\n", "loss\n1\n"):
        path.write_text(text)
        assert not logs.read(path).rows
    path.write_bytes(bytes(range(256)))
    assert not logs.read(path).rows
    assert not logs.read(tmp_path / "none.csv").header


def test_numbers_of_settings():
    row = {"a": "256.0", "b": "0.25", "c": "", "d": "much", "e": "inf"}
    assert [logs.number(row, name, 9) for name in "abcdef"] == [256, 0.25, 9, 9, 9, 9]
    assert type(logs.number(row, "a", 9)) is int


def test_a_chain_counts_steps_through_from_what_was_saved(pickles):
    """Killed in epoch 4 of 9, it had kept weights of epoch 2 last; the next went on from there."""
    made.run(pickles, f"{A}_RGAN_mnist", done=3, epochs=9)
    (pickles / f"{A}_RGAN_mnist/img/epoch4.bak").write_bytes(b"set aside")
    folder = made.run(pickles, f"{A}_RGAN_{B}_mnist", done=3, epochs=3, batch_size=2000, value=10)
    run = import_archive(folder)
    rows = rows_of(run)
    first = [60 * e + b for e in range(2) for b in (20, 40, 60)]
    assert [row["step"] for row in rows] == [*first, *(120 + 60 * e + b for e in range(3) for b in (20, 40, 60))]
    assert rows[5]["d_loss"] == pytest.approx(2 * 2.06) and rows[6]["d_loss"] == pytest.approx(2 * 11.02)
    pictures = sorted(path.name for path in run.path.glob("samples/*.png"))
    assert pictures == [f"step-{step:07d}.png" for step in (60, 120, 180, 240, 300)]
    assert (run.path / "samples/step-0000180.png").read_bytes() == (folder / "img/epoch1.png").read_bytes()
    kept = sorted(path.name for path in (run.path / f"ancestor/{A}_RGAN_mnist").iterdir())
    assert kept == ["epoch3.png", "epoch4.bak", "init.csv", "log.csv"]
    segments = run.read_json("segments.json")
    assert [(s["step"], s["imported"]["folder"], s["imported"]["epochs"]) for s in segments] == [
        (0, f"{A}_RGAN_mnist", 2),
        (120, f"{A}_RGAN_{B}_mnist", 3),
    ]
    assert segments[1]["config"]["batch_size"] == 2000 and segments[1]["imported"]["goes on with"] == A
    assert run.config.steps == 300 and run.status() == "finished" and run.name == folder.name
    assert find(run.name).path == run.path


def test_joined_folders_give_a_segment_for_each_start(pickles):
    rows = [{"data": "mnist", **made.ROW, "until": 1.0}, {"data": "mnist", **made.ROW, "batch_size": 500, "until": 3.0}]
    folder = made.run(pickles, f"{A}_RGAN_mnist", rows=rows, done=3)
    run = import_archive(folder, "old")
    segments = run.read_json("segments.json")
    assert [(s["step"], s["imported"]["epochs"]) for s in segments] == [(0, 1), (60, 2)]
    assert run.metrics()["step"] == [20, 40, 60, *(60 + 120 * e + b for e in range(2) for b in (20, 40, 60))]
    assert run.config.steps == 60 + 2 * 120 and len({s["id"] for s in segments}) == 2
    again = import_archive(folder, "again").read_json("segments.json")
    assert [s["id"] for s in again] == [s["id"] for s in segments]  # so that a merge sees that they are the same


# Parts that are missing -----------------------------------------------------------------------------------------------


def test_missing_and_damaged_parts_are_said(pickles):
    folder = made.run(pickles, f"{A}_RGAN_mnist")
    (folder / "init.csv").unlink()
    (folder / "log.csv").unlink()
    (folder / "img/epoch2.png").write_bytes((folder / "img/epoch2.png").read_bytes()[:40])
    run = import_archive(folder, "old")
    remarks = " ".join(run.data["imported"]["remarks"])
    assert "no init.csv that can be read; the old program's defaults stand in" in remarks
    assert "no log.csv that can be read; its losses are gaps" in remarks
    assert run.metrics()["step"] == [235, 470, 705, 940]  # 60,000 in batches of 256
    assert np.isnan(run.metrics()["d_loss"]).all()
    assert sorted(p.name for p in run.path.glob("samples/*.png")) == [f"step-{k:07d}.png" for k in (235, 705, 940)]
    assert (run.path / f"ancestor/{folder.name}/epoch2.png").exists()
    assert run.status() == "interrupted"  # 4 epochs of 100


def test_without_pictures_the_log_says_how_far_it_came(pickles):
    folder = made.run(pickles, f"{A}_RGAN_mnist", done=3, epochs=9, pictures=False)
    (folder / "img/epoch99999999999.png").touch()
    with open(folder / "log.csv", "a") as file:
        file.write("4,20,1,1\n")
    planned = plan(folder)
    assert planned.segments[0].epochs == 3 and planned.config.steps == 180
    assert import_archive(folder, "old").metrics()["step"][-1] == 200  # what came after is kept


def test_another_set_another_name_other_settings(pickles):
    folder = made.run(pickles, "my best run", droprate=0.5, data="cats")
    remarks = " ".join(plan(folder).remarks)
    assert "is not named as the old program names runs" in remarks
    assert "how many series 'cats' had is unknown; 60 steps count as an epoch" in remarks
    assert "droprate was 0.5, and rcgan_v4 trains with 0.25" in remarks
    assert "LFWcrop" in " ".join(plan(made.run(pickles, f"{A}_RGAN_faces")).remarks)
    more = made.run(pickles, f"{B}_RGAN_faces")
    assert "logged more batches in an epoch, 60, than faces has" in " ".join(plan(more).remarks)
    (more / "log.csv").write_text((more / "log.csv").read_text() + "5,2")
    assert "1 lines of log.csv could not be read" in " ".join(plan(more).remarks)


@pytest.mark.parametrize(
    ("name", "schema", "settings", "words"),
    [
        ("RGAN", "RGAN_v4", {}, "has accuracies, which versions before RGAN_v5 wrote"),
        ("RCGAN", "RGAN_v5", {}, "has no d_a_loss, which RCGAN v3 and v4 write"),
        ("RGAN", "RGAN_v5", {"alpha": 0.3}, "alpha was 0.3, and the network rcgan_v4 is built for 0.2"),
        ("RGAN", "RGAN_v5", {"im_dim": 64}, "im_dim was 64, and the network rcgan_v4 is built for 28"),
        ("RCGAN", "RCGAN_v4", {}, "gen_weights.h5 is missing"),
    ],
)
def test_older_versions_are_logs_and_pictures_only(pickles, name, schema, settings, words):
    run = import_archive(made.run(pickles, f"{A}_{name}_mnist", schema=schema, **settings), "old")
    assert words in run.data["imported"]["without_networks"] and not (run.path / "checkpoints").exists()
    assert len(run.metrics()["step"]) == 12 and len(list(run.path.glob("samples/*.png"))) == 4
    with pytest.raises(FileNotFoundError, match=f"holds no whole checkpoint 'last'. It was imported without.*{words}"):
        generate("old", count=2)


def test_weights_of_both_players_in_one_file_are_an_older_versions(pickles):
    folder = made.run(pickles, f"{A}_RCGAN_mnist", schema="RCGAN_v4")
    (folder / "comb_weights.h5").touch()
    assert "there is a comb_weights.h5, which versions before RCGAN_v4 wrote" in plan(folder).rebuilt.without


def spoilt(path, random):
    """A file that is missing, cut short, of noise, of another kind, or as it was."""
    how = random.integers(6)
    if how == 0:
        path.unlink()
        if random.integers(2):
            path.mkdir()
    elif how == 1:
        path.write_bytes(path.read_bytes()[: random.integers(80)])
    elif how == 2:
        path.write_bytes(random.bytes(200))
    elif how == 3:
        path.write_text(path.read_text(errors="replace").replace("0", "\x00,-1e400\n"))


def test_no_damaged_archive_breaks_the_plan(pickles):
    """Sixty: what can be had of each is planned, and no run is lost."""
    for seed in range(20):
        random = np.random.default_rng(seed)
        home = pickles / str(seed)
        runs = [made.run(home, f"{A}_RGAN_mnist", done=2), made.run(home, f"{A}_RGAN_{B}_mnist", done=2)]
        runs.append(made.run(home / "archive", f"{C}_RCGAN_mnist", done=2, schema="RCGAN_v4"))
        for folder in runs:
            (folder / "gen_weights.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + random.bytes(100))
            for name in ("init.csv", "log.csv", "img/epoch1.png", "gen_weights.h5"):
                spoilt(folder / name, random)
        found = {folder.path for chain in find_chains(home) for folder in chain.folders}
        assert found == {folder.resolve() for folder in runs}
        assert all(plan(folder).rebuilt.without for folder in runs)


# Refusals -------------------------------------------------------------------------------------------------------------


def test_a_plan_writes_nothing_and_an_interrupted_import_leaves_nothing(pickles, runs, monkeypatch):
    folder = made.run(pickles, f"{A}_RGAN_mnist")
    before = {path: path.stat().st_mtime_ns for path in pickles.rglob("*")}
    text = str(plan(pickles, "old"))
    assert "old: rgan on mnist, 240 steps" in text and f"{folder.name}: 4 epochs, steps 1 to 240" in text
    assert not runs.exists()

    def stop(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("rcgan_nb.plots.losses", stop)
        with pytest.raises(KeyboardInterrupt):
            import_archive(folder, "old")
    assert not list(runs.iterdir())
    assert import_archive(folder, "old").config.run_name == "old"
    assert [path.name for path in runs.iterdir()] == ["old"]
    assert {path: path.stat().st_mtime_ns for path in pickles.rglob("*")} == before
    with pytest.raises(FileExistsError, match="run 'old' exists already"):
        plan(folder, "old")


def test_what_is_no_archive_is_refused(pickles):
    with pytest.raises(FileNotFoundError, match="there is no folder .*nowhere; unpack an archive first"):
        plan(pickles / "nowhere")
    pickles.mkdir()
    with pytest.raises(ValueError, match="holds no run of an old archive; name its pickles/"):
        plan(pickles)
    with pytest.raises(ValueError, match="holds no run of an old archive .init.csv"):
        chains.chain_of(pickles)
    made.run(pickles, f"{A}_RGAN_mnist")
    made.run(pickles, f"{B}_RGAN_mnist")
    with pytest.raises(ValueError, match=f"(?s)holds 2 chains of runs; import each.*{A}_RGAN_mnist\n.*{B}_RGAN_mnist"):
        plan(pickles)
    with pytest.raises(ValueError, match="a plain name without slashes"):
        plan(pickles / f"{A}_RGAN_mnist", "../away")
    for name, size in ((f"{C}_RGAN_mnist", 1), (f"{D}_RGAN_mnist", 0)):
        odd = made.run(pickles, name, batch_size=size)
        with pytest.raises(ValueError, match=f"init.csv: batch_size must be at least 2, but {size} came"):
            plan(odd)
    (pickles / f"{A}_RGAN_mnist/config.json").write_text(json.dumps({}))  # a run of ours
    assert chains.read(pickles / f"{A}_RGAN_mnist") is None
