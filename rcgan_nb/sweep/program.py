"""What the process of a trial does: train, or go on, then judge the best checkpoint on the validation part."""

import sys
from pathlib import Path

import yaml

from rcgan_nb import archive, comparison
from rcgan_nb.archive import checkpoint
from rcgan_nb.generation import generate, training_data
from rcgan_nb.training import train

JUDGED = "validation.json"  # in the run's folder
AT_MOST = 3000  # series drawn for the judge: a support vector machine takes minutes for tens of thousands


def main(parameters, judge):
    """Train by the file of parameters, and write the run's validation.json: mmd2, coverage and, with labels, tstr."""
    run = _trained(yaml.safe_load(Path(parameters).read_text()))
    data = training_data(run)
    count = min(len(data.part("train")), AT_MOST)
    made = generate(run, count=count, seed=run.config.seed, which="best")
    _, facts = checkpoint.read(run.checkpoint("best"))
    run.write_json(JUDGED, {"mmd2": facts["validation_mmd2"]} | comparison.judged(data, made, judge))


def _trained(given) -> archive.Run:
    """The run of these settings; one that was finished before is not trained again."""
    if given.get("resume"):
        run = archive.find(given["resume"])
        if run.status() == "finished":
            return run
    return train(**given)


if __name__ == "__main__":
    main(*sys.argv[1:])
