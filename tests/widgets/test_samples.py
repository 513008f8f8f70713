"""Samples of results: which they are, their weights, and which are inside of ranges."""

import numpy as np
import pytest

from ampynb.widgets.samples import Samples, share_abscissa
from tests.results.builders import normal_draws, result_of, weighted_result

DRAWS = normal_draws(1000)
RESULT = result_of(DRAWS, warmup=normal_draws(10))
WEIGHTED = weighted_result(1000)
NAMES = ["slope", "intercept"]


def test_draws_are_listed_walker_by_walker_at_each_step():
    samples = Samples(RESULT, ["intercept"])
    assert len(samples) == 4000
    assert samples.vectors[4 * 7 + 2].tolist() == DRAWS[7, 2].tolist()
    assert samples.columns_at(30).tolist() == [DRAWS[7, 2, 1], 8.0]
    assert samples.title(30) == "step 8, walker 3 of 4"
    assert samples.weights == pytest.approx(np.full(4000, 1 / 4000))
    assert samples.xlabel == "step after the burn-in"


def test_weighted_draws_are_the_samples_and_not_those_of_equal_weight():
    samples = Samples(WEIGHTED, NAMES)
    weighted = WEIGHTED.outcome.weighted
    assert np.array_equal(samples.values, weighted["position"])
    assert samples.weights == pytest.approx(np.exp(weighted["log_weight"]))
    best = np.argmax(weighted["log_likelihood"])
    assert samples.best == best
    assert "weight" in samples.title(0)
    assert samples.trace().position.shape == (4000, 0, 2)


@pytest.mark.parametrize("result", [RESULT, WEIGHTED], ids=["equal", "weighted"])
def test_the_weight_inside_a_square_is_that_of_a_normal_distribution(result):
    """0.6827 squared of a standard normal in two dimensions is within 1."""
    samples = Samples(result, NAMES)
    inside = samples.inside({"slope": (-1.0, 1.0), "intercept": (-1.0, 1.0)})
    assert np.all(np.abs(samples.values[inside]) <= 1.0)
    assert samples.weights[inside].sum() == pytest.approx(0.6827**2, abs=0.03)


def test_a_range_of_the_trace_counts_too():
    samples = Samples(RESULT, NAMES)
    assert samples.inside({}, (3.0, 4.0)).tolist() == list(range(8, 16))
    positive = samples.inside({"slope": (0.0, np.inf)}, (3.0, 4.0))
    assert positive.tolist() == [
        8 + i for i in np.flatnonzero(DRAWS[2:4, :, 0].ravel() > 0)
    ]


@pytest.mark.parametrize("result", [RESULT, WEIGHTED], ids=["equal", "weighted"])
def test_what_is_drawn_as_points_is_distributed_as_the_posterior(result):
    samples = Samples(result, NAMES)
    assert 300 < len(samples.shown) <= 1500
    assert len(set(samples.shown % 4)) == 4  # of every walker
    shown = samples.values[samples.shown]
    assert shown.mean(axis=0) == pytest.approx([0.0, 0.0], abs=0.12)
    assert shown.std(axis=0) == pytest.approx([1.0, 1.0], rel=0.1)


def test_samples_without_weight_are_none_to_draw():
    samples = Samples(WEIGHTED, NAMES)
    samples.weights = np.zeros(len(samples))
    assert samples.some(np.arange(10), 5).size == 0


def test_traces_of_one_kind_keep_their_abscissa_and_others_share_one():
    alike = [Samples(RESULT, NAMES), Samples(RESULT, NAMES)]
    assert share_abscissa(alike) == "step after the burn-in"
    assert alike[0].abscissa.max() == 1000
    unlike = [Samples(RESULT, NAMES), Samples(WEIGHTED, NAMES)]
    assert share_abscissa(unlike) == "share of the run"
    assert all(one.abscissa[[0, -1]].tolist() == [0, 1] for one in unlike)
