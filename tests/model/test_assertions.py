"""Assertions: what must hold of a model, under jit and vmap."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy import stats

import ampynb as anb
from ampynb.inference.starting import start_from
from tests.helpers import Line, bounded_problem, line_problem

UNIFORM = dist.Uniform(0.0, 1.0)


class Pair:
    def __init__(self, low, high):
        self.low, self.high = low, high

    def width(self):
        return self.high - self.low


def ordered() -> anb.Model:
    model = anb.Model(a=UNIFORM, b=UNIFORM, c=dist.Normal(0.0, 1.0))
    return model.with_assertions(ordered=lambda m: m.a < m.b)


VECTORS = np.array([[0.2, 0.7, 0.5], [0.7, 0.2, 0.5], [0.2, 1.7, 0.5]])
DENSITY = float(stats.norm.logpdf(0.5))


@pytest.mark.parametrize("change", [lambda f: f, jax.jit], ids=["plain", "compiled"])
def test_the_log_prior_is_minus_infinity_where_an_assertion_does_not_hold(change):
    found = change(jax.vmap(ordered().log_prior))(VECTORS)
    np.testing.assert_allclose(found, [DENSITY, -np.inf, -np.inf])


def test_gradients_are_finite_on_both_sides():
    slopes = jax.jit(jax.vmap(jax.grad(ordered().log_prior)))(VECTORS)
    assert np.all(np.isfinite(slopes))
    np.testing.assert_allclose(slopes[0], [0.0, 0.0, -0.5])


def test_assertions_are_told_by_name():
    model = ordered().with_assertions(small=lambda m: jnp.abs(m.c) < 0.1)
    assert model.violated(VECTORS[0]) == ["small"]
    assert model.violated(VECTORS[1]) == ["ordered", "small"]
    assert jax.vmap(model.allows)(VECTORS).tolist() == [False] * 3
    assert jax.vmap(ordered().allows)(VECTORS).tolist() == [True, False, True]


def test_an_assertion_can_be_exchanged_and_taken_away():
    model = ordered()
    other = model.with_assertions(ordered=lambda m: m.a > m.b)
    assert jax.vmap(other.allows)(VECTORS).tolist() == [False, True, False]
    free = model.with_assertions(ordered=None)
    assert not free.assertions
    assert np.isfinite(free.log_prior(VECTORS[1]))
    assert list(model.assertions) == ["ordered"]


def test_an_array_of_truths_must_hold_whole():
    model = anb.Model(w=UNIFORM.expand([3])).with_assertions(
        ascending=lambda m: jnp.diff(m.w) > 0
    )
    points = np.array([[0.1, 0.2, 0.3], [0.1, 0.3, 0.2]])
    assert jax.vmap(model.allows)(points).tolist() == [True, False]


def test_an_assertion_sees_the_instance_with_its_methods_and_derived_values():
    model = anb.Model(Pair, low=UNIFORM, high=lambda m: 2 * m.low)
    model = model.with_assertions(wide=lambda pair: pair.width() > 0.5)
    assert [bool(model.allows(np.array([low]))) for low in (0.4, 0.6)] == [False, True]


def test_assertions_of_a_model_within_another_keep_their_sight():
    pair = anb.Model(low=UNIFORM, high=UNIFORM)
    pair = pair.with_assertions(ordered=lambda m: m.low < m.high)
    model = anb.Model(first=pair, second=(pair,)).with_assertions(
        apart=lambda m: m.first.high < m.second[0].low
    )
    assert list(model.assertions) == ["apart", "first.ordered", "second.0.ordered"]
    points = {
        (0.1, 0.2, 0.3, 0.4): [],
        (0.2, 0.1, 0.3, 0.4): ["first.ordered"],
        (0.1, 0.5, 0.3, 0.4): ["apart"],
        (0.1, 0.2, 0.4, 0.3): ["second.0.ordered"],
    }
    for point, violated in points.items():
        assert model.violated(np.array(point)) == violated


def test_assertions_stay_when_the_model_is_changed():
    model = ordered()
    changed = model.with_priors(c=dist.Normal(5.0, 1.0)).fix(a=0.6)
    assert changed.violated(np.array([0.2, 5.0])) == ["ordered"]
    rebuilt = jax.tree_util.tree_map(lambda leaf: leaf, model).fix(a=0.6)
    assert rebuilt.violated(np.array([0.2, 5.0])) == ["ordered"]


def test_prior_draws_are_allowed_ones_and_those_of_the_prior():
    """Of two uniform draws in order the larger has the density 2 x."""
    draws = np.asarray(ordered().sample_prior(jax.random.key(1), 3000))
    assert draws.shape == (3000, 3)
    assert np.all(draws[:, 0] < draws[:, 1])
    assert stats.kstest(draws[:, 1], lambda x: x**2).pvalue > 1e-3
    assert stats.kstest(draws[:, 2], stats.norm.cdf).pvalue > 1e-3
    assert len(np.unique(draws[:, 0])) == 3000


def test_prior_draws_in_compiled_code_are_the_same():
    model, key = ordered(), jax.random.key(2)
    compiled = jax.jit(lambda model, key: model.sample_prior(key, 3000))
    assert np.array_equal(compiled(model, key), model.sample_prior(key, 3000))
    assert np.array_equal(model.sample_prior(2, 3000), model.sample_prior(key, 3000))


def test_a_prior_that_hardly_allows_anything_is_told():
    model = anb.Model(a=UNIFORM, b=UNIFORM).with_assertions(
        far=lambda m: m.a > 0.9999, near=lambda m: m.b < 0.5
    )
    with pytest.raises(ValueError, match=r"expected assertions .*'far' holds at 0 of"):
        model.sample_prior(jax.random.key(0), 1000)


def test_a_small_share_is_still_drawn_from():
    model = anb.Model(a=UNIFORM).with_assertions(high=lambda m: m.a > 0.99)
    draws = model.sample_prior(jax.random.key(0), 50)
    assert np.all(np.asarray(draws) > 0.99)


def test_the_allowed_fraction_is_the_integral_of_the_prior():
    share, error = ordered().allowed_fraction(jax.random.key(0), 20_000)
    assert abs(share - 0.5) < 4 * error
    assert error == pytest.approx(np.sqrt(0.25 / 20_000), rel=0.01)
    assert anb.Model(a=UNIFORM).allowed_fraction(jax.random.key(0), 10) == (1.0, 0.0)


@pytest.mark.parametrize("use_jax", [True, False], ids=["JAX", "NumPy"])
def test_the_posterior_is_cut_in_every_coordinate(use_jax):
    problem = line_problem(use_jax=use_jax)
    model = problem.model.with_assertions(rising=lambda m: m.slope > 1.0)
    posterior, plain = anb.Posterior(problem.analysis, model), problem.posterior
    for u in (np.array([0.7, 0.5]), np.array([0.3, 0.5])):
        vector = np.asarray(model.prior_transform(u))
        allowed = vector[0] > 1.0
        expected = float(plain.log_posterior(vector)) if allowed else -np.inf
        assert float(posterior.log_posterior(vector)) == expected
        cube = float(posterior.log_likelihood_cube(u))
        assert cube == (float(plain.log_likelihood_cube(u)) if allowed else -np.inf)
        if use_jax:
            z = model.unconstrain(vector)
            whole = float(plain.log_density(z))
            found = float(posterior.log_density(z))
            assert found == (pytest.approx(whole) if allowed else -np.inf)


def test_the_evidence_over_the_cube_is_of_the_prior_that_is_cut():
    """Divided by the allowed fraction, it is that of the prior with the cut as edge."""
    problem = bounded_problem()
    cut = problem.model.with_assertions(above=lambda m: m.intercept > 0.6)
    narrow = problem.model.with_priors(intercept=dist.Uniform(0.6, 3.0))
    u = (np.arange(300) + 0.5) / 300
    points = np.stack(np.meshgrid(u, u), axis=-1).reshape(-1, 2)
    evidence = {}
    for name, model in (("cut", cut), ("narrow", narrow)):
        posterior = anb.Posterior(problem.analysis, model)
        cube = jax.jit(jax.vmap(posterior.log_likelihood_cube))
        evidence[name] = np.exp(np.asarray(cube(points))).mean()
    assert evidence["cut"] / 0.8 == pytest.approx(evidence["narrow"], rel=1e-3)
    share, error = cut.allowed_fraction(jax.random.key(0), 20_000)
    assert abs(share - 0.8) < 4 * error


def test_a_sampler_stays_where_assertions_hold():
    """A Gaussian posterior that is cut: its mean is the truncated normal's."""
    problem = line_problem()
    edge = float(problem.mean[0])
    model = problem.model.with_assertions(rising=lambda m: m.slope > edge)
    engine = anb.InferenceEngine(problem.analysis, model, seed=1)
    result = engine.run(40, 2000, burn=500, sampler="ensemble", progress="none")
    slopes = result.flat_draws[:, 0]
    assert slopes.min() > edge
    sd = np.sqrt(problem.covariance[0, 0])
    expected = edge + sd * np.sqrt(2 / np.pi)
    assert slopes.mean() == pytest.approx(expected, abs=0.05 * sd)


def test_a_start_where_an_assertion_does_not_hold_is_told():
    problem = line_problem()
    model = problem.model.with_assertions(rising=lambda m: m.slope > 2.0)
    engine = anb.InferenceEngine(problem.analysis, model, seed=1)
    with pytest.raises(ValueError, match=r"every assertion .*'rising' does not"):
        engine.run(8, 1, sampler="ensemble", start=[1.0, 0.0], progress="none")


def test_walkers_around_a_start_near_the_edge_are_all_allowed():
    model = line_problem().model.with_assertions(rising=lambda m: m.slope > 1.5)
    start = start_from([1.5 + 1e-6, 0.0], model, nwalkers=30, seed=1)
    assert start is not None
    assert np.all(start.position[:, 0] > 1.5)
    assert len(np.unique(start.position, axis=0)) == 30


def test_data_that_move_compile_no_assertion_again():
    traces = []

    @jax.jit
    def log_posterior(posterior, vector):
        traces.append(repr(posterior))
        return posterior.log_posterior(vector)

    for seed in (0, 1):
        problem = line_problem(seed=seed)
        model = problem.model.with_assertions(rising=lambda m: m.slope > 1.0)
        posterior = anb.Posterior(problem.analysis, model)
        assert isinstance(problem.analysis, Line)
        log_posterior(posterior, np.array([1.2, 0.0]))
    assert len(traces) == 1


@pytest.mark.parametrize("view", [repr, anb.Model._repr_html_], ids=["repr", "HTML"])
def test_views_show_assertions(view):
    text = view(ordered())
    for word in ("ordered", "assertion", "m.a"):
        assert word in text
