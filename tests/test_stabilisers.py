"""Every remedy by value: alone against numbers worked out by hand, and inside a training step by what it changes."""

import numpy as np
import pytest
import tensorflow as tf

from rcgan_nb import stabilisers
from rcgan_nb.config import train_config
from rcgan_nb.gan import RCGAN
from rcgan_nb.networks import Shape

PLAIN = {"loss": "logistic", "r1_weight": 0.0, "r2_weight": 0.0, "instance_noise": 0.0, "average_decay": 0.0}
TINY = {"hidden_units": 6, "latent_dim": 3, "batch_size": 4}


@pytest.fixture(autouse=True)
def eagerly():
    """Tracing a training step takes longer than a few tiny steps."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def tiny(**settings):
    return RCGAN(train_config(**(TINY | PLAIN | settings)), Shape(5, 2, 3))


def batch(seed=0, d_steps=1):
    random = np.random.default_rng(seed)
    x = random.uniform(-1, 1, (d_steps, 4, 5, 2)).astype(np.float32)
    return x, {"label": random.integers(0, 3, (d_steps, 4)).astype(np.int32)}


def stepped(steps=1, **settings):
    """A network after some steps, and the last step's metrics."""
    gan = tiny(**settings)
    for step in range(1, steps + 1):
        metrics = gan.train_step(*batch(step, settings.get("d_steps", 1)), np.int32(step))
    return gan, {name: float(v) for name, v in metrics.items()}


def weights(gan):
    return np.concatenate([w.ravel() for w in gan.generator.get_weights() + gan.discriminator.get_weights()])


def test_gradient_penalties_of_a_known_function():
    x = tf.constant(np.arange(30.0).reshape(3, 5, 2), tf.float32)
    squares = (4 * x.numpy() ** 2).sum((1, 2))  # gradient of x squared: 2x
    for penalty, expected in (
        (stabilisers.gradient_penalty, squares.mean()),
        (stabilisers.one_norm_penalty, ((np.sqrt(squares) - 1) ** 2).mean()),
    ):
        with tf.GradientTape() as tape:
            tape.watch(x)
            logits = tf.reduce_sum(x**2, axis=(1, 2))
        assert float(penalty(logits, x, tape)) == pytest.approx(expected, rel=1e-5)


def test_penalties_weigh_as_said():
    """Half of r1_weight times R1, the whole of gradient_penalty: the step's gradient is that of the sum."""
    norms = {}
    for weight in (0.0, 1.0, 2.0):
        gan, _ = stepped(d_optimizer="sgd", learning_rate=1.0, g_factor=0.0, r1_weight=weight)
        norms[weight] = np.concatenate([w.ravel() for w in gan.discriminator.get_weights()])
    assert norms[2.0] - norms[0.0] == pytest.approx(2 * (norms[1.0] - norms[0.0]), rel=1e-2, abs=1e-6)
    assert np.abs(norms[1.0] - norms[0.0]).max() > 1e-4


def test_gradient_penalty_is_applied_every_k_steps_and_rescaled():
    seldom, metrics = stepped(steps=2, gradient_penalty=10.0, penalty_every=2)
    assert metrics["penalty"] > 0
    gan = tiny(gradient_penalty=10.0, penalty_every=2)
    assert float(gan.train_step(*batch(1), np.int32(1))["penalty"]) == 0
    alike = [
        stepped(r1_weight=2.0, d_optimizer="sgd", learning_rate=0.1, g_factor=0.0)[0],
        tiny(r1_weight=1.0, penalty_every=2, d_optimizer="sgd", learning_rate=0.1, g_factor=0.0),
    ]
    alike[1].train_step(*batch(1), np.int32(2))
    gan = tiny(r1_weight=2.0, d_optimizer="sgd", learning_rate=0.1, g_factor=0.0)
    gan.train_step(*batch(1), np.int32(2))
    assert weights(alike[1]) == pytest.approx(weights(gan), abs=1e-6)  # weight 1 every second step is weight 2 now


def test_targets_by_hand():
    def normal(k):
        return tf.constant([[0.0, 1.0, -50.0], [2.0, 0.0, 50.0]][k])

    def found(**settings):
        return [np.array(t) for t in stabilisers.targets(train_config(loss="logistic", **settings), normal)]

    assert found() == [1.0, 0.0]
    assert found(label_smoothing=0.1) == [0.9, 0.0]
    assert found(label_smoothing=0.1, label_smoothing_sides="two") == [0.9, 0.1]
    real, fake = found(label_smoothing=0.1, label_smoothing_std=0.05)
    assert real == pytest.approx([0.9, 0.85, 1.0]) and fake == 0.0
    real, fake = found(label_smoothing=0.1, label_smoothing_std=0.05, label_smoothing_sides="two")
    assert fake == pytest.approx([0.2, 0.1, 1.0])


def test_normal_targets_are_drawn_anew_in_each_batch():
    gan = tiny(label_smoothing=0.2, label_smoothing_std=0.1)
    first, second = (gan._batch(tf.zeros((4, 5, 2)), {}, tf.constant(s), 0)["targets"][0].numpy() for s in (1, 2))
    assert len(set(first)) == 4 and np.abs(first - second).min() > 1e-6


@pytest.mark.parametrize(
    "settings", [{"label_smoothing": 0.2}, {"label_smoothing": 0.2, "label_smoothing_sides": "two"}]
)
def test_smoothing_moves_the_discriminators_loss_and_not_the_generators(settings):
    """With nobody moving, so that the generator meets the same discriminator."""
    soft, hard = (stepped(learning_rate=0.0, **given)[1] for given in (settings, {}))
    assert soft["d_loss"] != hard["d_loss"] and soft["g_loss"] == hard["g_loss"] and soft["g_grad"] == hard["g_grad"]


def test_noise_falls_to_nothing():
    config = train_config(instance_noise=0.4, instance_noise_until=200)
    levels = [float(stabilisers.noise_level(config, tf.constant(s))) for s in (0, 50, 200, 300)]
    assert levels == pytest.approx([0.4, 0.3, 0.0, 0.0])
    assert stabilisers.noise_level(train_config(instance_noise=0.4), tf.constant(50)) == 0.4


def test_noise_is_on_real_and_fake_series():
    gan = tiny(instance_noise=0.5)
    made = gan._batch(tf.zeros((4, 5, 2)), {}, tf.constant(1), 0)
    assert np.std(made["real"]) == pytest.approx(0.5, rel=0.4) and np.std(made["blur"]) == pytest.approx(0.5, rel=0.4)
    assert np.abs(made["real"] - made["blur"]).min() > 0


def test_average_follows():
    average, variable = tf.Variable([0.0]), tf.Variable([1.0])
    stabilisers.follow([average], [variable], 0.9, tf.constant(1000))
    assert average.numpy() == pytest.approx([0.1])
    stabilisers.follow([average], [variable], 0.999, tf.constant(0))  # at first quickly: decay (1 + 0) / (10 + 0)
    assert average.numpy() == pytest.approx([0.1 * 0.1 + 0.9])


def test_clipping_by_hand():
    gradients = [tf.constant([3.0]), tf.constant([[0.0, 4.0]])]
    assert [g.numpy().tolist() for g in stabilisers.clipped(gradients, 10.0)] == [[3.0], [[0.0, 4.0]]]
    assert np.concatenate([g.numpy().ravel() for g in stabilisers.clipped(gradients, 1.0)]) == pytest.approx(
        [0.6, 0, 0.8]
    )


def test_clipping_bounds_the_step():
    gan = tiny(clip_norm=1e-3, d_optimizer="sgd", learning_rate=1.0)
    before = np.concatenate([w.ravel() for w in gan.discriminator.get_weights()])
    metrics = gan.train_step(*batch(), np.int32(1))
    after = np.concatenate([w.ravel() for w in gan.discriminator.get_weights()])
    assert float(metrics["d_grad"]) > 1e-3  # as it was before it was clipped
    assert np.linalg.norm(after - before) == pytest.approx(1e-3, rel=1e-3)


def test_spectral_norm_finds_the_largest_singular_value():
    random = np.random.default_rng(0)
    kernels = [tf.Variable(random.normal(size=s).astype(np.float32)) for s in ((7, 4), (4,), (3, 2, 5))]
    norm = stabilisers.SpectralNorm(kernels, seed=0)
    for _ in range(100):
        norm.improve()
    first, bias, third = norm.weights(kernels)
    assert first.numpy() == pytest.approx(kernels[0].numpy() / np.linalg.norm(kernels[0].numpy(), 2), rel=1e-4)
    assert (bias.numpy() == kernels[1].numpy()).all()
    assert np.linalg.norm(third.numpy().reshape(-1, 5), 2) == pytest.approx(1, rel=1e-4)


@pytest.mark.parametrize("where,changed", [("discriminator", [True, False]), ("both", [True, True])])
def test_spectral_norm_makes_the_networks_indifferent_to_the_size_of_kernels(where, changed):
    """Doubling all kernels changes nothing where they are normalised; stored kernels stay as they are."""
    gan = tiny(spectral_norm=where)
    noise = gan.noise(3, seed=1)
    x, label = batch()[0][0], {"label": np.array([0, 1, 2, 0], np.int32)}

    def said():
        judged = gan._judge(tf.constant(x), {"conditions": {k: tf.constant(v) for k, v in label.items()}})[
            "logits"
        ].numpy()
        return judged, gan.generate(noise, {"label": np.array([0, 1, 2], np.int32)})

    before = said()
    for model in (gan.discriminator, gan.generator):
        for w in model.trainable_variables:
            if len(w.shape) > 1:
                w.assign(2 * w)
    after = said()
    assert after[0] == pytest.approx(before[0], abs=1e-5)
    assert (np.abs(after[1] - before[1]).max() < 1e-5) == changed[1]


def test_minibatch_deviation_by_hand():
    from rcgan_nb.networks.blocks import deviation

    hidden = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
    expected = np.sqrt(hidden.var(0) + 1e-8).mean()
    assert np.array(deviation(tf.constant(hidden)))[:, -1] == pytest.approx([expected] * 4, rel=1e-5)
    assert np.array(deviation(tf.constant(np.repeat(hidden[:1], 4, 0))))[:, -1] == pytest.approx([1e-4] * 4, rel=1e-3)


def test_minibatch_deviation_lets_series_of_a_batch_see_each_other():
    for on in (True, False):
        gan = tiny(minibatch_deviation=on, d_condition="embedding")
        inputs = {"series": batch()[0][0], "label": np.array([0, 1, 2, 0], np.int32)}
        alone = gan.discriminator({k: v[:2] for k, v in inputs.items()})["logits"].numpy()
        together = gan.discriminator(inputs)["logits"].numpy()[:2]
        assert (np.abs(alone - together).max() > 1e-7) == on


def test_pyramid_by_hand():
    x = np.arange(14.0, dtype=np.float32).reshape(1, 7, 2)
    made = stabilisers.pyramid(tf.constant(x), 2).numpy()
    assert (made[:, :, :2] == x).all()
    assert made[0, :, 2].tolist() == [1, 1, 5, 5, 9, 9, 12]
    assert made[0, :, 4].tolist() == [3, 3, 3, 3, 10, 10, 10]


def test_multi_scale_is_seen_by_the_discriminator():
    gan, metrics = stepped(multi_scale=1)
    seen = {given.name: given.shape for given in gan.discriminator.inputs}["series"]
    assert seen[-1] == 4 and metrics["g_grad/series_1"] > 0
    assert gan.generate(gan.noise(3, 0), {"label": np.zeros(3, np.int32)}).shape == (3, 5, 2)


def test_separate_rates():
    for factor in (0.0, 1.0):
        gan, metrics = stepped(g_factor=factor)
        assert metrics["d_update"] > 0 and (metrics["g_update"] > 0) == (factor > 0)


@pytest.mark.parametrize("kind", ["loss", "gradient"])
def test_balance_helps_who_falls_behind(kind):
    import keras

    behind = {"d_loss": tf.constant(0.1), "d_grad": tf.constant(3.0), "g_grad": tf.constant(1.0)}
    ahead = {"d_loss": tf.constant(3.0), "d_grad": tf.constant(1.0), "g_grad": tf.constant(3.0)}
    for metrics, more in ((behind, True), (ahead, False)):
        balance, optimizer = stabilisers.Balance(kind, 0.002, 1.386), keras.optimizers.SGD(0.002)
        for _ in range(3):
            balance.turn(metrics, optimizer)
        assert (float(balance.factor) > 1.001) == more and (float(balance.factor) < 0.999) != more
        assert float(optimizer.learning_rate) == pytest.approx(0.002 * float(balance.factor))
        for _ in range(600):
            balance.turn(metrics, optimizer)
        assert float(balance.factor) == pytest.approx(10 if more else 0.1)  # and never further


def test_balance_by_hand():
    import keras

    balance, optimizer = stabilisers.Balance("gradient", 1.0, 1.386), keras.optimizers.SGD(1.0)
    balance.turn({"d_grad": tf.constant(2.0), "g_grad": tf.constant(1.0)}, optimizer)
    assert float(balance.factor) == pytest.approx(np.exp(0.01 * 0.05 * np.log(2)))


def test_shards_change_nothing_but_rounding():
    plain = {"d_optimizer": "sgd", "learning_rate": 0.5, "g_factor": 0.0, "r1_weight": 1.0, "instance_noise": 0.1}
    (whole, one), (cut, two) = (stepped(shards=n, **plain) for n in (1, 2))
    assert weights(cut) == pytest.approx(weights(whole), abs=1e-6)
    assert two["g_loss"] == pytest.approx(one["g_loss"]) and two["g_grad"] == pytest.approx(one["g_grad"], rel=1e-4)


@pytest.mark.parametrize("loss", ["logistic", "relativistic"])
@pytest.mark.parametrize("r2_weight", [0.0, 1.0])
@pytest.mark.parametrize("discriminator", ["pool", "per_step"])
def test_shared_pass_gives_both_players_their_own_gradient(loss, discriminator, r2_weight):
    """Computed at once, each player's gradient is what it would be by itself with the same fakes."""
    gan = tiny(
        loss=loss,
        discriminator=discriminator,
        r2_weight=r2_weight,
        r1_weight=0.5,
        instance_noise=0.1,
        shared_forward=True,
    )
    x, conditions = batch()
    made = gan._batch(tf.constant(x[0]), {k: tf.constant(v[0]) for k, v in conditions.items()}, tf.constant(1), 0)
    (both_d, both_g), metrics = gan._shared_gradients(made, True)
    (of_d,), alone_d = gan._d_gradients(made, True)
    (of_g,), alone_g = gan._g_gradients(made)
    for pair in (*zip(both_d, of_d, strict=True), *zip(both_g, of_g, strict=True)):
        one, other = (tf.convert_to_tensor(g).numpy() for g in pair)
        assert one == pytest.approx(other, rel=1e-3, abs=1e-6)
    for name, value in (alone_d | alone_g).items():
        assert float(metrics[name]) == pytest.approx(float(value), rel=1e-5)


def test_auxiliary_classifier_learns_the_classes():
    gan = tiny(d_condition="classifier", learning_rate=0.03, g_factor=0.0)
    losses = [float(gan.train_step(*batch(), np.int32(s))["d_classes"]) for s in range(1, 20)]
    assert losses[-1] < losses[0] - 0.3


def test_no_network_takes_a_fused_kernel():
    """They have no second derivative, which penalties need; so none is ever used, on a GPU neither."""
    from rcgan_nb.config import CELL_NAMES, DISCRIMINATOR_NAMES, GENERATOR_NAMES
    from rcgan_nb.networks import DISCRIMINATORS, GENERATORS

    def cells(model):
        for layer in model._flatten_layers():
            if hasattr(layer, "use_cudnn"):
                yield layer

    for cell in CELL_NAMES:
        for table, names, key in ((GENERATORS, GENERATOR_NAMES, "g"), (DISCRIMINATORS, DISCRIMINATOR_NAMES, "d")):
            for name in names:
                config = train_config(**{f"{key}_cell": cell}, d_condition="classifier", **TINY)
                model = table[name](Shape(5, 2, 3), config)
                assert all(layer.use_cudnn is False for layer in cells(model)), name
