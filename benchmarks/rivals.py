"""Other people's models and simple ones, with the training time of ours, judged alike.

`python -m benchmarks.rivals` does so on digits (about 40 minutes, more when tsgm is installed first); `sines5` and
`physionet2012` have it beside their own bars.
"""

import hashlib
import json
from functools import partial
from pathlib import Path

from benchmarks.common import JUDGED, code_hash, keep, over_seeds, trained, verdict
from benchmarks.peers.driver import NotRun
from benchmarks.peers.made import MODELS, made
from rcgan_nb import generate, load, paths, series
from rcgan_nb.evaluation import baselines, rivals, utility
from rcgan_nb.evaluation.judges import JUDGES
from rcgan_nb.evaluation.timegan import timegan_scores
from rcgan_nb.evaluation.view import View

SEEDS = (0, 1, 2)
PARTS = (*JUDGED, *(f"evaluation/{name}.py" for name in ("fresh", "rivals", "timegan")))


TRAINED_RIVALS = {"time_vae": rivals.time_vae} | {peer: partial(made, peer) for peer in MODELS}


def beside(train, *, seconds, seed=0) -> dict:
    """Name -> series of baselines and rivals from the same training part, those that train with so many seconds.

    A peer that cannot be installed or fails is left out, with the reason shown.
    """
    sets = {
        "gaussian": baselines.gaussian(train, seed=seed),
        "jitter": baselines.jitter(train, seed=seed),
        "autoregression": rivals.autoregression(train, seed=seed),
    }
    for name in TRAINED_RIVALS:
        try:
            sets[name] = kept(name, train, seconds, seed)
        except NotRun as reason:
            print(f"{name}: left out: {reason}", flush=True)
    return sets


def kept(name, train, seconds, seed):
    """What a rival drew after so many seconds of training, from runs/rivals/ where it did so before."""
    own = (Path(__file__).parent / "peers" / "tsgm_made.py").read_bytes()
    asked = json.dumps([name, train.fingerprint(), round(seconds), seed, code_hash(("evaluation/rivals.py",))])
    path = paths.runs() / "rivals" / f"{name}-{hashlib.sha256(own + asked.encode()).hexdigest()[:16]}.npz"
    if not path.exists():
        TRAINED_RIVALS[name](train, seconds=seconds, seed=seed).save(path)
    return series.read(path)


def ahead(rows, measure, *, least, judge="", others=tuple(MODELS)) -> dict:
    """A bar for each peer: ours is better at a measure, `least` where small is good; missed where it was not run."""
    found = {row["set"]: row["value"] for row in rows if row["measure"] == measure and judge in ("", row["judge"])}
    ours, sign = found["synthetic"], -1 if least else 1
    bars = {}
    for name in others:
        text = f"{measure} {judge}".strip() + f": ours {ours:.3f}, {name} "
        bars[text + (f"{found[name]:.3f}" if name in found else "not measured")] = (
            name in found and sign * ours > sign * found[name]
        )
    return bars


def numbered(sets) -> dict:
    """One of ours from each training seed, by a name that `merged` knows."""
    return {f"synthetic, seed {k}": s for k, s in zip(SEEDS, sets, strict=True)}


def merged(rows):
    """Rows with the training seeds' put together as `synthetic`: their mean, their least low and greatest high."""
    of_seeds = [[row | {"set": "synthetic"} for row in rows if row["set"] == f"synthetic, seed {k}"] for k in SEEDS]
    found = over_seeds(of_seeds)
    for row, *same in zip(found, *of_seeds, strict=True):
        row |= {"low": min(one["low"] for one in same), "high": max(one["high"] for one in same)}
    return found + [row for row in rows if not row["set"].startswith("synthetic")]


def digits():
    run, seconds = trained("digits", "digits-0", seed=0)
    data = load("digits")
    train, test = data.part("train"), data.part("test")
    sets = {"synthetic": generate(run, count=len(train)), **beside(train, seconds=seconds)}
    rows, view = timegan_scores(data, sets), View.fit(train)
    for measure, which, s in [("trtr", "real", train), *(("tstr", name, s) for name, s in sets.items())]:
        predicted = utility.trained_on(JUDGES["svm"], (view.see(s), s.y), [view.see(test)], seeds=1)[0]
        value, low, high = utility.interval([p == test.y for p in predicted])
        rows.append({"measure": measure, "set": which, "judge": "svm", "value": value, "low": low, "high": high})
    bars = ahead(rows, "ds@timegan.1", least=True) | ahead(rows, "tstr", least=False)
    facts = {"met": verdict(bars), "bars": bars, "seconds": seconds, "rows": rows, "settings": run.config.to_dict()}
    keep("rivals", "python -m benchmarks.rivals", facts, PARTS)


if __name__ == "__main__":
    digits()
