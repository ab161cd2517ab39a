"""The run as TensorBoard shows it: metrics, sheets of samples, histograms, settings."""

from rcgan_nb.archive import events


class TensorBoard:
    """Write RUN/tensorboard: scalars at logged steps, the newest sheet at its own, histograms with rows of watch.csv.

    Histograms are of every weight and of its mean change per step since the last one (in this process). Gradients stay
    inside the compiled step, only their norms leave it; those stand among the scalars.
    """

    def __init__(self, loop):
        import tensorflow as tf

        self.folder = loop.run.folder("tensorboard")
        events.rewind(self.folder, loop.step)
        new = not any(self.folder.iterdir())
        self.writer = tf.summary.create_file_writer(str(self.folder))
        self.before = {}
        if new:
            with self.writer.as_default(step=loop.step):
                lines = [f"| {name} | {value} |" for name, value in loop.config.to_dict().items()]
                tf.summary.text("settings", "\n".join(["| setting | value |", "|---|---|", *lines]))
        self.writer.flush()

    def __call__(self, loop):
        import tensorflow as tf

        with self.writer.as_default(step=loop.step):
            for name, value in loop.metrics.items():
                tf.summary.scalar(name, value)
            sheet = loop.run.path / "samples" / f"step-{loop.step:07d}.png"
            if sheet.exists():
                tf.summary.image("samples", tf.io.decode_png(sheet.read_bytes(), channels=3)[None])
            if loop.step % loop.config.watch_every == 0 or loop.last:
                self._histograms(loop)
        if loop.metrics or loop.last:
            self.writer.flush()  # what a checkpoint knows of is on disk before it

    def _histograms(self, loop):
        import tensorflow as tf

        weights = {}
        for player in (loop.gan.discriminator, loop.gan.generator):
            weights |= {f"{player.name}/{v.path}": v.numpy() for v in player.trainable_variables}
        for name, value in weights.items():
            tf.summary.histogram(f"weights/{name}", value)
            if self.before:
                step, old = self.before
                tf.summary.histogram(f"changes/{name}", (value - old[name]) / (loop.step - step))
        self.before = loop.step, weights
