"""The graphical test of ranks: exact by enumeration, and right by simulation."""

import itertools

import numpy as np
import pytest

from ampynb.results.uniformity import departure, ecdf_band, p_value
from tests.results.builders import arviz


def samples(n: int, n_ranks: int) -> np.ndarray:
    """Return every sample of ``n`` ranks; each is as probable as any other."""
    return np.array(list(itertools.product(range(n_ranks), repeat=n)))


def stays_inside(ranks: np.ndarray, n_ranks: int, mass: float) -> bool:
    band = ecdf_band(len(ranks), n_ranks, mass)
    below = np.array([np.mean(ranks < i) for i in range(n_ranks + 1)])
    return bool(np.all((below >= band.low - 1e-9) & (below <= band.high + 1e-9)))


SMALL = [(1, 2), (1, 5), (4, 3), (5, 4)]


@pytest.mark.parametrize(("n", "n_ranks"), SMALL)
def test_p_values_are_those_of_every_possible_sample(n: int, n_ranks: int):
    """A p-value is the share of all samples whose own is no larger, by its meaning."""
    values = np.array([p_value(ranks, n_ranks) for ranks in samples(n, n_ranks)])
    for value in np.unique(values.round(9)):
        assert np.mean(values <= value + 1e-6) == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize("mass", [0.55, 0.85, 0.95])
@pytest.mark.parametrize(("n", "n_ranks"), SMALL)
def test_the_band_holds_so_many_of_all_samples_and_not_more_than_it_must(
    n: int, n_ranks: int, mass: float
):
    everything = samples(n, n_ranks)
    inside = [stays_inside(ranks, n_ranks, mass) for ranks in everything]
    values = np.array([p_value(ranks, n_ranks) for ranks in everything])
    np.testing.assert_array_equal(inside, values > 1 - mass)
    assert np.mean(inside) >= mass


@pytest.mark.parametrize(("n", "n_ranks"), [(200, 100), (50, 100), (300, 7)])
def test_a_sample_leaves_the_band_just_where_its_p_value_is_small(n: int, n_ranks: int):
    random = np.random.default_rng(2)
    for _ in range(30):
        tilt = random.uniform(0.8, 1.25)
        ranks = (n_ranks * random.uniform(size=n) ** tilt).astype(int)
        is_small = p_value(ranks, n_ranks) <= 0.05
        assert stays_inside(ranks, n_ranks, 0.95) is not is_small


@pytest.mark.slow
@pytest.mark.parametrize("mass", [0.8, 0.95])
@pytest.mark.parametrize(
    ("n", "n_ranks"), [(200, 100), (1000, 100), (50, 200), (30, 10)]
)
def test_the_band_covers_as_often_as_it_says(n: int, n_ranks: int, mass: float):
    band, times = ecdf_band(n, n_ranks, mass), 40_000
    share = np.full(n_ranks, 1 / n_ranks)
    below = np.random.default_rng(3).multinomial(n, share, times).cumsum(axis=1)
    low, high = (np.round(n * edge[1:]) for edge in (band.low, band.high))
    covered = np.mean(np.all((below >= low) & (below <= high), axis=1))
    error = np.sqrt(mass * (1 - mass) / times)
    assert covered > mass - 4 * error
    assert covered < mass + 0.02  # as little more as whole numbers allow


def test_the_band_is_that_of_another_implementation():
    """ArviZ 0.2x finds the band of the same paper by its binomial recursion."""
    if not hasattr(arviz(), "stats"):
        pytest.skip("ArviZ 1.x has simulations alone")
    from arviz.stats.ecdf_utils import ecdf_confidence_band

    n, z = 200, np.arange(1, 101) / 100
    low, high = ecdf_confidence_band(n, z, z, prob=0.95, method="optimized")
    band = ecdf_band(n, 100, 0.95)
    assert np.max(np.abs(n * (band.low[1:] - low))) < 1.5  # counts
    assert np.max(np.abs(n * (band.high[1:] - high))) < 1.5


def test_the_band_begins_and_ends_where_all_distributions_do():
    band = ecdf_band(100, 20, 0.95)
    assert (band.z[0], band.low[0], band.high[0]) == (0, 0, 0)
    assert (band.z[-1], band.low[-1], band.high[-1]) == (1, 1, 1)
    assert np.all(np.diff(band.low) >= 0) and np.all(np.diff(band.high) >= 0)
    np.testing.assert_allclose(band.low, 1 - band.high[::-1])  # it is symmetric
    wider = ecdf_band(100, 20, 0.99)
    assert np.all(wider.low <= band.low) and np.all(wider.high >= band.high)
    assert np.any(wider.high > band.high)


# In which way


def test_every_rank_once_is_no_departure():
    assert departure(np.arange(10), 10) == pytest.approx((0.0, 0.0))


@pytest.mark.parametrize(
    ("ranks", "bias", "spread"),
    [
        ([9] * 8 + [0] * 8, 0, 1),
        ([4] * 8 + [5] * 8, 0, -1),
        ([9] * 16, 1, 1),
        ([0] * 16, -1, 1),
        ([7] * 16, 1, -1),
    ],
)
def test_the_ways_of_departing_have_their_signs(ranks: list, bias: int, spread: int):
    found = departure(np.array(ranks), 10)
    assert (np.sign(found.bias), np.sign(found.spread)) == (bias, spread)


def test_departures_are_in_standard_deviations():
    ranks = np.random.default_rng(4).integers(0, 50, (4000, 100))
    found = np.array([departure(one, 50) for one in ranks])
    np.testing.assert_allclose(found.mean(axis=0), 0.0, atol=0.06)
    np.testing.assert_allclose(found.std(axis=0), 1.0, atol=0.05)
