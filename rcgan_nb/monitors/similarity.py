"""How near samples are to the validation part as training goes on, and the signs of a collapse."""

import numpy as np

from rcgan_nb.evaluation.similarity import mmd2
from rcgan_nb.monitors.records import append

SERIES = 500
FEWEST = 5  # series of a class below which the distances among them say too little
SPREAD_BELOW, SHARE_BELOW = 0.5, 0.2


class Similarity:
    """At intervals compare samples with validation series, write a row of watch.csv, and warn of a collapse.

    Samples are made for the very labels and other conditions of the validation series. A warning stops nothing.
    """

    def __init__(self, loop):
        real, conditions = loop.real["validation"]
        chosen = np.random.default_rng(loop.config.seed).permutation(len(real))[:SERIES]
        self.real, self.conditions = real[chosen], {name: v[chosen] for name, v in conditions.items()}
        self.labels = self.conditions.get("label", np.zeros(len(chosen), np.int32))
        self.noise = loop.gan.noise(len(chosen), seed=loop.config.seed + 1)
        self.step, self.found = None, {}

    def at(self, loop) -> dict[str, float]:
        """The figures of this step, measured once: mmd2 and those of `collapse`."""
        if self.step != loop.step:
            fake = loop.gan.generate(self.noise, self.conditions)
            distance = mmd2(self.real, fake, self.labels, self.labels)
            self.step, self.found = loop.step, {"mmd2": distance, **collapse(self.real, fake, self.labels)}
        return self.found

    def __call__(self, loop):
        if loop.step % loop.config.watch_every and not loop.last:
            return
        found = self.at(loop)
        seconds = round(loop.clock.before + loop.clock.seconds, 3)
        append(loop.run.path / "watch.csv", {"step": loop.step, "seconds": seconds, **found})
        raised = [{"step": loop.step, **alarm} for alarm in alarms(found, loop.classes)]
        for alarm in raised:
            print(f"{'step {step}: {what}'.format(**alarm):<100}", flush=True)
        if raised:
            loop.run.write_json("alarms.json", [*loop.run.alarms(), *raised])


def collapse(real, fake, labels) -> dict[str, float]:
    """Figures that fall when samples lose their variety or their condition; about 1 for real series.

    Args:
        real, fake: `(n, seq_len, channels)`; fake[i] was made for labels[i], the class of real[i].
        labels: int `(n,)`; all equal without classes.
    Returns:
        spread: mean distance between two samples / between two real series, in the class where it is least;
            spread_class: that class. With classes also own_class, the share of samples whose nearest real series is of
            the class they were made for; least_share, the number of samples whose nearest real series is of a class /
            of samples made for it, in the class where it is least; least_class: that class.
    """
    from sklearn.metrics import pairwise_distances

    fake, real = (np.nan_to_num(x.reshape(len(x), -1), posinf=0, neginf=0) for x in (fake, real))
    classes, counts = np.unique(labels, return_counts=True)
    inside = [labels == k for k in classes[counts >= FEWEST]] or [np.ones(len(labels), bool)]
    names = classes[counts >= FEWEST] if (counts >= FEWEST).any() else [classes[0]]
    spreads = [_mean_distance(fake[k]) / max(_mean_distance(real[k]), 1e-12) for k in inside]
    found = {"spread": float(min(spreads)), "spread_class": int(names[np.argmin(spreads)])}
    if len(classes) == 1:
        return found
    voted = labels[pairwise_distances(fake, real).argmin(1)]
    shares = np.array([(voted == k).sum() / count for k, count in zip(classes, counts, strict=True)])
    return found | {
        "own_class": float((voted == labels).mean()),
        "least_share": float(shares.min()),
        "least_class": int(classes[shares.argmin()]),
    }


def _mean_distance(x):
    from sklearn.metrics import pairwise_distances

    return pairwise_distances(x).sum() / (len(x) * (len(x) - 1))


def alarms(found, classes) -> list[dict]:
    """What of `collapse` is a reason to look at the samples, in words."""
    raised = []
    if found["spread"] < SPREAD_BELOW:
        of = f" of class {classes[found['spread_class']]!r}" if classes else ""
        what = f"samples{of} lie {found['spread']:.2f} times as far apart as real ones do: they may be collapsing"
        raised.append({"what": what, "value": found["spread"], "limit": SPREAD_BELOW})
    if found.get("least_share", 1.0) < SHARE_BELOW:
        name = classes[found["least_class"]]
        what = f"class {name!r} gets {found['least_share']:.2f} of its share of samples: it may have been dropped"
        raised.append({"what": what, "value": found["least_share"], "limit": SHARE_BELOW})
    return raised
