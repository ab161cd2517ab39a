"""Games of two players against what is worked out by hand."""

import numpy as np
import pytest

from rcgan_nb import games
from rcgan_nb.losses import LOSSES
from rcgan_nb.plots import of_games

SLOPE = {"relativistic": 0.5, "logistic": 0.5, "least_squares": 1.0, "hinge": 1.0, "wasserstein": 1.0}
WIDTH = {"relativistic": 0.5, "logistic": 0.5, "least_squares": 4.0, "hinge": 0.0, "wasserstein": 0.0}


def by_hand(loss, gamma, k):
    """-gamma / 2 +- sqrt(gamma^2 / 4 - k c^2)."""
    root = np.sqrt(complex(gamma**2 / 4 - k * SLOPE[loss] ** 2))
    return np.array([-gamma / 2 + root, -gamma / 2 - root])


@pytest.mark.parametrize("loss", LOSSES)
def test_eigenvalues_of_the_dirac_gan(loss):
    assert np.allclose(games.dirac_eigenvalues(loss), by_hand(loss, 0, 1), atol=1e-9)
    assert np.allclose(games.dirac_eigenvalues(loss, g_factor=3.0), by_hand(loss, 0, 3), atol=1e-9)
    both = games.dirac_eigenvalues(loss, r1_weight=0.3, r2_weight=0.1)
    assert np.allclose(both, by_hand(loss, 0.4, 1), atol=1e-9)
    strong = games.dirac_eigenvalues(loss, r1_weight=3.0)  # two real ones
    assert np.allclose(strong, by_hand(loss, 3.0, 1), atol=1e-9) and np.allclose(strong.imag, 0)


@pytest.mark.parametrize("loss", LOSSES)
def test_instance_noise_damps_as_a_width_does(loss):
    found = games.dirac_eigenvalues(loss, instance_noise=0.2)
    # Up to the fourth power of the deviation, by which a logistic loss is not a parabola.
    assert np.allclose(found, by_hand(loss, WIDTH[loss] * 0.04, 1), atol=0.003)
    assert (found[0].real < -1e-3) == (WIDTH[loss] > 0)


def test_without_a_penalty_steps_at_once_lead_away_and_r1_leads_home():
    start = [1.0, 0.0]
    away = games.dirac("wasserstein").trajectory(start, 0.1, 50, simultaneous=True)
    sizes = np.linalg.norm(away, axis=1)
    assert np.allclose(sizes[1:] / sizes[:-1], np.sqrt(1.01))
    home = games.dirac("wasserstein", r1_weight=0.5).trajectory(start, 0.1, 300)
    assert np.linalg.norm(home[-1]) < 1e-3
    turns = games.dirac("wasserstein").trajectory(start, 0.1, 2000)
    assert np.linalg.norm(turns, axis=1).min() > 0.9 and np.linalg.norm(turns, axis=1).max() < 1.1


@pytest.mark.parametrize("d_steps", [1, 5])
def test_steps_in_turn_grow_alike_wherever_they_turn(d_steps):
    rate, gamma, c = 0.1, 0.2, 0.5
    r = (1 - rate * gamma) ** (d_steps / 2)
    low, high = (gamma / (rate * c**2) * bound for bound in ((1 - r) / (1 + r), (1 + r) / (1 - r)))

    def growth(g_factor):
        game = games.dirac("relativistic", r1_weight=gamma, g_factor=g_factor)
        return game.growth([0, 0], rate, d_steps=d_steps)

    assert growth(1.01 * low) == pytest.approx(r) == growth(0.99 * high)
    assert growth(0.9 * low) > r + 1e-3 and growth(1.1 * high) > r + 1e-3


@pytest.mark.parametrize(
    ("loss", "radius"), [("relativistic", 0.2**0.5), ("logistic", 0.2**0.5), ("least_squares", 0.1**0.5)]
)
def test_steps_at_once_end_on_a_circle_where_the_pair_creeps_inwards(loss, radius):
    for start in (0.5 * radius, 1.5 * radius):
        path = games.dirac(loss).trajectory([start, 0.0], 0.1, 3000, simultaneous=True)
        assert np.linalg.norm(path[-500:], axis=1).mean() == pytest.approx(radius, rel=0.1)


@pytest.mark.parametrize("g_factor", [0.01, 1.0, 100.0])
def test_a_strict_nash_equilibrium_of_a_zero_sum_game_is_stable_at_any_g_factor(g_factor):
    found = games.verdict(games.quadratic(0.1, 0.2, 3, -3, g_factor=g_factor), [0.0, 0.0])
    assert found["nash"] and found["stable"]


def test_a_step_is_a_step():
    game = games.bilinear(g_factor=2.0)
    assert np.allclose(game.field([1.0, 3.0]), [-6.0, 1.0])
    assert np.allclose(game.jacobian([1.0, 3.0]), [[0, -2], [1, 0]])
    in_turn = game.trajectory([1.0, 3.0], 0.1, 1, d_steps=2)  # the discriminator twice, then the generator
    assert np.allclose(in_turn[1], [1.0 - 0.1 * 2 * 3.2, 3.2])
    at_once = game.trajectory([1.0, 3.0], 0.1, 1, simultaneous=True)
    assert np.allclose(at_once[1], [0.4, 3.1])
    moved = game.step_jacobian([1.0, 3.0], 0.1, d_steps=2) @ [1.0, 3.0]  # a linear game: the step itself
    assert np.allclose(moved, in_turn[1])
    assert games.bilinear().growth([0, 0], 0.1, simultaneous=True) == pytest.approx(np.sqrt(1.01))


def test_nash_and_stable_are_not_the_same():
    strict = games.verdict(games.quadratic(1, 1, 2, 2), [0.0, 0.0])
    assert strict["nash"] and not strict["stable"] and strict["real_part"] == pytest.approx(1.0)
    held = games.quadratic(-1, 2, 2, -2)
    found = games.verdict(held, [0.0, 0.0])
    assert found["stable"] and not found["nash"] and found["g_curvature"] == pytest.approx(-1.0)
    assert np.allclose(games.eigenvalues(held.jacobian([0, 0])), [(-1 + 1j * 7**0.5) / 2, (-1 - 1j * 7**0.5) / 2])
    assert not games.verdict(games.quadratic(-1, 2, 2, -2, g_factor=3), [0.0, 0.0])["stable"]


def test_a_game_with_three_stationary_points():
    game = games.polynomial()
    points = {y: games.verdict(game, [-y, y]) for y in (0.0, 2 - 2**0.5, 2 + 2**0.5)}
    assert all(found["field"] < 1e-9 for found in points.values())
    assert [(found["stable"], found["nash"]) for found in points.values()] == [
        (True, False),
        (False, False),
        (True, True),
    ]


def test_the_best_discriminator_and_what_its_loss_says():
    p, q = np.array([0.1, 0.4, 0.3, 0.2]), np.array([0.35, 0.25, 0.35, 0.05])
    logits, least = games.best_discriminator("logistic", p, q)
    assert np.allclose(1 / (1 + np.exp(-logits)), p / (p + q), atol=1e-4)
    assert least == pytest.approx(np.log(4) - 2 * games.jensen_shannon(p, q), abs=1e-6)
    assert games.jensen_shannon([0.5, 0.5], [0.5, 0.5]) == pytest.approx(0)
    _, least = games.best_discriminator("least_squares", p, q)
    assert least == pytest.approx(0.5 - ((p - q) ** 2 / (p + q)).sum() / 4, abs=1e-6)
    logits, least = games.best_discriminator("relativistic", p, q)
    assert np.ptp(logits - np.log(p / q)) < 1e-3
    pairs = games.jensen_shannon(np.outer(p, q), np.outer(q, p))
    assert least == pytest.approx(np.log(2) - pairs, abs=1e-6)
    _, least = games.best_discriminator("hinge", p, q)
    assert least == pytest.approx(2 - abs(p - q).sum(), abs=1e-5)


@pytest.mark.parametrize(
    ("loss", "p", "message"),
    [
        ("wasserstein", [0.5, 0.5], "has no least value without a bound on the discriminator"),
        ("logistic", [0.0, 1.0], "probabilities must be above 0 and add up to 1"),
        ("logistic", [0.5, 0.4], "probabilities must be above 0 and add up to 1"),
    ],
)
def test_laws_that_are_none(loss, p, message):
    with pytest.raises(ValueError, match=message):
        games.best_discriminator(loss, p, [0.5, 0.5])


def test_products_with_the_jacobian_of_a_trained_game(runs_with, small):
    """Against differences of the gradients, and eigenvalues against the whole matrix of a few weights."""
    run = runs_with(small, "played")
    game = games.TrainedGame(run, batch_size=12)
    weights = [variable for owned in game._variables for variable in owned]
    vector = np.random.default_rng(0).normal(size=sum(game.sizes))
    vector /= np.linalg.norm(vector)
    before, around = [weight.numpy() for weight in weights], []
    for sign in (1, -1):
        start = 0
        for weight, value in zip(weights, before, strict=True):
            weight.assign(value + sign * 1e-2 * vector[start : start + value.size].reshape(value.shape))
            start += value.size
        around.append(np.concatenate([gradient.numpy().ravel() for gradient in game._gradients()]))
    for weight, value in zip(weights, before, strict=True):
        weight.assign(value)
    numeric = -(around[0] - around[1]) / 2e-2
    assert np.allclose(game.product(vector), numeric, atol=0.05 * abs(numeric).max())
    leading = game.leading(2, "LM")
    assert len(leading) == 2 and abs(leading[0]) >= abs(leading[1])
    faster = game.leading(1, "LM", rates=2 * game.rates())
    assert abs(faster[0]) == pytest.approx(2 * abs(leading[0]), rel=1e-2)
    shifted = game.leading(1, "LM", rates=0 * game.rates(), shift=1.0)
    assert shifted[0] == pytest.approx(1.0, abs=1e-4)


def test_where_no_eigenvalue_is_found_figures_are_missing(runs_with, small, monkeypatch, capsys):
    from scipy.sparse import linalg

    def none(*_, **__):
        raise linalg.ArpackNoConvergence("none in %d", np.zeros(0, complex), None)

    game = games.TrainedGame(runs_with(small, "played"), batch_size=12)
    for name in ("eigs", "eigsh"):
        monkeypatch.setattr(linalg, name, none)
    found = games.inspect(game, game.leading(2, "LM"))
    assert "0 of 2 eigenvalues (LM) have converged" in capsys.readouterr().out
    missing = [name for name, value in found.items() if np.isnan(value)]
    assert missing == ["real_part", "turning", "g_curvature", "d_curvature", "growth"]
    figure = of_games.spectra({"run": np.zeros(0), "other": np.array([1, 2j + 2])})
    assert figure.alt.endswith("real parts: run none; other from 1 to 2")


def test_dropout_has_no_field(runs_with, small):
    import dataclasses

    run = runs_with(small, "played")

    class Old:
        name, config = "old", dataclasses.replace(run.config, generator="rcgan_v4")

    with pytest.raises(ValueError, match="run old has dropout"):
        games.TrainedGame(Old())


def test_of_a_path_that_leaves_its_panel_the_figure_says_how_much():
    away = np.array([[0.0, 0.0], [0.5, -0.5], [2.0, 0.0], [np.nan, 0.0]])
    figure = of_games.trajectories({"away": away, "both": [away, away[:2]], "near": away[:2]}, frame=1.0)
    titles = [axis.get_title() for axis in figure.axes]
    assert titles == ["away\n2 of 4 states outside", "both\n2 of 6 states outside", "near"]
    assert figure.axes[0].get_xlim() == (-1, 1)
    assert "both ends at (nan, 0) and (0.5, -0.5) (2 of 6 states outside); near ends at (0.5, -0.5)" in figure.alt
