"""Numbers of draws with and without weights, whose distribution is known."""

from math import erf, sqrt

import numpy as np
import pytest
from scipy import stats

from ampynb.results.points import Points

RANDOM = np.random.default_rng(4)
NORMAL = Points(RANDOM.normal(size=(20_000, 2)))
# Draws of a wider normal distribution, weighted to be standard normal.
WIDE = 2.0 * RANDOM.normal(size=(40_000, 2))
REWEIGHTED = Points(WIDE, 700.0 * np.exp(-0.5 * np.sum(WIDE**2, axis=1) * (1 - 1 / 4)))
COUNTS = np.array([3, 1, 0, 2, 5, 1, 1, 4])
VALUES = np.array([[0.5, 2.0, 9.0, -1.0, 4.0, 3.5, 8.0, 0.0]] * 2).T * [1.0, -1.0]
COUNTED = Points(VALUES, COUNTS.astype(float))
REPEATED = Points(np.repeat(VALUES, COUNTS, axis=0))


@pytest.mark.parametrize("points", [NORMAL, REWEIGHTED], ids=["equal", "weighted"])
@pytest.mark.parametrize(("sigma", "within"), [(1, 0.03), (2, 0.06), (3, 0.25)])
def test_an_interval_of_the_normal_distribution_is_its_sigma(points, sigma, within):
    low, high = points.interval(sigma)
    np.testing.assert_allclose(low, -sigma, atol=within)
    np.testing.assert_allclose(high, sigma, atol=within)


@pytest.mark.parametrize("sigma", [0.5, 1, 1.7, 3])
def test_an_interval_holds_its_share_of_any_distribution(sigma):
    """Of the uniform distribution the edges are the probabilities themselves."""
    points = Points(np.linspace(0.0, 1.0, 100_001)[:, None])
    low, high = points.interval(sigma)
    outside = 1 - erf(sigma / sqrt(2))
    np.testing.assert_allclose([low, high], [[outside / 2], [1 - outside / 2]])
    assert high - low == pytest.approx(stats.chi2(1).cdf(sigma**2), abs=1e-9)


def test_moments_are_those_of_the_normal_distribution():
    for points in (NORMAL, REWEIGHTED):
        np.testing.assert_allclose(points.mean(), 0.0, atol=0.04)
        np.testing.assert_allclose(points.sd(), 1.0, atol=0.03)
        np.testing.assert_allclose(points.median(), 0.0, atol=0.05)
        np.testing.assert_allclose(points.covariance(), np.eye(2), atol=0.05)


def test_a_weight_is_a_number_of_repetitions():
    np.testing.assert_allclose(COUNTED.mean(), REPEATED.mean())
    for probability in (0.03, 0.2, 0.5, 0.8, 0.99):
        among = np.sort(np.unique(REPEATED.values[:, 0]))
        place = np.searchsorted(among, REPEATED.quantile((probability,))[0, 0])
        low, high = among[max(place - 1, 0)], among[min(place + 1, len(among) - 1)]
        assert low <= COUNTED.quantile((probability,))[0, 0] <= high


PROBABILITIES = (0.0, 0.0013, 0.16, 0.5, 0.84, 0.9987, 1.0)


def test_quantiles_of_equal_weights_are_those_without_weights():
    values = NORMAL.values[:500]
    equal = Points(values, np.full(len(values), 0.7))
    without = Points(values)
    np.testing.assert_allclose(
        equal.quantile(PROBABILITIES), without.quantile(PROBABILITIES), rtol=1e-10
    )
    np.testing.assert_allclose(equal.interval(1), without.interval(1), rtol=1e-10)


def test_quantiles_of_the_mirrored_draws_are_mirrored():
    mirrored = Points(-REWEIGHTED.values, REWEIGHTED.weights)
    opposite = tuple(1 - p for p in PROBABILITIES)
    np.testing.assert_allclose(
        mirrored.quantile(PROBABILITIES), -REWEIGHTED.quantile(opposite), atol=1e-6
    )


def test_the_unit_of_the_weights_plays_no_part():
    scaled = Points(COUNTED.values, 1e-3 * COUNTS)
    for number in ("mean", "sd", "median", "covariance"):
        expected = getattr(COUNTED, number)()
        np.testing.assert_allclose(getattr(scaled, number)(), expected)


def test_a_weight_of_zero_is_no_draw():
    kept = COUNTS > 0
    fewer = Points(VALUES[kept], COUNTS[kept].astype(float))
    for number in ("mean", "sd", "median", "covariance"):
        expected = getattr(fewer, number)()
        np.testing.assert_allclose(getattr(COUNTED, number)(), expected)
    assert np.array_equal(COUNTED.interval(2), fewer.interval(2))


def test_numbers_without_weights_are_numpys():
    values = NORMAL.values[:101]
    points = Points(values)
    np.testing.assert_allclose(points.sd(), values.std(axis=0, ddof=1), rtol=1e-12)
    np.testing.assert_allclose(points.covariance(), np.cov(values.T), rtol=1e-12)
    assert np.array_equal(points.median(), np.median(values, axis=0))
    expected = np.quantile(values, (0.1, 0.7), axis=0)
    assert np.array_equal(points.quantile((0.1, 0.7)), expected)


def test_the_covariance_of_one_parameter_is_a_matrix():
    covariance = Points(NORMAL.values[:, :1]).covariance()
    assert covariance.shape == (1, 1)
    assert covariance[0, 0] == pytest.approx(NORMAL.sd()[0] ** 2)


@pytest.mark.parametrize("weights", [None, np.arange(1.0, 6.0)], ids=["equal", "not"])
def test_what_is_not_finite_is_left_out_of_its_column_alone(weights):
    values = np.outer([1.0, 5.0, 2.0, 8.0, 3.0], [1.0, 10.0, 1.0])
    values[[0, 3], 1] = [np.nan, np.inf]
    values[:, 2] = np.nan
    points, kept = Points(values, weights), [1, 2, 4]
    whole = Points(values[:, :1], weights)
    part = Points(values[kept, 1:2], None if weights is None else weights[kept])
    for number in ("mean", "sd", "median"):
        found = getattr(points, number)()
        assert found[0] == getattr(whole, number)()[0]
        assert found[1] == getattr(part, number)()[0]
        assert np.isnan(found[2])
    assert np.array_equal(points.interval(1)[:, 1:2], part.interval(1))


def test_a_single_draw_has_no_width():
    assert np.isnan(Points(np.ones((1, 2))).sd()).all()
    assert np.array_equal(Points(np.ones((1, 2))).median(), np.ones(2))
