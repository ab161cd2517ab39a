"""eICU from the user's own CSV files: four vital signs every 15 minutes over four hours, and seven tasks.

Source: Esteban, Hyland and Raetsch 2017, arXiv:1706.02633, section 6; Pollard et al. 2018, Scientific Data 5:180178.
"""

import numpy as np

from rcgan_nb import paths
from rcgan_nb.data.clinical import LIMITS, Tables, binned, chosen, within
from rcgan_nb.series import SeriesSet, split

MINUTES, STEPS = 15, 16
VITALS = {
    "sao2": ("%", "oxygen saturation"),
    "heartrate": ("per minute", "heart rate"),
    "respiration": ("per minute", "respiratory rate"),
    "systemicmean": ("mmHg", "mean pressure"),
}
# Whether a vital sign passes a threshold in the hour after the series: that is what a model trained on it shall tell.
TASKS = (
    ("sao2", "<", 95),
    ("heartrate", "<", 70),
    ("heartrate", ">", 100),
    ("respiration", "<", 13),
    ("respiration", ">", 20),
    ("systemicmean", "<", 70),
    ("systemicmean", ">", 110),
)
ANSWERS = tuple(f"next hour {name} {sign} {limit}" for name, sign, limit in TASKS)
OLDEST = 90  # "> 89" in the table
COLUMNS = {
    "patient": ("patientunitstayid", "uniquepid", "gender", "age", "hospitaldischargestatus"),
    "vitalPeriodic": ("patientunitstayid", "observationoffset", *VITALS),
}
LICENCE = "PhysioNet credentialed health data use agreement"


def eicu(*, variables="") -> SeriesSet:
    """Stays in intensive care of eICU v2.0: oxygen saturation, pulse, breathing, mean arterial pressure, 16 steps.

    Reads `patient` and `vitalPeriodic` (.csv or .csv.gz) from the folder `eicu` of the data folder. A step is the mean
    of 15 minutes of the first four hours; stays with a step, or a quarter of the fifth hour, without a value of each
    vital sign are left out, as in the paper. The label is who died in hospital. `static` holds the seven tasks, each 1
    where a quarter's mean in the fifth hour passes the threshold, then age and sex. Split by patient. Restricted, as
    the data use agreement says, and so is what is trained on it.

    Args:
        variables: names separated by commas; empty takes all four.
    Raises: FileNotFoundError: a table is missing; ValueError: a column is missing, or too few stays are complete.
    """
    names = chosen(variables, VITALS, {})
    tables = Tables(paths.data() / "eicu", COLUMNS, "the eICU Collaborative Research Database v2.0")
    patients = tables.read("patient").dropna(subset=["hospitaldischargestatus"])
    patients = patients.sort_values("patientunitstayid").reset_index(drop=True)
    x, observed = _quarters(tables, patients["patientunitstayid"].to_numpy())
    whole = observed.all((1, 2))
    patients, x = patients[whole], x[whole]
    if len(patients) < 3:
        raise ValueError(f"{tables.folder} holds {len(patients)} complete stays; 3 are the least that can be split.")
    persons = patients["uniquepid"].to_numpy(str)
    parts = split(len(patients), groups=persons)
    return SeriesSet(
        x=x[:, :STEPS, [list(VITALS).index(name) for name in names]],
        y=(patients["hospitaldischargestatus"] == "Expired").to_numpy(np.int32),
        groups=persons,
        split=parts,
        static=np.concatenate([_tasks(x[:, STEPS:]), _persons(patients, parts == 0)], axis=1).astype(np.float32),
        classes=("survived", "died"),
        features=tuple(names),
        info={
            "name": "eicu",
            "source": "eICU Collaborative Research Database v2.0 (Pollard et al. 2018)",
            "licence": LICENCE,
            "units": {name: VITALS[name][0] for name in names},
            "static_names": [*ANSWERS, "age (years)", "male"],
            "answers": list(ANSWERS),
            "restricted": LICENCE,
        },
    )


def _quarters(tables, stays):
    """Means of the 20 quarters of five hours, `(n, 20, 4)`, and which were observed."""
    quarters = STEPS + 60 // MINUTES
    parts = []
    for events in tables.pieces("vitalPeriodic"):
        row = np.searchsorted(stays, events["patientunitstayid"]).clip(max=len(stays) - 1)
        offset = events["observationoffset"]
        known = (stays[row] == events["patientunitstayid"]) & (offset >= 0) & (offset < quarters * MINUTES)
        events = events.assign(row=row, quarter=offset // MINUTES)[known]
        for i, (name, (_, kind)) in enumerate(VITALS.items()):
            kept = events[within(events[name], LIMITS[kind])]
            parts.append(np.stack([kept["row"], kept["quarter"], np.full(len(kept), i), kept[name]]))
    row, quarter, variable, value = np.concatenate(parts, axis=1)
    where = (v.astype(int) for v in (row, quarter, variable))
    return binned(*where, value, (len(stays), quarters, len(VITALS)))


def _tasks(hour) -> np.ndarray:
    """bool `(n, 7)`: was the threshold passed in one of the hour's quarters; hour is `(n, 4, 4)`."""
    names = list(VITALS)
    passed = [
        hour[:, :, names.index(name)] < limit if sign == "<" else hour[:, :, names.index(name)] > limit
        for name, sign, limit in TASKS
    ]
    return np.stack([found.any(1) for found in passed], axis=1)


def _persons(patients, trained) -> np.ndarray:
    """Age and sex (0.5 where unknown), `(n, 2)`; the training part's mean age where it is unknown."""
    import pandas as pd

    age = pd.to_numeric(patients["age"].replace("> 89", OLDEST), errors="coerce")
    sex = patients["gender"].map({"Male": 1.0, "Female": 0.0}).fillna(0.5)
    return np.column_stack([age.fillna(age[trained].mean()), sex])
