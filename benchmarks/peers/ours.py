"""This project: `RCGAN.train_step`. The only module here that knows the library."""

import tensorflow as tf

from benchmarks.peers import worker
from rcgan_nb.config import train_config
from rcgan_nb.gan import RCGAN
from rcgan_nb.networks import Shape


def build(config, shape=(worker.SEQ_LEN, worker.FEATURES), intra_op=0, inter_op=0):
    tf.config.threading.set_intra_op_parallelism_threads(intra_op)  # 0 leaves the choice to TensorFlow
    tf.config.threading.set_inter_op_parallelism_threads(inter_op)
    config = train_config(**config)
    gan = RCGAN(config, Shape(*shape, worker.CLASSES))

    def step(x, y, number):
        size = config.batch_size  # the default's is smaller
        gan.train_step(x[None, :size], {"label": y[None, :size]}, number)

    def probe():
        for network, values in zip((gan.generator, gan.discriminator), worker.weights(), strict=True):
            network.set_weights(values)
        noise, label = map(tf.constant, worker.probe_inputs())
        series = gan.generator({"noise": noise, "label": label})
        return gan.discriminator({"series": series, "label": label})["logits"]

    networks = [gan.generator.count_params(), gan.discriminator.count_params()]
    return {"parameters": networks, "system": f"TensorFlow {tf.__version__}"}, step, probe


if __name__ == "__main__":
    worker.serve(build)
