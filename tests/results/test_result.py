"""What is read off a result: points, samples, and what happens without draws."""

import copy
import pickle

import numpy as np
import pytest
from scipy import stats

import ampynb as anb
from ampynb.algorithms.scripted import Scripted
from tests.results.builders import (
    BENT,
    LINE,
    normal_draws,
    result_of,
    weighted_result,
)

DRAWS = normal_draws(60)
NOTHING = np.zeros((0, 4, 2))


def test_the_best_draw_is_the_best_draw():
    result, line = result_of(DRAWS), LINE.analysis
    slope, intercept = result.flat_draws.T[..., None]
    model = slope * line.x + intercept
    values = stats.norm.logpdf(line.y, model, line.yerr).sum(axis=1)
    best = result.flat_draws[np.argmax(values)]
    assert result.log_likelihood == pytest.approx(values.max(), rel=1e-12)
    instance = result.max_log_likelihood()
    assert [instance.slope, instance.intercept] == best.tolist()
    again = float(LINE.posterior.log_likelihood(best))
    assert result.log_likelihood == pytest.approx(again, rel=1e-12)


def test_the_best_draw_is_of_the_sampling_and_not_of_the_burn_in():
    peak = np.broadcast_to(LINE.mean, (3, 4, 2))
    result = result_of(DRAWS, warmup=peak)
    assert result.log_likelihood == result_of(DRAWS).log_likelihood


def test_without_draws_the_best_is_of_the_burn_in():
    result = result_of(NOTHING, warmup=DRAWS, reason="stopped")
    assert result.log_likelihood == result_of(DRAWS).log_likelihood
    assert result.max_log_likelihood() == result_of(DRAWS).max_log_likelihood()


def test_the_median_is_that_of_each_parameter():
    median = result_of(DRAWS).median()
    flat = DRAWS.reshape(-1, 2)
    assert median.slope == pytest.approx(np.median(flat[:, 0]))
    assert median.intercept == pytest.approx(np.median(flat[:, 1]))


def test_samples_are_draws_and_a_seed_gives_them_again():
    result = result_of(DRAWS)
    first, again, other = (result.sample(500, seed=seed) for seed in (1, 1, 2))
    assert first.shape == (500, 2)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    known = set(map(tuple, result.flat_draws.tolist()))
    assert set(map(tuple, first.tolist())) <= known
    # Each of 240 draws at random, 500 times: 240 (1 - e^(-500 / 240)) differ.
    assert len(set(map(tuple, first.tolist()))) == pytest.approx(210, abs=25)


def test_the_burn_in_is_kept_apart():
    warmup = normal_draws(7, seed=5)
    result = result_of(DRAWS, warmup=warmup)
    assert np.array_equal(result.warmup, warmup)
    assert np.array_equal(result.draws, DRAWS)
    assert result.warmup_stats["lp"].shape == (7, 4)
    assert result.flat_draws.shape == (240, 2)


@pytest.mark.parametrize("view", [repr, anb.Result._repr_html_], ids=["repr", "HTML"])
def test_views_name_every_parameter_and_its_unit(view):
    posterior = anb.Posterior(LINE.analysis, BENT)
    text = view(result_of(normal_draws(50, ndim=4), posterior))
    words = ["slope", "intercept", "weights[0]", "weights[1]", "mJy/d", "r_hat"]
    for word in [*words, "scripted", "completed", "50 x 4 draws", "1.5 s"]:
        assert word in text


def test_html_is_escaped():
    model = anb.Model(
        slope=anb.Parameter(BENT.prior_of("slope"), unit="<b>&"),
        intercept=BENT.prior_of("intercept"),
    )
    text = result_of(DRAWS, anb.Posterior(LINE.analysis, model))._repr_html_()
    assert "&lt;b&gt;&amp;" in text
    assert "<b>&" not in text


NEEDS_DRAWS = {
    "median": lambda result: result.median(),
    "sample": lambda result: result.sample(3),
    "summary": lambda result: result.summary(),
    "corner": lambda result: result.corner(),
    "trace": lambda result: result.trace(),
    "plot_fit": lambda result: result.plot_fit(),
    "max_log_likelihood": lambda result: result.max_log_likelihood(),
    "log_likelihood": lambda result: result.log_likelihood,
}


@pytest.mark.parametrize("use", NEEDS_DRAWS.values(), ids=NEEDS_DRAWS)
def test_without_any_draw_it_is_told(use):
    result = result_of(NOTHING, reason="stopped")
    with pytest.raises(ValueError, match=r"expected .*; got 0: .*; run it longer"):
        use(result)


@pytest.mark.parametrize("warmup", [None, DRAWS], ids=["nothing", "burn-in alone"])
def test_views_without_draws_say_so(warmup):
    result = result_of(NOTHING, warmup=warmup, reason="stopped")
    for text in (repr(result), result._repr_html_()):
        assert "scripted, stopped: 0 x 4 draws of 2 parameters" in text
        assert "run it longer" in text
    assert len(result.verdict()) == 1
    assert result.divergences == 0


@pytest.mark.parametrize("n", [1, 3])
def test_views_of_very_few_draws_say_so(n):
    result = result_of(DRAWS[:n])
    for text in (repr(result), result._repr_html_(), *result.verdict()):
        assert "expected 4 draws of each walker or more" in text


def test_the_engine_s_result_is_of_its_run():
    engine = anb.InferenceEngine(LINE.analysis, LINE.model, seed=5)
    first, again = (
        engine.run(4, 30, 10, Scripted(), progress="none") for _ in range(2)
    )
    assert (first.reason, first.seed) == ("completed", 5)
    assert first.draws.shape == (30, 4, 2)
    assert first.warmup.shape == (10, 4, 2)
    assert np.array_equal(first.draws, again.draws)
    assert first.model is engine.model
    assert first.analysis is engine.analysis


def test_no_draw_is_taken_twice_while_there_are_enough():
    result = result_of(normal_draws(50, nwalkers=2))
    assert len(np.unique(result.sample(100), axis=0)) == 100
    assert result.sample(300).shape[0] == 300


@pytest.fixture(scope="module", params=["chains", "weighted", "saved"])
def any_result(request, tmp_path_factory):
    if request.param == "weighted":
        return weighted_result(100)
    if request.param == "chains":
        return result_of(DRAWS, warmup=DRAWS[:7])
    path = tmp_path_factory.mktemp("runs") / "run"
    engine = anb.InferenceEngine(LINE.analysis, LINE.model, seed=5)
    options = {"progress": "none", "path": path}
    return engine.run(4, 30, 10, Scripted(), **options)


@pytest.mark.parametrize(
    "copied",
    [copy.deepcopy, lambda result: pickle.loads(pickle.dumps(result))],
    ids=["deepcopy", "pickle"],
)
def test_a_copy_of_a_result_is_the_same_result(any_result, copied):
    other = copied(copied(any_result))
    for name in ("draws", "warmup"):
        assert np.array_equal(getattr(other, name), getattr(any_result, name))
    assert other.summary().equals(any_result.summary())
    assert repr(other) == repr(any_result)
    assert other.verdict() == any_result.verdict()
    assert other.best.value == any_result.best.value
    for name, values in any_result.stats.items():
        assert np.array_equal(other.stats[name], values)
    other.draws[:] = 0.0
    assert any_result.draws.any()
    slopes = other.instance.slope, any_result.instance.slope
    assert slopes[0] == slopes[1]


@pytest.mark.parametrize("n", [-1, 2.5, "3", None, True])
def test_numbers_of_draws_are_counts(n):
    result = result_of(normal_draws(20))
    for call in (result.sample, result.draw_instances, result.plot_fit):
        with pytest.raises(ValueError, match=r"expected n as a whole number .*; got"):
            call(n)
    with pytest.raises(ValueError, match="at least 1; got 0"):
        result.plot_fit(n=0)
    assert result.sample(0).shape == (0, 2)
