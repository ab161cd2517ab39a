"""Steps per second of the same two-LSTM RCGAN in several systems, in turns; memory; time as series grow.

`python -m benchmarks.step` (about 20 minutes, more when peers are installed first) runs all sections and keeps the
results; `python -m benchmarks.step rates --quick` tries one and keeps nothing. What is equal on all sides is said in
`benchmarks/peers/worker.py`. PyTorch and tsgm live in environments of their own, in the user's cache folder.
"""

import argparse
import statistics
import time
from contextlib import ExitStack, closing

import numpy as np
import psutil

from benchmarks.common import TRAINED, keep, verdict
from benchmarks.peers import worker as task
from benchmarks.peers.driver import NotRun, Worker, python, rounds

PLAIN = {
    "generator": "plain",
    "discriminator": "per_step",
    "d_bidirectional": False,
    "d_condition": "embedding",
    "loss": "logistic",
    "hidden_units": task.UNITS,
    "latent_dim": task.NOISE,
    "batch_size": task.BATCH,
    "r1_weight": 0.0,
    "r2_weight": 0.0,
    "instance_noise": 0.0,
    "average_decay": 0.0,
    "beta_1": 0.9,
    "beta_2": 0.999,
}
# Name: module under benchmarks/peers, settings, what its environment holds (nothing: the one this runs in).
OURS = {
    "rcgan_nb": ("ours", {"config": PLAIN}, ()),
    "rcgan_nb, 2 shards": ("ours", {"config": PLAIN | {"shards": 2}, "intra_op": 1, "inter_op": 2}, ()),
    "rcgan_nb, shared": (
        "ours",
        {"config": PLAIN | {"shards": 2, "shared_forward": True}, "intra_op": 1, "inter_op": 2},
        (),
    ),
}
TORCH = ("torch==2.13.0", "numpy==2.4.6")
THREADED = {"pytorch": {}, "pytorch shared": {"shared": True}}
TSGM = ("tsgm==0.1.0", "pandas==2.3.3", "tensorflow==2.21.0", "keras==3.15.1")
PEERS = {"classic": ("classic", {}, ()), "tsgm": ("tsgm_cgan", {}, TSGM)}
PRODUCT = "product of 1024 x 1024"
# Ours, a peer, and how many times as many steps per second ours shall make.
BARS = (
    ("rcgan_nb, 2 shards", "pytorch", 1.2),
    ("rcgan_nb, 2 shards", "classic", 3.0),
    ("rcgan_nb, shared", "pytorch shared", 1.6),
)

CELLS = ("lstm", "gru", "mingru")
LENGTHS = ((28, 28), (112, 7), (784, 1))  # a picture of 28 x 28 in rows, quarters of rows, pixels
SIZES = {"plain 64 x 64": PLAIN, "default settings 64 x 64": {}}


def flops(shared=False) -> int:
    """Floating-point operations of the matrix products in one step; `shared`: of one forward pass for both updates.

    A product backwards costs once more for its weights and once more for its inputs. Series are inputs of no weights
    in the discriminator's update, but in the generator's, where the discriminator's weights need no gradient.
    """
    recurrent = 2 * task.UNITS * 4 * task.UNITS

    def network(inputs, outputs):
        dense = 2 * task.UNITS * outputs
        forward = 2 * inputs * 4 * task.UNITS + recurrent + dense
        return forward, forward + recurrent + dense  # backwards: to all weights and to hidden states

    g_forward, g_backward = network(task.NOISE + task.CLASSES, task.FEATURES)
    d_forward, d_backward = network(task.FEATURES + task.CLASSES, 1)
    d_update = g_forward + 2 * (d_forward + d_backward)
    g_update = g_forward + d_forward + d_forward + g_backward  # the second d_forward: backwards to all inputs
    saved = shared * (g_forward + d_forward)
    return task.BATCH * task.SEQ_LEN * (d_update + g_update - saved)


def spread(values) -> dict:
    return {"median": statistics.median(values), "least": min(values), "greatest": max(values)}


def said(found, digits=2) -> str:
    return f"{found['median']:.{digits}f} ({found['least']:.{digits}f} to {found['greatest']:.{digits}f})"


def started(stack, peers, absent) -> dict:
    """Workers that have taken a step, built side by side; what cannot run goes into `absent` with the reason."""
    workers, ready = {}, {}
    for name, (module, settings, requirements) in peers.items():
        try:
            workers[name] = stack.enter_context(closing(Worker(module, settings, python(module, requirements))))
        except NotRun as reason:
            absent[name] = str(reason)
    for name, one in workers.items():
        try:
            one.go(1)
            ready[name] = one
            print(f"{name}: {one.facts}", flush=True)
        except NotRun as reason:
            absent[name] = str(reason)
    return ready


def best_threads(name, settings, absent, steps) -> dict:
    """The peer `name` with the number of threads, 1 or 2, at which it is the faster in a short trial."""
    peers = {f"{name}, threads {n}": ("pytorch", settings | {"threads": n}, TORCH) for n in (1, 2)}
    with ExitStack() as stack:
        missing = {}
        workers = started(stack, peers, missing)
        if missing:
            absent[name] = next(iter(missing.values()))
            return {}
        times = {trial: statistics.median(found) for trial, found in rounds(workers, 3, steps).items()}
    return {name: peers[min(times, key=times.get)]}


def assert_equal(workers):
    """Equal numbers of parameters, and equal logits where weights and inputs are equal."""
    first, *others = workers.items()
    for name, one in others:
        assert one.facts["parameters"] == first[1].facts["parameters"], (first[0], name)
        np.testing.assert_allclose(one.probe(), first[1].probe(), atol=1e-4, err_msg=f"{first[0]}, {name}")
    print(f"equal: parameters {first[1].facts['parameters']} and logits of {', '.join(workers)}", flush=True)


def rates(count, steps) -> tuple[dict, dict]:
    """Time per step of all systems, ratios round by round, share of the machine's rate. Returns results and bars."""
    absent, found = {}, {}
    peers = OURS | PEERS
    for name, settings in THREADED.items():
        peers |= best_threads(name, settings, absent, max(2, steps // 4))
    with ExitStack() as stack:
        workers = started(stack, peers, absent)
        assert_equal(workers)
        systems = {name: one.facts["system"] for name, one in workers.items()}
        workers |= started(stack, {PRODUCT: ("product", {}, ())}, absent)
        busy = [psutil.cpu_percent(3)]  # our own workers wait
        times = rounds(workers, count, steps)
        time.sleep(1)
        busy.append(psutil.cpu_percent(3))
    for name, reason in absent.items():
        print(f"{name}: not measured: {reason}")
    for name in OURS:
        ratios = {peer: spread([b / a for a, b in zip(times[name], times[peer], strict=True)]) for peer in times}
        found[name] = {peer: ratio for peer, ratio in ratios.items() if peer not in (name, PRODUCT)}
        for peer, ratio in found[name].items():
            print(f"{name}: {said(ratio)} x as many steps per second as {peer}")
    product = 2 * 1024**3 / 1e6
    reached = {"product_gflops": spread([product / t for t in times[PRODUCT]]), "step_gflop": flops() / 1e9}
    for name in systems:
        pairs = zip(times[name], times[PRODUCT], strict=True)
        reached[name] = spread([flops("shared" in name) / t / (2 * 1024**3 / p) for t, p in pairs])
        print(f"{name}: {said(reached[name])} of a large product's rate, {said(reached['product_gflops'], 0)} GFLOP/s")
    # Two threads that wait for each other lose the most to a third process: a busy machine favours one system.
    bars = {f"other processes took {max(busy):.0f} % of the machine before or after, < 10 %": max(busy) < 10}
    for name, peer, least in BARS:
        ratio = found[name].get(peer)
        text = f"{name}: steps per second / {peer} {said(ratio) if ratio else 'not measured'} >= {least}"
        bars[text] = bool(ratio) and ratio["median"] >= least
    facts = {"systems": systems, "absent": absent, "ms_per_step": {n: spread(t) for n, t in times.items()}}
    return facts | {"ratios": found, "share_of_product": reached}, bars


def measured(peers, count, steps) -> dict:
    """Milliseconds per step and peak memory in GiB of our own variants, in turns."""
    with ExitStack() as stack:
        absent = {}
        workers = started(stack, peers, absent)
        assert not absent, absent
        times = rounds(workers, count, steps)
        peaks = {name: one.go(1)["peak"] for name, one in workers.items()}
    for name in peers:
        print(f"{name}: {said(spread(times[name]), 0)} ms per step, peak memory {peaks[name]:.2f} GiB", flush=True)
    return {name: spread(times[name]) | {"peak_gib": peaks[name]} for name in peers}


def sizes(count, steps) -> tuple[dict, dict]:
    """Time and memory of pictures of 64 x 64, plain and with default settings."""
    peers = {name: ("ours", {"config": config, "shape": [64, 64]}, ()) for name, config in SIZES.items()}
    return measured(peers, count, steps), {}


def lengths(count, steps) -> tuple[dict, dict]:
    """Time and memory of every recurrence as 784 values are read in 28, 112 and 784 steps."""
    found = {}
    for shape in LENGTHS:
        fewer = max(2, steps * LENGTHS[0][0] // shape[0])
        peers = {
            f"{cell}, {shape[0]} steps": (
                "ours",
                {"config": PLAIN | {"g_cell": cell, "d_cell": cell}, "shape": shape},
                (),
            )
            for cell in CELLS
        }
        found |= measured(peers, count, fewer)
    times = [found[f"{cell}, {LENGTHS[-1][0]} steps"]["median"] for cell in ("lstm", "mingru")]
    return found, {
        f"{LENGTHS[-1][0]} steps: mingru {times[0] / times[1]:.1f} x as fast as LSTM >= 5": times[0] >= 5 * times[1]
    }


SECTIONS = {"rates": rates, "sizes": sizes, "lengths": lengths}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("section", nargs="?", choices=SECTIONS, help="one section only; nothing is kept")
    parser.add_argument("--quick", action="store_true", help="two short rounds, for trying out; nothing is kept")
    given = parser.parse_args()
    count, steps = (2, 4) if given.quick else (7, 40)
    results, bars = {}, {}
    for name in [given.section] if given.section else SECTIONS:
        print(f"== {name}: {SECTIONS[name].__doc__.splitlines()[0]}", flush=True)
        results[name], judged = SECTIONS[name](count, steps)
        bars |= judged
    met = verdict(bars)
    if not (given.section or given.quick):
        keep("step", "python -m benchmarks.step", {"met": met, "bars": bars} | results, TRAINED)


if __name__ == "__main__":
    main()
