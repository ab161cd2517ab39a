"""Processors: threads of one device, and several devices for one training step."""


def strategy(num_devices):
    """How a step is spread over devices: None for one, else a strategy that keeps equal copies of all weights.

    GPUs are used where there are any, else TensorFlow's logical CPU devices.
    Raises: ValueError: fewer devices than asked for.
    """
    if num_devices == 1:
        return None
    import tensorflow as tf

    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    found = [device.name for device in tf.config.list_logical_devices(kind)]
    if len(found) < num_devices:
        raise ValueError(
            f"num_devices is {num_devices}, but TensorFlow sees {len(found)}: {', '.join(found)}. Lower it, or let it "
            "see more (CUDA_VISIBLE_DEVICES)."
        )
    return tf.distribute.MirroredStrategy(found[:num_devices])


def limit_threads(count):
    """Compute each operation on so many threads, 0 on as many as TensorFlow likes; several still run at a time.

    A recurrent step is made of small products, for which threads of one operation wait more than they work. The number
    also decides the last bits of results. It can be set before TensorFlow's first operation only.
    """
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(count)
    except RuntimeError:
        print(f"TensorFlow is at work already; op_threads {count} counts in a new process only.")
