"""Generators and discriminators by name: Keras Functional models. A new network is a function and a line here.

Every function takes (seq_len, num_features, num_classes, config) and returns a model. Generators map noise
`(batch, seq_len, latent_dim)` to series in [-1, 1]; discriminators map series to logits, real is 1. With num_classes
above 0 the label, int32 `(batch,)`, is a second input.
"""

from rcgan_nb.networks import discriminators, generators

GENERATORS = {"lstm_dense": generators.lstm_dense, "lstm_plain": generators.lstm_plain}
DISCRIMINATORS = {"bilstm_pool": discriminators.bilstm_pool, "lstm_per_step": discriminators.lstm_per_step}
