"""MIMIC-III from the user's own CSV files: the 17 variables and 48 hours of the benchmark for in-hospital mortality.

Source: Harutyunyan et al. 2019, Scientific Data 6:96, arXiv:1703.07771. Variables, hours, limits and who is left out
are theirs; items of urine and other fluids, which their list has under glucose and pH, are not taken.
"""

import hashlib

import numpy as np

from rcgan_nb import paths
from rcgan_nb.data.clinical import LIMITS, Tables, chosen, last_in_bin, within
from rcgan_nb.series import SeriesSet, split

HOURS = 48
ADULT = 18
OLDEST = 90  # who was older than 89 is said to be 300
# SHA-256 of the patients of the openly licensed demo.
DEMO = "23d29898274017b0703ed908e9d5ceeb422540494102917c6195ddc5dddc29d9"
# CHARTEVENTS (CareVue, MetaVision) and LABEVENTS items; each variable's limits have the name that follows.
ITEMS = {
    "capillary refill": ((3348, 115, 8377, 223951, 224308), (), None),
    "diastolic pressure": (
        (8441, 8368, 8555, 8440, 8502, 8503, 8504, 8506, 8507, 220180, 220051, 225310, 227242, 224643),
        (),
        "diastolic pressure",
    ),
    "inspired oxygen": ((3420, 3422, 189, 190, 727, 223835), (), "inspired oxygen"),
    "GCS eye": ((184, 220739), (), None),
    "GCS motor": ((454, 223901), (), None),
    "GCS total": ((198,), (), None),
    "GCS verbal": ((723, 223900), (), None),
    "glucose": ((807, 811, 1529, 3744, 3745, 225664, 220621, 226537), (50931, 50809), "glucose"),
    "heart rate": ((211, 220045), (), "heart rate"),
    "height": ((1394, 226707, 226730), (), "height"),
    "mean pressure": ((456, 52, 6702, 443, 220052, 220181, 225312), (), "mean pressure"),
    "oxygen saturation": ((646, 834, 8498, 220277, 220227), (50817,), "oxygen saturation"),
    "respiratory rate": ((618, 614, 615, 651, 3603, 220210, 224422, 224689, 224690), (), "respiratory rate"),
    "systolic pressure": (
        (51, 455, 442, 6701, 3313, 3315, 3317, 3321, 3323, 220179, 220050, 225309, 227243, 224167),
        (),
        "systolic pressure",
    ),
    "temperature": ((676, 677, 678, 679, 3655, 223761, 223762), (), "temperature"),
    "weight": ((763, 3580, 3581, 3693, 224639, 226512, 226531), (), "weight"),
    "pH": ((780, 1126, 3839, 4753, 223830), (50820,), "pH"),
}
UNITS = {name: "mmHg" for name in ITEMS if name.endswith("pressure")} | {
    "capillary refill": "1 where longer than 3 seconds",
    "inspired oxygen": "share",
    "glucose": "mg/dL",
    "heart rate": "per minute",
    "height": "cm",
    "oxygen saturation": "%",
    "respiratory rate": "per minute",
    "temperature": "degrees C",
    "weight": "kg",
}
GROUPS = {"vitals": ["heart rate", "mean pressure", "respiratory rate", "temperature", "oxygen saturation"]}
FAHRENHEIT, POUNDS, INCHES = (678, 679, 223761), (3581, 226531), (1394, 226707)
REFILL = {"Normal <3 secs": 0.0, "Brisk": 0.0, "Normal <3 Seconds": 0.0, "Abnormal >3 secs": 1.0, "Delayed": 1.0}
REFILL |= {"Abnormal >3 Seconds": 1.0}
UNIT_TYPES = ("CCU", "CSRU", "MICU", "SICU", "TSICU")
STATIC = ("age (years)", "male", *(f"unit: {name}" for name in UNIT_TYPES))
KEPT = {"row": np.int32, "hour": np.float32, "variable": np.int8, "number": np.float32}  # millions of events
COLUMNS = {
    "PATIENTS": ("subject_id", "gender", "dob"),
    "ADMISSIONS": ("hadm_id", "hospital_expire_flag"),
    "ICUSTAYS": (
        *("subject_id", "hadm_id", "icustay_id", "intime", "los"),
        *("first_careunit", "last_careunit", "first_wardid", "last_wardid"),
    ),
    "CHARTEVENTS": ("hadm_id", "itemid", "charttime", "value", "valuenum", "error"),
    "LABEVENTS": ("hadm_id", "itemid", "charttime", "valuenum"),
}


def mimic3(*, variables="") -> SeriesSet:
    """Stays in intensive care of MIMIC-III: 48 hours of up to 17 variables, with the label who died in hospital.

    Reads PATIENTS, ADMISSIONS, ICUSTAYS, CHARTEVENTS and LABEVENTS (.csv or .csv.gz, header in any case) from the
    folder `mimic3` of the data folder. Adults with one stay in one unit in the admission, of 48 hours or more. A step
    is an hour and holds the last value charted in it; values outside of `clinical.LIMITS` count as not observed.
    `static` holds age, sex and type of unit. Split by patient. Restricted, as the data use agreement says, and so is
    what is trained on it; the open demo (`mimic3_demo`) is not.

    Args:
        variables: names separated by commas, or `vitals`; empty takes all 17.
    Raises: FileNotFoundError: a table is missing; ValueError: a column is missing, or dates that cannot be read.
    """
    return _set("mimic3", variables, "MIMIC-III v1.4")


def mimic3_demo(*, variables="") -> SeriesSet:
    """As `mimic3`, from the folder `mimic3-demo`: the 100 patients of the demo, ODbL 1.0, Johnson et al. 2016."""
    return _set("mimic3-demo", variables, "the MIMIC-III Clinical Database Demo v1.4")


def _set(folder, variables, source) -> SeriesSet:
    names = chosen(variables, ITEMS, GROUPS)
    tables = Tables(paths.data() / folder, COLUMNS, source)
    patients, stays = _stays(tables)
    x, observed = _hours(tables, stays, names)
    seen = observed.any((1, 2))
    stays, x, observed = stays[seen], x[seen], observed[seen]
    if len(stays) < 3:
        raise ValueError(f"{tables.folder} holds {len(stays)} stays of 48 hours; 3 are the least to be split.")
    persons = stays["subject_id"].to_numpy()
    demo = hashlib.sha256(np.sort(patients["subject_id"].to_numpy("<i8")).tobytes()).hexdigest() == DEMO
    licence = "ODbL 1.0" if demo else "PhysioNet credentialed health data use agreement"
    return SeriesSet(
        x=x,
        y=stays["died"].to_numpy(np.int32),
        observed=observed,
        groups=persons.astype(str),
        split=split(len(stays), groups=persons),
        static=_static(stays),
        classes=("survived", "died"),
        features=tuple(names),
        info={
            "name": folder,
            "source": "MIMIC-III v1.4 (Johnson et al. 2016), benchmark of Harutyunyan et al. 2019",
            "licence": licence,
            "units": {name: UNITS[name] for name in names if name in UNITS},
            "static_names": list(STATIC),
            **({} if demo else {"restricted": licence}),
        },
    )


def _stays(tables):
    """All patients, and the stays that the benchmark takes, with age, sex and who died, by hadm_id."""
    patients = tables.read("PATIENTS", dates=("dob",))
    admissions = tables.read("ADMISSIONS")
    stays = tables.read("ICUSTAYS", dates=("intime",)).dropna(subset=["hadm_id", "intime", "los"])
    one_unit = (stays["first_careunit"] == stays["last_careunit"]) & (stays["first_wardid"] == stays["last_wardid"])
    stays = stays[one_unit]
    stays = stays[~stays["hadm_id"].duplicated(keep=False) & (stays["los"] >= HOURS / 24)]
    stays = stays.merge(patients.dropna(subset=["dob"]), on="subject_id").merge(admissions, on="hadm_id")
    birthday = stays["dob"].dt.month * 100 + stays["dob"].dt.day
    begun = stays["intime"].dt.month * 100 + stays["intime"].dt.day
    stays["age"] = (stays["intime"].dt.year - stays["dob"].dt.year - (begun < birthday)).clip(upper=OLDEST)
    stays["died"] = stays["hospital_expire_flag"].astype(int)
    return patients, stays[stays["age"] >= ADULT].sort_values("icustay_id").reset_index(drop=True)


def _static(stays) -> np.ndarray:
    units = stays["first_careunit"].to_numpy()[:, None] == np.array(UNIT_TYPES)
    return np.column_stack([stays["age"], stays["gender"] == "M", units]).astype(np.float32)


def _hours(tables, stays, names):
    """Values and mask of the stays' first 48 hours, `(n, 48, variables)` each."""
    import pandas as pd

    of_item = {item: i for i, name in enumerate(names) for item in (*ITEMS[name][0], *ITEMS[name][1])}
    wanted = stays[["hadm_id", "intime"]].assign(row=np.arange(len(stays)))
    limits = np.array([LIMITS.get(ITEMS[name][2], (0, np.inf)) for name in names])
    parts = []
    for table in ("CHARTEVENTS", "LABEVENTS"):
        for events in tables.pieces(table, dates=("charttime",)):
            events = events[events["itemid"].isin(of_item)].dropna(subset=["hadm_id"])
            events = _cleaned(events.merge(wanted, on="hadm_id"))
            events = events.assign(
                hour=(events["charttime"] - events["intime"]) / np.timedelta64(1, "h"),
                variable=events["itemid"].map(of_item),
            )
            kept = within(events["number"].to_numpy(), limits[events["variable"]].T)
            kept &= ((events["hour"] >= 0) & (events["hour"] < HOURS)).to_numpy()
            parts.append(events[list(KEPT)][kept].astype(KEPT))
    events = pd.concat(parts, ignore_index=True)
    events = events.take(events["hour"].to_numpy().argsort(kind="stable"))
    shape = len(stays), HOURS, len(names)
    return last_in_bin(events["row"], events["hour"].astype(int), events["variable"], events["number"], shape)


def _cleaned(events):
    """Events that are no errors, as `number` in the units of UNITS."""
    if "error" in events:
        events = events[events["error"].fillna(0) == 0]
    number, item = events["valuenum"].astype(float), events["itemid"]
    if "value" in events:
        number = number.where(~item.isin(ITEMS["capillary refill"][0]), events["value"].map(REFILL))
    number = number.mask(item.isin(FAHRENHEIT), (number - 32) * 5 / 9)
    number = number.mask(item.isin(POUNDS), number * 0.45359237)
    number = number.mask(item.isin(INCHES), number * 2.54)
    number = number.mask(item.isin(ITEMS["inspired oxygen"][0]) & (number > 1), number / 100)
    saturation = (*ITEMS["oxygen saturation"][0], *ITEMS["oxygen saturation"][1])
    number = number.mask(item.isin(saturation) & (number <= 1), number * 100)
    return events[["row", "itemid", "charttime", "intime"]].assign(number=number)
