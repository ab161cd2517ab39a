"""Generators and discriminators by name: Keras Functional models. A new network is a function and a line here.

Every function takes (shape, config), a `Shape` and a `TrainConfig`, and returns a model. Inputs are a dict: "noise"
`(batch, seq_len, latent_dim)` for a generator, "series" `(batch, seq_len, num_features)` for a discriminator, and
beside it the conditions that the shape names: "label" int32 `(batch,)`, "static" `(batch, num_static)`, "condition"
`(batch, seq_len, num_conditions)`. A generator returns series in [-1, 1]; a discriminator a dict (`blocks.verdict`).
"""

from rcgan_nb.networks import ancestor, discriminators, generators
from rcgan_nb.networks.blocks import CELLS, Shape

GENERATORS = {
    "dense": generators.dense,
    "plain": generators.plain,
    "state": generators.state,
    "conv": generators.conv,
    "encoder_decoder": generators.encoder_decoder,
    "causal": generators.causal,
    "rcgan_v4": ancestor.generator,
}
DISCRIMINATORS = {
    "pool": discriminators.pool,
    "per_step": discriminators.per_step,
    "state": discriminators.state,
    "conv": discriminators.conv,
    "encoder": discriminators.encoder,
    "causal": discriminators.causal,
    "rcgan_v4": ancestor.discriminator,
}
__all__ = ["CELLS", "DISCRIMINATORS", "GENERATORS", "Shape"]
