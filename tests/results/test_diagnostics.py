"""Tables and verdicts on draws whose distribution and correlation are known."""

import numpy as np
import pytest

from ampynb.results.diagnostics import (
    Diagnostics,
    live_diagnostics,
    weighted_columns,
)
from ampynb.results.points import Points
from tests.results.builders import autoregressive_draws, normal_draws, result_of

N_STEPS, N_WALKERS = 2000, 4
N_DRAWS = N_STEPS * N_WALKERS
RHO = 0.8
TAU = (1 + RHO) / (1 - RHO)  # sum of rho^|k| over all lags k


def shifted_draws() -> np.ndarray:
    draws = normal_draws(500)
    draws[:, 0, 1] += 2.0
    return draws


def spread_draws() -> np.ndarray:
    draws = normal_draws(500)
    draws[:, 0, 1] *= 5.0
    return draws


def test_the_table_is_that_of_a_standard_normal():
    table = result_of(normal_draws(N_STEPS)).summary()
    sigma = 1 / np.sqrt(N_DRAWS)
    assert table.index.tolist() == ["slope", "intercept"]
    np.testing.assert_allclose(table["mean"], 0.0, atol=5 * sigma)
    np.testing.assert_allclose(table["sd"], 1.0, atol=5 * sigma / np.sqrt(2))
    np.testing.assert_allclose(table["median"], 0.0, atol=5 * sigma * 1.2533)
    # Standard error of a quantile p: sqrt(p (1 - p) / n) / density
    error = 5 * np.sqrt(0.05 * 0.95 / N_DRAWS) / 0.10314
    np.testing.assert_allclose(table["q05"], -1.64485, atol=error)
    np.testing.assert_allclose(table["q95"], 1.64485, atol=error)
    np.testing.assert_allclose(table["mcse_mean"], sigma, rtol=0.1)


def test_the_table_s_moments_are_numpys():
    draws = normal_draws(50) @ np.array([[2.0, 1.0], [0.0, 0.5]]) + 3.0
    flat, table = draws.reshape(-1, 2), result_of(draws).summary()
    expected = {
        "mean": flat.mean(axis=0),
        "sd": flat.std(axis=0, ddof=1),
        "q05": np.quantile(flat, 0.05, axis=0),
        "median": np.median(flat, axis=0),
        "q95": np.quantile(flat, 0.95, axis=0),
    }
    for name, values in expected.items():
        np.testing.assert_allclose(table[name], values, rtol=1e-12)


def test_independent_draws_count_in_full():
    result = result_of(normal_draws(N_STEPS))
    table = result.summary()
    np.testing.assert_allclose(table["ess_bulk"], N_DRAWS, rtol=0.15)
    np.testing.assert_allclose(table["ess_tail"], N_DRAWS, rtol=0.15)
    assert np.all(np.abs(table["r_hat"] - 1.0) < 0.005)
    assert "tau" not in table
    assert result.verdict() == []
    assert "nothing speaks against" in result._repr_html_()


def test_correlated_chains_count_for_less():
    draws = autoregressive_draws(3000, RHO, nwalkers=4)
    table = result_of(draws).summary()
    np.testing.assert_allclose(table["ess_bulk"], 4 * 3000 / TAU, rtol=0.2)


def test_an_ensemble_has_its_autocorrelation_time():
    draws = autoregressive_draws(4000, RHO)
    table = result_of(draws, independent=False).summary()
    np.testing.assert_allclose(table["tau"], TAU, rtol=0.15)
    np.testing.assert_allclose(table["ess_bulk"], 8 * 4000 / table["tau"])
    error = table["sd"] / np.sqrt(table["ess_bulk"])
    np.testing.assert_allclose(table["mcse_mean"], error)


@pytest.mark.parametrize("draws", [shifted_draws(), spread_draws()], ids=["at", "by"])
def test_chains_that_disagree_have_not_converged(draws):
    """In place, and in spread: the folded half of the rank-normalised R-hat."""
    result = result_of(draws)
    of_slope, of_intercept = result.summary()["r_hat"].tolist()
    assert of_slope < 1.05
    assert of_intercept > 1.1
    assert any(
        "not converged" in line and "R-hat of intercept" in line
        for line in result.verdict()
    )


def test_few_draws_are_told():
    told = result_of(normal_draws(40)).verdict()
    assert any(
        "few independent draws" in line and "run longer" in line for line in told
    )


def test_a_chain_short_of_its_autocorrelation_time_is_told():
    slow = autoregressive_draws(300, 0.95)
    told = result_of(slow, independent=False).verdict()
    assert any("short chain" in line and "300 steps" in line for line in told)
    long = autoregressive_draws(4000, 0.5)
    assert result_of(long, independent=False).verdict() == []


def test_divergences_are_counted_and_told():
    diverging = np.zeros((N_STEPS, N_WALKERS), bool)
    diverging[[3, 5], [0, 1]] = True
    draws = normal_draws(N_STEPS)
    result = result_of(draws, extra_stats={"diverging": diverging})
    assert result.divergences == 2
    assert [line[:14] for line in result.verdict()] == ["2 divergences:"]
    assert result_of(draws).divergences == 0


def test_tails_that_were_visited_once_are_told():
    """The outer draws of each chain come together; the inner ones are independent."""
    draws = normal_draws(N_STEPS)
    for chain in np.moveaxis(draws, 1, 0)[..., 1]:
        outer = np.abs(chain) > 1.5
        place = np.argsort(outer, kind="stable")
        chain[:] = np.roll(chain[place], N_STEPS // 2)
    result = result_of(draws)
    columns = result.diagnostics().columns
    assert columns["ess_bulk"][1] > 3 * 400 > 400 > columns["ess_tail"][1]
    assert any(
        line.startswith("few draws in the tails: an effective ")
        and "of intercept, below 400" in line
        for line in result.verdict()
    )
    assert not any(
        "tails" in line for line in result_of(normal_draws(N_STEPS)).verdict()
    )


@pytest.mark.parametrize("independent", [True, False])
def test_what_never_moves_is_told(independent: bool):
    draws = normal_draws(4000)
    still = draws.copy()
    still[..., 1] = 7.0
    told = result_of(still, independent=independent).verdict()
    assert told[0].startswith("standing still: no walker ever moves in intercept; ")
    still = draws.copy()
    still[:, 2] = still[0, 2]
    told = result_of(still, independent=independent).verdict()
    assert told[0].startswith("standing still: 1 of 4 walkers never move")
    assert "start nearer the best fit" in told[0]


def test_chains_that_all_stand_still_apart_have_not_converged():
    draws = np.broadcast_to(np.arange(4.0)[None, :, None], (500, 4, 2)).copy()
    told = result_of(draws).verdict()
    assert told[0].startswith("standing still: 4 of 4 walkers never move")
    assert "nothing speaks against" not in result_of(draws)._repr_html_()


# Energies


def energies(rho: float) -> dict[str, np.ndarray]:
    """Return AR(1) energies, whose E-BFMI is 2 (1 - rho), in the third chain."""
    energy = normal_draws(N_STEPS, N_WALKERS, ndim=1)
    energy[:, 2:3] = autoregressive_draws(N_STEPS, rho, nwalkers=1, ndim=1, seed=3)
    return {"energy": energy[..., 0]}


@pytest.mark.parametrize("rho", [0.0, 0.6, 0.95])
def test_e_bfmi_is_that_of_each_chain(rho: float):
    result = result_of(normal_draws(N_STEPS), extra_stats=energies(rho))
    found = result.diagnostics().e_bfmi
    expected = 2 * (1 - np.array([0.0, 0.0, rho, 0.0]))
    assert found is not None
    np.testing.assert_allclose(found, expected, rtol=0.15, atol=0.02)
    told = [line for line in result.verdict() if "E-BFMI" in line]
    assert len(told) == (rho > 0.85)
    assert all("E-BFMI of chain 2 is 0.1" in line for line in told)


def test_without_energies_there_is_no_e_bfmi():
    assert result_of(normal_draws(N_STEPS)).diagnostics().e_bfmi is None
    few = {"energy": normal_draws(3, N_WALKERS, 1)[..., 0]}
    assert result_of(normal_draws(3), extra_stats=few).diagnostics().e_bfmi is None


# Swaps


def test_swap_rates_are_those_of_each_pair():
    rates = np.array([0.3, 0.01, 0.2])
    swaps = np.random.default_rng(0).binomial(8, rates, size=(N_STEPS, 3)) / 8
    result = result_of(
        autoregressive_draws(N_STEPS, 0.2),
        independent=False,
        step_stats={"swap_rate": swaps},
    )
    found = result.diagnostics().swap_rates
    assert found is not None
    error = 5 * np.sqrt(rates * (1 - rates) / (8 * N_STEPS))
    assert np.all(np.abs(found - rates) < error)
    (told,) = result.verdict()
    assert told.startswith("few swaps: 1.0 % between temperatures 2 and 3; give more")
    assert result_of(normal_draws(50)).diagnostics().swap_rates is None


# The autocorrelation time's reliability


@pytest.mark.parametrize(("steps", "reliable"), [(150, False), (3000, True)])
def test_tau_is_reliable_where_the_chain_is_fifty_times_as_long(steps, reliable):
    draws = autoregressive_draws(steps, RHO)  # tau is 9: 17 and 333 of them
    diagnostics = result_of(draws, independent=False).diagnostics()
    assert diagnostics.tau_is_reliable is not None
    assert diagnostics.tau_is_reliable.tolist() == [reliable, reliable]
    assert diagnostics.table["tau_is_reliable"].tolist() == [reliable, reliable]
    assert any("short chain" in line for line in diagnostics.verdict) is not reliable
    assert result_of(draws).diagnostics().tau_is_reliable is None


# Views


def full_diagnostics() -> Diagnostics:
    diverging = np.zeros((N_STEPS, N_WALKERS), bool)
    diverging[3, 0] = True
    accepted = np.arange(N_STEPS * N_WALKERS).reshape(N_STEPS, N_WALKERS) % 4 == 0
    stats = {"diverging": diverging, "accepted": accepted, **energies(0.0)}
    steps = {"swap_rate": np.full((N_STEPS, 2), 0.25)}
    result = result_of(normal_draws(N_STEPS), extra_stats=stats, step_stats=steps)
    return result.diagnostics()


@pytest.mark.parametrize("view", [repr, Diagnostics._repr_html_], ids=["repr", "HTML"])
def test_views_of_the_diagnostics_have_all_of_it(view):
    text = view(full_diagnostics())
    for word in (
        *("1 divergences", "steps", "2000", "acceptance rate", "0.250", "E-BFMI"),
        *("swap rates", "0.25, 0.25", "r_hat", "ess_bulk", "ess_tail", "intercept"),
    ):
        assert word in text, word
    text = view(result_of(normal_draws(N_STEPS)).diagnostics())
    assert "nothing speaks against these draws" in text
    for word in ("divergences", "E-BFMI", "swap", "tau"):
        assert word not in text


def test_views_of_the_diagnostics_of_nothing_say_so():
    told = result_of(normal_draws(2)).diagnostics()
    for text in (repr(told), told._repr_html_()):
        assert "expected 4 draws of each walker or more" in text
        assert "nothing speaks" not in text


def test_one_chain_has_no_r_hat():
    result = result_of(normal_draws(4000, nwalkers=1))
    table = result.summary()
    assert np.all(np.isnan(table["r_hat"]))
    np.testing.assert_allclose(table["ess_bulk"], 4000, rtol=0.3)
    assert result.verdict() == []


def test_a_parameter_that_stands_still_is_shown():
    draws = normal_draws(200)
    draws[..., 1] = 7.0
    table = result_of(draws).summary()
    assert table.loc["intercept", ["mean", "sd"]].tolist() == [7.0, 0.0]
    assert "intercept" in result_of(draws, independent=False)._repr_html_()


@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_shortest_runs_have_a_table(n):
    table = result_of(normal_draws(n, nwalkers=1)).summary()
    assert np.all(np.isfinite(table["mean"]))
    assert np.all(np.isnan(table["r_hat"]))


# What the monitor shows while a run goes on


def test_weighted_draws_count_by_their_weights():
    """Draws of a wide normal, weighted to a narrow one."""
    wide = 2.0 * normal_draws(20_000, nwalkers=1)[:, 0]
    log_weight = -0.5 * np.sum(wide**2 * (1 - 1 / 4), axis=1)
    log_weight -= np.logaddexp.reduce(log_weight)
    columns = weighted_columns(Points(wide, np.exp(log_weight)))
    size = np.exp(-np.logaddexp.reduce(2 * log_weight))
    np.testing.assert_allclose(columns["ess"], size)
    sigma = 1 / np.sqrt(size)
    np.testing.assert_allclose(columns["mean"], 0.0, atol=5 * sigma)
    np.testing.assert_allclose(columns["sd"], 1.0, atol=5 * sigma)
    np.testing.assert_allclose(columns["median"], 0.0, atol=6 * sigma)
    np.testing.assert_allclose(columns["q05"], -1.645, atol=11 * sigma)
    np.testing.assert_allclose(columns["q95"], 1.645, atol=11 * sigma)
    np.testing.assert_allclose(columns["mcse_mean"], columns["sd"] * sigma, rtol=1e-12)


def test_live_numbers_are_those_of_the_table():
    draws = autoregressive_draws(2000, 0.6, nwalkers=4)
    table = result_of(draws).summary()
    live = live_diagnostics(draws)
    assert live["ess"] == pytest.approx(table["ess_bulk"].min(), rel=0.1)
    assert live["r_hat"] == pytest.approx(table["r_hat"].max(), abs=0.003)


@pytest.mark.parametrize("draws", [shifted_draws(), spread_draws()], ids=["at", "by"])
def test_live_numbers_see_chains_that_disagree(draws):
    expected = result_of(draws).summary()["r_hat"].max()
    assert live_diagnostics(draws)["r_hat"] == pytest.approx(expected, rel=0.02)


LITTLE = {
    "nothing": np.zeros((0, 4, 2)),
    "a few": normal_draws(5),
}


@pytest.mark.parametrize("draws", LITTLE.values(), ids=LITTLE)
def test_live_numbers_are_left_out_where_there_are_none(draws):
    assert live_diagnostics(draws) == {}


def test_an_element_that_never_moves_has_no_live_numbers():
    draws = normal_draws(200)
    draws[..., 1] = 3.0
    found = live_diagnostics(draws)
    assert found.keys() == {"ess", "r_hat"}
    assert np.isnan(found["ess"])


def test_live_numbers_of_one_chain():
    assert "ess" in live_diagnostics(normal_draws(100, nwalkers=1))
