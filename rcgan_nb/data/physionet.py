"""PhysioNet/CinC Challenge 2012, set a: the first 48 hours of 4,000 stays in intensive care, and who died."""

import io
import tarfile

import numpy as np

from rcgan_nb import paths
from rcgan_nb.data.clinical import LIMITS, binned, chosen, within
from rcgan_nb.data.download import fetch
from rcgan_nb.series import SeriesSet, split

URL = "https://physionet.org/files/challenge-2012/1.0.0/"
FILES = {
    "set-a.tar.gz": "sha256:777d28abed2dcc04476afb9b4fb026de3423b0a7165707c629b00ffb92068e87",
    "Outcomes-a.txt": "sha256:2613ea60ccda29f87571a7d6b09ad130858a8ccd66325bd073365925026883c2",
}
HOURS = 48
UNITS = {
    "Albumin": "g/dL",
    "ALP": "IU/L",
    "ALT": "IU/L",
    "AST": "IU/L",
    "Bilirubin": "mg/dL",
    "BUN": "mg/dL",
    "Cholesterol": "mg/dL",
    "Creatinine": "mg/dL",
    "DiasABP": "mmHg",
    "FiO2": "share",
    "GCS": "3 to 15",
    "Glucose": "mg/dL",
    "HCO3": "mmol/L",
    "HCT": "%",
    "HR": "per minute",
    "K": "mmol/L",
    "Lactate": "mmol/L",
    "Mg": "mmol/L",
    "MAP": "mmHg",
    "MechVent": "1 where ventilated",
    "Na": "mmol/L",
    "NIDiasABP": "mmHg",
    "NIMAP": "mmHg",
    "NISysABP": "mmHg",
    "PaCO2": "mmHg",
    "PaO2": "mmHg",
    "pH": "",
    "Platelets": "thousands/uL",
    "RespRate": "per minute",
    "SaO2": "%",
    "SysABP": "mmHg",
    "Temp": "degrees C",
    "TroponinI": "ug/L",
    "TroponinT": "ug/L",
    "Urine": "mL in the hour",
    "WBC": "thousands/uL",
    "Weight": "kg",
}
GROUPS = {"vitals": ["HR", "MAP", "NIMAP", "RespRate", "Temp", "SaO2", "GCS"]}
KIND = {
    "HR": "heart rate",
    "SysABP": "systolic pressure",
    "NISysABP": "systolic pressure",
    "DiasABP": "diastolic pressure",
    "NIDiasABP": "diastolic pressure",
    "MAP": "mean pressure",
    "NIMAP": "mean pressure",
    "RespRate": "respiratory rate",
    "Temp": "temperature",
    "SaO2": "oxygen saturation",
    "Glucose": "glucose",
    "FiO2": "inspired oxygen",
    "pH": "pH",
    "Weight": "weight",
}
UNIT_TYPES = ("coronary care", "cardiac surgery", "medical", "surgical")
STATIC = ("age (years)", "male (1; 0.5 unknown)", *(f"unit: {name}" for name in UNIT_TYPES))


def physionet2012(*, variables="") -> SeriesSet:
    """4,000 stays of adults in intensive care: 48 hours of up to 37 variables, with the label who died in hospital.

    A step is an hour: the mean of what was measured in it (of urine the sum), not observed where nothing was; values
    outside of `clinical.LIMITS`, and below 0, count as not observed. `static` holds age, sex and type of unit.
    Patients are in it once each; by label 30 % of them (166 of 554 deaths) are the test part, 15 % the validation part.
    Source: Silva et al. 2012, Computing in Cardiology 39:245-248; ODC-By 1.0.

    Args:
        variables: names separated by commas, or `vitals`; empty takes all 37.
    """
    names = chosen(variables, UNITS, GROUPS)
    records, events = _events()
    died = _deaths(records)
    general = events[events["name"].isin(("Age", "Gender", "ICUType")) & (events["time"] == "00:00")]
    general = general.drop_duplicates(["record", "name"], keep="last").pivot(
        index="record", columns="name", values="value"
    )
    x, observed = _hours(events, records, names)
    return SeriesSet(
        x=x,
        y=died,
        observed=observed,
        groups=records.astype(str),
        split=split(len(records), labels=died, shares=(0.55, 0.15, 0.30)),
        static=_static(general.loc[records]),
        classes=("survived", "died"),
        features=tuple(names),
        info={
            "name": "physionet2012",
            "source": "PhysioNet/CinC Challenge 2012, set a (Silva et al. 2012)",
            "licence": "ODC-By 1.0",
            "units": {name: UNITS[name] for name in names},
            "static_names": list(STATIC),
        },
    )


def _files():
    folder = paths.data() / "physionet2012"
    return [fetch(folder / name, URL + name, known) for name, known in FILES.items()]


def _events():
    """Record numbers, and a table of all events: record, time (hh:mm since admission), name, value."""
    import pandas as pd

    packed, _ = _files()
    with tarfile.open(packed) as archive:
        texts = [archive.extractfile(m).read().split(b"\n", 1)[1] for m in archive if m.name.endswith(".txt")]
    events = pd.read_csv(io.BytesIO(b"".join(texts)), names=["time", "name", "value"])
    starts = events["name"] == "RecordID"
    events["record"] = events["value"].where(starts).ffill().astype(int)
    return np.sort(events["record"][starts].to_numpy()), events[~starts]


def _deaths(records) -> np.ndarray:
    """int32, 1 for those who died in hospital, in the order of `records`."""
    import pandas as pd

    outcomes = pd.read_csv(_files()[1]).set_index("RecordID")
    return outcomes["In-hospital_death"].loc[records].to_numpy(np.int32)


def _static(general) -> np.ndarray:
    """Age, sex and type of unit, `(n, 6)`; weight and height are unknown too often to be conditions."""
    sex = general["Gender"].where(general["Gender"] >= 0, 0.5)
    units = general["ICUType"].to_numpy()[:, None] == np.arange(1, 5)
    return np.column_stack([general["Age"], sex, units]).astype(np.float32)


def _hours(events, records, names):
    """Values and mask of the events of these variables, `(n, 48, variables)` each."""
    events = events[events["name"].isin(names)]
    limits = np.array([LIMITS.get(KIND.get(name), (0, np.inf)) for name in names])
    variable = events["name"].map({name: i for i, name in enumerate(names)}).to_numpy()
    values = events["value"].to_numpy(float)
    kept = within(values, limits[variable].T)
    hour = events["time"].str.slice(0, 2).astype(int).clip(upper=HOURS - 1).to_numpy()
    series = np.searchsorted(records, events["record"].to_numpy())
    shape = len(records), HOURS, len(names)
    sums = [i for i, name in enumerate(names) if name == "Urine"]
    return binned(series[kept], hour[kept], variable[kept], values[kept], shape, sums=sums)
