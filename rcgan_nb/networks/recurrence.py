"""Recurrent layers: LSTM, GRU, one that is computed in parallel over time, and dilation for all of them."""

import keras
from keras import layers, ops

# Unrolled, a recurrence over few steps runs a quarter faster than TensorFlow's while loop and its gradient can be
# differentiated again; over many steps building the graph takes longer than it saves.
UNROLL_UP_TO = 32


@keras.saving.register_keras_serializable("rcgan_nb")
class MinGRU(layers.Layer):
    """A GRU whose gate and candidate do not see the state before, so that all steps are computed at once.

    h[t] = (1 - z[t]) h[t-1] + z[t] c[t], with z = sigmoid(W x + b) and c = tanh(U x + d).
    Source: Feng et al. 2024, arXiv:2410.01201, section 3.1; tanh is ours: it keeps states in (-1, 1).
    """

    def __init__(self, units, return_sequences=True, go_backwards=False, **options):
        super().__init__(**options)
        self.units, self.return_sequences, self.go_backwards = units, return_sequences, go_backwards
        self.return_state = self.stateful = self.zero_output_for_mask = False  # keras.layers.Bidirectional asks
        self.supports_masking = True
        self.both = layers.Dense(2 * units, name="gate_and_candidate")

    def build(self, shape):
        self.both.build(shape)

    def call(self, sequences, initial_state=None, mask=None):  # Bidirectional hands over a state, always None
        """float `(batch, seq_len, features)` to `(batch, seq_len, units)`; masked steps keep the state."""
        if self.go_backwards:
            sequences = ops.flip(sequences, axis=1)
            mask = None if mask is None else ops.flip(mask, axis=1)
        gate, candidate = ops.split(self.both(sequences), 2, axis=-1)
        gate = ops.sigmoid(gate)
        if mask is not None:
            gate = gate * ops.cast(mask, gate.dtype)[:, :, None]
        return linear_scan(1 - gate, gate * ops.tanh(candidate))

    def compute_output_shape(self, sequences_shape, initial_state_shape=None):
        return (*sequences_shape[:-1], self.units)

    def get_config(self):
        names = ("units", "return_sequences", "go_backwards")
        return super().get_config() | {name: getattr(self, name) for name in names}


def linear_scan(decay, value):
    """h[t] = decay[t] h[t-1] + value[t] from h = 0, arrays `(batch, seq_len, units)`, in about 2 sqrt(seq_len) steps.

    The operator (a, b), (a', b') -> (a a', a' b + b') is associative: time is cut into blocks that are scanned side by
    side, then the ends of the blocks are. keras.ops.associative_scan gives the same, four times slower with its
    gradient's gradient and after ten times as long a compilation (784 steps).
    Source: Blelloch 1990, Prefix sums and their applications, section 1.4.
    """
    seq_len, units = decay.shape[1:]
    size = max(1, round(seq_len**0.5))
    blocks = -(-seq_len // size)
    pad = [[0, 0], [0, blocks * size - seq_len], [0, 0]]
    decay, value = (ops.reshape(ops.pad(v, pad), (-1, blocks, size, units)) for v in (decay, value))
    decays, values = ops.unstack(decay, axis=2), ops.unstack(value, axis=2)
    for i in range(1, size):
        values[i] = decays[i] * values[i - 1] + values[i]
        decays[i] = decays[i] * decays[i - 1]
    ends = [ops.zeros_like(values[0][:, 0])]
    for i in range(blocks - 1):
        ends.append(decays[-1][:, i] * ends[-1] + values[-1][:, i])
    begin = ops.stack(ends, axis=1)[:, :, None]
    states = ops.stack(values, axis=2) + ops.stack(decays, axis=2) * begin
    return ops.reshape(states, (-1, blocks * size, units))[:, :seq_len]


@keras.saving.register_keras_serializable("rcgan_nb")
class LSTM(layers.LSTM):
    """Keras's LSTM, weights and values alike. Unrolled it has the batch as its last axis: 7 % quicker with 128 units.

    So the gates lie one behind the other in memory and are cut apart, and their gradients put together, without
    copying; the bias is one more input that is always 1.
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
    return ops.reshape(outcome, (-1, length * apart, units))[:, :seq_len]


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
