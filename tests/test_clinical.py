"""Clinical sets: on small files of the publisher's schema, and on the real ones where they are."""

import gzip
import io
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest

from rcgan_nb import data, evaluate, generate, generation, train
from rcgan_nb.data import clinical, physionet
from rcgan_nb.evaluation.tasks import evaluate_tasks, parse

REAL = Path(os.environ.get("RCGAN_DATA", ""))


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("RCGAN_DATA", str(tmp_path))
    return tmp_path


def test_bins_hold_means_and_sums():
    x, observed = clinical.binned([0, 0, 0, 1], [1, 1, 1, 0], [0, 0, 1, 1], [2.0, 4.0, 5.0, 7.0], (2, 2, 2))
    assert x.tolist() == [[[0, 0], [3, 5]], [[0, 7], [0, 0]]]
    assert observed.tolist() == [[[False, False], [True, True]], [[False, True], [False, False]]]
    x, _ = clinical.binned([0, 0, 0, 1], [1, 1, 1, 0], [0, 0, 1, 1], [2.0, 4.0, 5.0, 7.0], (2, 2, 2), sums=[0])
    assert x[0, 1].tolist() == [6, 5]


def test_variables_by_name_and_group():
    known, groups = {"HR": "", "Temp": "", "pH": ""}, {"vitals": ["HR", "Temp"]}
    assert clinical.chosen("pH, HR", known, groups) == ["HR", "pH"]
    assert clinical.chosen("vitals", known, groups) == ["HR", "Temp"]
    assert clinical.chosen("", known, groups) == ["HR", "Temp", "pH"]
    with pytest.raises(ValueError, match="variable 'Tmp' is not known; did you mean 'Temp'"):
        clinical.chosen("HR,Tmp", known, groups)


# PhysioNet 2012 --------------------------------------------------------------------------------------------------


def physionet_files(home, stays, deaths):
    folder = home / "physionet2012"
    folder.mkdir()
    with tarfile.open(folder / "set-a.tar.gz", "w:gz") as archive:
        for record, lines in stays.items():
            text = "\n".join(["Time,Parameter,Value", f"00:00,RecordID,{record}", *lines]) + "\n"
            member = tarfile.TarInfo(f"set-a/{record}.txt")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    rows = [f"{record},1,1,1,-1,{died}" for record, died in deaths.items()]
    header = "RecordID,SAPS-I,SOFA,Length_of_stay,Survival,In-hospital_death"
    (folder / "Outcomes-a.txt").write_text("\n".join([header, *rows]) + "\n")


def general(age, sex, unit):
    return [f"00:00,Age,{age}", f"00:00,Gender,{sex}", "00:00,Height,-1", f"00:00,ICUType,{unit}", "00:00,Weight,-1"]


def test_physionet_by_hand(home):
    stays = {
        200 + k: [*general(50 + k, k % 2, 1 + k % 4), "05:10,HR,60", "05:50,HR,70", "07:00,Urine,30", "07:59,Urine,12"]
        for k in range(20)
    }
    # Out of order in the archive; no pulse, a pH of 735, a sex that is not known, a value at the very end.
    stays[100] = [*general(80, -1, 3), "01:00,HR,0", "02:00,pH,735", "03:00,pH,7.35", "48:00,HR,90", "04:00,Weight,70"]
    physionet_files(home, stays, {record: record % 2 for record in stays})
    s = data.load("physionet2012", variables="HR,pH,Urine,Weight")
    assert s.features == ("HR", "pH", "Urine", "Weight") and s.x.shape == (21, 48, 4)
    first = np.where(s.observed[0], s.x[0], np.nan)
    assert np.argwhere(~np.isnan(first)).tolist() == [[3, 1], [4, 3], [47, 0]]
    assert first[3, 1] == pytest.approx(7.35) and first[47, 0] == 90 and first[4, 3] == 70
    assert s.static[0].tolist() == [80, 0.5, 0, 0, 1, 0] and s.static[2].tolist() == [51, 1, 0, 1, 0, 0]
    assert s.x[1, 5, 0] == 65 and s.x[1, 7, 2] == 42 and s.observed[1].sum() == 2
    assert s.groups[0] == "100" and s.y[:3].tolist() == [0, 0, 1] and s.classes == ("survived", "died")


@pytest.mark.skipif(not (REAL / "physionet2012").is_dir(), reason="runs where RCGAN_DATA has physionet2012/")
def test_physionet_as_published():
    s = data.load("physionet2012")
    assert s.x.shape == (4000, 48, 37) and int(s.y.sum()) == 554
    assert [int(s.part(part).y.sum()) for part in ("train", "validation", "test")] == [305, 83, 166]
    hr = s.features.index("HR")
    patient = np.flatnonzero(s.groups == "132539")[0]
    assert s.x[patient, 0, hr] == 75 and s.x[patient, 1, hr] == 60  # 73 and 77, then 60
    assert s.static[patient].tolist() == [54, 0, 0, 0, 0, 1]
    low, high = clinical.LIMITS["pH"]
    ph = s.x[:, :, s.features.index("pH")][s.observed[:, :, s.features.index("pH")]]
    assert ph.min() >= low and ph.max() <= high


@pytest.mark.skipif(not (REAL / "physionet2012").is_dir(), reason="runs where RCGAN_DATA has physionet2012/")
def test_physionet_from_training_to_a_judged_set(tmp_path, monkeypatch):
    """Values, mask and conditions go all the way: a run, series for given patients in original units, figures."""
    monkeypatch.setenv("RCGAN_RUNS", str(tmp_path))
    monkeypatch.setenv("RCGAN_DATA", str(REAL))
    settings = {"dataset": "physionet2012", "variables": "HR,Temp", "hidden_units": 8, "batch_size": 8, "seed": 1}
    run = train(run_name="icu", steps=2, **settings)
    real = data.load("physionet2012", variables="HR,Temp")
    table = tmp_path / "whom.csv"
    units = ",".join(f'"unit: {name}"' for name in physionet.UNIT_TYPES)
    table.write_text(f"label,age (years),male (1; 0.5 unknown),{units}\ndied,80,1,0,0,1,0\nsurvived,30,0,1,0,0,0\n")
    made = generate(run, like=generation.conditions(run, table))
    assert made.x.shape == (2, 48, 2) and made.y.tolist() == [1, 0] and made.static[:, 0].tolist() == [80, 30]
    low, high = (f(real.part("train").x[real.part("train").observed]) for f in (np.min, np.max))
    assert (
        made.observed.shape == made.x.shape and ((made.x[made.observed] >= low) & (made.x[made.observed] <= high)).all()
    )
    report = evaluate(real, generate(run), judges=("svm",), judge_seeds=1, epochs=1, progress=lambda text: None)
    assert {row["set"] for row in report.rows} == {"real", "synthetic", "gaussian", "jitter"}
    rows = evaluate_tasks(real, {"drawn": generate(run, count=300)}, parse("label"), seeds=1, progress=print)
    areas = {(row["set"], row["judge"]): row["value"] for row in rows if row["measure"] == "auroc label"}
    # Pulse and temperature tell little more than age does: 0.710 and 0.691.
    assert areas["real", "logistic"] == pytest.approx(0.71, abs=0.02)
    assert areas["static alone", "logistic"] == pytest.approx(0.69, abs=0.02)


# eICU ------------------------------------------------------------------------------------------------------------


def eicu_files(home, rows):
    folder = home / "eicu"
    folder.mkdir()
    patients = ["patientunitstayid,uniquepid,gender,age,hospitaldischargestatus,unittype"]
    for k in range(8):
        sex, age, end = ("Male", "Female", "")[k % 3], ("> 89", 50)[k % 2], ("Alive", "Expired")[k % 2]
        patients.append(f"{9 - k},{k // 2},{sex},{age},{end},MICU")
    (folder / "patient.csv").write_text("\n".join([*patients, "1,9,Male,50,,MICU"]) + "\n")
    header = "vitalperiodicid,patientunitstayid,observationoffset,temperature,sao2,heartrate,respiration,systemicmean"
    (folder / "vitalPeriodic.csv").write_text("\n".join([header, *rows]) + "\n")


def test_eicu_by_hand(home):
    def five_hours(stay, gap=None, **values):
        usual = {"sao2": 97, "heartrate": 80, "respiration": 15, "systemicmean": 80} | values
        return [
            f"0,{stay},{minute},," + ",".join(str(v) for v in usual.values())
            for minute in range(0, 300, 15)
            if minute != gap
        ]

    rows = [row for stay in range(2, 7) for row in five_hours(stay)]
    rows += five_hours(7, gap=285) + five_hours(8, gap=30) + five_hours(9, sao2=90, heartrate=101, systemicmean=112)
    rows += ["0,2,20,,,100,,", "0,2,-5,,,300,,", "0,2,310,,,20,,", "0,2,290,,,20,,", "0,55,0,,97,80,15,80"]
    eicu_files(home, rows)
    s = data.load("eicu")
    assert s.x.shape == (6, 16, 4) and s.features == ("sao2", "heartrate", "respiration", "systemicmean")
    assert s.x[0, 1].tolist() == [97, 90, 15, 80] and (s.x[0, 2:, 1] == 80).all()
    # Stay 2: a pulse of 20 beside 80 in the last quarter; stay 9: three thresholds.
    assert s.static[0].tolist() == [0, 1, 0, 0, 0, 0, 0, 50, 0] and s.static[1, :7].tolist() == [0] * 7
    assert s.static[-1].tolist() == [1, 0, 1, 0, 0, 0, 1, 90, 1]
    assert s.y.tolist() == [1, 0, 1, 0, 1, 0] and "restricted" in s.info
    assert s.groups.tolist() == ["3", "3", "2", "2", "1", "0"] and s.static[1, 8] == 1 and s.static[2, 8] == 0.5
    assert data.load("eicu", variables="heartrate").x.shape == (6, 16, 1)


# MIMIC-III -------------------------------------------------------------------------------------------------------

MIMIC = {
    "PATIENTS": (
        "SUBJECT_ID,GENDER,DOB",
        *("1,M,2100-06-01", "2,F,1850-01-01", "3,F,2110-01-01"),
        *(f"{k},M,2100-01-01" for k in (4, 5, 6)),
    ),
    "ADMISSIONS": ("HADM_ID,HOSPITAL_EXPIRE_FLAG", "10,0", "20,1", "30,0", "40,0", "41,1", "50,0", "60,1"),
    "ICUSTAYS": (
        "SUBJECT_ID,HADM_ID,ICUSTAY_ID,FIRST_CAREUNIT,LAST_CAREUNIT,FIRST_WARDID,LAST_WARDID,INTIME,LOS",
        "1,10,100,MICU,MICU,5,5,2150-05-31 10:00:00,2.0",
        "2,20,200,CCU,CCU,7,7,2150-01-01 10:00:00,9.5",
        "3,30,300,CCU,CCU,7,7,2120-01-01 10:00:00,3",  # a child
        "4,40,400,CCU,MICU,7,5,2150-01-01 10:00:00,3",  # moved
        "4,41,401,CCU,CCU,7,7,2150-02-01 10:00:00,1.9",  # too short
        *(f"{k},{k}0,{k}00,SICU,SICU,7,7,2150-02-01 10:00:00,4" for k in (5, 6)),
    ),
    "CHARTEVENTS": (
        "HADM_ID,ITEMID,CHARTTIME,VALUE,VALUENUM,VALUEUOM,ERROR",
        "10,211,2150-05-31 10:50:00,70,70,,",
        "10,220045,2150-05-31 10:30:00,60,60,,0",  # earlier in the hour, later in the file
        "10,211,2150-05-31 12:10:00,90,90,,1",  # an error
        "10,211,2150-05-31 13:10:00,900,900,,",  # no pulse is so fast
        "10,211,2150-05-31 09:59:00,80,80,,",  # before the stay
        "10,211,2150-06-02 10:00:00,80,80,,",  # after 48 hours
        "10,678,2150-05-31 11:00:00,98.6,98.6,,",
        "10,226531,2150-05-31 11:00:00,200,200,,",
        "10,226707,2150-05-31 11:00:00,70,70,,",
        "10,223835,2150-05-31 11:00:00,40,40,,",
        "10,190,2150-05-31 12:00:00,0.5,0.5,,",
        "10,834,2150-05-31 11:00:00,0.97,0.97,,",
        "10,3348,2150-05-31 11:00:00,Delayed,,,",
        "10,115,2150-05-31 12:00:00,Brisk,,,",
        "20,211,2150-01-01 11:00:00,65,65,,",
        "30,211,2120-01-01 11:00:00,65,65,,",
        "50,211,2150-02-01 11:00:00,65,65,,",
        "60,211,2150-02-01 11:00:00,65,65,,",
        ",211,2150-02-01 11:00:00,65,65,,",
    ),
    "LABEVENTS": (
        "HADM_ID,ITEMID,CHARTTIME,VALUENUM",
        "10,50820,2150-05-31 14:20:00,7.35",
        ",50820,2150-05-31 14:20:00,7",
    ),
}


def mimic_files(home, **changes):
    folder = home / "mimic3"
    folder.mkdir()
    for table, lines in (MIMIC | changes).items():
        text = "\n".join(lines) + "\n"
        if table == "CHARTEVENTS":
            (folder / "CHARTEVENTS.csv.gz").write_bytes(gzip.compress(text.encode()))
        elif lines:
            (folder / f"{table}.csv").write_text(text)


def test_mimic_by_hand(home, monkeypatch):
    monkeypatch.setattr(clinical, "ROWS_AT_ONCE", 2)
    mimic_files(home)
    s = data.load("mimic3")
    assert s.groups.tolist() == ["1", "2", "5", "6"] and s.y.tolist() == [0, 1, 0, 1]
    assert s.static[:2].tolist() == [[49, 1, 0, 0, 1, 0, 0], [90, 0, 1, 0, 0, 0, 0]]
    found = {(s.features[f], t): round(float(s.x[0, t, f]), 3) for t, f in np.argwhere(s.observed[0])}
    assert found == {
        ("heart rate", 0): 70,
        ("temperature", 1): 37,
        ("weight", 1): 90.718,
        ("height", 1): 177.8,
        ("inspired oxygen", 1): 0.4,
        ("inspired oxygen", 2): 0.5,
        ("oxygen saturation", 1): 97,
        ("capillary refill", 1): 1,
        ("capillary refill", 2): 0,
        ("pH", 4): 7.35,
    }
    assert "restricted" in s.info and "restricted" in s.summary()


def test_mimic_that_is_not_whole(home):
    mimic_files(home, LABEVENTS=())
    with pytest.raises(FileNotFoundError, match="holds no LABEVENTS.csv or LABEVENTS.csv.gz"):
        data.load("mimic3")
    (home / "mimic3" / "LABEVENTS.csv").write_text("HADM_ID,ITEMID,VALUENUM\n")
    with pytest.raises(ValueError, match="LABEVENTS.csv has no column 'charttime'; it has hadm_id, itemid, valuenum"):
        data.load("mimic3")


@pytest.mark.filterwarnings("ignore:.*have no date in charttime")
def test_dates_that_are_none_are_counted(home):
    rows = [f"10,211,2150-05-31 11:{k % 60:02d}:00,70,70,,0" for k in range(300)]
    others = MIMIC["CHARTEVENTS"][-5:-1]
    mimic_files(home, CHARTEVENTS=(MIMIC["CHARTEVENTS"][0], *rows, *others, "10,211,noon,70,70,,0"))
    with pytest.warns(UserWarning, match="1 of 305 rows have no date in charttime, but 'noon'; they are left out"):
        assert len(data.load("mimic3")) == 4
    path = home / "mimic3" / "LABEVENTS.csv"
    path.write_text(path.read_text().replace("2150-05-31 14:20:00", "yesterday"))
    with pytest.raises(ValueError, match="LABEVENTS.csv: 2 of 2 rows have no date .* more than 1% are too many"):
        data.load("mimic3")


@pytest.mark.skipif(not (REAL / "mimic3-demo").is_dir(), reason="runs where RCGAN_DATA has mimic3-demo/")
def test_mimic_demo_as_published():
    s = data.load("mimic3-demo")
    assert s.x.shape == (57, 48, 17) and int(s.y.sum()) == 17 and len(set(s.groups)) == 47
    assert "restricted" not in s.info and s.info["licence"] == "ODbL 1.0"
    parts = [set(s.part(part).groups) for part in ("train", "validation", "test")]
    assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
