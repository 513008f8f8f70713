"""A result in a few numbers, and its way through JSON."""

import json

import numpy as np
import pytest

import ampynb as anb
from ampynb.results.samples_summary import SamplesSummary
from tests.results.builders import (
    BENT,
    EVIDENCE,
    LINE,
    normal_draws,
    result_of,
    weighted_result,
)

N = 5000
NORMAL = result_of(normal_draws(N))  # 20,000 draws
BENT_POSTERIOR = anb.Posterior(LINE.analysis, BENT)
SKEWED = result_of(np.exp(normal_draws(200, ndim=4)), BENT_POSTERIOR)
WEIGHTED = weighted_result(8000)


@pytest.mark.parametrize("result", [NORMAL, WEIGHTED], ids=["equal", "weighted"])
def test_one_sigma_of_20_000_standard_normal_draws_is_one(result):
    for low, high in result.values_at_sigma(1).values():
        assert low == pytest.approx(-1.0, abs=0.03)
        assert high == pytest.approx(1.0, abs=0.03)
    for minus, plus in result.errors_at_sigma(2).values():
        assert (minus, plus) == pytest.approx((2.0, 2.0), abs=0.08)


def test_the_summary_is_of_the_draws():
    summary = SKEWED.samples_summary
    flat = SKEWED.flat_draws
    names = ["slope", "intercept", "weights[0]", "weights[1]"]
    assert list(summary.elements) == names
    assert list(summary.median.values()) == np.median(flat, axis=0).tolist()
    best = np.argmax(SKEWED.stats["log_likelihood"])
    assert list(summary.best.values()) == flat[best].tolist()
    assert summary.log_likelihood == SKEWED.log_likelihood
    assert summary.elements["slope"].unit == "mJy/d"
    for sigma in (1, 2, 3):
        assert summary.values_at_sigma(sigma) == SKEWED.values_at_sigma(sigma)
        assert summary.errors_at_sigma(sigma) == SKEWED.errors_at_sigma(sigma)


def test_errors_reach_from_the_median_to_the_values():
    values, errors = SKEWED.values_at_sigma(1), SKEWED.errors_at_sigma(1)
    for name, median in SKEWED.samples_summary.median.items():
        minus, plus = errors[name]
        assert (median - minus, median + plus) == pytest.approx(values[name])
        assert 0 < minus < plus  # the distribution has its tail above


def test_values_as_instances_are_those_by_name():
    low, high = SKEWED.values_at_sigma(1.5, as_instance=True)
    values = SKEWED.values_at_sigma(1.5)
    assert (low.slope, high.slope) == values["slope"]
    assert low.weights.tolist() == [values[f"weights[{i}]"][0] for i in range(2)]
    assert low.redshift == 0.1
    minus, _ = SKEWED.errors_at_sigma(1.5, as_instance=True)
    assert minus.intercept == SKEWED.errors_at_sigma(1.5)["intercept"][0]


@pytest.mark.parametrize("result", [SKEWED, WEIGHTED], ids=["equal", "weighted"])
def test_json_gives_the_summary_back(result):
    summary = result.samples_summary
    text = json.dumps(summary.as_dict(), allow_nan=False)
    assert SamplesSummary.from_dict(json.loads(text)) == summary


def test_what_is_not_finite_goes_through_json():
    draws = normal_draws(20)
    draws[..., 1] = np.nan
    summary = result_of(draws).samples_summary
    text = json.dumps(summary.as_dict(), allow_nan=False)
    again = SamplesSummary.from_dict(json.loads(text))
    assert again.elements["slope"] == summary.elements["slope"]
    assert np.isnan(again.median["intercept"])
    assert again.log_likelihood == -np.inf


def test_the_evidence_is_in_the_summary():
    assert WEIGHTED.samples_summary.log_evidence == EVIDENCE
    assert SKEWED.samples_summary.log_evidence is None
    assert "log evidence -12.50 ± 0.25" in repr(WEIGHTED.samples_summary)


def test_it_cannot_be_changed():
    with pytest.raises(AttributeError):
        SKEWED.samples_summary.log_likelihood = 0.0  # type: ignore


def test_views_have_each_median_with_its_errors():
    minus, plus = SKEWED.errors_at_sigma(1)["slope"]
    median = SKEWED.samples_summary.median["slope"]
    text = f"{median:.6g} -{minus:.3g} +{plus:.3g} mJy/d"
    summary = SKEWED.samples_summary
    for view in (repr(summary), summary._repr_html_()):
        assert text in view
        assert "weights[1]" in view


@pytest.mark.parametrize("sigma", [0, -1, np.nan, np.inf, "1", True])
def test_a_sigma_that_cannot_be_is_told(sigma):
    for use in (NORMAL.values_at_sigma, NORMAL.errors_at_sigma):
        with pytest.raises(ValueError, match=r"expected sigma as a positive .*; got"):
            use(sigma)


def test_a_summary_has_three_sigmas():
    with pytest.raises(ValueError, match=r"expected sigma 1, 2 or 3 .*; got 1.5; resu"):
        NORMAL.samples_summary.values_at_sigma(1.5)  # type: ignore


def test_the_covariance_is_that_of_the_draws():
    draws = np.random.default_rng(3).multivariate_normal(
        LINE.mean, LINE.covariance, size=(4000, 4)
    )
    covariance = result_of(draws).covariance
    sd = np.sqrt(np.diag(LINE.covariance))
    np.testing.assert_allclose(
        covariance / np.outer(sd, sd), LINE.covariance / np.outer(sd, sd), atol=0.05
    )
    np.testing.assert_allclose(WEIGHTED.covariance, np.eye(2), atol=0.05)


def test_weights_count_in_medians_and_in_the_best_point():
    assert list(WEIGHTED.samples_summary.median.values()) == pytest.approx(
        [0.0, 0.0], abs=0.03
    )
    weighted = WEIGHTED.outcome.weighted
    best = weighted["position"][np.argmax(weighted["log_likelihood"])]
    assert [WEIGHTED.instance.slope, WEIGHTED.instance.intercept] == best.tolist()


def test_the_table_has_the_same_numbers():
    for result in (SKEWED, WEIGHTED):
        table, summary = result.summary(), result.samples_summary
        assert table["median"].to_dict() == summary.median
    np.testing.assert_allclose(WEIGHTED.summary()["sd"], 1.0, atol=0.03)


def test_draws_come_as_instances():
    instances = SKEWED.draw_instances(5, seed=2)
    expected = SKEWED.sample(5, seed=2)
    assert [one.slope for one in instances] == expected[:, 0].tolist()
    assert [one.weights[1] for one in instances] == expected[:, 3].tolist()
    known = {row[0] for row in WEIGHTED.outcome.weighted["position"].tolist()}
    assert {one.slope for one in WEIGHTED.draw_instances(50)} <= known
