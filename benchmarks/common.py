"""What benchmarks share: what was measured where and on which code, and where results are kept."""

import hashlib
import json
import os
import platform
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np

RESULTS = Path(__file__).parent / "results"
PACKAGE = Path(__file__).resolve().parents[1] / "rcgan_nb"
# What training depends on, and what a judged model does: other data sets, plots, notebooks and archives may change
# without a new measurement. Settings are kept with the result, so config.py may gain fields; the loop in training.py
# only calls train_step on data.batches, step by step.
DATA = tuple(f"data/{name}.py" for name in ("batches", "codec", "images", "scaling"))
# Of the networks all but ancestor.py, which no benchmark trains.
NETWORKS = tuple(f"networks/{name}.py" for name in ("__init__", "blocks", "discriminators", "generators", "recurrence"))
TRAINED = ("series.py", *DATA, *NETWORKS, "losses.py", "stabilisers.py", "devices.py", "gan.py")
JUDGED = (*TRAINED, *(f"evaluation/{n}.py" for n in ("baselines", "judges", "report", "similarity", "utility", "view")))
# Found for pictures larger than those of digits.
PICTURES = {
    "batch_size": 64,
    "hidden_units": 128,
    "latent_dim": 16,
    "learning_rate": 2e-3,
    "r1_weight": 0.3,
    "r2_weight": 0.3,
    "instance_noise": 0.05,
}


def code_hash(parts) -> str:
    """SHA-256 of the code that decides the figures; a kept result counts while it is unchanged."""
    digest = hashlib.sha256()
    for name in parts:
        path = PACKAGE / name
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(file.relative_to(PACKAGE).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def loaded_by(*modules) -> list[str]:
    """Files of the package that importing these modules loads, for figures that all of a notebook's code decides."""
    program = (
        f"import sys, {', '.join(modules)}; print(*(m.__file__ for m in sys.modules.values() if '{PACKAGE.name}' in "
    )
    program += "(getattr(m, '__package__', '') or '').split('.')[:1]), sep=chr(10))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return sorted(Path(line).relative_to(PACKAGE).as_posix() for line in done.stdout.splitlines())


def machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    cores = len(os.sched_getaffinity(0))
    return f"{cores} core{'s' * (cores > 1)}, {model}, Python {platform.python_version()}"


def keep(name, command, results, parts=JUDGED):
    """Write results/NAME.json with command, machine, date and hash of the code that decides it."""
    RESULTS.mkdir(exist_ok=True)
    facts = {"command": command, "machine": machine(), "date": date.today().isoformat()}
    facts |= {"parts": parts, "code": code_hash(parts)}
    (RESULTS / f"{name}.json").write_text(json.dumps(facts | results, indent=1) + "\n")


def trained(dataset, name, **settings):
    """A finished run of this code and these settings, found, gone on with or made; and its training seconds."""
    from rcgan_nb import archive, train
    from rcgan_nb.config import train_config

    wanted = train_config(dataset=dataset, **settings).to_dict()
    digest = hashlib.sha256(json.dumps([code_hash(TRAINED), wanted]).encode()).hexdigest()[:16]
    run_name = f"{name}-{digest}"
    try:
        run = archive.find(run_name)
        run = run if run.status() == "finished" else train(resume=run_name)
    except FileNotFoundError:
        run = train(dataset=dataset, run_name=run_name, **settings)
    seconds = run.read_json("heartbeat.json")["seconds_first_step"] + run.metrics()["seconds"][-1]  # of all segments
    return run, seconds


def train_and_judge(dataset, name, *, judges=("svm", "cnn"), judge_seeds=3, **settings):
    """Train, draw as many series as there are training series, judge. Returns run, training seconds and report."""
    from rcgan_nb import evaluate, generate, load

    run, seconds = trained(dataset, name, **settings)
    data = load(**run.config.load_arguments())
    synthetic = generate(run, count=len(data.part("train")), seed=settings.get("seed", 0))
    report = evaluate(data, synthetic, judges=judges, judge_seeds=judge_seeds)
    print(report)
    return run, seconds, report


def judged_by_cnn(data, synthetic, *, at_most=None) -> list[dict]:
    """TRTR and TSTR of one CNN on pictures, for sets on which all of `evaluate` takes longer than training.

    at_most: series that it is trained on, the first of each set in random order.
    """
    from rcgan_nb.evaluation import utility
    from rcgan_nb.evaluation.judges import JUDGES
    from rcgan_nb.evaluation.view import View

    train, test = data.part("train"), data.part("test")
    view, rows = View.fit(train), []
    for measure, which, s in (("trtr", "real", train), ("tstr", "synthetic", synthetic)):
        s = s.take(np.random.default_rng(0).permutation(len(s))[:at_most])
        predicted = utility.trained_on(JUDGES["cnn"], (view.see(s), s.y), [view.see(test)], seeds=1)[0]
        value, low, high = utility.interval([p == test.y for p in predicted])
        rows.append({"measure": measure, "set": which, "judge": "cnn", "value": value, "low": low, "high": high})
        print(rows[-1], flush=True)
    return rows


def over_seeds(rows_of_seeds):
    """Mean over training seeds of every figure, with the least and the greatest."""
    found = {}
    for rows in rows_of_seeds:
        for row in rows:
            found.setdefault((row["measure"], row["set"], row["judge"]), []).append(row["value"])
    return [
        {"measure": m, "set": s, "judge": j, "value": float(np.mean(v)), "low": min(v), "high": max(v)}
        for (m, s, j), v in found.items()
    ]


def conditions(name, report) -> dict:
    """The bars that stand beside TSTR: told apart less well than the Gaussian, as varied as real series, no copies."""
    scores = {row["set"]: row for row in report.rows if row["measure"] == "discriminative"}
    ours, theirs = scores["synthetic"], scores["gaussian"]
    share = report.value("coverage") / report.value("coverage", "real")
    ratio, near_copies = (report.value("distance_ratio", which) for which in ("synthetic", "jitter"))
    text = f"{name}: discriminative {ours['value']:.3f}, interval up to {ours['high']:.3f}, below the Gaussian's"
    return {
        f"{text} from {theirs['low']:.3f}": ours["high"] < theirs["low"],
        f"{name}: coverage / that of real series {share:.3f} >= 0.9": share >= 0.9,
        f"{name}: distance ratio {ratio:.3f} within 0.95 and 1.05": 0.95 <= ratio <= 1.05,
        f"{name}: a near replay fails that, {near_copies:.3f} < 0.95": near_copies < 0.95,
    }


def verdict(bars) -> bool:
    """Print each bar as met or missed; returns whether all are met."""
    for text, met in bars.items():
        print(f"{'met   ' if met else 'MISSED'} {text}")
    return all(bars.values())
