"""One product of two large float32 matrices in TensorFlow: the rate that the machine can reach."""

import tensorflow as tf

from benchmarks.peers import worker

SIDE = 1024


def build():
    left, right = tf.random.normal((2, SIDE, SIDE))
    return {"system": f"TensorFlow {tf.__version__}"}, lambda x, y, number: tf.matmul(left, right), None


if __name__ == "__main__":
    worker.serve(build)
