"""TensorBoard's event files of a run: cut off after a step, or joined."""

import os
import tempfile
from pathlib import Path


def rewind(folder, step):
    """Leave out events after `step` from what earlier processes wrote: they come again. A file cut short ends there."""
    for path in sorted(Path(folder).glob("events*")):
        _rewrite(path, path, lambda event: event.step <= step)


def join(pieces, folder):
    """Write the events of one run that lie within its pieces (see merging.py), from the first copy that has any."""
    for source in dict.fromkeys(source for piece in pieces for source in piece.sources):
        names = [n for n in source.sizes if n.startswith("tensorboard/events")]
        for name in names:
            folder.mkdir(exist_ok=True)
            with tempfile.NamedTemporaryFile() as file:
                file.write(source.read(name))
                file.flush()
                _rewrite(file.name, folder / Path(name).name, _within(pieces, source))
        if names:
            return


def _within(pieces, source):
    """Whether an event is of these pieces, as far as a copy has them; those of step 0 describe the file."""
    own = [piece for piece in pieces if source in piece.sources]
    return lambda event: not event.step or any(piece.holds(event.step, source) for piece in own)


def _rewrite(source, target, keep):
    import tensorflow as tf

    partial = Path(target).with_name("rewound.partial")
    with tf.io.TFRecordWriter(str(partial)) as writer:
        for record in records(source):
            if keep(tf.compat.v1.Event.FromString(record)):
                writer.write(record)
    os.replace(partial, target)


def records(path):
    """The serialised events of a file, up to where it was cut short."""
    import tensorflow as tf

    try:
        for record in tf.data.TFRecordDataset(str(path)):
            yield record.numpy()
    except tf.errors.DataLossError:
        return
