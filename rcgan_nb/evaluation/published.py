"""Figures of Esteban, Hyland and Raetsch 2017, to stand beside ours, and what keeps the two from being the same.

Sources: arXiv:1706.02633, table of MNIST; the authors' poster at the NIPS workshop Machine Learning for Health 2017
(ratschlab/RGAN, presentations/nips_ml4h.pdf), table of eICU: random forest, means over 5 runs.
"""

from rcgan_nb.data.eicu import ANSWERS

# Digits 0 to 2 at 14 x 14, a convolutional network: mean and standard deviation.
MNIST3 = {"trtr": (0.991, 0.001), "tstr": (0.975, 0.002), "trts": (0.988, 0.005)}
TASKS = ("SpO2<95", "HR<70", "HR>100", "RR<13", "RR>20", "MAP<70", "MAP>110")
EICU = {
    ("auroc", "trtr"): (0.9587, 0.9908, 0.9919, 0.9735, 0.963, 0.9717, 0.960),
    ("auroc", "tstr"): (0.88, 0.96, 0.95, 0.86, 0.84, 0.875, 0.87),
    ("auprc", "trtr"): (0.9059, 0.9855, 0.9778, 0.9557, 0.891, 0.9653, 0.8629),
    ("auprc", "tstr"): (0.66, 0.90, 0.84, 0.73, 0.50, 0.82, 0.42),
    ("auprc", "chance"): (0.16, 0.26, 0.18, 0.26, 0.1, 0.39, 0.05),
}
DIFFERENCES = {
    "sines": "another split (70/15/15; there 60/20/20) and lengths of training; there are no figures to stand beside",
    "smooth": "as for sines",
    "mnist3": "the same digits and size; another split, and a network of our own as judge",
    "physionet2012": "other patients and another question: hours 37 to 48 of a stay, from the hours before with their "
    "gaps; there, the hour that follows four complete hours of eICU. Between the columns nothing can be concluded but "
    "how far TSTR lies below TRTR",
    "eicu": "the same tables and thresholds; perhaps other stays, and another split: the authors' preparation is not "
    "published",
}


def eicu(measure, which, task) -> float | None:
    """What the authors report for a task by its name or by that in our `eicu` set; None where they report nothing.

    Args:
        measure: auroc or auprc; which: trtr, tstr or chance.
    """
    task = dict(zip(ANSWERS, TASKS, strict=True)).get(task, task)
    figures = dict(zip(TASKS, EICU.get((measure, which), ()), strict=False))
    return figures.get(task)
