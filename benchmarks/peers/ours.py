"""This project: `RCGAN.train_step`. The only module here that knows the library."""

import tensorflow as tf

from benchmarks.peers import worker
from rcgan_nb.config import train_config
from rcgan_nb.gan import RCGAN


def build(config, shape=(worker.SEQ_LEN, worker.FEATURES), intra_op=0, inter_op=0):
    tf.config.threading.set_intra_op_parallelism_threads(intra_op)  # 0 leaves the choice to TensorFlow
    tf.config.threading.set_inter_op_parallelism_threads(inter_op)
    config = train_config(**config)
    gan = RCGAN(config, *shape, worker.CLASSES)

    def step(x, y, number):
        size = config.batch_size  # the default's is smaller
        gan.train_step(x[None, :size], y[None, :size], tf.constant(number))

    def probe():
        for network, values in zip((gan.generator, gan.discriminator), worker.weights(), strict=True):
            network.set_weights(values)
        noise, label = map(tf.constant, worker.probe_inputs())
        return gan.discriminator([gan.generator([noise, label]), label])

    networks = [gan.generator.count_params(), gan.discriminator.count_params()]
    return {"parameters": networks, "system": f"TensorFlow {tf.__version__}"}, step, probe


if __name__ == "__main__":
    worker.serve(build)
