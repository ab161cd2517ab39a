"""Which settings of a training make no sense together, and which go well together: the recipes."""


def senseless(c):
    """Combinations of settings that cannot work, each with what to do instead."""
    soft = c.label_smoothing or c.label_smoothing_std
    yield (
        soft and c.loss in ("hinge", "wasserstein"),
        f"label_smoothing softens targets, and the {c.loss} loss has none; take loss logistic, or set label_smoothing "
        "and label_smoothing_std to 0.",
    )
    yield (
        soft and c.label_smoothing_sides == "two" and c.loss == "relativistic",
        "the relativistic loss has one target, for real against fake; set label_smoothing_sides to one.",
    )
    yield (
        c.loss == "wasserstein" and not c.gradient_penalty and not c.spectral_norm,
        "the wasserstein loss has no bound by itself; set gradient_penalty (10 in its paper) or spectral_norm.",
    )
    yield (
        c.balance == "loss" and c.loss == "wasserstein",
        "the wasserstein loss has no known value at balance; set balance to gradient.",
    )
    parts = c.shards * c.num_devices
    yield (
        c.batch_size % parts,
        f"batch_size {c.batch_size} cannot be cut into {parts} equal parts (shards x num_devices).",
    )
    yield (
        c.multi_scale and "rcgan_v4" in (c.generator, c.discriminator),
        "rcgan_v4 makes and judges one resolution; set multi_scale to 0 or take other networks.",
    )
    yield (
        c.noise_hold != 1 and c.generator == "rcgan_v4",
        "rcgan_v4 has one noise vector anyway; leave noise_hold at 1.",
    )
    alone = c.loss in ("relativistic", "logistic") and not c.gradient_penalty
    alone = alone and not c.minibatch_deviation and c.d_condition != "classifier"
    yield (
        c.shared_forward and not alone,
        "shared_forward needs logits that depend on no other series: loss relativistic or logistic, d_condition "
        "projection or embedding, and neither minibatch_deviation nor gradient_penalty.",
    )


def unprotected(c):
    """Combinations that let a training series past the clipping and the noise of dp_noise, each with what to do."""
    yield (
        c.loss == "relativistic",
        "dp_noise: the relativistic loss shows the generator real series, without noise; set loss to logistic.",
    )
    yield (
        c.minibatch_deviation or c.discriminator == "rcgan_v4",
        "dp_noise: every series must be judged alone; set minibatch_deviation to False, and take another discriminator "
        "than rcgan_v4, which normalises over the batch.",
    )
    yield (
        c.shared_forward or c.shards * c.num_devices > 1,
        "dp_noise: gradients are clipped one series at a time, on one device; set shared_forward to False, shards and "
        "num_devices to 1.",
    )
    yield (
        c.balance == "loss" or c.stop_on == "loss_ratio",
        "dp_noise: the losses of real series carry no noise, so that nothing may follow them; set balance and stop_on "
        "to gradient, or leave them empty.",
    )
    yield (
        c.start_from,
        "dp_noise: the weights of another run may have seen these series; leave start_from empty, or use resume.",
    )


# Esteban et al. 2017, arXiv:1706.02633, and its code's settings for MNIST: Adam at 1e-3 for the generator, plain
# gradient descent at 0.1 for the discriminator, 100 units, batches of 28, a logit per step. We keep one discriminator
# update per generator update (theirs: 1 to 2).
# clinical was found on the validation part of physionet2012: patients differ more from each other than hours do, so one
# noise vector stands for a whole series, a dense decoder makes it, and the discriminator sees how much those of a batch
# differ.
RECIPES = {
    "stable": {},
    "clinical": {
        "generator": "state",
        "g_cell": "mingru",
        "noise_hold": 0,
        "latent_dim": 32,
        "discriminator": "encoder",
        "minibatch_deviation": True,
        "hidden_units": 128,
        "batch_size": 64,
        "learning_rate": 2e-3,
        "r1_weight": 1.0,
        "r2_weight": 1.0,
        "instance_noise": 0.05,
        "steps": 4000,
    },
    "esteban": {
        "generator": "plain",
        "discriminator": "per_step",
        "d_bidirectional": False,
        "d_condition": "embedding",
        "latent_dim": 5,
        "hidden_units": 100,
        "batch_size": 28,
        "d_optimizer": "sgd",
        "learning_rate": 0.1,
        "g_factor": 0.01,
        "beta_1": 0.9,
        "beta_2": 0.999,
        "loss": "logistic",
        "r1_weight": 0.0,
        "r2_weight": 0.0,
        "instance_noise": 0.0,
        "average_decay": 0.0,
    },
}
