"""The classic Keras recipe: `generator.predict`, then three `train_on_batch`: real, fake, and both networks in a row.

The discriminator's Adam takes two steps, on real and on fake series, where the others take one on both; the products
are the same. `train_on_batch` compiles to a graph as usual; XLA is off, which is slower here and compiles for minutes.
"""

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from benchmarks.peers import keras_layers, worker


def compiled(inputs, outputs):
    model = keras.Model(inputs, outputs)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(worker.RATE), loss, jit_compile=False)
    return model


def build():
    noise = layers.Input((worker.SEQ_LEN, worker.NOISE))
    series = layers.Input((worker.SEQ_LEN, worker.FEATURES))
    label = layers.Input((worker.CLASSES,))
    generator = keras.Model([noise, label], keras_layers.series(noise, label))
    discriminator = compiled([series, label], keras_layers.logits(keras_layers.beside(series, label)))
    facts = {"parameters": [generator.count_params(), discriminator.count_params()]}
    ones, zeros = np.ones((worker.BATCH, worker.SEQ_LEN)), np.zeros((worker.BATCH, worker.SEQ_LEN))
    x, y = (values[0] for values in worker.batches(worker.SEQ_LEN, worker.FEATURES))
    # Keras 3 asks which weights are trained at the first batch, not in `compile`: train once before freezing.
    discriminator.train_on_batch([x, worker.one_hot(y)], ones)
    discriminator.trainable = False
    both = compiled([noise, label], discriminator([generator([noise, label]), label]))

    def draw():
        return np.random.standard_normal((worker.BATCH, worker.SEQ_LEN, worker.NOISE)).astype(np.float32)

    def step(x, y, number):
        label = worker.one_hot(y)
        fake = generator.predict([draw(), label], batch_size=worker.BATCH, verbose=0)
        discriminator.train_on_batch([x, label], ones)
        discriminator.train_on_batch([fake, label], zeros)
        both.train_on_batch([draw(), label], ones)

    def probe():
        check_freezing()
        for network, values in zip((generator, discriminator), worker.weights(), strict=True):
            network.set_weights(values)
        noise, classes = worker.probe_inputs()
        noise, label = tf.constant(noise), tf.constant(worker.one_hot(classes))
        return discriminator([generator([noise, label]), label])

    def check_freezing():
        """The third batch must move the generator alone, the first the discriminator alone."""
        label = worker.one_hot(y)
        assert moved(discriminator, lambda: discriminator.train_on_batch([x, label], ones))
        assert not moved(generator, lambda: discriminator.train_on_batch([x, label], ones))
        assert moved(generator, lambda: both.train_on_batch([draw(), label], ones))
        assert not moved(discriminator, lambda: both.train_on_batch([draw(), label], ones))

    return facts | {"system": f"Keras {keras.__version__}, TensorFlow {tf.__version__}"}, step, probe


def moved(network, action) -> bool:
    before = network.get_weights()
    action()
    return not all(map(np.array_equal, before, network.get_weights()))


if __name__ == "__main__":
    worker.serve(build)
