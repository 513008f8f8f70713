"""The evidence from draws at all temperatures: exact draws, so that no chain is run."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ampynb.algorithms.thermodynamic import (
    evidence_record,
    integral,
    log_evidence,
    standard_error,
)

NDIM, NWALKERS = 4, 16
PRIOR = 1e-3  # the prior's precision over the likelihood's
METHODS = ["stepping_stones", "thermodynamic_integration"]
BETA = np.append(np.geomspace(1.0, 2e-3, 7), 0.0)
EXACT = NDIM / 2 * np.log(PRIOR / (1 + PRIOR))
record = jax.jit(jax.vmap(evidence_record, in_axes=(0, None)))


def exact_draws(beta: np.ndarray, n: int, seed: int = 0) -> np.ndarray:
    """Return log likelihoods -|x|**2 / 2, (n, ntemps, nwalkers), x a priori normal."""
    shape = (n, len(beta), NWALKERS)
    squares = np.random.default_rng(seed).chisquare(NDIM, size=shape)
    return -0.5 * squares / (beta + PRIOR)[:, None]


def step_stats(log_likelihood: np.ndarray, beta: np.ndarray) -> dict[str, np.ndarray]:
    found = record(jnp.asarray(log_likelihood), jnp.asarray(beta))
    return {name: np.asarray(values) for name, values in found.items()}


def correlated(n: int, seed: int) -> np.ndarray:
    """Return exact draws each of which is repeated, which leaves n / 4 of them."""
    return np.repeat(exact_draws(BETA, n // 4, seed), 4, axis=0)


# The integral


@pytest.mark.parametrize("n", [2, 3, 9])
def test_a_hyperbola_is_integrated_exactly(n: int):
    x = np.append(0.0, np.geomspace(1.0, 1e-2, n - 1)[::-1])
    below = x + PRIOR
    found = integral(x, -1 / below, 1 / below**2)
    assert found == pytest.approx(-np.log((1 + PRIOR) / PRIOR), rel=1e-6)


@pytest.mark.parametrize(
    ("function", "slope", "exact"),
    [
        (lambda x: x, np.ones_like, 0.5),
        (np.exp, np.exp, np.e - 1),
        (lambda x: np.tanh(4 * x), lambda x: 4 / np.cosh(4 * x) ** 2, None),
    ],
    ids=["line", "exponential", "step"],
)
def test_the_rule_is_of_fourth_order(function, slope, exact):
    exact = np.log(np.cosh(4.0)) / 4 if exact is None else exact
    errors = []
    for n in (9, 17):
        x = np.linspace(0.0, 1.0, n)
        errors.append(abs(integral(x, function(x), slope(x)) - exact))
    assert errors[1] < 1e-4
    assert errors[1] <= max(errors[0] / 12, 1e-13)


def test_noise_that_makes_the_mean_decrease_does_no_harm():
    found = integral(np.array([0.0, 0.5, 1.0]), np.array([0.0, 1.0, 0.9]), np.ones(3))
    assert found == pytest.approx(0.25 + 0.475, abs=0.2)
    assert integral(np.array([0.0, 1.0]), np.full(2, 3.0), np.zeros(2)) == 3.0


# The evidence


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("draws", [exact_draws, None], ids=["independent", "repeated"])
def test_errors_are_calibrated(method: str, draws):
    seeds, n = range(60), 400
    found = [
        log_evidence(
            step_stats(draws(BETA, n, seed) if draws else correlated(n, seed), BETA)
        )[method]
        for seed in seeds
    ]
    values, errors = np.array(found).T
    pulls = (values - EXACT) / errors
    assert np.all(errors < 0.2)
    assert np.abs(pulls).max() < 4.5
    assert 0.75 < np.sqrt(np.mean(pulls**2)) < 1.3
    assert abs(pulls.mean()) < 3 / np.sqrt(len(pulls))


def test_the_error_of_a_coarse_ladder_tells_of_it():
    beta = np.array([1.0, 0.1, 0.0])
    found = log_evidence(step_stats(shifted_draws(beta, 4000), beta))
    value, error = found["thermodynamic_integration"]
    exact = NDIM / 2 * (np.log(1e-2 / 1.01) - 30.0**2 * 1e-2 / 1.01)
    assert abs(value - exact) > 1.0  # so few temperatures do not do
    assert abs(value - exact) < 3 * error


def shifted_draws(beta: np.ndarray, n: int) -> np.ndarray:
    """Return log likelihoods -|x|**2 / 2, with x a priori normal around 30, sd 10."""
    precision = (beta + 1e-2)[:, None, None]
    noise = np.random.default_rng(5).normal(size=(n, len(beta), NWALKERS, NDIM))
    position = 30.0 * 1e-2 / precision + noise / np.sqrt(precision)
    return -0.5 * np.sum(position**2, axis=-1)


@pytest.mark.parametrize("method", METHODS)
def test_a_prior_that_is_partly_without_likelihood(method: str):
    # every third walker at the prior is where the likelihood is zero
    log_likelihood = exact_draws(BETA, 1000)
    nowhere = np.random.default_rng(1).uniform(size=(1000, NWALKERS)) < 1 / 3
    log_likelihood[:, -1] = np.where(nowhere, -np.inf, log_likelihood[:, -1])
    value, error = log_evidence(step_stats(log_likelihood, BETA))[method]
    assert abs(value - EXACT - np.log(2 / 3)) < 3 * error
    assert error < 0.1


@pytest.mark.parametrize("marker", [-1e10, -1e300, np.nan_to_num(-np.inf)])
def test_a_large_negative_marker_is_as_minus_infinity(marker: float):
    log_likelihood = exact_draws(BETA, 400)
    nowhere = np.random.default_rng(1).uniform(size=(400, NWALKERS)) < 1 / 3
    expected, found = (
        log_evidence(step_stats(np.concatenate([log_likelihood[:, :-1], hot], 1), BETA))
        for hot in (
            np.where(nowhere, impossible, log_likelihood[:, -1])[:, None]
            for impossible in (-np.inf, marker)
        )
    )
    assert found == expected


def test_a_bad_point_is_no_impossible_one():
    """At 1e-7 a log likelihood of -1e6 is as good as any."""
    beta = np.array([1.0, 1e-3, 1e-5, 1e-6, 1e-7, 0.0])
    weight = np.exp(-1e6 * beta)  # beside that of another half of the prior, at 0
    share = weight / (1 + weight)
    random = np.random.default_rng(3)
    bad = random.uniform(size=(4000, len(beta), NWALKERS)) < share[:, None]
    found = log_evidence(step_stats(np.where(bad, -1e6, 0.0), beta))
    for method in METHODS:
        value, error = found[method]
        assert abs(value - np.log(0.5)) < 4 * error, method


def test_errors_hold_what_changes_slowly():
    """Of means that drift with a correlation time of 100 in 3200 steps."""
    random, pulls = np.random.default_rng(2), []
    for _ in range(100):
        drift, series = 0.0, np.zeros(3200)
        kicks = random.normal(size=(2, 3200))
        for i in range(3200):
            drift = 0.99 * drift + np.sqrt(1 - 0.99**2) * kicks[0, i]
            series[i] = 0.3 * drift + kicks[1, i]
        pulls.append(series.mean() / standard_error(series))
    assert 0.7 < np.std(pulls) < 1.4


@pytest.mark.parametrize("method", METHODS)
def test_a_constant_likelihood_is_the_evidence(method: str):
    constant = np.full((100, len(BETA), NWALKERS), -7.5)
    value, error = log_evidence(step_stats(constant, BETA))[method]
    assert value == pytest.approx(-7.5, abs=1e-12)
    assert error < 1e-12


@pytest.mark.parametrize("shift", [-1e6, 1e6])
@pytest.mark.parametrize("method", METHODS)
def test_a_large_log_likelihood_is_not_lost(method: str, shift: float):
    plain, moved = (
        log_evidence(step_stats(exact_draws(BETA, 100) + by, BETA))[method]
        for by in (0.0, shift)
    )
    assert moved.value - shift == pytest.approx(plain.value, abs=1e-4)
    assert moved.error == pytest.approx(plain.error, rel=1e-3)


def test_without_the_prior_there_is_no_evidence():
    assert log_evidence(step_stats(exact_draws(BETA[:-1], 100), BETA[:-1])) == {}


@pytest.mark.parametrize("n", [0, 1, 10])
def test_from_few_steps_there_is_no_evidence(n: int):
    few = {name: v[:n] for name, v in step_stats(exact_draws(BETA, 20), BETA).items()}
    assert log_evidence(few) == {}


def test_two_temperatures_have_no_integral():
    beta = np.array([1.0, 0.0])
    assert list(log_evidence(step_stats(exact_draws(beta, 100), beta))) == METHODS[:1]


def test_a_prior_without_any_likelihood_has_no_evidence():
    log_likelihood = exact_draws(BETA, 50)
    log_likelihood[:, -1] = -np.inf
    assert log_evidence(step_stats(log_likelihood, BETA)) == {}
