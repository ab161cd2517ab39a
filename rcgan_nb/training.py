"""The training loop."""

import contextlib
import dataclasses
import errno
import importlib.util
import signal
import threading
from pathlib import Path

import numpy as np

from rcgan_nb import accounting, devices, monitors, plots
from rcgan_nb.archive import checkpoint
from rcgan_nb.archive import run as archive
from rcgan_nb.config import TrainConfig, train_config
from rcgan_nb.data import FILES, load, tails
from rcgan_nb.data.batches import batches
from rcgan_nb.data.codec import Codec
from rcgan_nb.machine import gpus, news, preflight
from rcgan_nb.series import without_labels

# When a run goes on: what decides only how long it goes and what is seen of it, never a weight.
MAY_CHANGE = ("steps", "log_every", "sample_every", "checkpoint_every", "watch_every", "tensorboard")
MAY_CHANGE += ("stop_on", "stop_patience", "stop_limit", "devices", "gpu_memory", "preflight", "mail")
FEWEST = 6  # series in validation and test part: coverage looks at the five nearest others


def train(config: TrainConfig | None = None, *, show=None, **settings) -> archive.Run:
    """Train a recurrent (conditional) GAN and return its run's folder.

    Args:
        config: all settings; or give those that differ from the recipe as keywords, as in train(dataset="mnist").
        show: called with the loop after every step, in place of printed lines of progress (see `widgets.panel`).
    Raises: ValueError, FileNotFoundError: settings or data are not usable; nothing has been written then.
    Source: Esteban et al. 2017, arXiv:1706.02633, algorithm of section 3.
    """
    if config and settings:
        raise TypeError("give a config or single settings, not both.")
    if config is None:
        config = archive.continued(settings) if settings.get("resume") else train_config(**settings)
    news.require_way(config.mail)
    if config.preflight and not config.resume:
        config = preflight.preflight(config)
    gpus.see(config.devices, config.num_devices, config.gpu_memory)
    data = load(**config.load_arguments())
    if Path(config.dataset).suffix in FILES:  # so that it is found again from another folder
        config = dataclasses.replace(config, dataset=str(Path(config.dataset).expanduser().resolve()))
    scaler = tails.chosen(config.scaler, data)
    config = dataclasses.replace(config, model=_model(config, data), scaler=scaler)
    _check(config, data)
    devices.limit_threads(config.op_threads)
    loop = Loop(config, data)
    try:
        with _full_disk_explained(loop):
            _run(loop, show or monitors.Progress())
            archive.draw(loop.run)
    except KeyboardInterrupt as error:
        print(f"\n{error or 'stopped at once; the last checkpoint written stays'}", flush=True)
        loop.run.beat("interrupted", loop.step, **loop.clock.figures())
        raise
    except BaseException as error:
        loop.run.beat("failed", loop.step, error=repr(error), **loop.clock.figures())
        news.tell(loop.run, f"failed at step {loop.step}: {error}")
        raise
    loop.run.seal()
    loop.run.beat("finished", loop.step, reason=loop.ended, **loop.clock.figures())
    news.tell(loop.run, f"stopped early: {loop.ended}" if loop.ended else "finished")
    return loop.run


def _run(loop, show):
    """Every step, then all that watches it, until the steps are done, or something ends it before."""
    similarity = monitors.Similarity(loop)
    checkpoints = monitors.Checkpoints(loop, similarity)
    # In this order: those that write at the run's end are told of it first; a checkpoint comes after all it stands for.
    watchers = [monitors.EarlyStop(loop, similarity), monitors.Metrics(), similarity, monitors.Samples(loop)]
    watchers += [monitors.TensorBoard(loop)] if loop.config.tensorboard else []
    watchers += [checkpoints, show]
    with Stop() as stop:
        while not loop.last:
            loop.advance(loop.step + 1)
            for watch in watchers:
                with loop.clock.watch():
                    watch(loop)
            if stop.asked and not loop.last:
                checkpoints.keep(loop)
                raise KeyboardInterrupt(
                    f"stopped after step {loop.step}; the checkpoint is kept in {loop.run.path}. "
                    f"Go on with resume={loop.run.name!r}."
                )
    if loop.ended:
        print(f"stopped early at step {loop.step}: {loop.ended}", flush=True)


@contextlib.contextmanager
def _full_disk_explained(loop):
    """Say in words that there is no room left; what was half written goes, so that there is a little again."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        for partial in loop.run.path.rglob("*.partial"):
            partial.unlink()
        raise OSError(
            error.errno,
            f"step {loop.step}: there is no room left for {loop.run.path} ({error}); the last checkpoint stays. "
            f"Make room, then go on with resume={loop.run.name!r}.",
        ) from error


class Stop:
    """Notice Ctrl-C or SIGTERM and let the step end, so that no checkpoint holds half an update.

    A second one stops at once.
    """

    def __enter__(self):
        self.asked = False
        self.main = threading.current_thread() is threading.main_thread()  # others may not set handlers
        if self.main:
            self.before = {s: signal.signal(s, self._notice) for s in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_):
        for number, handler in self.before.items() if self.main else ():
            signal.signal(number, handler)

    def _notice(self, number, frame):
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


class Loop:
    """The state that monitors watch: networks, data as the networks see it, the step and its metrics."""

    def __init__(self, config, data):
        from rcgan_nb.gan import RCGAN
        from rcgan_nb.networks import Shape
        from rcgan_nb.private import PrivateRCGAN

        self.clock = monitors.Clock()
        self.config, self.ended, self.keep_asked = config, "", False
        fingerprint = data.fingerprint()
        run = _going_on(config, fingerprint) if config.resume else None
        parent = archive.find(config.start_from) if config.start_from and not run else None
        data = data if config.model == "rcgan" else without_labels(data)
        self.classes, self.limits = data.classes, plots.frame(data.part("train"))
        self.codec = Codec.fit(data.part("train"), config.scaler)
        self.real = {part: self._encoded(data.part(part)) for part in ("train", "validation")}
        self.gan = (PrivateRCGAN if config.dp_noise else RCGAN)(config, Shape(**self.codec.sizes(data.num_classes)))
        self.step, self.found = 0, {}
        lineage = {}
        if run or parent:
            path = (run or parent).checkpoint()
            arrays, meta = checkpoint.read(path)
            checkpoint.assign(self.gan.variables(), arrays)
            self.step = meta["step"]
        if parent:
            lineage = {"started_from": {"run": parent.name, "step": self.step, "segment": parent.segment}}
        if self.gan.strategy:
            devices.require_same_step(self.gan.strategy, self.step)
        if self.step >= config.steps:
            raise ValueError(
                f"{self.step} steps are done already; say how many there shall be in all, as in steps={2 * self.step}."
            )
        if run and config.stop_on:
            monitors.require_going_on(run, config, self.step)
        facts = _facts(data, self.codec) | {"fingerprint": fingerprint} | lineage
        config = dataclasses.replace(config, resume="")
        self.run = run or archive.create(config, facts)
        if run:
            run.rewind(self.step)
            self.clock.before = (run.metrics().get("seconds") or [0.0])[-1]
            config.save(run.path / "config.json")
        if config.dp_noise:
            self._promise(config)
        self.run.begin_segment(self.step, config)
        self.begun = self.step
        self.run.beat("running", self.step)

    @property
    def last(self) -> bool:
        """Whether this is the run's last step."""
        return bool(self.ended) or self.step == self.config.steps

    @property
    def metrics(self) -> dict[str, float]:
        """The step's figures where they are to be kept: at intervals and at the end; else none."""
        if self.step % self.config.log_every and not self.last:
            return {}
        return self.found | ({"epsilon": self._epsilon(self.step)} if self.config.dp_noise else {})

    def _epsilon(self, steps) -> float:
        return accounting.epsilon(self.config, len(self.real["train"][0]), steps)

    def _promise(self, config):
        """Say what the whole run will cost its training series, and keep that; one that goes on may go further."""
        n = len(self.real["train"][0])
        facts = {"epsilon": self._epsilon(config.steps), "delta": accounting.delta(n), "steps": config.steps}
        self.run.write_json("data.json", self.run.data | {"privacy": facts})
        print(self.run.privacy(), flush=True)

    def _encoded(self, part):
        return self.codec.encode(part), self.codec.conditions(part)

    def advance(self, step):
        """One training step; its figures are checked every time, and kept on logged steps (see `metrics`)."""
        x, conditions = self.real["train"]
        chosen, counts = self._chosen(len(x), step)
        drawn = {name: values[chosen] for name, values in conditions.items()} | counts
        self.found = monitors.host(self.gan.train_step(x[chosen], drawn, np.int32(step)))
        self.step = step
        monitors.require_finite(self)
        if step == self.begun + 1:
            self.clock.first_step_is_done()
            print(f"first step after {self.clock.first_step:.1f} s")

    def _chosen(self, n, step):
        """Indices of the series that a step sees and, where privacy asks for chance, how many of each row count."""
        if not self.config.dp_noise:
            return batches(n, self.config, step), {}
        rows, counts = accounting.drawn(n, self.config, step)
        return rows, {"count": counts}


def _going_on(config, fingerprint) -> archive.Run:
    """The run to go on with, after a check that it may be gone on with, with these settings and data."""
    run = archive.find(config.resume)
    if "imported" in run.data:
        raise ValueError(
            f"run {run.name} was imported from an old archive, which kept neither the state of its random numbers nor "
            "the order of its data, so it cannot go on as if it had not stopped. Begin a new run with its settings: "
            f"train(dataclasses.replace(find({run.name!r}).config, start_from={run.name!r}, run_name='', steps=...))."
        )
    if run.status() == "running":
        beat = run.read_json("heartbeat.json")
        raise ValueError(
            f"run {run.name} is being trained by process {beat['pid']} on {beat['host']}; stop that first."
        )
    before = run.config
    for name in config.names():
        was, now = getattr(before, name), getattr(config, name)
        if was != now and name not in (*MAY_CHANGE, "resume"):
            raise ValueError(
                f"{name} was {was!r} in run {run.name} and is {now!r} now; a run goes on with its own settings, only "
                f"{', '.join(MAY_CHANGE)} may change. For others begin a new run with start_from={run.name!r}."
            )
    if run.data["fingerprint"] != fingerprint:
        raise ValueError(f"the data set {config.dataset!r} is not what run {run.name} was trained on; find that again.")
    return run


def _model(config, data) -> str:
    """rgan or rcgan; auto takes the conditional one where labels exist."""
    if config.model == "rcgan" and data.y is None:
        raise ValueError(f"model 'rcgan' needs labels, and {config.dataset!r} has none; use model 'rgan' or 'auto'.")
    if config.model == "auto":
        return "rgan" if data.y is None else "rcgan"
    return config.model


def _check(config, data):
    """Refuse data that cannot be learnt from, before anything is written."""
    if config.tensorboard and not importlib.util.find_spec("tensorboard"):
        raise ValueError("tensorboard=True needs the package of that name; pip install tensorboard.")
    train = data.part("train")
    if config.dp_noise:
        accounting.require(train)
    if len(train) < config.batch_size:
        raise ValueError(
            f"the training part has {len(train)} series, fewer than batch_size {config.batch_size}; "
            f"lower batch_size to at most {len(train)}."
        )
    for part in ("validation", "test"):
        if len(data.part(part)) < FEWEST:
            raise ValueError(f"the {part} part has {len(data.part(part))} series; to choose and judge, give {FEWEST}.")
    if config.model == "rcgan" and len(np.unique(train.y)) < 2:
        raise ValueError(
            f"all training series have the class {train.classes[train.y[0]]!r}; a conditional model needs two or more. "
            "Use model 'rgan'."
        )
    if data.scaling and config.scaler != TrainConfig.scaler:
        raise ValueError(f"{config.dataset!r} brings the scaling it was prepared with; leave scaler at its default.")
    _check_networks(config, data)
    low = np.where(train.valid, train.x, np.inf).min((0, 1))
    constant = np.where(train.valid, train.x, -np.inf).max((0, 1)) <= low  # or never observed
    hidden = train.scaling is not None and any(item["transform"] == "Weights" for item in train.scaling)
    if constant.all() or (constant.any() and not train.image and not hidden):
        names = [name for name, flat in zip(train.features, constant, strict=True) if flat]
        raise ValueError(
            f"the features {names} are constant in the training part, or never observed; drop or hide them."
        )


def _check_networks(config, data):
    """Refuse networks that cannot take these data."""
    conditional = config.model == "rcgan"
    if config.d_condition == "classifier" and not conditional:
        raise ValueError("d_condition 'classifier' reads labels, and there are none; take projection or embedding.")
    if "rcgan_v4" in (config.generator, config.discriminator) and (
        data.static is not None or data.conditions is not None
    ):
        raise ValueError("rcgan_v4 takes labels alone, no static vectors or conditions per step; take other networks.")
    if config.discriminator == "rcgan_v4" and conditional and config.d_condition != "classifier":
        raise ValueError("discriminator 'rcgan_v4' reads labels as a classifier only; set d_condition to classifier.")
    seq_len, coarsest = data.x.shape[1], 2**config.multi_scale
    if seq_len < coarsest:
        raise ValueError(
            f"multi_scale {config.multi_scale} averages over {coarsest} steps, and series have {seq_len}; lower it."
        )


def _facts(data, codec) -> dict:
    """What has to be known of the data to draw from a run without them."""
    y = data.part("train").y
    return {
        "summary": data.summary(),
        "shape": list(data.x.shape[1:]),
        "classes": list(data.classes),
        "num_classes": data.num_classes,
        "num_static": 0 if data.static is None else data.static.shape[1],
        "num_conditions": 0 if data.conditions is None else data.conditions.shape[2],
        "label_counts": [] if y is None else np.bincount(y, minlength=len(data.classes)).tolist(),
        "features": list(data.features),
        "image": list(data.image),
        "order": data.order,
        "codec": codec.to_json(),
    }
