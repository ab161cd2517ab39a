"""Every network by values: conditions stay with their series, ends and masks are kept, time runs the right way."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from rcgan_nb.config import CELL_NAMES, DISCRIMINATOR_NAMES, GENERATOR_NAMES, LOSS_NAMES, train_config
from rcgan_nb.losses import LOSSES
from rcgan_nb.networks import (
    CELLS,
    DISCRIMINATORS,
    GENERATORS,
    Shape,
    recurrence,
)

TINY = {"hidden_units": 6, "latent_dim": 3, "batch_size": 3}
FULL = Shape(7, 2, 4, num_static=3, num_conditions=2)


def test_names_are_those_of_the_settings():
    assert (tuple(GENERATORS), tuple(DISCRIMINATORS)) == (GENERATOR_NAMES, DISCRIMINATOR_NAMES)
    assert (tuple(CELLS), tuple(LOSSES)) == (CELL_NAMES, LOSS_NAMES)


def given(shape, n, seed=0):
    """Conditions for n series, all different."""
    random = np.random.default_rng(seed)
    return {
        "label": (np.arange(n) % shape.num_classes).astype(np.int32),
        "static": random.normal(size=(n, shape.num_static)).astype(np.float32),
        "condition": random.normal(size=(n, shape.seq_len, shape.num_conditions)).astype(np.float32),
    }


def changes(model, inputs, name, row):
    """How far each series' output moves when one series' input of that name changes."""
    moved = {k: v.copy() for k, v in inputs.items()}
    moved[name][row] = (moved[name][row] + 1) % 4 if name == "label" else moved[name][row] + 1
    before, after = (as_rows(model(v)) for v in (inputs, moved))
    return np.abs(before - after).max(1)


def as_rows(outputs):
    outputs = outputs["logits"] if isinstance(outputs, dict) else outputs
    return np.reshape(outputs, (len(outputs), -1))


@pytest.mark.parametrize("name", [n for n in GENERATORS if n != "rcgan_v4"])
@pytest.mark.parametrize("condition", ["label", "static", "condition"])
def test_generator_keeps_each_condition_with_its_series(name, condition):
    model = GENERATORS[name](FULL, train_config(generator=name, **TINY))
    noise = np.random.default_rng(1).normal(size=(3, 7, 3)).astype(np.float32)
    found = changes(model, {"noise": noise, **given(FULL, 3)}, condition, 1)
    assert found[1] > 1e-5 and (found[[0, 2]] == 0).all()


@pytest.mark.parametrize("name", [n for n in DISCRIMINATORS if n != "rcgan_v4"])
@pytest.mark.parametrize("by", ["projection", "embedding"])
@pytest.mark.parametrize("condition", ["label", "static", "condition"])
def test_discriminator_keeps_each_condition_with_its_series(name, by, condition):
    model = DISCRIMINATORS[name](FULL, train_config(discriminator=name, d_condition=by, **TINY))
    series = np.random.default_rng(1).normal(size=(3, 7, 2)).astype(np.float32)
    found = changes(model, {"series": series, **given(FULL, 3)}, condition, 1)
    assert found[1] > 1e-6 and (found[[0, 2]] == 0).all()


def test_auxiliary_classifier_reads_the_label_from_the_series_alone():
    model = DISCRIMINATORS["pool"](FULL, train_config(d_condition="classifier", **TINY))
    series = np.random.default_rng(1).normal(size=(3, 7, 2)).astype(np.float32)
    inputs = {"series": series, **given(FULL, 3)}
    assert model(inputs)["classes"].shape == (3, 4)
    assert (changes(model, inputs, "label", 1) == 0).all()


def test_ancestor_uses_the_label_and_takes_any_size():
    config = train_config(generator="rcgan_v4", discriminator="rcgan_v4", d_condition="classifier", **TINY)
    shape = Shape(9, 6, 4)
    model = GENERATORS["rcgan_v4"](shape, config)
    noise = np.random.default_rng(1).normal(size=(3, 9, 3)).astype(np.float32)
    found = changes(model, {"noise": noise, "label": np.array([0, 1, 2], np.int32)}, "label", 1)
    assert found[1] > 1e-6 and (found[[0, 2]] == 0).all()
    judge = DISCRIMINATORS["rcgan_v4"](shape, config)
    said = judge({"series": np.ones((3, 9, 6), np.float32), "label": np.zeros(3, np.int32)})
    assert said["logits"].shape == (3,) and said["classes"].shape == (3, 4)


def test_ancestor_has_its_number_of_weights_at_28_pixels():
    """As counted for the original at 28 x 28 with 100 numbers of noise and ten classes."""
    config = train_config(
        generator="rcgan_v4", discriminator="rcgan_v4", d_condition="classifier", **(TINY | {"latent_dim": 100})
    )
    shape = Shape(28, 28, 10)
    generator, judge = GENERATORS["rcgan_v4"](shape, config), DISCRIMINATORS["rcgan_v4"](shape, config)
    assert sum(v.numpy().size for v in generator.trainable_variables) == 1_387_043 + 1_000
    assert sum(v.numpy().size for v in judge.trainable_variables) == 398_883


def test_ancestor_without_labels_is_rgan_v5():
    config = train_config(generator="rcgan_v4", discriminator="rcgan_v4", **(TINY | {"latent_dim": 100}))
    generator, judge = GENERATORS["rcgan_v4"](Shape(28, 28), config), DISCRIMINATORS["rcgan_v4"](Shape(28, 28), config)
    assert sum(v.numpy().size for v in generator.trainable_variables) == 1_387_043
    assert sum(v.numpy().size for v in judge.trainable_variables) == 377_001


# Lengths and masks -----------------------------------------------------------------------------------------------

MASKED = Shape(7, 5, 4, observed=2, lengths=True)  # two values, two masks, one channel for the length


def series_of_lengths(lengths, seed=0):
    x = np.random.default_rng(seed).normal(size=(len(lengths), 7, 5)).astype(np.float32)
    x[:, :, 2:4] = np.where(x[:, :, 2:4] > 0, 1.0, -1.0)
    x[:, :, 4] = np.where(np.arange(7) < np.array(lengths)[:, None], 1.0, -1.0)
    return x


@pytest.mark.parametrize("name", [n for n in DISCRIMINATORS if n != "rcgan_v4"])
@pytest.mark.parametrize("cell", CELLS)
def test_nothing_after_the_end_or_unobserved_is_judged(name, cell):
    config = train_config(discriminator=name, d_cell=cell, r1_weight=0.0, r2_weight=0.0, **TINY)
    model = DISCRIMINATORS[name](MASKED, config)
    labels = np.array([0, 1, 2], np.int32)
    x = series_of_lengths([3, 7, 5])
    odd = x.copy()
    odd[0, 3:, :4] = 9.0  # after the end
    odd[:, :, :2] = np.where(x[:, :, 2:4] > 0, odd[:, :, :2], -9.0)  # unobserved
    before, after = (model({"series": v, "label": labels}) for v in (x, odd))
    there = np.ones((3, 7)) if "steps" not in before else before["steps"].numpy()
    b, a = ((v["logits"].numpy().reshape(3, -1) * (there if name == "per_step" else 1)) for v in (before, after))
    assert a == pytest.approx(b, abs=1e-6)
    seen = x.copy()
    seen[0, 1, :2] += np.where(x[0, 1, 2:4] > 0, 1.0, 0.0) + (x[0, 1, 2:4] < 0)
    seen[0, 1, 2:4] = 1.0
    moved = as_rows(model({"series": seen, "label": labels}))
    assert np.abs(moved - as_rows(before))[0].max() > 1e-6


def test_judgement_of_a_short_series_is_that_of_the_series_alone():
    """Seven steps, of which four are, are judged as four steps are: forwards and backwards."""
    config = train_config(d_condition="embedding", r1_weight=0.0, r2_weight=0.0, **TINY)
    long = DISCRIMINATORS["pool"](MASKED, config)
    short = DISCRIMINATORS["pool"](Shape(4, 5, 4, observed=2, lengths=True), config)
    short.set_weights(long.get_weights())
    x, label = series_of_lengths([4, 4]), np.array([1, 3], np.int32)
    pair = long({"series": x, "label": label})["logits"], short({"series": x[:, :4], "label": label})["logits"]
    assert pair[0].numpy() == pytest.approx(pair[1].numpy(), abs=1e-6)


@pytest.mark.parametrize("cell", CELLS)
def test_state_backwards_begins_at_the_end_of_its_series(cell):
    config = train_config(discriminator="state", d_cell=cell, **TINY)
    long = DISCRIMINATORS["state"](MASKED, config)
    short = DISCRIMINATORS["state"](Shape(4, 5, 4, observed=2, lengths=True), config)
    weights = zip(long.weights, long.get_weights(), strict=True)
    by_step = "bias" if cell == "mingru" else "none"
    short.set_weights([w[:4] if of.name == by_step and len(w) == 7 else w for of, w in weights])
    x, label = series_of_lengths([4, 4]), np.array([1, 3], np.int32)
    pair = long({"series": x, "label": label})["logits"], short({"series": x[:, :4], "label": label})["logits"]
    assert pair[0].numpy() == pytest.approx(pair[1].numpy(), abs=1e-6) and np.abs(pair[0]).min() > 1e-6


def test_generator_learns_from_masks():
    """The gradient reaches the mask's and the length's channel, though the discriminator sees them as 0 and 1."""
    model = DISCRIMINATORS["pool"](MASKED, train_config(**TINY))
    x = tf.constant(series_of_lengths([3, 7, 5]) * 0.7)
    with tf.GradientTape() as tape:
        tape.watch(x)
        logits = model({"series": x, "label": tf.constant([0, 1, 2])})["logits"]
    gradient = np.abs(tape.gradient(logits, x).numpy())
    assert (gradient[0, :3, 2:].max(0) > 0).all()


@pytest.mark.parametrize(("hold", "count"), [(0, [7]), (3, [3, 3, 1])])
def test_held_noise_is_that_of_the_first_step_of_each_block(hold, count):
    model = GENERATORS["dense"](Shape(7, 2), train_config(noise_hold=hold, **TINY))
    noise = np.random.default_rng(0).normal(size=(2, 7, 3)).astype(np.float32)
    held = np.concatenate([np.repeat(noise[:, [start]], n, 1) for start, n in zip([0, 3, 6], count, strict=False)], 1)
    every = GENERATORS["dense"](Shape(7, 2), train_config(**TINY))
    every.set_weights(model.get_weights())
    assert model({"noise": noise}).numpy() == pytest.approx(every({"noise": held}).numpy(), abs=1e-6)


# Recurrence ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seq_len", [1, 5, 16, 23])
def test_gated_scan_is_the_recurrence(seq_len):
    random = np.random.default_rng(seq_len)
    keep, new = (random.uniform(-1, 1, (3, seq_len, 2)).astype(np.float32) for _ in range(2))
    state, expected = np.zeros((3, 2)), []
    for t in range(seq_len):
        state = keep[:, t] * state + (1 - keep[:, t]) * new[:, t]
        expected.append(state)
    found = recurrence.gated_scan(lambda *both: both, keep, new)
    assert np.array(found) == pytest.approx(np.stack(expected, 1), abs=1e-5)


def test_mingru_by_hand():
    layer = recurrence.MinGRU(2)
    x = np.random.default_rng(0).normal(size=(3, 5, 4)).astype(np.float32)
    layer(x)
    kernel, bias = (np.array(w) for w in layer.get_weights())
    gate, candidate = np.split(x @ kernel + bias, 2, axis=-1)
    gate, state, expected = 1 / (1 + np.exp(-gate)), 0.0, []
    for t in range(5):
        state = gate[:, t] * state + (1 - gate[:, t]) * np.tanh(candidate[:, t])
        expected.append(state)
    assert np.array(layer(x)) == pytest.approx(np.stack(expected, 1), abs=1e-5)


@pytest.mark.parametrize("backwards", [False, True])
def test_mingru_has_a_bias_for_every_step(backwards):
    """That of a step changes what follows it, and nothing before; backwards it stays with its step."""
    layer = recurrence.MinGRU(4, go_backwards=backwards)
    x = np.ones((1, 7, 2), np.float32)
    once = np.array(layer(x))[0]
    moved = layer.bias.numpy()
    moved[2 if backwards else 4] += 1
    layer.bias.assign(moved)
    changed = (np.array(layer(x))[0] != once).any(axis=1)
    assert changed.tolist() == [False] * 4 + [True] * 3


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_unrolled_lstm_is_that_of_keras(backwards, masked):
    options = {"return_sequences": True, "return_state": True, "go_backwards": backwards}
    ours = recurrence.LSTM(4, unroll=True, **options)
    theirs = keras.layers.LSTM(4, use_cudnn=False, **options)
    x = tf.random.stateless_normal((3, 5, 2), [0, 1])
    mask = tf.constant([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 0, 1, 0, 0]]) > 0 if masked else None
    for layer in (ours, theirs):
        layer.build(x.shape)
    theirs.set_weights([np.random.default_rng(k).normal(size=w.shape) for k, w in enumerate(theirs.get_weights())])
    ours.set_weights(theirs.get_weights())
    slopes = []
    for layer in (ours, theirs):
        with tf.GradientTape() as tape:
            tape.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                found = layer(x, mask=mask)
                total = tf.reduce_sum(found[0] ** 2)
            slope = inner.gradient(total, x)
            square = tf.reduce_sum(slope**2)
        slopes.append([*found, slope, tape.gradient(square, x)])
    for one, other in zip(*slopes, strict=True):  # sequence, both states, gradient, gradient of its square
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    assert np.abs(slopes[0][-1]).max() > 0.1


@pytest.mark.parametrize("cell", CELLS)
def test_dilation_goes_over_every_second_step(cell):
    """A layer dilated by 2 does to even and to odd steps what it does to a series of these alone."""
    x = np.random.default_rng(0).normal(size=(3, 7, 4)).astype(np.float32)
    layer = CELLS[cell](6, 4, "recurrent_1")
    whole = np.array(recurrence._dilated(layer, tf.constant(x), None, 2))
    even, odd = np.array(layer(x[:, ::2])), np.array(layer(np.pad(x[:, 1::2], ((0, 0), (0, 1), (0, 0)))))
    assert whole[:, ::2] == pytest.approx(even, abs=1e-6)
    assert whole[:, 1::2] == pytest.approx(odd[:, :3], abs=1e-6)


@pytest.mark.parametrize(
    "settings", [{"generator": "causal"}, *({"g_cell": c, "num_layers": 2, "dilation": 2} for c in CELLS)]
)
def test_no_step_moves_an_earlier_one(settings):
    shape = Shape(7, 2)
    config = train_config(**TINY, **settings)
    model = GENERATORS[config.generator](shape, config)
    noise = np.random.default_rng(1).normal(size=(1, 7, 3)).astype(np.float32)
    moved = noise.copy()
    moved[:, 3] += 1
    found = np.abs(model({"noise": noise}).numpy() - model({"noise": moved}).numpy())[0].max(1)
    assert (found[:3] == 0).all() and found[3] > 0 and found[-1] > 0


@pytest.mark.parametrize("cell", CELLS)
def test_backwards_is_forwards_on_the_reversed_series(cell):
    from keras import layers

    x = np.random.default_rng(0).normal(size=(3, 5, 4)).astype(np.float32)
    layer = layers.Bidirectional(CELLS[cell](6, 5, "cell"))
    both = np.array(layer(x))
    kernel, *rest = layer.backward_layer.get_weights()
    rest = [rest[0][::-1]] if cell == "mingru" else rest  # its bias stays with its step
    layer.forward_layer.set_weights([kernel, *rest])
    forwards = np.array(layer(x[:, ::-1]))[:, :, :6]
    assert both[:, :, 6:] == pytest.approx(forwards[:, ::-1], abs=1e-6)


def test_state_alone_goes_on():
    """With `state`, the series depends on noise through the last state: all its steps move together."""
    model = GENERATORS["state"](Shape(7, 2), train_config(generator="state", **TINY))
    noise = np.random.default_rng(1).normal(size=(1, 7, 3)).astype(np.float32)
    moved = noise.copy()
    moved[:, -1] += 1
    assert (np.abs(model({"noise": noise}).numpy() - model({"noise": moved}).numpy())[0].max(1) > 0).all()


@pytest.mark.parametrize("generator", ["dense", "encoder_decoder", "causal"])
def test_coarse_series_are_constant_over_their_steps(generator):
    config = train_config(generator=generator, multi_scale=2, **TINY)
    model = GENERATORS[generator](Shape(7, 2), config)
    made = model({"noise": np.random.default_rng(1).normal(size=(3, 7, 3)).astype(np.float32)}).numpy()
    assert made.shape == (3, 7, 6)
    assert (made[:, [0, 2, 4], 2:4] == made[:, [1, 3, 5], 2:4]).all() and (
        made[:, [0, 1, 2], 4:] == made[:, [3, 3, 3], 4:]
    ).all()
    assert np.abs(made[:, 0, 2:4] - made[:, 2, 2:4]).max() > 0
