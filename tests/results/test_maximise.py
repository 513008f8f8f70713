"""The very maximum of a density, from draws that are only near it."""

import numpy as np
import numpyro.distributions as dist
import pytest

import ampynb as anb
from tests.helpers import bounded_problem, line_problem
from tests.results.builders import LINE, normal_draws, result_of

SD = np.sqrt(np.diag(LINE.covariance))


def near(problem: anb.Posterior, mean: np.ndarray, n: int = 100) -> anb.Result:
    """Return a result whose best draw is some tenths of a deviation off."""
    return result_of(mean + SD * normal_draws(n), problem)


def least_squares() -> np.ndarray:
    line = LINE.analysis
    design = np.stack([line.x, np.ones_like(line.x)], axis=1)
    return np.linalg.lstsq(design, line.y, rcond=None)[0]


def test_the_best_fit_is_that_of_least_squares():
    result = near(LINE.posterior, LINE.mean)
    best = result.maximise()
    np.testing.assert_allclose(best.vector, least_squares(), rtol=1e-5)
    off = np.abs(result.best.position - least_squares()) / SD
    assert np.max(off) > 0.01  # no draw is there
    assert best.log_likelihood > result.log_likelihood
    assert [best.instance.slope, best.instance.intercept] == best.vector.tolist()
    again = float(LINE.posterior.log_likelihood(best.vector))
    assert best.log_likelihood == pytest.approx(again, rel=1e-12)


def test_the_most_probable_point_is_the_mean_of_a_gaussian():
    best = near(LINE.posterior, LINE.mean).maximise("log_posterior")
    np.testing.assert_allclose(best.vector, LINE.mean, rtol=1e-5)
    expected = float(LINE.posterior.log_posterior(LINE.mean))
    assert best.log_posterior == pytest.approx(expected, rel=1e-10)


def test_a_likelihood_in_numpy_is_climbed_too():
    numpy = line_problem(use_jax=False)
    made = near(LINE.posterior, LINE.mean)
    result = anb.Result(
        numpy.posterior, made.algorithm, made.history, seed=0, seconds=1.0, reason=""
    )
    np.testing.assert_allclose(result.maximise().vector, least_squares(), rtol=1e-5)


def test_the_transformation_plays_no_part():
    """The maximum is in model units: no Jacobian of the bounded parameter enters."""
    priors = {"slope": dist.Uniform(0.0, 10.0), "intercept": dist.Uniform(-5.0, 5.0)}
    problem = anb.Posterior(LINE.analysis, anb.Model(**priors))
    for density in ("log_likelihood", "log_posterior"):
        best = near(problem, LINE.mean).maximise(density)
        np.testing.assert_allclose(best.vector, least_squares(), rtol=1e-5)


def test_a_maximum_at_an_edge_is_reached_from_inside():
    problem = bounded_problem()  # the slope's likelihood is highest below 0
    draws = np.abs(0.2 * normal_draws(100))
    best = result_of(draws, problem.posterior).maximise()
    slope, intercept = best.vector
    assert 0.0 <= slope < 1e-3
    assert intercept == pytest.approx(0.3, abs=1e-4)


def test_it_is_never_worse_than_the_best_draw():
    class Flat(anb.Analysis):
        def log_likelihood_function(self, instance):
            return 0.0 * instance.slope + 0.0 * instance.intercept

    result = result_of(normal_draws(20), anb.Posterior(Flat(), LINE.model))
    best = result.maximise()
    assert best.log_likelihood == result.log_likelihood == 0.0


@pytest.mark.parametrize("n", [1, 2])
def test_very_few_draws_will_do(n):
    draws = LINE.mean + SD * normal_draws(n, nwalkers=1)
    best = result_of(draws).maximise()
    np.testing.assert_allclose(best.vector, least_squares(), rtol=1e-5)


def test_it_shows_its_numbers():
    best = near(LINE.posterior, LINE.mean).maximise()
    for view in (repr(best), best._repr_html_()):
        assert f"log_likelihood={best.log_likelihood:.8g}" in view
        assert str(best.vector.tolist()) in view


def test_another_density_is_told():
    with pytest.raises(ValueError, match=r"among 'log_likelihood', .*; got 'lp'"):
        near(LINE.posterior, LINE.mean).maximise("lp")


def test_without_draws_it_is_told():
    nothing = result_of(np.zeros((0, 4, 2)), reason="stopped")
    with pytest.raises(ValueError, match="run it longer"):
        nothing.maximise()
