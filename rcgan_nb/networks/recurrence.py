"""Recurrent layers: LSTM, GRU, one that is computed in parallel over time, and dilation for all of them."""

import keras
from keras import layers, ops

# Unrolled, a recurrence over few steps runs a quarter faster than TensorFlow's while loop and its gradient can be
# differentiated again; over many steps building the graph takes longer than it saves.
UNROLL_UP_TO = 32


@keras.saving.register_keras_serializable("rcgan_nb")
class MinGRU(layers.Layer):
    """A GRU whose gate and candidate do not see the state before, so that all steps are computed at once.

    h[t] = k[t] h[t-1] + (1 - k[t]) c[t], with k = sigmoid(W x + b[t]) and c = tanh(U x + d[t]).
    Source: Feng et al. 2024, arXiv:2410.01201, section 3.1, where k is 1 - z. Ours are tanh, which keeps states in
    (-1, 1), and a bias for every step: gates that do not see the state cannot count steps.
    """

    def __init__(self, units, return_sequences=True, go_backwards=False, **options):
        super().__init__(**options)
        self.units, self.return_sequences, self.go_backwards = units, return_sequences, go_backwards
        self.return_state = self.stateful = self.zero_output_for_mask = False  # keras.layers.Bidirectional asks
        self.supports_masking = True

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], 2 * self.units), name="kernel")
        start = keras.initializers.RandomNormal(stddev=0.1)
        self.bias = self.add_weight(shape=(shape[1], 2 * self.units), initializer=start, name="bias")

    def call(self, sequences, initial_state=None, mask=None):  # Bidirectional hands over a state, always None
        """float `(batch, seq_len, features)` to `(batch, seq_len, units)`; masked steps keep the state."""
        bias = self.bias[None]
        if self.go_backwards:
            sequences, bias = (ops.flip(array, axis=1) for array in (sequences, bias))
            mask = None if mask is None else ops.flip(mask, axis=1)
        kernels = ops.split(self.kernel, 2, axis=1)
        biases = ops.split(bias, 2, axis=2)

        def terms(x, *rest):
            keep, candidate = (_product(x, w) + b for w, b in zip(kernels, rest[:2], strict=True))
            keep = ops.sigmoid(keep)
            return keep if len(rest) == 2 else ops.where(rest[2] > 0, keep, 1.0), ops.tanh(candidate)

        there = [] if mask is None else [ops.cast(mask, sequences.dtype)[:, :, None]]
        return gated_scan(terms, sequences, *biases, *there)

    def compute_output_shape(self, sequences_shape, initial_state_shape=None):
        return (*sequences_shape[:-1], self.units)

    def get_config(self):
        names = ("units", "return_sequences", "go_backwards")
        return super().get_config() | {name: getattr(self, name) for name in names}


def gated_scan(terms, *sequences):
    """h[t] = keep[t] h[t-1] + (1 - keep[t]) c[t] from h = 0, in about 2 sqrt(seq_len) steps.

    Linear maps of h can be joined in any order: time is cut into blocks that are scanned side by side, then the ends of
    the blocks are. Step k of all blocks is made, scanned and left while it is in the processor's cache.
    keras.ops.associative_scan gives the same, many times slower with its gradient (784 steps, 2 cores).
    Source: Blelloch 1990, Prefix sums and their applications, section 1.4.

    Args:
        terms: makes keep and c, `(batch, n, units)` each, of n steps of every sequence, `(batch, n, features)` each.
        sequences: float `(batch, seq_len, features)`; the batch may be 1 for those that are equal for all series.

    Returns: float `(batch, seq_len, units)`.
    """
    seq_len = sequences[0].shape[1]
    size = max(1, round(seq_len**0.5))
    blocks = -(-seq_len // size)
    pad = [[0, 0], [0, blocks * size - seq_len], [0, 0]]
    cut = [ops.reshape(ops.pad(s, pad), (-1, blocks, size, s.shape[2])) for s in sequences]
    kept, states = [], []  # since its block began: the share of the state before it that is left, and what came on top
    for step in zip(*(ops.unstack(s, axis=2) for s in cut), strict=True):
        keep, new = terms(*step)
        states.append(new + keep * (states[-1] - new) if states else new - keep * new)
        kept.append(kept[-1] * keep if kept else keep)
    left, came = (ops.unstack(s[-1], axis=1) for s in (kept, states))
    ends = [ops.zeros_like(came[0])]
    for k in range(blocks - 1):
        ends.append(left[k] * ends[-1] + came[k])
    before = ops.stack(ends, axis=1)
    whole = ops.stack([s + k * before for s, k in zip(states, kept, strict=True)], axis=2)
    return _first(ops.reshape(whole, (-1, blocks * size, whole.shape[-1])), seq_len)


def _product(x, kernel):
    """`(batch, n, features)` times `(features, units)`, as one product of matrices."""
    return ops.reshape(ops.matmul(ops.reshape(x, (-1, x.shape[2])), kernel), (-1, x.shape[1], kernel.shape[1]))


@keras.saving.register_keras_serializable("rcgan_nb")
class LSTM(layers.LSTM):
    """Keras's LSTM, weights and values alike. Unrolled it has the batch as its last axis: 7 % quicker with 128 units.

    So the gates lie one behind the other in memory and are cut apart without copying; the bias is one more input that
    is always 1.
    """

    def inner_loop(self, sequences, initial_state, mask, training=False):
        if not self.unroll:
            return super().inner_loop(sequences, initial_state, mask, training)
        kernel = ops.transpose(ops.concatenate([self.cell.kernel, self.cell.bias[None]]))
        recurrent_kernel = ops.transpose(self.cell.recurrent_kernel)
        sequences = ops.concatenate([sequences, ops.ones_like(sequences[:, :, :1])], axis=-1)
        steps = ops.unstack(ops.transpose(sequences, (1, 2, 0)))  # (features + 1, batch) each
        there = [None] * len(steps) if mask is None else ops.unstack(ops.transpose(mask)[:, None])
        hidden, carry = (ops.transpose(state) for state in initial_state)
        outputs = []
        for t in reversed(range(len(steps))) if self.go_backwards else range(len(steps)):
            before = hidden, carry
            gates = ops.matmul(kernel, steps[t]) + ops.matmul(recurrent_kernel, hidden)
            write, keep, new, read = ops.split(gates, 4)
            carry = ops.sigmoid(keep) * carry + ops.sigmoid(write) * ops.tanh(new)
            hidden = ops.sigmoid(read) * ops.tanh(carry)
            if there[t] is not None:
                hidden, carry = (ops.where(there[t], *pair) for pair in zip((hidden, carry), before, strict=True))
            outputs.append(hidden)
        outputs = ops.transpose(ops.stack(outputs), (2, 0, 1))
        return outputs[:, -1], outputs, [ops.transpose(state) for state in (hidden, carry)]


def _keras_cell(kind):
    # Fused GPU kernels have no second derivative, which R1 and R2 need: none is used.
    def layer(units, seq_len, name):
        return kind(units, return_sequences=True, unroll=seq_len <= UNROLL_UP_TO, use_cudnn=False, name=name)

    return layer


CELLS = {
    "lstm": _keras_cell(LSTM),
    "gru": _keras_cell(layers.GRU),
    "mingru": lambda units, seq_len, name: MinGRU(units, name=name),
}


def stack(sequence, units, *, cell, num_layers=1, dilation=1, bidirectional=False, steps=None):
    """Recurrent layers one upon the other: `(batch, seq_len, features)` to `(batch, seq_len, units)`.

    Args:
        units: in all; both directions of a bidirectional layer share them.
        dilation: layer k goes from step t to t + dilation ** k (Chang et al. 2017, arXiv:1710.02224).
        steps: bool `(batch, seq_len)`, False where a series has ended; the state stays as it was there.
    """
    for k in range(num_layers):
        apart = min(dilation**k, sequence.shape[1])
        length = -(-sequence.shape[1] // apart)
        name = f"recurrent_{k}"
        layer = CELLS[cell](units // 2 if bidirectional else units, length, name)
        layer = _both_ways(layer, name) if bidirectional else layer
        sequence = _dilated(layer, sequence, steps, apart) if apart > 1 else _masked(layer, sequence, steps)
    return sequence


def _both_ways(layer, name):
    layer = layers.Bidirectional(layer, name=name)
    # Keras asks both to give zeros at masked steps, and finds these, for an unrolled one that runs backwards, by the
    # mask of the series forwards: all that it gives would be lost.
    layer.forward_layer.zero_output_for_mask = layer.backward_layer.zero_output_for_mask = False
    return layer


def _masked(layer, sequence, steps):
    return layer(sequence) if steps is None else layer(sequence, mask=steps)


def _dilated(layer, sequence, steps, apart):
    """Run a layer over every apart-th step, from each of the first `apart` steps on."""
    seq_len = sequence.shape[1]
    outcome = _masked(layer, _comb(sequence, apart), None if steps is None else _comb(steps, apart))
    length, units = outcome.shape[1:]
    outcome = ops.transpose(ops.reshape(outcome, (-1, apart, length, units)), (0, 2, 1, 3))
    return _first(ops.reshape(outcome, (-1, length * apart, units)), seq_len)


def _first(sequence, seq_len):
    return sequence if sequence.shape[1] == seq_len else sequence[:, :seq_len]  # a slice costs a copy backwards


def _comb(array, apart):
    """`(batch, seq_len, ...)` to `(batch * apart, ceil(seq_len / apart), ...)`, padded with zeros at the end."""
    length, rest = -(-array.shape[1] // apart), array.shape[2:]
    none = [[0, 0]] * len(rest)
    kind = array.dtype
    array = ops.pad(ops.cast(array, "float32"), [[0, 0], [0, length * apart - array.shape[1]], *none])
    array = ops.reshape(array, (-1, length, apart, *rest))
    array = ops.transpose(array, (0, 2, 1, *range(3, 3 + len(rest))))
    return ops.cast(ops.reshape(array, (-1, length, *rest)), kind)


def last(sequence, units, bidirectional):
    """State after the last step, `(batch, units)`: where it ended forwards, where it began backwards."""
    if not bidirectional:
        return sequence[:, -1]
    return ops.concatenate([sequence[:, -1, : units // 2], sequence[:, 0, units // 2 :]], axis=-1)
