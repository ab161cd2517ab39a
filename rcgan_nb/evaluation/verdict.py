"""What all figures say together: a profile for each question, never one number, and a page that shows it."""

import base64
import html
import json
from collections import Counter
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from rcgan_nb.evaluation import classes as by_class
from rcgan_nb.evaluation import forecast, identity, likeness, privacy, report, tasks, timegan, together, traits

MEANING = traits.MEANING | report.MEANING | by_class.MEANING | together.MEANING | timegan.MEANING | forecast.MEANING
MEANING |= likeness.MEANING | tasks.MEANING | privacy.MEANING | identity.MEANING
CLAIMS = likeness.CLAIMS | by_class.CLAIMS
CHANCE = "chance"
# Sets that are best or worst cases themselves, or hold real series.
SCALE = ("real", "real + synthetic", "noise", "shuffled", "marginals", "static alone", "one class", "mislabelled")


@dataclass(frozen=True)
class Indicator:
    """A measure on a scale from its worst case (0) to its best (1).

    measure: its name, or what it begins with. best, worst: a set's name, whose value counts, or a number; CHANCE is the
    accuracy of who guesses. of: the measure whose value is best, where that is another. weight: within its question.
    """

    measure: str
    best: str | float
    worst: str | float
    weight: float = 1.0
    of: str = ""


QUESTIONS = {
    "useful": (
        Indicator("tstr", "real", CHANCE, 2.0, "trtr"),
        Indicator("trts", "real", CHANCE, 1.0, "trtr"),
        Indicator("ps@timegan.1", "real", "noise", 2.0),
        Indicator("forecast", "real", "noise"),
        Indicator("auroc ", "real", 0.5, 2.0),
    ),
    "similar": (
        Indicator("discriminative", 0.0, 0.5, 2.0),
        Indicator("ds@timegan.1", 0.0, 0.5),
        Indicator("marginal", "real", "noise"),
        Indicator("autocorrelation", "real", "shuffled"),
        Indicator("cross_correlation", "real", "noise"),
        Indicator("spectrum", "real", "shuffled"),
        Indicator("frechet", "real", "noise"),
        Indicator("precision", "real", 0.0),
    ),
    "varied": (
        Indicator("coverage", "real", 0.0, 2.0),
        Indicator("recall", "real", 0.0),
        Indicator("class_coverage", "real", 0.0),
        Indicator("class_histogram", "real", "one class"),
        Indicator("class_pairs", "real", "mislabelled"),
    ),
    "private": (
        Indicator("membership_distance", 0.5, 1.0, 2.0),
        Indicator("membership_density", 0.5, 1.0, 2.0),
        Indicator("membership_score", 0.5, 1.0, 2.0),
        Indicator("distance_ratio", "real", "jitter"),
        Indicator("nearest_ratio", 0.5, "jitter"),
        Indicator("identifiability", "real", "jitter"),
    ),
}


def guess(data) -> float:
    """Accuracy on the test part of who always answers its commonest class, the worst case of TSTR; 0 without labels."""
    y = data.part("test").y
    return 0.0 if y is None else float(np.bincount(y).max() / len(y))


def profile(rows, guessed=0.0) -> list[dict]:
    """Every set's indicators on the scale from worst (0) to best (1), cut there, by question.

    Args:
        rows: dicts of (measure, set, judge, value, low, high); indicators that are not among them are left out, and
            so are those whose best and worst cases have intervals that meet: they span no scale. guessed: of `guess`.
    Returns: dicts of (question, measure, judge, set, value, best, worst, weight, score, low, high, error); error is
        the standard error of the score before it was cut.
    """
    found = []
    for question, indicators in QUESTIONS.items():
        for indicator in indicators:
            own = [row for row in rows if _is(row["measure"], indicator.measure) and row["set"] not in SCALE]
            for row in own:
                best = _case(rows, row, indicator.best, guessed, indicator.of)
                worst = _case(rows, row, indicator.worst, guessed)
                if best is None or worst is None or max(best[1], worst[1]) <= min(best[2], worst[2]):
                    continue
                kept = {name: row[name] for name in ("measure", "judge", "set", "value")}
                found.append(
                    {"question": question, **kept, "best": best[0], "worst": worst[0], "weight": indicator.weight}
                    | _scores(row, best[0], worst[0])
                )
    return found


def _is(measure, wanted):
    return measure.startswith(wanted) if wanted.endswith(" ") else measure == wanted


def _case(rows, row, which, guessed, measure=""):
    """Value, low and high of a row's best or worst case: a number as it is, or that of a set by the same judge."""
    if which == CHANCE:
        which = guessed or None
    if not isinstance(which, str):
        return which if which is None else (which,) * 3
    wanted = measure or row["measure"], which
    same = [r for r in rows if (r["measure"], r["set"]) == wanted]
    same = [r for r in same if r["judge"] == row["judge"]] or same
    return tuple(same[0][name] for name in ("value", "low", "high")) if same else None


def _scores(row, best, worst):
    scores = [float(np.clip((row[name] - worst) / (best - worst), 0, 1)) for name in ("value", "low", "high")]
    error = (row["high"] - row["low"]) / abs(best - worst) / (2 * 1.96)
    return {"score": scores[0], "low": min(scores), "high": max(scores), "error": error}


def summary(profiled) -> list[dict]:
    """Weighted means of the scores of each question and set, indicators of one measure (all tasks) sharing its weight.

    Returns: dicts of (measure, set, judge, value, low, high) for `plots.scores`; measure is the question. low and high
        are means of the indicators' own: wider than an interval of the mean.
    """
    found = []
    for question in QUESTIONS:
        for which in dict.fromkeys(row["set"] for row in profiled):
            chosen = [row for row in profiled if (row["question"], row["set"]) == (question, which)]
            if chosen:
                alike = Counter(named(row["measure"]) for row in chosen)
                weights = [row["weight"] / alike[named(row["measure"])] for row in chosen]
                means = {n: float(np.average([row[n] for row in chosen], weights=weights)) for n in ("low", "high")}
                value = float(np.average([row["score"] for row in chosen], weights=weights))
                found.append({"measure": question, "set": which, "judge": "", "value": value} | means)
    return found


def baselines_ahead(profiled, baselines=("gaussian", "jitter")) -> list[str]:
    """Where a baseline does better than the synthetic set, by more than both intervals."""
    told = []
    for row in (r for r in profiled if r["set"] == "synthetic"):
        for other in profiled:
            same = all(other[name] == row[name] for name in ("question", "measure", "judge"))
            if same and other["set"] in baselines and other["low"] > row["high"]:
                name = f"{row['measure']} {row['judge']}".strip()
                told.append(f"{other['set']} does better at {name}: {other['value']:.3f} against {row['value']:.3f}")
    return told


def named(measure) -> str:
    """Under which name a measure stands in MEANING: its own, or without what it was asked of ('auroc HR<70')."""
    return measure if measure in MEANING else measure.split()[0]


def said(rows) -> list[str]:
    """What all tests of a report say of real and synthetic series, at 5 % after Holm's correction over all of them.

    Where real series fail a test themselves, the parts of the set follow other laws, and it says nothing of others.
    """
    tests = [row for row in rows if row["measure"] in CLAIMS and row["set"] in ("real", "synthetic")]
    names = [(row["measure"], row["judge"], row["set"]) for row in tests]
    corrected = dict(zip(names, likeness.holm([row["value"] for row in tests]), strict=True))
    told = []
    for (measure, judge, which), p in corrected.items():
        claim = CLAIMS[measure][int(p >= 0.05)]
        if which == "synthetic" and corrected.get((measure, judge, "real"), 1.0) < 0.05:
            claim = "cannot be judged by this test, which real series of this set fail"
        told.append(f"{which} series {claim} ({f'{measure} {judge}'.strip()}, corrected: {p:.3f})")
    return told


def save(folder, facts, rows, *, guessed=0.0, told=(), figures=()):
    """Write evaluation.json and report.html into a folder, and return the path of the page.

    Args:
        facts: name -> text, shown above all. rows, guessed: see `profile`. told: sentences of tests. figures: PNG files
            that the page holds within itself.
    """
    profiled = profile(rows, guessed)
    sentences = [*told, *baselines_ahead(profiled)]
    kept = {"facts": facts, "told": sentences, "questions": summary(profiled), "profile": profiled, "rows": rows}
    meaning = {name: MEANING[name] for name in dict.fromkeys(named(row["measure"]) for row in rows)}
    folder = Path(folder)
    (folder / "evaluation.json").write_text(json.dumps(kept | {"meaning": meaning}, indent=1) + "\n")
    page = folder / "report.html"
    page.write_text(_page(kept, meaning, figures), encoding="utf-8")
    return page


STYLE = """body{font:15px/1.45 sans-serif;max-width:70em;margin:2em auto;padding:0 1em;color:#222}
table{border-collapse:collapse;font-size:13px}td,th{padding:.15em .7em;border-bottom:1px solid #ddd;text-align:left}
td.n{text-align:right;font-variant-numeric:tabular-nums}img{max-width:100%}
.bar{display:inline-block;height:.75em;background:#4a78b5}"""


def _page(kept, meaning, figures) -> str:
    facts = "".join(f"<tr><th>{_text(k)}</th><td>{_text(v)}</td></tr>" for k, v in kept["facts"].items())
    told = "".join(f"<li>{_text(sentence)}</li>" for sentence in kept["told"])
    questions = "".join(_question(name, kept) for name in QUESTIONS)
    shown = "".join(map(_figure, map(Path, figures)))
    named = "".join(f"<tr><th>{_text(k)}</th><td>{_text(v)}</td></tr>" for k, v in meaning.items())
    title = f"Judgement of {_text(next(iter(kept['facts'].values())))}"
    return f"""<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>{STYLE}</style><h1>{title}</h1><table>{facts}</table>
<p>Written {date.today().isoformat()}. Scores go from 0, the worst case, to 1, the best; in brackets 95 %. There is no
single number: a set can be useful and a copy.</p><ul>{told}</ul>{questions}
<h2>Figures</h2>{shown}<h2>What the measures mean</h2><table>{named}</table></html>
"""


def _figure(path) -> str:
    return f'<h3>{_text(path.stem)}</h3><img alt="{_description(path)}" src="{_inline(path)}">'


def _question(name, kept) -> str:
    rows = [row for row in kept["profile"] if (row["question"], row["set"]) == (name, "synthetic")]
    means = [row for row in kept["questions"] if row["measure"] == name]
    if not rows:
        return f"<h2>Is it {name}?</h2><p>Nothing was measured that tells.</p>"
    own = next(row for row in means if row["set"] == "synthetic")
    lines = Counter(row["set"] for row in kept["profile"] if row["question"] == name)
    others = ", ".join(
        f"{row['set']} {row['value']:.2f} ({lines[row['set']]} of {len(rows)} lines)" for row in means if row is not own
    )
    head = "".join(f"<th>{text}</th>" for text in ("measure", "judge", "weight", "value", "worst", "best", "score", ""))
    body = "".join(_line(row) for row in rows)
    mean = f"Weighted mean {own['value']:.2f} [{own['low']:.2f}, {own['high']:.2f}]"
    beside = f"; on the same scales {others}" if others else ""
    return f"<h2>Is it {name}?</h2><p>{mean}{beside}.</p><table><tr>{head}</tr>{body}</table>"


def _line(row) -> str:
    texts = "".join(f"<td>{_text(row[name])}</td>" for name in ("measure", "judge"))
    numbers = "".join(f'<td class="n">{row[name]:.3g}</td>' for name in ("weight", "value", "worst", "best"))
    score = f'<td class="n">{row["score"]:.2f} [{row["low"]:.2f}, {row["high"]:.2f}]</td>'
    return f'<tr>{texts}{numbers}{score}<td><span class="bar" style="width:{8 * row["score"]:.1f}em"></span></td></tr>'


def _description(path) -> str:
    """What a picture shows, which `plots.save` wrote into it."""
    from PIL import Image

    with Image.open(path) as image:
        return html.escape(image.info.get("Description") or path.stem, quote=True)


def _inline(path):
    return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"


def _text(value) -> str:
    return html.escape(str(value).replace("_", " "))
