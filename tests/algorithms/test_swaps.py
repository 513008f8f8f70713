"""Exchanges between temperatures: what they keep together and leave as it is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import betainc

from ampynb.algorithms.ensemble import Walkers
from ampynb.algorithms.swaps import propose_swaps, swap

NDIM = 3
compiled = jax.jit(swap)


def gaussian_walkers(beta: np.ndarray, nwalkers: int, seed: int = 0) -> Walkers:
    """Return exact draws from L**beta with ln L = -|x|**2 / 2."""
    shape = (len(beta), nwalkers, NDIM)
    noise = np.random.default_rng(seed).normal(size=shape)
    position = noise / np.sqrt(beta)[:, None, None]
    log_likelihood = -0.5 * np.sum(position**2, axis=-1)
    number = np.arange(log_likelihood.size).reshape(log_likelihood.shape)
    evaluated = jnp.zeros((*number.shape, 3), int)
    arrays = position, number * 1.0, log_likelihood, number, evaluated
    return Walkers(*map(jnp.asarray, arrays))


@pytest.mark.parametrize("ntemps", [2, 3, 4, 7])
@pytest.mark.parametrize("nwalkers", [8, 13])
def test_walkers_change_places_and_nothing_else(ntemps: int, nwalkers: int):
    beta = np.geomspace(1.0, 0.2, ntemps)
    before = gaussian_walkers(beta, nwalkers)
    after, accepted = compiled(jax.random.key(1), before, jnp.asarray(beta))
    assert 0 < np.mean(accepted) < 1
    origin = np.asarray(after.log_prior, int)  # each walker's number
    assert sorted(origin.ravel()) == list(range(ntemps * nwalkers))
    for name in ("position", "log_likelihood"):
        values = np.asarray(getattr(before, name)).reshape(ntemps * nwalkers, -1)
        there = np.asarray(getattr(after, name)).reshape(ntemps * nwalkers, -1)
        np.testing.assert_array_equal(there, values[origin.ravel()])
    np.testing.assert_array_equal(after.accepted, before.accepted)


@pytest.mark.parametrize("ntemps", [2, 3, 6])
def test_the_accepted_swaps_are_those_that_were_made(ntemps: int):
    beta, nwalkers = np.geomspace(1.0, 0.2, ntemps), 16
    before = gaussian_walkers(beta, nwalkers)
    after, accepted = compiled(jax.random.key(2), before, jnp.asarray(beta))
    accepted = np.asarray(accepted)
    assert accepted.shape == (ntemps - 1, nwalkers)
    came_from = np.asarray(after.log_prior, int) // nwalkers
    # Across the border between two temperatures, as many go up as go down.
    for pair in range(ntemps - 1):
        down = np.sum(came_from[: pair + 1] > pair)
        up = np.sum(came_from[pair + 1 :] <= pair)
        assert down == up <= accepted[pair].sum()
    # Where nothing was exchanged, all stay in their places.
    moved = np.asarray(after.log_prior).ravel() != np.arange(ntemps * nwalkers)
    assert moved.sum() <= 2 * accepted.sum()
    # A coldest walker comes from elsewhere just where its swap was accepted.
    own = np.arange(nwalkers)
    np.testing.assert_array_equal(np.asarray(after.log_prior)[0] != own, accepted[0])


def test_the_swap_rate_of_a_gaussian():
    # Predescu, Predescu and Ciobanu 2004
    beta, nwalkers = np.array([1.0, 0.5, 0.1]), 100_000
    walkers = gaussian_walkers(beta, nwalkers)
    _, accepted = compiled(jax.random.key(3), walkers, jnp.asarray(beta))
    rate, ratio = np.mean(accepted, axis=1), beta[:-1] / beta[1:]
    exact = 2 * betainc(NDIM / 2, NDIM / 2, 1 / (1 + ratio))
    np.testing.assert_allclose(rate, exact, atol=4 * 0.5 / np.sqrt(nwalkers))


def test_swaps_leave_every_temperature_s_distribution_as_it_is():
    beta, nwalkers = np.array([1.0, 0.6, 0.3, 0.1]), 50_000
    walkers = gaussian_walkers(beta, nwalkers)
    for seed in range(5):
        walkers, _ = compiled(jax.random.key(seed), walkers, jnp.asarray(beta))
    scaled = -2 * beta[:, None] * np.asarray(walkers.log_likelihood)  # chi squared
    error = np.sqrt(2 * NDIM / nwalkers)
    np.testing.assert_allclose(scaled.mean(axis=1), NDIM, atol=5 * error)
    spread = np.sqrt((12 * NDIM * (NDIM + 4) - 4 * NDIM**2) / nwalkers)
    np.testing.assert_allclose(scaled.var(axis=1), 2 * NDIM, atol=5 * spread)


def test_who_has_no_likelihood_stays_with_the_prior():
    nowhere = np.full((1, 8), -np.inf)
    log_likelihood = jnp.asarray(np.concatenate([np.zeros((1, 8)), nowhere]))
    swaps = propose_swaps(jax.random.key(0), log_likelihood, jnp.array([1.0, 0.0]))
    assert not np.any(swaps.accepted)
    np.testing.assert_array_equal(swaps.log_likelihood, log_likelihood)
    # and gives its place to one that has some
    swaps = propose_swaps(
        jax.random.key(0), log_likelihood[::-1], jnp.array([1.0, 0.5])
    )
    assert np.all(swaps.accepted)
    # where nobody has any, there is nothing to exchange
    swaps = propose_swaps(
        jax.random.key(0), jnp.full((2, 8), -jnp.inf), jnp.array([1.0, 0.5])
    )
    assert not np.any(swaps.accepted)
