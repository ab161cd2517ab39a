"""An encoder-decoder that rebuilds series without what an adversary could tell a person or trait by.

The encoder's code has to serve the decoder, which rebuilds the series, and a head that tells the label. An adversary
tries to tell the person, or chosen traits, from the same code; the encoder is trained to leave it with nothing but how
common each answer is. Whether that succeeded is not for this adversary to say: see `evaluation.identity`,
`evaluation.traits`.
"""

import dataclasses
from pathlib import Path

import numpy as np

from rcgan_nb import paths
from rcgan_nb.data import load, tails
from rcgan_nb.data.codec import Codec
from rcgan_nb.evaluation import identity, traits
from rcgan_nb.evaluation.persons import one_each
from rcgan_nb.evaluation.report import Report
from rcgan_nb.evaluation.resampling import resampled
from rcgan_nb.evaluation.view import View

CODE, HIDDEN, ADVERSARY_HIDDEN, BATCH_SIZE = 32, 128, 256, 64
ADVERSARY_STEPS = 5  # updates of the adversary for each of the encoder: one that lags behind flatters
NOISE = 0.2  # on the code, in training and after: what it drowns, an attacker trained later cannot find either
AT_ONCE = 1024


def removed(s, *, hide="", weight=10.0, steps=3000, seed=0, progress=print):
    """The series of a set rebuilt without what tells the person, or chosen traits.

    Fitted on the training part where there is a split, applied to all. Each value depends on the noisy code alone.
    Masks and lengths stay as they are, and may tell by themselves what the values no longer do.

    Args:
        s: SeriesSet `(n, seq_len, features)`.
        hide: static values as `traits.parse` takes them ('male, age>65'), each a question of two answers; empty hides
            the person, of whom groups then have to tell.
        weight: of the adversary; 0 rebuilds and hides nothing.
        steps: updates of the encoder-decoder.
        seed: equal seeds give equal series, on the same machine.
        progress: called with a line of text after training.
    Returns: SeriesSet of the same series in the same order, with all that belongs to them: groups and static values,
        too, by which the removal is judged. See `released`.
    Raises: ValueError: nobody, or nothing of two answers, to hide.
    Source: Edwards and Storkey 2016, arXiv:1511.05897 (alternating updates); Ganin et al. 2016, arXiv:1505.07818. The
        encoder's part is the divergence of the shares of the answers from what the adversary says (Tzeng et al. 2015,
        arXiv:1510.02192), which is bounded where the adversary's own loss is not.
    """
    import keras

    train = s if s.split is None else s.part("train")
    hidden = _hidden(train, hide)
    codec = Codec.fit(train, tails.chosen("auto", train))
    rebuilt = train.x.shape[2] * (2 if codec.attributes else 1)  # channels that are not masks
    keras.utils.set_random_seed(seed)  # first weights only
    parts = _networks((*train.x.shape[1:2], codec.channels), rebuilt, train.num_classes, hidden.max(0) + 1)
    series, seen = _arrays(codec, train, rebuilt)
    labels = np.zeros(len(train), np.int32) if train.y is None else train.y
    update = _update(parts, (series, seen, labels, hidden), weight)
    random = np.random.default_rng([seed, 31])
    shape = ADVERSARY_STEPS + 1, min(len(train), BATCH_SIZE)
    for _ in range(steps):
        losses = update(random.integers(0, len(train), shape), random.standard_normal((*shape, CODE), np.float32))
    said = zip(("not rebuilt", "label", "adversary"), losses, strict=True)
    progress(f"weight {weight:g}: " + ", ".join(f"{name} {float(loss):.3f}" for name, loss in said))
    series, _ = _arrays(codec, s, rebuilt)
    code = parts.encoder.predict(series, batch_size=AT_ONCE, verbose=0)
    code = code + NOISE * np.random.default_rng([seed, 32]).standard_normal(code.shape, np.float32)
    made = parts.decoder.predict(code, batch_size=AT_ONCE, verbose=0).clip(-1, 1)
    x = codec.decode(np.concatenate([made, series[:, :, rebuilt:]], axis=2)).x
    return dataclasses.replace(s, x=np.where(s.valid, x, 0.0).astype(np.float32))


def _hidden(train, hide) -> np.ndarray:
    """What the adversary is asked of each series: int32 `(n, questions)`."""
    if not hide.strip():
        try:
            identity.several(train.groups)
        except ValueError as reason:
            raise ValueError(f"{reason} Name traits to hide instead, as in hide='male, age>65'.") from reason
        person = np.unique(train.groups, return_inverse=True)[1].astype(np.int32)
        if train.y is not None and len(np.unique(np.stack([train.y, person]), axis=1).T) == len(np.unique(train.y)):
            raise ValueError("the label tells the person, and is to be kept; load the set without labels.")
        return person[:, None]
    asked = traits.parse(hide, train)
    for trait in asked:
        if trait.column is None:
            raise ValueError("hide holds label, which is what is to be kept; name static values.")
        if trait.kind != "auroc":
            limit = f"{np.median(trait.answers(train)):g}"
            raise ValueError(f"trait {str(trait)!r} takes many values; give a limit, as in '{trait}>{limit}'.")
        if len(np.unique(trait.answers(train))) < 2:
            raise ValueError(f"trait {str(trait)!r} is the same for all training series; there is nothing to hide.")
    return np.stack([trait.answers(train) for trait in asked], axis=1).astype(np.int32)


def _arrays(codec, s, rebuilt):
    """Series as the networks see them, and 1 where a value is to be rebuilt, `(n, seq_len, rebuilt)`."""
    seen = np.ones((*s.x.shape[:2], rebuilt), np.float32)
    seen[:, :, : s.x.shape[2]] = s.valid
    return codec.encode(s), seen


@dataclasses.dataclass(frozen=True)
class _Networks:
    encoder: object  # series to code, of values between -1 and 1
    decoder: object  # code to series without masks
    label: object  # code to logits of the label
    adversary: object  # code to a list of logits, of each question


def _networks(shape, rebuilt, num_classes, answers):
    import keras
    from keras import layers

    def dense(count, units):
        return [layers.Dense(units, activation="relu") for _ in range(count)]

    code, (steps, _) = keras.Input((CODE,)), shape
    asked = keras.Sequential(dense(2, ADVERSARY_HIDDEN))(code)
    return _Networks(
        keras.Sequential([keras.Input(shape), layers.Flatten(), *dense(2, HIDDEN), layers.Dense(CODE, "tanh")]),
        keras.Sequential([code, *dense(2, HIDDEN), layers.Dense(steps * rebuilt), layers.Reshape((steps, rebuilt))]),
        keras.Sequential([code, *dense(1, HIDDEN), layers.Dense(max(num_classes, 1))]),
        keras.Model(code, [layers.Dense(int(n))(asked) for n in answers]),
    )


def _update(parts, arrays, weight):
    """A function (rows, noise) -> losses that improves the adversary on all but the last rows, the others on these.

    The losses are on one scale: 1 is the squared error of the mean series, the label's loss of its shares; the
    adversary's is its divergence from the shares of the answers.
    """
    import keras
    import tensorflow as tf

    series, seen, labels, hidden = arrays
    spread = _spread(series[:, :, : seen.shape[2]], seen)
    shares = [np.bincount(column).astype(np.float32) / len(column) for column in hidden.T]
    common = np.bincount(labels) / len(labels)
    doubt = -(common * np.log(common.clip(1e-12))).sum() or 1.0  # without labels there is nothing to tell
    own = parts.encoder.trainable_variables + parts.decoder.trainable_variables + parts.label.trainable_variables
    optimizers = [keras.optimizers.Adam(1e-3) for _ in range(2)]
    for optimizer, weights in zip(optimizers, (own, parts.adversary.trainable_variables), strict=True):
        optimizer.build(weights)
    given = [tf.constant(v) for v in (series, seen, labels, hidden)]

    def coded(rows, noise):
        x, counts, label, answers = (tf.gather(v, rows) for v in given)
        return parts.encoder(x) + NOISE * noise, x, counts, label, answers

    def asked(code):
        return keras.tree.flatten(parts.adversary(code))  # a single answer comes without its list

    def learn(rows, noise):
        code, *_, answers = coded(rows, noise)
        with tf.GradientTape() as tape:
            loss = sum(
                tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(answers[:, k], logits))
                for k, logits in enumerate(asked(code))
            )
        weights = parts.adversary.trainable_variables
        optimizers[1].apply(tape.gradient(loss, weights), weights)

    @tf.function(reduce_retracing=True)
    def update(rows, noise):
        for k in range(ADVERSARY_STEPS):
            learn(rows[k], noise[k])
        with tf.GradientTape() as tape:
            code, x, counts, label, _ = coded(rows[-1], noise[-1])
            squares = counts * (parts.decoder(code) - x[:, :, : counts.shape[2]]) ** 2
            rebuilt = tf.reduce_sum(squares) / tf.reduce_sum(counts) / spread
            told = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(label, parts.label(code))) / doubt
            pairs = zip(shares, asked(code), strict=True)
            known = sum(tf.reduce_mean(_divergence(share, logits)) for share, logits in pairs)
            loss = rebuilt + told + weight * known
        optimizers[0].apply(tape.gradient(loss, own), own)
        return rebuilt, told, known

    return lambda rows, noise: update(tf.constant(rows), tf.constant(noise))


def _spread(x, seen) -> float:
    """Variance of what is seen about the mean of each channel; 1 where there is none."""
    mean = (seen * x).sum((0, 1)) / seen.sum((0, 1)).clip(1)
    return float((seen * (x - mean) ** 2).sum() / seen.sum()) or 1.0


def _divergence(share, logits):
    """Kullback-Leibler divergence of the shares `(answers,)` from each row of logits, `(n,)`."""
    import tensorflow as tf

    return tf.reduce_sum(share * (tf.math.log(share) - tf.nn.log_softmax(logits)), axis=1)


def released(s, *, hide=""):
    """The series without what stands beside them: in new order, without groups and the static values that were hidden.

    The order has no seed that one could try to undo it with, and is another each time.

    Args: s, hide: as `removed` took them. A static vector of which nothing is left is None.
    """
    columns = {trait.column for trait in traits.parse(hide, s)} if hide.strip() else set()
    mixed = s.take(np.random.default_rng().permutation(len(s)))
    mixed = dataclasses.replace(mixed, groups=None)
    if not columns:
        return mixed
    kept = [k for k in range(s.static.shape[1]) if k not in columns]
    names = s.info.get("static_names")
    info = s.info if names is None else s.info | {"static_names": [names[k] for k in kept]}
    return dataclasses.replace(mixed, static=mixed.static[:, kept] if kept else None, info=info)


def write(config, s):
    """Write a set that `removed` made as `released`, with what was done to it, and return the file's path.

    Raises: FileNotFoundError: no folder to write into; ValueError: the output is no .npz.
    """
    path = Path(config.output).expanduser() if config.output else paths.runs() / "deidentified.npz"
    if path.suffix != ".npz":
        raise ValueError(f"output {path.name} must be an .npz, which holds masks and conditions, too.")
    if config.output and not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent} to write {path.name} into; make it first.")
    made = released(s, hide=config.hide)
    return dataclasses.replace(made, info=made.info | {"deidentified": config.to_dict() | {"output": ""}}).save(path)


def tried(config, progress=print) -> tuple[object, dict, list[dict]]:
    """Remove traits with each weight, and judge every set.

    Args: config: a DeidentifyConfig.
    Returns: the data set; name -> SeriesSet of each weight; rows of (measure, set, judge, value, low, high): those of
        `identity` (where the person is hidden), of `traits` (for the label and what is hidden, or for all), and `kept`,
        the share of the variance of the test part's values that is there still, with 95 % over resampled persons. The
        set `masks alone` has all values 0.
    """
    data = load(**config.load_arguments())
    options = {"hide": config.hide, "steps": config.steps, "seed": config.seed, "progress": progress}
    _require_answers(data.part("test"), config.hide)
    sets = {f"weight {weight:g}": removed(data, weight=weight, **options) for weight in config.numbers()}
    judged, asking = dict(sets), {"seed": config.seed, "progress": progress}
    if data.observed is not None or data.lengths is not None:  # they stay, and are the least that can be told
        judged["masks alone"] = dataclasses.replace(data, x=np.zeros_like(data.x))
    label = "label, " if data.y is not None else ""
    ask = label + config.hide if config.hide else ""
    rows = [] if config.hide else identity.identity(data, judged, **asking)
    rows += traits.traits(data, judged, ask=ask, **asking) + _kept(data, sets, config.seed)
    return data, sets, rows


def _require_answers(test, hide):
    """Refuse, before anything is trained, traits of which nobody could say whether they were removed."""
    for trait in traits.parse(hide, test) if hide.strip() else ():
        if len(np.unique(trait.answers(test))) < 2:
            raise ValueError(
                f"trait {str(trait)!r} is the same for all {len(test)} test series, so that nobody can tell whether it "
                "was removed; give another limit, or split otherwise."
            )


def _kept(data, sets, seed):
    view, report = View.fit(data.part("train")), Report()
    for which, s in {"real": data, **sets}.items():
        pair = [one_each(part, np.random.default_rng(seed)) for part in (data.part("test"), s.part("test"))]
        real, rebuilt = (view.see(part)[:, :, : data.x.shape[2]] for part in pair)
        errors, squares = ((x**2).sum((1, 2)) for x in (real - rebuilt, real))
        sides = np.stack([errors, squares], axis=1)
        triple = resampled(lambda rows: 1 - np.divide(*rows.sum(0)), sides, random=np.random.default_rng(seed))
        report.add("kept", which, triple)
    return report.rows


def trade_off(rows, hide="") -> dict:
    """What `plots.trade_off` takes: use against the most able attack on what was to be hidden.

    Args: rows, hide: of `tried`, with the same hide.
    Returns: points, a list of (name, use, attack), each of these value, low and high; utility and privacy, what they
        are; chance, the value of an attack that guesses. Use is TSTR of the label by the judge that does best on real
        series, or without labels `kept`; of the attacks, by all judges, the highest counts.
    """
    asked = [f"auroc {item.strip()}" for item in hide.split(",")] if hide else ["recognised"]
    attacks = [row for row in rows if row["measure"].removeprefix("told ").removeprefix("within ") in asked]
    told = [row for row in rows if row["measure"].startswith("tstr") and row["measure"].endswith(" label")]
    use = told or [row for row in rows if row["measure"] == "kept"]
    judge = max((row for row in use if row["set"] == "real"), key=lambda row: row["value"])["judge"]
    points = []
    for row in (row for row in use if row["judge"] == judge):
        worst = max((other for other in attacks if other["set"] == row["set"]), key=lambda other: other["value"])
        points.append((row["set"], *([r[name] for name in ("value", "low", "high")] for r in (row, worst))))
    chance = max(row["value"] for row in attacks if row["set"] == "chance")
    named = {"utility": f"{use[0]['measure']} {judge}".strip(), "privacy": ", ".join(asked)}
    return {"points": points, "chance": chance, **named}
