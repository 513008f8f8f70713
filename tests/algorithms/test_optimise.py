"""The maximum of a posterior is where theory says, and "converged" means that."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest

import ampynb as anb
from ampynb.algorithms.optimise import Optimum, maximise
from tests.algorithms.nist import MODELS, Certificate, Regression, certificate
from tests.helpers import Line, bounded_problem, line_problem
from tests.test_compilations import compilations

SLOW = pytest.mark.slow
QUICK = ("Misra1a", "BoxBOD")


def is_reached(optimum: Optimum, problem: Certificate) -> bool:
    """Whether it has converged, to six digits of each number and of the squares."""
    excess = problem.squares_at(optimum.vector) / problem.sum_of_squares - 1
    is_near = problem.digits_of(optimum.vector) > 6 and excess < 1e-6
    return optimum.converged and is_near


@pytest.mark.parametrize("start", [1, 2])
@pytest.mark.parametrize("name", QUICK)
def test_certified_fits_are_reached(name, start):
    problem = certificate(name)
    found = maximise(problem.posterior(), problem.starts[start])
    assert is_reached(found, problem), found


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_all_certified_fits_are_reached_from_both_starts(name):
    problem = certificate(name)
    posterior = problem.posterior()
    for start in problem.starts.values():
        found = maximise(posterior, start)
        assert is_reached(found, problem), found


class Jitter(anb.Analysis):
    """Numbers of an unknown mean and spread."""

    def __init__(self, y):
        super().__init__()
        self.y = y

    def fit_from(self, instance):
        model = instance.mean * jnp.ones_like(self.y)
        return anb.GaussianFit(self.y, instance.spread, model)


def test_a_noise_that_is_fitted_is_that_of_the_data():
    y = np.random.default_rng(0).normal(7.0, 3.0, size=50)
    model = anb.Model(mean=dist.Uniform(-99, 99), spread=dist.Uniform(0.01, 99))
    for start in ([0.0, 1.0], [50.0, 90.0], [7.0, 0.1]):
        found = maximise(anb.Posterior(Jitter(y), model), start)
        assert found.converged
        assert found.vector == pytest.approx([y.mean(), y.std()], rel=1e-6)


class Decay(anb.Analysis):
    """An exponential decay, of any of the fits."""

    def __init__(self, kind, x, y, **options):
        super().__init__()
        self.kind, self.x, self.y, self.options = kind, x, y, options

    def fit_from(self, instance):
        model = instance.height * jnp.exp(-self.x / instance.time)
        noise = {} if self.kind is anb.PoissonFit else {"noise": 1.0}
        return self.kind(data=self.y, model=model, **noise, **self.options)


class OwnLikelihood(Decay):
    """Its log likelihood is written apart, by other rules than its fit's."""

    def log_likelihood_function(self, instance):
        return 2.0 * self.fit_from(instance).log_likelihood - 0.1 * instance.height**2


X = np.linspace(0.0, 5.0, 40)
Y = np.random.default_rng(3).poisson(60 * np.exp(-X / 1.7)).astype(float)
DECAY = anb.Model(height=dist.Uniform(1, 500), time=dist.LogUniform(0.1, 50))
MASK, LIMITS = np.arange(40) % 3 > 0, np.arange(40) > 30
CASES = {
    "Gaussian": (Decay(anb.GaussianFit, X, Y), DECAY),
    "masked": (Decay(anb.GaussianFit, X, np.where(MASK, Y, np.nan), mask=MASK), DECAY),
    "upper limits": (Decay(anb.GaussianFit, X, Y + 3, upper_limit=LIMITS), DECAY),
    "two dimensions": (
        Decay(anb.GaussianFit, X.reshape(4, 10), Y.reshape(4, 10)),
        DECAY,
    ),
    "Poisson": (Decay(anb.PoissonFit, X, Y), DECAY),
    "Student t": (Decay(anb.StudentTFit, X, Y), DECAY),
    "a likelihood of its own": (OwnLikelihood(anb.GaussianFit, X, Y), DECAY),
    "joint": (
        anb.JointAnalysis(
            a=Decay(anb.GaussianFit, X, Y), b=Decay(anb.PoissonFit, X, Y)
        ),
        DECAY,
    ),
    "joint, one of its own": (
        anb.JointAnalysis(
            a=Decay(anb.GaussianFit, X, Y), b=OwnLikelihood(anb.GaussianFit, X, Y)
        ),
        DECAY,
    ),
    "prior that depends": (
        Decay(anb.GaussianFit, X, Y),
        anb.Model(
            height=dist.Uniform(1, 500), time=lambda m: dist.Uniform(0, m.height)
        ),
    ),
    "informative priors": (
        Decay(anb.GaussianFit, X, Y),
        anb.Model(height=dist.Gamma(3.0, 0.1), time=dist.TruncatedNormal(1.0, 0.05)),
    ),
}


IN_SECONDS = ("upper limits", "Poisson")


@pytest.mark.parametrize(
    ("analysis", "model"),
    [
        pytest.param(*case, id=name, marks=[] if name in IN_SECONDS else SLOW)
        for name, case in CASES.items()
    ],
)
def test_at_the_maximum_the_gradient_is_nothing_and_the_hessian_negative(
    analysis, model
):
    posterior = anb.Posterior(analysis, model)
    found = maximise(posterior, [20.0, 1.0])
    assert found.converged, found
    density = posterior.log_posterior
    both = jax.jit(lambda v: (jax.grad(density)(v), jax.hessian(density)(v)))
    gradient, hessian = map(np.asarray, both(found.vector))
    assert np.linalg.eigvalsh(hessian)[-1] < 0
    step = np.linalg.solve(hessian, gradient)
    assert np.abs(step / found.vector).max() < 1e-8


@pytest.mark.parametrize("use_jax", [True, False], ids=["JAX", "NumPy"])
def test_the_maximum_of_a_gaussian_posterior_is_its_mean(use_jax):
    problem = line_problem(use_jax)
    found = maximise(problem.posterior, [5.0, -3.0])
    assert found.converged
    width = np.sqrt(np.diag(problem.covariance))
    assert np.abs((found.vector - problem.mean) / width).max() < 1e-4
    assert found.log_density == pytest.approx(
        float(problem.posterior.log_posterior(found.vector))
    )


class NumpyRegression(Regression):
    """A certified problem in NumPy, with a fit."""

    def fit_from(self, instance):
        model = np.asarray(MODELS[self.name](self.x, **vars(instance)))
        return anb.GaussianFit(self.y, self.yerr, model)


def test_residuals_in_numpy_are_differentiated_numerically():
    problem = certificate("Misra1a")
    analysis = NumpyRegression(
        "Misra1a", problem.x, problem.y, problem.yerr, use_jax=False
    )
    posterior = anb.Posterior(analysis, problem.posterior().model)
    found = maximise(posterior, problem.starts[2])
    assert is_reached(found, problem), found


class Nothing(anb.Analysis):
    """Data that say nothing: the posterior is the prior."""

    def log_likelihood_function(self, instance):
        return 0.0 * instance.width


MODES = {
    # exp(mu - sigma^2), and not the median exp(mu) that unconstrained density has
    "log-normal": (dist.LogNormal(1.0, 0.5), 2.0, np.exp(0.75)),
    "gamma": (dist.Gamma(3.0, 2.0), 4.0, 1.0),  # (a - 1) / b
    "beta": (dist.Beta(2.0, 4.0), 0.7, 0.25),  # (a - 1) / (a + b - 2)
}


@pytest.mark.parametrize(("prior", "start", "mode"), MODES.values(), ids=MODES)
def test_the_maximum_is_that_of_the_density_in_model_units(prior, start, mode):
    posterior = anb.Posterior(Nothing(), anb.Model(width=prior))
    found = maximise(posterior, [start])
    assert found.converged
    assert found.vector[0] == pytest.approx(mode, rel=1e-6)


def test_parameters_of_very_different_scale_are_found():
    x = np.linspace(0.0, 1.0, 50)
    model = anb.Model(slope=dist.Normal(0, 1e6), intercept=dist.Normal(0, 1e-3))
    analysis = Line(x, 3e5 * x + 2e-3, np.full(50, 1e-4))
    found = maximise(anb.Posterior(analysis, model), [0.0, 0.0])
    assert found.converged
    assert found.vector[0] == pytest.approx(3e5, rel=1e-6)


@SLOW
def test_more_parameters_than_a_hessian_is_made_for_are_climbed_by_gradients():
    class Many(anb.Analysis):
        def log_likelihood_function(self, instance):
            return -0.5 * jnp.sum((instance.at - jnp.arange(150.0)) ** 2)

    prior = dist.Normal(0.0, 100.0).expand([150])
    found = maximise(anb.Posterior(Many(), anb.Model(at=prior)), np.zeros(150))
    assert found.converged
    expected = np.arange(150.0) / (1 + 1e-4)
    np.testing.assert_allclose(found.vector, expected, atol=1e-3)


def test_a_likelihood_with_a_gradient_of_its_own_alone_is_climbed_by_it():
    @jax.custom_vjp
    def square(x):
        return x**2

    def forward(x):
        return x**2, x

    def backward(x, cotangent):
        slope = jax.pure_callback(
            lambda x: 2 * np.asarray(x), jax.ShapeDtypeStruct((), float), x
        )
        return (cotangent * slope,)

    square.defvjp(forward, backward)

    class Own(anb.Analysis):
        def log_likelihood_function(self, instance):
            return -0.5 * square(instance.at - 3.0)

    found = maximise(anb.Posterior(Own(), anb.Model(at=dist.Uniform(0, 9))), [8.0])
    assert found.converged
    assert found.vector[0] == pytest.approx(3.0, abs=1e-3)


@pytest.mark.parametrize("use_jax", [True, False], ids=["JAX", "NumPy"])
def test_a_maximum_at_an_edge_is_one_and_is_told(use_jax):
    found = maximise(bounded_problem(use_jax).posterior, [0.5, 1.0])
    assert found.converged
    assert "slope" in found.message and "edge" in found.message
    assert 0 < found.vector[0] < 1e-6  # a sampler can start there
    assert found.vector[1] == pytest.approx(0.3, abs=1e-5)


def test_a_start_on_the_edge_of_a_prior_gets_away_from_it():
    x = np.linspace(0.0, 2.0, 30)
    model = anb.Model(slope=dist.Uniform(0, 5), intercept=dist.Normal(0, 1))
    posterior = anb.Posterior(Line(x, 1.5 * x, np.full(30, 0.1)), model)
    for edge in (0.0, 5.0):
        found = maximise(posterior, [edge, 0.0])
        assert found.vector[0] == pytest.approx(1.5, abs=0.01)


class Undefined(anb.Analysis):
    def log_likelihood_function(self, instance):
        return jnp.log(instance.width - 5.0) - instance.width


class Falls(anb.Analysis):
    def log_likelihood_function(self, instance):
        return instance.width**2


DOUBTS = {
    "flat": (Nothing(), dist.Uniform(0, 9), 3.0, "does not depend on width"),
    "undefined": (Undefined(), dist.Uniform(0, 9), 3.0, "not finite at the start"),
    "a minimum": (Falls(), dist.Uniform(-1, 1), 0.0, "no maximum here along width"),
    "no maximum": (Falls(), dist.Normal(0, 99), 1.0, "width"),
}


@pytest.mark.parametrize(
    ("analysis", "prior", "start", "words"), DOUBTS.values(), ids=DOUBTS
)
def test_what_is_no_maximum_is_not_called_one(analysis, prior, start, words):
    posterior = anb.Posterior(analysis, anb.Model(width=prior))
    found = maximise(posterior, [start])
    assert not found.converged
    assert words in found.message


class Quartic(anb.Analysis):
    """Each step of Newton's goes but a third of the way."""

    def log_likelihood_function(self, instance):
        return -((instance.width - 3.0) ** 4)


def test_too_few_iterations_are_no_convergence():
    posterior = anb.Posterior(Quartic(), anb.Model(width=dist.Uniform(-9e3, 9e3)))
    found = maximise(posterior, [5e3], iterations=5)
    assert not found.converged
    assert "a further step promises" in found.message


def test_each_step_is_told_and_can_be_the_last():
    problem = certificate("Misra1a")
    posterior, seen = problem.posterior(), []

    def keep(vector):
        seen.append(vector)
        return False

    maximise(posterior, problem.starts[1], on_step=keep)
    assert len(seen) > 2
    densities = [float(posterior.log_posterior(vector)) for vector in seen]
    assert densities == sorted(densities)
    early = maximise(posterior, problem.starts[1], on_step=lambda v: True)
    assert not early.converged and "stopped" in early.message
    assert np.array_equal(early.vector, seen[0])


def test_a_second_climb_compiles_nothing():
    problem = certificate("Misra1a")
    for start in problem.starts.values():
        with compilations() as names:
            maximise(problem.posterior(), start)
    assert names == []


def test_a_start_outside_the_prior_is_told():
    model = anb.Model(slope=dist.Uniform(0, 5), intercept=dist.Normal(0, 1))
    x = np.linspace(0.0, 2.0, 30)
    posterior = anb.Posterior(Line(x, x, np.ones(30)), model)
    with pytest.raises(ValueError, match="priors' bounds; got slope=7; move it inside"):
        maximise(posterior, [7.0, 0.0])


def test_an_optimum_is_shown_in_words_and_numbers():
    found = maximise(line_problem().posterior, [5.0, -3.0])
    for view in (repr(found), found._repr_html_()):
        assert f"{found.vector[0]:.10g}" in view and "slope" in view
        assert "converged" in view and "array(" not in view and "np." not in view
