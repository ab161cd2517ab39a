"""Settings: one flat frozen dataclass per task, checked when made, written to and read from JSON.

A field's name is its name everywhere: notebook parameter, `config.json`, column of a table.
"""

import dataclasses
import json
import math
from dataclasses import dataclass

from rcgan_nb.sense import RECIPES, senseless, unprotected
from rcgan_nb.settings import Config, did_you_mean, setting  # noqa: F401  those who refuse a name ask here

SCALERS = ("minmax", "feature", "standard", "local", "cumulative", "integral", "arcsinh")
SCALER_HELP = "how series come into [-1, 1]; auto is minmax for pictures, arcsinh for series with gaps, else feature"
ORDERS = ("rows", "columns", "pixels")
# The same as the tables of `networks` and `losses`, which cannot be read here without TensorFlow; a test holds that.
GENERATOR_NAMES = ("dense", "plain", "state", "conv", "encoder_decoder", "causal", "rcgan_v4")
DISCRIMINATOR_NAMES = ("pool", "per_step", "state", "conv", "encoder", "causal", "rcgan_v4")
CELL_NAMES = ("lstm", "gru", "mingru")
LOSS_NAMES = ("relativistic", "logistic", "least_squares", "hinge", "wasserstein")
SPECTRAL = ("", "discriminator", "both")


@dataclass(frozen=True)
class DataConfig(Config):
    """Which series, and how they are read."""

    dataset: str = setting("digits", "name of a data set or prepared set, or the path of an .npz, .csv or .parquet")
    image_size: int = setting(0, "side in pixels to which images are reduced; 0 keeps the data set's own", low=0)
    image_order: str = setting("rows", "a step of a picture's series is a row, column or pixel", choices=ORDERS)
    min_faces_per_person: int = setting(0, "lfw: label by person, those with so many pictures; 0 for no labels", low=0)
    seq_len: int = setting(0, "tables: steps per window; 0 keeps each series whole", low=0)
    stride: int = setting(0, "tables: steps from one window to the next; 0 is seq_len (no overlap)", low=0)
    variables: str = setting("", "clinical sets: names separated by commas, or a group (vitals); empty takes all")

    def load_arguments(self) -> dict:
        """The arguments of `load` that these settings stand for."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(DataConfig)}


@dataclass(frozen=True)
class TrainConfig(DataConfig):
    """Everything that decides a training run. Saved as `config.json` before the first step."""

    run_name: str = setting("", "folder under runs/; empty makes one of time, model and data set")
    resume: str = setting("", "a run to go on with, exactly as if it had not stopped; empty starts a new one")
    start_from: str = setting("", "a run from whose last checkpoint a new one starts, with settings of its own")
    model: str = setting("auto", "auto takes rcgan where labels exist, else rgan", choices=("auto", "rgan", "rcgan"))
    recipe: str = setting("stable", "defaults for all that is not set here", choices=("stable", "clinical", "esteban"))
    seed: int = setting(0, "equal seeds give equal runs", low=0, high=2**31 - 1)
    scaler: str = setting("auto", f"{SCALER_HELP}; a prepared set brings its own", choices=("auto", *SCALERS))

    generator: str = setting("dense", "the generating network (see networks/generators.py)", choices=GENERATOR_NAMES)
    discriminator: str = setting("pool", "its opponent (see networks/discriminators.py)", choices=DISCRIMINATOR_NAMES)
    g_cell: str = setting("lstm", "recurrence of the generator; mingru computes all steps at once", choices=CELL_NAMES)
    d_cell: str = setting("lstm", "recurrence of the discriminator", choices=CELL_NAMES)
    g_bidirectional: bool = setting(False, "the generator's recurrence runs backwards, too")
    d_bidirectional: bool = setting(True, "the discriminator's recurrence runs backwards, too")
    num_layers: int = setting(1, "recurrent layers one upon the other, in both networks", low=1)
    dilation: int = setting(1, "layer k goes from step t to t + dilation ** k; 1 is off", low=1)
    latent_dim: int = setting(64, "size of the noise vector at every step", low=1)
    noise_hold: int = setting(1, "steps that share a noise vector; 0 is one vector for the whole series", low=0)
    hidden_units: int = setting(256, "units of the recurrent layers", low=2)
    d_condition: str = setting(
        "projection",
        "how the discriminator uses labels: projection, embedding at each step, or an auxiliary classifier",
        choices=("projection", "embedding", "classifier"),
    )
    multi_scale: int = setting(0, "coarser resolutions of time that are made and judged, too", low=0, high=6)
    minibatch_deviation: bool = setting(False, "the discriminator sees how much the series of a batch differ")

    steps: int = setting(1800, "generator updates", low=1)
    batch_size: int = setting(128, "series per update", low=2)
    shards: int = setting(1, "equal parts of a batch that are computed side by side", low=1)
    op_threads: int = setting(1, "processor threads for one operation; 0 leaves it to TensorFlow", low=0)
    num_devices: int = setting(
        1, "GPUs (or logical CPU devices) that share each batch, on all machines together", low=1
    )
    devices: str = setting("auto", 'auto (of several GPUs the freest), cpu, "0,1", or "any with 6 GiB free"')
    gpu_memory: float = setting(0.0, "GiB that the run may take of each GPU; 0 takes what it needs", low=0.0)
    preflight: str = setting(
        "",
        "take a few steps first: refuse what will not fit, shrink the batch, or wait for room; empty is off",
        choices=("", "refuse", "shrink", "wait"),
    )
    d_steps: int = setting(1, "discriminator updates per generator update", low=1)
    shared_forward: bool = setting(False, "both players learn from one pass of the same fake series: quicker")
    loss: str = setting("relativistic", "pair of losses", choices=LOSS_NAMES)
    d_optimizer: str = setting("adam", "optimiser of the discriminator", choices=("adam", "sgd"))
    learning_rate: float = setting(1e-3, "rate of the discriminator", low=0.0)
    g_factor: float = setting(1.0, "generator rate / discriminator rate", low=0.0)
    balance: str = setting(
        "", "turn g_factor as training goes on, by loss or gradient", choices=("", "loss", "gradient")
    )
    beta_1: float = setting(0.0, "Adam's first decay", low=0.0, high=0.999999)
    beta_2: float = setting(0.99, "Adam's second decay", low=0.0, high=0.999999)
    clip_norm: float = setting(0.0, "largest norm of a network's gradient; 0 is off", low=0.0)
    r1_weight: float = setting(0.1, "half of it weighs the squared gradient norm at real series; 0 is off", low=0.0)
    r2_weight: float = setting(0.1, "the same at fake series; 0 is off", low=0.0)
    gradient_penalty: float = setting(
        0.0, "weighs (gradient norm - 1) squared between real and fake; 0 is off", low=0.0
    )
    penalty_every: int = setting(1, "steps between penalties, which weigh so many times more", low=1)
    spectral_norm: str = setting("", "kernels of norm 1: discriminator, both; empty is off", choices=SPECTRAL)
    label_smoothing: float = setting(0.0, "real targets are 1 minus this; 0 is off", low=0.0, high=0.5)
    label_smoothing_sides: str = setting("one", "two: fake targets are 0 plus this", choices=("one", "two"))
    label_smoothing_std: float = setting(0.0, "targets are normally distributed, anew in each batch", low=0.0, high=0.5)
    instance_noise: float = setting(0.1, "standard deviation of noise on all that the discriminator sees", low=0.0)
    instance_noise_until: int = setting(0, "step at which it has fallen to 0; 0 keeps it constant", low=0)
    dp_noise: float = setting(
        0.0, "differential privacy: standard deviation of the noise over dp_clip (see private.py); 0 is off", low=0.0
    )
    dp_clip: float = setting(1.0, "with dp_noise: largest norm of one series' gradient", low=1e-6)
    average_decay: float = setting(0.998, "decay of the generator's averaged weights; 0 is off", low=0.0, high=0.999999)

    log_every: int = setting(20, "steps between rows of metrics.csv", low=1)
    sample_every: int = setting(200, "steps between sheets of fixed-noise samples", low=1)
    checkpoint_every: int = setting(300, "steps between checkpoints", low=1)

    watch_every: int = setting(300, "steps between comparisons with the validation part, rows of watch.csv", low=1)
    stop_on: str = setting("", "what ends a run early; empty is off", choices=("", "mmd2", "gradient", "loss_ratio"))
    stop_patience: int = setting(1000, "steps without a lower mmd2, or out of bounds, after which it ends", low=1)
    stop_limit: float = setting(100.0, "bound of gradient norms, and of the loss ratio either way", low=1.0)
    tensorboard: bool = setting(False, "write the run's folder tensorboard/, too")
    mail: str = setting("", "address that is told of the run's end, and of why it failed; empty tells nobody")

    def __post_init__(self):
        super().__post_init__()
        for found, remedy in (*senseless(self), *(unprotected(self) if self.dp_noise else ())):
            if found:
                raise ValueError(remedy)


def train_config(**values) -> TrainConfig:
    """A TrainConfig in which the recipe stands in for every setting that was not given."""
    recipe = RECIPES.get(values.get("recipe", "stable"), {})
    return TrainConfig.make(**{**recipe, **values})


@dataclass(frozen=True)
class GenerateConfig(Config):
    """Which run to draw from, and what to write."""

    run: str = setting("latest", "name of a run under runs/, its path, or latest")
    count: int = setting(1000, "number of series", low=1)
    label: str = setting("", "class to draw; empty draws the training part's mix")
    conditions: str = setting("", "a .csv or .parquet with a row of conditions for each series, in place of count")
    seed: int = setting(0, "equal seeds give equal series", low=0, high=2**31 - 1)
    checkpoint: str = setting("last", "which checkpoint of the run", choices=("last", "best"))
    file_format: str = setting("npz", "format of the file", choices=("npz", "csv", "parquet"))
    output: str = setting("", "file to write; empty puts it into the run's folder")


@dataclass(frozen=True)
class GuardConfig(Config):
    """What the guard does not let runs do (see machine/guard.py). 0 is no limit."""

    run_memory: float = setting(0.0, "GiB that a run and its helpers may hold", low=0.0)
    gpu_memory: float = setting(0.0, "GiB that a run may hold of all GPUs together", low=0.0)
    memory_left: float = setting(1.0, "GiB of memory that stay free; else the run that holds most is ended", low=0.0)
    disk_left: float = setting(1.0, "GiB of disk that stay free; else the run that began last is ended", low=0.0)
    hours: float = setting(0.0, "how long a run may take", low=0.0)
    stalled: float = setting(30.0, "minutes without a step after which a run counts as stalled", low=0.0)
    grace: float = setting(120.0, "seconds that a run has for its checkpoint before it is killed", low=1.0)
    every: float = setting(5.0, "seconds between two looks", low=0.1)
    mail: str = setting("", "address that is told, besides the run's own (setting mail)")


@dataclass(frozen=True)
class ClusterConfig(Config):
    """A machine reached by ssh, and what Slurm is asked for there (see machine/cluster.py): a profile of the user's."""

    host: str = setting("", "its name or address, or an alias of your ssh config")
    user: str = setting("", "your name there; empty leaves it to your ssh config")
    port: int = setting(0, "of ssh; 0 leaves it to your ssh config", low=0, high=65535)
    ssh_config: str = setting("", "a file in place of ~/.ssh/config")
    folder: str = setting("rcgan_nb", "where code, data, runs and jobs lie there: below your home, or absolute")
    python: str = setting("python3", "command for Python there")
    enter: str = setting("", "lines of shell that come before: module load ..., source .../bin/activate")
    scheduler: str = setting("slurm", "who starts jobs; none starts them at once", choices=("slurm", "none"))
    partition: str = setting("", "of Slurm; empty is the cluster's default")
    gres: str = setting("", "devices of each worker, as in gpu:1")
    time: str = setting("", "longest time of a worker until it is requeued, as in 04:00:00 or 1-00:00:00")
    memory: str = setting("", "of each worker, as in 16G")
    cpus: int = setting(0, "processors of each worker; 0 is the cluster's default", low=0)
    sbatch: str = setting("", "more options of sbatch, as in --account=abc --qos=long")
    signal: int = setting(120, "seconds before the end of the time at which a checkpoint is asked for", low=10)


@dataclass(frozen=True)
class RunsConfig(Config):
    """Where to look for runs, and what to do with them."""

    places: str = setting("", "more folders, zips and tars to look in, separated by ;")
    check: bool = setting(False, "read every file of every run and compare its checksums")
    join: str = setting("", "name or path of the last run of a chain that is to become one; empty joins nothing")
    name: str = setting("", "of the joined run; empty takes that of the first of the chain")
    accept: str = setting("", "what may be: missing, overlap, or both with a comma")
    prune: bool = setting(False, "say what serves nobody any more: copies, runs without a checkpoint, half files")
    do: bool = setting(False, "do what was said of joining and pruning, instead of only saying it")

    def __post_init__(self):
        super().__post_init__()
        if odd := set(self.accepted()) - {"missing", "overlap"}:
            raise ValueError(f"accept is 'missing', 'overlap' or both, but {sorted(odd)[0]!r} came.")

    def all_places(self) -> list[str]:
        """Given places; the runs folder is looked through besides."""
        return [place.strip() for place in self.places.split(";") if place.strip()]

    def accepted(self) -> list[str]:
        return [name for name in _names(self.accept) if name]


def _names(text) -> list[str]:
    return [name.strip() for name in text.split(",")]


@dataclass(frozen=True)
class JudgeConfig(Config):
    """Who judges, and what."""

    checkpoint: str = setting("last", "which checkpoint of a run", choices=("last", "best"))
    judges: str = setting("svm,cnn", "classifiers, separated by commas: svm, cnn")
    tasks: str = setting("", "also asked of clinical series, separated by commas: label, HR<70, MAP>110")
    task_judges: str = setting(
        "logistic,forest", "who is asked, separated by commas: logistic, forest, gru, cnn, lstm@harutyunyan"
    )
    judge_seeds: int = setting(2, "how often each judge is trained anew", low=1)
    epochs: int = setting(0, "epochs of the neural judges; 0 chooses by the number of series", low=0)
    seed: int = setting(0, "seed of the series that are drawn and of the baselines", low=0, high=2**31 - 1)

    def judge_arguments(self) -> dict:
        """The arguments that say who judges."""
        return {"judges": _names(self.judges), "seeds": self.judge_seeds, "epochs": self.epochs}

    def task_arguments(self) -> dict:
        """The arguments of `evaluate_tasks` that say who judges."""
        return {"judges": _names(self.task_judges), "seeds": self.judge_seeds}


@dataclass(frozen=True)
class EvaluateConfig(JudgeConfig):
    """Which run to judge, and by whom."""

    run: str = setting("latest", "name of a run under runs/, its path, or latest")

    def evaluate_arguments(self) -> dict:
        """The arguments of `evaluate` that these settings stand for."""
        judges = self.judge_arguments()
        return {"judge_seeds": judges.pop("seeds"), "seed": self.seed} | judges


@dataclass(frozen=True)
class ContestConfig(JudgeConfig):
    """Which runs and rivals to judge alike, and by whom."""

    runs: str = setting("latest", "names of runs under runs/, separated by commas; all of one data set")
    sets: str = setting("", "files of series judged alike, ours or another tool's: paths of .npz, with commas")
    rivals: str = setting("autoregression,time_vae", "models fitted to the same training part; empty for none")


@dataclass(frozen=True)
class CompareConfig(DataConfig):
    """Which settings to train against each other."""

    variants: str = setting(
        "stable; plain: recipe esteban; logistic: loss logistic",
        "sets of settings, separated by ;, each a name and what differs from the default",
    )
    seeds: int = setting(3, "training seeds of each", low=1)
    steps: int = setting(1800, "generator updates of each", low=1)
    judge: str = setting("svm", "classifier for TSTR on the validation part", choices=("svm", "cnn"))
    name: str = setting("stabilise", "how the runs' names begin; finished ones are used again")


@dataclass(frozen=True)
class SweepConfig(Config):
    """What is searched, and what is cut. `space` and `settings` may be given as dicts."""

    name: str = setting("sweep", "folder under runs/sweeps/, and how the runs' names begin: NAME-0007")
    space: str = setting(
        "{learning_rate: [0.0005, 0.001, 0.002], r1_weight: [0.1, 1.0]}",
        "fields of TrainConfig, each with its values, or a range as in {low: 1e-4, high: 1e-2, log: true}",
    )
    settings: str = setting("{dataset: digits, steps: 600}", "fields of TrainConfig that all trials share")
    search: str = setting("grid", "every combination, random ones, or Optuna's TPE", choices=("grid", "random", "tpe"))
    trials: int = setting(24, "how many; a grid has one for each of its cells", low=1)
    goal: str = setting("mmd2", "what is searched for, on the validation part", choices=("mmd2", "tstr", "coverage"))
    judge: str = setting("svm", "classifier for tstr on the validation part", choices=("svm", "cnn"))
    seed: int = setting(0, "of the search; that of training is a field like others", low=0, high=2**31 - 1)
    storage: str = setting("", "database in which trials are kept, as a URL without password; empty is a file")
    limit: str = setting("", "longest time of a trial, as in 90s, 30m, 2h; empty is none")
    workers: int = setting(1, "processes that train side by side, each on processor cores of its own", low=1)

    max_loss_ratio: float = setting(100.0, "cut when losses differ by more than so many times; 0 is off", low=0.0)
    max_gradient: float = setting(1e4, "cut when a gradient norm is greater, or vanishes; 0 is off", low=0.0)
    min_spread: float = setting(0.3, "cut when samples lie nearer to each other, of real series 1; 0 is off", low=0.0)
    min_share: float = setting(0.0, "cut when a class gets less of its share of samples; 0 is off", low=0.0)
    median_of: int = setting(5, "cut when mmd2 is behind the median of finished trials, if so many; 0 is off", low=0)
    cut_after: int = setting(300, "steps before which nothing is cut", low=0)
    cut_patience: int = setting(100, "steps out of bounds after which a trial is cut", low=0)

    finalists: int = setting(3, "how many of the best are trained again before one is called the best", low=1)
    final_seeds: int = setting(3, "seeds with which each of them is trained", low=1)

    @classmethod
    def make(cls, **values):
        """As of all configurations; a dict stands for its text."""
        texts = {k: json.dumps(v) for k, v in values.items() if k in ("space", "settings") and isinstance(v, dict)}
        return super().make(**values | texts)


@dataclass(frozen=True)
class DeidentifyConfig(DataConfig):
    """Which traits to remove from a data set, and how strongly."""

    dataset: str = setting("physionet2012", "name of a data set or prepared set, or the path of a file")
    variables: str = setting("vitals", "clinical sets: names separated by commas, or a group; empty takes all")
    hide: str = setting("male>0.5, age>65", "static values to hide, by a limit; empty hides the person")
    weights: str = setting("0,1,10", "of the adversary, separated by commas; the set of the last is written")
    steps: int = setting(3000, "updates of each encoder-decoder", low=1)
    seed: int = setting(0, "equal seeds give equal series, each time in another order", low=0, high=2**31 - 1)
    output: str = setting("", "file to write; empty makes deidentified.npz under runs/")

    def __post_init__(self):
        super().__post_init__()
        self.numbers()

    def numbers(self) -> list[float]:
        """The weights, each once."""
        try:
            found = list(dict.fromkeys(float(text) for text in self.weights.split(",")))
        except ValueError:
            found = [-1.0]
        if not all(0 <= weight < math.inf for weight in found):
            raise ValueError(f"weights must be numbers of 0 or more, separated by commas, but {self.weights!r} came.")
        return found


@dataclass(frozen=True)
class ProtocolConfig(Config):
    """Which experiments of Esteban et al. 2017 to repeat, and how."""

    recipe: str = setting("both", "whose settings: stable, esteban, or both", choices=("stable", "esteban", "both"))
    experiments: str = setting("sines,smooth,mnist3,clinical", "which of them, separated by commas")
    clinical: str = setting("physionet2012", "the clinical set", choices=("physionet2012", "eicu"))
    steps: int = setting(0, "generator updates of each run; 0 takes what is usual for the data set", low=0)
    seeds: int = setting(1, "training seeds of each recipe", low=1)
    judge_seeds: int = setting(5, "how often each judge is trained anew", low=1)
    seed: int = setting(0, "the first training seed, and that of all else", low=0, high=2**31 - 1)
    name: str = setting("esteban2017", "how the runs' names begin; finished ones are used again")


@dataclass(frozen=True)
class PlotConfig(DataConfig):
    """Which series to look at."""

    other: str = setting("", "a second set beside it; empty compares training and validation part")
    count: int = setting(8, "series to show", low=1)

    def pair_options(self) -> dict:
        """How pictures are read, for the second set too."""
        return {name: getattr(self, name) for name in ("image_size", "image_order")}


@dataclass(frozen=True)
class PrepareConfig(DataConfig):
    """What to do with a data set before training."""

    name: str = setting("mine", "name of the prepared set, which -p dataset takes")
    scaler: str = setting("auto", SCALER_HELP, choices=("auto", *SCALERS))
    downsample_image: int = setting(1, "images: side of the square of pixels that become one", low=1)
    downsample_time: int = setting(1, "steps whose mean becomes one step", low=1)
    hide: str = setting("", "parts to hide, as feature:first-last, separated by commas; '*' is every feature")
    keep: str = setting("", "parts to keep, all else is hidden; same writing")
    weigh: str = setting("", "parts to weigh, same writing with the weight behind, as in '0:3-5=0.2'")
    overwrite: bool = setting(False, "replace a prepared set of that name; runs made from it cannot be judged then")


@dataclass(frozen=True)
class SyncConfig(Config):
    """How a folder of Google Drive and runs/ are kept alike (see drive_sync)."""

    folder: str = setting("rcgan_nb/runs", "in Drive: a path, the address of a folder, or id:ID")
    verb: str = setting("pull", "pull takes over here, push there; dedupe", choices=("pull", "push", "dedupe"))
    dry_run: bool = setting(True, "say what would be done, and do nothing")
    checksum: bool = setting(False, "read every file here, whatever its size and time say")
    include: str = setting("", "only these paths: patterns separated by commas, as *.csv, digits-1/")
    exclude: str = setting("", "not these")
    max_delete: int = setting(100, "delete nothing if it would be more than this", low=0)
    allow_restricted: str = setting("", "runs or files of restricted data that may be pushed, separated by commas")

    def options(self) -> dict:
        """The options of a sync that these settings stand for."""
        lists = {name: getattr(self, name) for name in ("include", "exclude", "allow_restricted")}
        lists = {name: tuple(one.strip() for one in text.split(",") if one.strip()) for name, text in lists.items()}
        return lists | {"checksum": self.checksum, "max_delete": self.max_delete}
