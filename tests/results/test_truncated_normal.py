"""Truncated normal distributions by their moments, against SciPy's."""

import numpy as np
import pytest
from scipy import stats

from ampynb.results.truncated_normal import with_moments

INF = np.inf


def moments(mean: float, sd: float, low: float, high: float) -> tuple[float, float]:
    given = [np.array(value) for value in (mean, sd, low, high)]
    loc, scale = with_moments(*given)
    found = stats.truncnorm((low - loc) / scale, (high - loc) / scale, loc, scale)
    return float(found.mean()), float(found.std())


REACHED = {
    "no edges": (5.0, 2.0, -INF, INF),
    "edges far away": (5.0, 0.1, 0.0, 10.0),
    "near the lower edge": (1.0, 0.8, 0.0, INF),
    "near the upper edge": (-1.0, 0.8, -INF, 0.0),
    "between edges": (0.5, 0.25, 0.0, 1.0),
    "leaning on an edge": (0.1, 0.09, 0.0, 1.0),
    "of another unit": (0.1e-9, 0.09e-9, 0.0, 1.0e-9),
}


@pytest.mark.parametrize("case", REACHED.values(), ids=REACHED)
def test_mean_and_deviation_are_those_asked_for(case):
    mean, sd = case[:2]
    assert moments(*case) == pytest.approx((mean, sd), rel=1e-6)


NEARLY = {
    "uniform": (0.5, 1 / np.sqrt(12), 0.0, 1.0),
    "exponential": (1.0, 1.0, 0.0, INF),
    "exponential from above": (0.95, 0.05, 0.0, 1.0),
}


@pytest.mark.parametrize("case", NEARLY.values(), ids=NEARLY)
def test_limits_of_truncated_normals_are_nearly_reached(case):
    mean, sd = case[:2]
    assert moments(*case) == pytest.approx((mean, sd), rel=0.02)


def test_a_distribution_that_is_none_gives_the_nearest():
    """Wider than uniform is U-shaped."""
    mean, sd = moments(0.5, 0.4, 0.0, 1.0)
    assert mean == pytest.approx(0.5, abs=1e-3)
    assert sd == pytest.approx(1 / np.sqrt(12), rel=1e-2)


def test_arrays_are_solved_by_element():
    mean, sd = np.array([[0.5, 0.1], [0.3, 0.9]]), np.full((2, 2), 0.05)
    loc, scale = with_moments(mean, sd, np.zeros((2, 2)), np.ones((2, 2)))
    for place in np.ndindex(2, 2):
        alone = with_moments(mean[place], sd[place], np.array(0.0), np.array(1.0))
        assert (loc[place], scale[place]) == pytest.approx(tuple(map(float, alone)))
