"""What all workers share: the task in numbers, equal batches and weights, and the protocol. NumPy and standard library.

The task: noise and one-hot label at every step, an LSTM, a dense layer with tanh at every step; against it an LSTM over
series and label with a logit at every step; logistic loss (the mean over steps; non-saturating), no penalties. A step
updates the discriminator on a real and a fake batch, then the generator, each by Adam, all noise drawn anew.
"""

import itertools
import json
import os
import resource
import sys
import time

import numpy as np

SEQ_LEN, FEATURES, CLASSES, NOISE, UNITS, BATCH = 28, 28, 10, 16, 128, 128
RATE = 1e-3
UNTIMED = 2  # steps at the head of every turn, while caches fill and other workers' threads go to sleep


def batches(seq_len, features):
    """Eight batches: series float32 `(8, BATCH, seq_len, features)` and labels int32 `(8, BATCH)`."""
    random = np.random.default_rng(0)
    series = random.uniform(-1, 1, (8, BATCH, seq_len, features)).astype(np.float32)
    return series, random.integers(0, CLASSES, (8, BATCH), dtype=np.int32)


def weights():
    """Weights of both networks, in Keras's order and layout: LSTM kernel, recurrent, bias; dense kernel, bias."""
    random = np.random.default_rng(1)

    def network(inputs, outputs):
        shapes = [(inputs, 4 * UNITS), (UNITS, 4 * UNITS), (4 * UNITS,), (UNITS, outputs), (outputs,)]
        return [random.normal(0, 0.1, shape).astype(np.float32) for shape in shapes]

    return network(NOISE + CLASSES, FEATURES), network(FEATURES + CLASSES, 1)


def probe_inputs():
    """Noise float32 `(BATCH, SEQ_LEN, NOISE)` and labels int32 `(BATCH,)` for one look through both networks."""
    noise = np.random.default_rng(2).standard_normal((BATCH, SEQ_LEN, NOISE), dtype=np.float32)
    return noise, batches(SEQ_LEN, FEATURES)[1][0]


def one_hot(labels):
    return np.eye(CLASSES, dtype=np.float32)[labels]


def serve(build):
    """Build a peer and answer the parent, a line of JSON for a line of text.

    Args:
        build: takes the settings; returns facts to print, step(x, y, number), which comes back when the work is done,
            and probe(): the logits of series from `probe_inputs`, by networks with `weights`.
    """
    settings, channel = json.loads(sys.argv[1]), os.fdopen(int(sys.argv[2]), "w")
    facts, step, probe = build(**settings)
    series, labels = batches(*settings.get("shape", (SEQ_LEN, FEATURES)))

    numbers = itertools.count(1)

    def run(count):
        for number in itertools.islice(numbers, count):
            step(series[number % 8], labels[number % 8], number)

    def timed(count):
        run(UNTIMED)
        begun = time.perf_counter()
        run(count)
        seconds = time.perf_counter() - begun
        return {"seconds": seconds, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}

    print(json.dumps(facts), file=channel, flush=True)
    for line in sys.stdin:
        command, *count = line.split()
        answer = timed(int(*count)) if command == "go" else np.asarray(probe()).ravel()[:100].tolist()
        print(json.dumps(answer), file=channel, flush=True)
