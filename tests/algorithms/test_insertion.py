"""Insertion ranks are uniform where new live points are as they should be."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import kstest

from ampynb.algorithms.insertion import NO_RANK, insertion_ranks, insertion_trouble


def inserted(draw, n: int = 2000, nlive: int = 50, k: int = 5, seed: int = 0):
    """Return the ranks of points from ``draw(random, size)`` among uniform ones."""
    random = np.random.default_rng(seed)
    found = [
        insertion_ranks(
            random.random(k), np.round(random.random(nlive), 2), draw(random, k)
        )
        for _ in range(n // k)
    ]
    return np.concatenate(found)


def test_ranks_of_the_right_points_are_uniform_also_where_likelihoods_are_equal():
    ranks = inserted(lambda random, k: np.round(random.random(k), 2))
    assert kstest(ranks, "uniform").pvalue > 0.01
    assert insertion_trouble(ranks) == ()


def test_points_from_a_part_of_the_prior_are_found_and_the_remedy_is_named():
    ranks = inserted(lambda random, k: 0.15 + 0.85 * random.random(k))
    (told,) = insertion_trouble(ranks)
    assert all(word in told for word in ("insertion ranks", "slice_steps", "nwalkers"))


def test_a_rank_is_among_the_points_above_the_contour_and_those_inserted_before():
    above = np.array([np.nan, 1.0, 3.0, np.nan, 5.0])
    born = np.array([2.0, 6.0, 3.0])
    found = insertion_ranks(np.array([0.0, 0.5, 0.999]), above, born)
    np.testing.assert_allclose(found, [1 / 4, 4.5 / 5, (2 + 2 * 0.999) / 6])
    in_jax = insertion_ranks(
        jnp.array([0.0, 0.5, 0.999]), *map(jnp.array, (above, born))
    )
    np.testing.assert_allclose(in_jax, found)
    assert isinstance(in_jax, jax.Array)


def test_first_points_have_no_rank_and_few_ranks_no_verdict():
    assert insertion_trouble(np.full(500, NO_RANK)) == ()
    assert insertion_trouble(np.full(10, 0.001)) == ()
    assert insertion_trouble(np.full(40, 0.001)) != ()


@pytest.mark.parametrize("seed", [1, 2])
def test_the_level_of_the_test_is_that_of_kolmogorov_and_smirnov(seed: int):
    random = np.random.default_rng(seed)
    shift = 1.95 / np.sqrt(1000)  # 1.95 has the probability 1e-3
    exact = (np.arange(1000) + 0.5) / 1000
    assert insertion_trouble(random.permutation(exact + 1.05 * shift)) != ()
    assert insertion_trouble(random.permutation(exact + 0.9 * shift)) == ()
