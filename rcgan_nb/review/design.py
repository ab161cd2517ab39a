"""Which sheets are set beside which, so that every run can be compared with every other, directly or by way of some."""


def pairs(runs, rounds, control, random) -> list[tuple[str, str]]:
    """Pairs of runs, each run with `rounds` next ones around a circle, and with real series ('') once.

    A circle is connected, so that scores of all runs lie on one scale, and balanced: each run is shown as often.
    """
    circle = list(runs)
    random.shuffle(circle)
    n = len(circle)
    found = []
    for distance in range(1, min(rounds, n // 2) + 1):
        steps = n // 2 if 2 * distance == n else n  # half around, each pair would come twice
        found += [(circle[k], circle[(k + distance) % n]) for k in range(steps)]
    found += [(run, "") for run in circle] if control else []
    return _shuffled([pair if random.random() < 0.5 else pair[::-1] for pair in found], random)


def single(runs, control, random) -> list[tuple[str]]:
    """Each run alone, and a real sheet for every two."""
    real = [""] * max(1, len(runs) // 2) if control else []
    return _shuffled([(run,) for run in [*runs, *real]], random)


def _shuffled(items, random):
    random.shuffle(items)
    return items
