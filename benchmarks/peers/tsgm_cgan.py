"""tsgm's conditional GAN class with the task's networks: its own `train_step`, compiled once as a graph.

It draws one noise vector per series and appends the label; the generator cuts that into steps. It repeats labels for
the discriminator in an order that mixes series, which does not change the arithmetic.
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import tensorflow as tf
import tsgm
from keras import layers, ops

from benchmarks.peers import keras_layers, worker


def loss(targets, logits):
    """Logistic loss of `(batch, 1)` targets and `(batch, steps)` logits; Keras's own wants equal shapes."""
    return ops.mean(ops.softplus(logits) - targets * logits)


def networks():
    size = worker.SEQ_LEN * worker.NOISE
    vector = layers.Input((size + worker.CLASSES,))
    noise = ops.reshape(vector[:, :size], (-1, worker.SEQ_LEN, worker.NOISE))
    generator = keras.Model(vector, keras_layers.series(noise, vector[:, size:]))
    series = layers.Input((worker.SEQ_LEN, worker.FEATURES + worker.CLASSES))
    return generator, keras.Model(series, keras_layers.logits(series)), size


def build():
    generator, discriminator, size = networks()
    gan = tsgm.models.cgan.ConditionalGAN(discriminator, generator, latent_dim=size)
    optimizers = [keras.optimizers.Adam(worker.RATE) for _ in range(2)]
    gan.compile(*optimizers, loss_fn=loss)
    for optimizer, network in zip(optimizers, (discriminator, generator), strict=True):
        optimizer.build(network.trainable_variables)
    train_step = tf.function(gan.train_step)

    def step(x, y, number):
        train_step((tf.constant(x), tf.constant(worker.one_hot(y))))

    def probe():
        for network, values in zip((generator, discriminator), worker.weights(), strict=True):
            network.set_weights(values)
        noise, y = worker.probe_inputs()
        label = worker.one_hot(y)
        made = generator(ops.concatenate([ops.reshape(noise, (worker.BATCH, -1)), label], 1))
        return discriminator(keras_layers.beside(made, label))

    facts = {"parameters": [generator.count_params(), discriminator.count_params()]}
    return facts | {"system": f"tsgm {tsgm.__version__}, TensorFlow {tf.__version__}"}, step, probe


if __name__ == "__main__":
    worker.serve(build)
