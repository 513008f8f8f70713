"""The posterior's densities: known answers, edges, and life as a pytree."""

import pickle
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy import stats

import ampynb as anb
from tests.helpers import Line, NumpyLine, bounded_problem, line_problem

multivariate_normal: Any = stats.multivariate_normal


class Scale(anb.Analysis):
    """Data with unit noise around ln(scale); undefined below 0."""

    def __init__(self, data, **options):
        super().__init__(**options)
        self.data = np.asarray(data)

    def fit_from(self, instance):
        model = jnp.broadcast_to(jnp.log(instance.scale), self.data.shape)
        return anb.GaussianFit(self.data, 1.0, model)


class Given(anb.Analysis):
    """A log likelihood that is a function of the instance."""

    def __init__(self, function, **options):
        super().__init__(**options)
        self.function = function
        self.calls = []

    def log_likelihood_function(self, instance):
        if not self.use_jax:
            self.calls.append(instance)
        return self.function(instance)


@pytest.mark.parametrize("use_jax", [True, False], ids=["JAX", "NumPy"])
def test_the_posterior_of_a_line_is_the_known_gaussian(use_jax):
    problem = line_problem(use_jax=use_jax)
    offsets = np.array([[0.0, 0.0], [0.3, 0.0], [0.0, -0.2], [0.4, 0.5]])
    values = [float(problem.posterior.log_posterior(problem.mean + o)) for o in offsets]
    mean, covariance = problem.mean, problem.covariance
    expected = multivariate_normal.logpdf(mean + offsets, mean, covariance)
    np.testing.assert_allclose(np.diff(values), np.diff(expected), rtol=1e-8)


def test_jax_and_numpy_agree():
    first, second = (line_problem(use_jax=use).posterior for use in (True, False))
    vector = np.array([1.1, 0.3])
    for name in ("log_prior", "log_likelihood", "log_posterior"):
        values = [float(getattr(p, name)(vector)) for p in (first, second)]
        assert values[0] == pytest.approx(values[1])


def test_the_gradient_of_log_density_is_its_slope():
    line = line_problem().analysis
    model = anb.Model(
        slope=dist.LogNormal(0.0, 1.0),
        intercept=dist.Uniform(-2.0, 2.0),
        width=dist.TruncatedNormal(1.0, 1.0, low=0.0),
        weights=dist.Gamma(2.0, 1.0).expand([2]),
    )
    log_density = jax.jit(jax.value_and_grad(anb.Posterior(line, model).log_density))
    for seed in range(3):
        z, step = np.random.default_rng(seed).normal(size=5), 1e-5
        slope = log_density(z)[1]
        rise = [
            log_density(z + step * unit)[0] - log_density(z - step * unit)[0]
            for unit in np.eye(5)
        ]
        np.testing.assert_allclose(slope, np.array(rise) / (2 * step), rtol=1e-5)


def test_both_densities_integrate_to_the_evidence():
    """With scale ~ LogNormal(0, 1) and unit noise, y ~ N(0, 1 + 1 1^T)."""
    data = np.array([0.5, 1.0, -0.3])
    model = anb.Model(scale=dist.LogNormal(0.0, 1.0))
    posterior = anb.Posterior(Scale(data), model)
    exact = multivariate_normal.pdf(data, np.zeros(3), np.eye(3) + 1.0)
    z = jnp.linspace(-8.0, 8.0, 4001)
    scale = jnp.exp(z)
    over_z = np.exp(jax.vmap(posterior.log_density)(z[:, None]))
    over_scale = np.exp(jax.vmap(posterior.log_posterior)(scale[:, None]))
    assert np.trapezoid(over_z, z) == pytest.approx(exact, rel=1e-6)
    assert np.trapezoid(over_scale, scale) == pytest.approx(exact, rel=1e-4)


def test_the_evidence_is_the_mean_likelihood_over_the_cube():
    """Uniform priors that cut the likelihood: the integral is of normal tails."""
    problem = bounded_problem()
    u = (np.arange(400) + 0.5) / 400
    slope, intercept = np.meshgrid(u, u)
    points = np.stack([slope.ravel(), intercept.ravel()], axis=1)
    cube = jax.jit(jax.vmap(problem.posterior.log_likelihood_cube))
    found = np.exp(np.asarray(cube(points))).mean()
    best, sd = np.array([-0.2, 0.3]), 0.5
    inside = stats.norm.cdf([1.0, 3.0], best, sd) - stats.norm.cdf([0, 0], best, sd)
    peak = (2 * np.pi) ** -2.0  # four data with unit noise, met exactly
    expected = peak * np.prod(inside * sd * np.sqrt(2 * np.pi)) / (1.0 * 3.0)
    assert found == pytest.approx(expected, rel=1e-4)


def test_the_cube_is_the_likelihood_at_the_quantile():
    posterior = line_problem().posterior
    u = jnp.array([0.2, 0.7])
    vector = stats.norm.ppf(u, [1.0, 0.0], [2.0, 1.0])
    found = float(posterior.log_likelihood_cube(u))
    assert found == pytest.approx(float(posterior.log_likelihood(vector)), rel=1e-9)


NOT_FINITE = {"NaN": np.nan, "infinity": np.inf, "minus infinity": -np.inf}
UNIFORM = anb.Model(a=dist.Uniform(0.0, 1.0))


@pytest.mark.parametrize("use_jax", [True, False], ids=["JAX", "NumPy"])
@pytest.mark.parametrize("value", NOT_FINITE.values(), ids=NOT_FINITE)
def test_a_likelihood_that_is_not_finite_is_minus_infinity(value, use_jax):
    analysis = Given(lambda instance: value + 0.0 * instance.a, use_jax=use_jax)
    posterior = anb.Posterior(analysis, UNIFORM)
    vector = np.array([0.5])
    assert posterior.log_likelihood(vector) == -np.inf
    assert posterior.log_posterior(vector) == -np.inf
    assert np.array_equal(posterior.raw_log_likelihood(vector), value, equal_nan=True)


@pytest.mark.parametrize("value", [0.0, *NOT_FINITE.values()])
@pytest.mark.parametrize("outside", [-0.5, 1.5, np.nan])
@pytest.mark.parametrize("use_jax", [True, False], ids=["JAX", "NumPy"])
def test_outside_the_prior_is_minus_infinity(use_jax, outside, value):
    analysis = Given(lambda instance: value + 0.0 * instance.a, use_jax=use_jax)
    posterior = anb.Posterior(analysis, UNIFORM)
    vector = np.array([outside])
    assert posterior.log_prior(vector) == -np.inf
    assert posterior.log_posterior(vector) == -np.inf
    assert [float(d) for d in posterior.log_densities(vector)] == [-np.inf] * 2


def test_a_numpy_likelihood_is_not_called_outside_the_prior():
    analysis = Given(lambda instance: 0.0, use_jax=False)
    posterior = anb.Posterior(analysis, UNIFORM)
    posterior.log_posterior(np.array([2.0]))
    assert analysis.calls == []
    posterior.log_posterior(np.array([0.5]))
    assert len(analysis.calls) == 1


def test_the_gradient_is_finite_beside_an_undefined_likelihood():
    """Where the likelihood is not NaN its gradient must not be either."""
    posterior = anb.Posterior(Scale([0.5]), anb.Model(scale=dist.Normal(0.0, 1.0)))
    slope = jax.grad(posterior.log_posterior)
    assert np.isfinite(slope(np.array([0.3])))
    assert posterior.log_posterior(np.array([-0.3])) == -np.inf


def test_a_posterior_is_an_argument_of_compiled_code():
    traces = []

    @jax.jit
    def log_posterior(posterior, vector):
        traces.append(repr(posterior))
        return posterior.log_posterior(vector)

    first, vector = line_problem(seed=0), np.array([1.0, 0.5])
    model = first.model.with_priors(slope=dist.Normal(-1.0, 0.5))
    other = line_problem(seed=1)
    for posterior in (
        first.posterior,
        other.posterior,
        anb.Posterior(other.analysis, model),
    ):
        expected = float(posterior.log_posterior(vector))
        assert float(log_posterior(posterior, vector)) == pytest.approx(expected)
    assert len(traces) == 1
    log_posterior(line_problem(n=21).posterior, vector)
    assert len(traces) == 2


def test_a_posterior_is_rebuilt_whole_from_its_leaves():
    posterior = line_problem().posterior
    leaves, structure = jax.tree_util.tree_flatten(posterior)
    assert all(isinstance(leaf, np.ndarray) for leaf in leaves)
    again = jax.tree_util.tree_unflatten(structure, leaves)
    vector = np.array([1.0, 0.5])
    assert again.log_posterior(vector) == posterior.log_posterior(vector)
    assert type(again.analysis) is Line


@pytest.mark.parametrize("use_jax", [True, False], ids=["JAX", "NumPy"])
def test_a_pickle_holds_the_whole_posterior(use_jax):
    problem = line_problem(use_jax=use_jax)
    model = problem.model.tie(intercept="slope")
    posterior = anb.Posterior(problem.analysis, model)
    again = pickle.loads(pickle.dumps(posterior))
    vector = np.array([1.0])
    assert float(again.log_posterior(vector)) == float(posterior.log_posterior(vector))
    assert type(again.analysis) is (Line if use_jax else NumpyLine)
    assert repr(again.model) == repr(model)


def test_the_likelihood_may_be_written_alone():
    analysis = Given(lambda instance: -0.5 * instance.a**2)
    assert not analysis.has_fit
    value = anb.Posterior(analysis, UNIFORM).log_posterior(np.array([0.4]))
    assert float(value) == pytest.approx(-0.08)


def test_a_collection_is_a_model():
    analysis = Given(lambda instance: -instance.a)
    posterior = anb.Posterior(analysis, anb.Collection(a=dist.Uniform(0.0, 1.0)))
    assert posterior.model.names == ["a"]
    assert repr(posterior).endswith("1 free parameters)")


MISUSE = {
    "no analysis": ("line", UNIFORM, "expected an ampynb.Analysis; got str; "),
    "a class": (Line, UNIFORM, "expected an ampynb.Analysis; got type; "),
    "no model": (
        Given(abs),
        {"a": 1.0},
        "expected a Model or a Collection; got dict; ",
    ),
}


@pytest.mark.parametrize(("analysis", "model", "words"), MISUSE.values(), ids=MISUSE)
def test_misuse_is_told(analysis, model, words):
    with pytest.raises(TypeError, match=words):
        anb.Posterior(analysis, model)
