"""Processors: threads of one device, and several devices for one training step."""

import json
import os


def strategy(num_devices):
    """How a step is spread over devices: None for one, else a strategy that keeps equal copies of all weights.

    GPUs are used where there are any, else TensorFlow's logical CPU devices. Where TF_CONFIG names several machines,
    `num_devices` counts the devices of all; this is experimental, and each machine keeps a whole run of its own.
    Raises: ValueError: fewer devices than asked for, or not as many as all machines have.
    """
    if num_devices == 1:
        return None
    import tensorflow as tf

    machines = json.loads(os.environ.get("TF_CONFIG") or "{}").get("cluster", {}).get("worker", [])
    if len(machines) > 1:
        everywhere = tf.distribute.MultiWorkerMirroredStrategy()  # waits until all have come
        if everywhere.num_replicas_in_sync != num_devices:
            raise ValueError(
                f"num_devices is {num_devices}, but the {len(machines)} machines in TF_CONFIG have "
                f"{everywhere.num_replicas_in_sync} devices in all; give that number."
            )
        return everywhere
    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    found = [device.name for device in tf.config.list_logical_devices(kind)]
    if len(found) < num_devices:
        raise ValueError(
            f"num_devices is {num_devices}, but TensorFlow sees {len(found)}: {', '.join(found)}. Lower it, or let it "
            "see more (CUDA_VISIBLE_DEVICES)."
        )
    return tf.distribute.MirroredStrategy(found[:num_devices])


def require_same_step(strategy, step):
    """Refuse to begin where several machines would go on from unequal steps.

    Raises: ValueError: on each of them.
    """
    import tensorflow as tf

    own = strategy.run(lambda: tf.constant([step]))
    found = strategy.gather(own, axis=0).numpy().tolist()
    if len(set(found)) > 1:
        raise ValueError(f"the machines stand at the steps {found}; give each a copy of the same run's folder.")


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
