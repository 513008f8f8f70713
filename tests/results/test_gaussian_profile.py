"""A Gaussian profile in noise: fitted, and checked against methods without sampling.

The data are those of a common example: 100 pixels, a profile with centre 50,
normalization 25 and sigma 10, and noise of 0.04.
"""

import functools
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy.optimize import least_squares

import ampynb as anb

TRUTH, NOISE = np.array([50.0, 25.0, 10.0]), 0.04
X = np.arange(100.0)


def profile(x: Any, centre: Any, normalization: Any, sigma: Any, xp: Any = np) -> Any:
    scaled = (x - centre) / sigma
    return normalization / (sigma * np.sqrt(2 * np.pi)) * xp.exp(-0.5 * scaled**2)


DATA = profile(X, *TRUTH) + NOISE * np.random.default_rng(1).normal(size=100)


class Gaussian:
    """A profile that users write."""

    def __init__(self, centre=0.0, normalization=1.0, sigma=1.0):
        self.centre, self.normalization, self.sigma = centre, normalization, sigma

    def model_from(self, x):
        return profile(x, self.centre, self.normalization, self.sigma, jnp)


class Profile(anb.Analysis):
    LATENT_KEYS = ("fwhm", "gaussian.peak")

    def __init__(self):
        super().__init__()
        self.x, self.data = X, DATA

    def fit_from(self, instance):
        return anb.GaussianFit(self.data, NOISE, instance.model_from(self.x))

    def compute_latent_variables(self, parameters, model):
        instance = model.instance_from_vector(parameters)
        fwhm = 2 * jnp.sqrt(2 * jnp.log(2.0)) * instance.sigma
        return fwhm, instance.model_from(instance.centre)


MODEL = anb.Model(
    Gaussian,
    centre=dist.Uniform(0.0, 100.0),
    normalization=dist.LogUniform(1e-2, 1e2),
    sigma=dist.Uniform(0.1, 30.0),
)


def residuals(point: np.ndarray) -> np.ndarray:
    return (DATA - profile(X, *point)) / NOISE


BEST = least_squares(residuals, TRUTH, xtol=1e-15, ftol=1e-15, gtol=1e-15)
FISHER = np.linalg.inv(BEST.jac.T @ BEST.jac)


@functools.cache
def fitted() -> anb.Result:
    engine = anb.InferenceEngine(Profile(), MODEL, seed=1)
    start = MODEL.instance_from_vector(np.array([45.0, 20.0, 8.0]))
    return engine.run(4, 2000, 500, "nuts", start=start, progress="none")


@functools.cache
def grid() -> tuple[np.ndarray, np.ndarray, float]:
    """Return points, log posterior densities, not normalised, and a point's volume.

    Along the axes of the Fisher matrix; the trapezoidal rule is spectrally accurate
    for what falls off to nothing at all its edges.
    """
    axis = np.linspace(-6.0, 6.0, 25)
    steps = np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 3)
    root = np.linalg.cholesky(FISHER)
    points = BEST.x + steps @ root.T
    model = profile(X, *points.T[..., None])
    log = -0.5 * np.sum(((DATA - model) / NOISE) ** 2, axis=1)
    log -= 100 * np.log(NOISE * np.sqrt(2 * np.pi))
    log -= np.log(100.0) + np.log(points[:, 1] * np.log(1e4)) + np.log(29.9)
    return points, log, float((axis[1] - axis[0]) ** 3 * np.linalg.det(root))


def by_quadrature(quantity: Any) -> tuple[float, float]:
    """Return mean and deviation of a quantity under the exact posterior."""
    points, log, _ = grid()
    weights = np.exp(log - log.max())
    values = quantity(*points.T)
    mean = np.average(values, weights=weights)
    return float(mean), float(
        np.sqrt(np.average((values - mean) ** 2, weights=weights))
    )


QUANTITIES = {
    "centre": lambda centre, normalization, sigma: centre,
    "normalization": lambda centre, normalization, sigma: normalization,
    "sigma": lambda centre, normalization, sigma: sigma,
    "fwhm": lambda centre, normalization, sigma: np.sqrt(8 * np.log(2)) * sigma,
    "gaussian.peak": lambda c, n, sigma: profile(c, c, n, sigma),
}


def test_the_best_fit_is_that_of_least_squares():
    best = fitted().maximise()
    np.testing.assert_allclose(best.vector, BEST.x, rtol=1e-5)
    assert np.all(np.abs(best.vector - TRUTH) < 4 * np.sqrt(np.diag(FISHER)))
    expected = -0.5 * np.sum(BEST.fun**2) - 100 * np.log(NOISE * np.sqrt(2 * np.pi))
    assert best.log_likelihood == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("name", QUANTITIES)
def test_the_posterior_is_that_of_quadrature(name):
    mean, sd = by_quadrature(QUANTITIES[name])
    row = fitted().summary().loc[name]
    assert row["mean"] == pytest.approx(mean, abs=0.1 * sd)
    assert row["sd"] == pytest.approx(sd, rel=0.05)


def test_the_log_likelihood_is_that_of_the_best_instance():
    result = fitted()
    again = float(Profile().log_likelihood_function(result.instance))
    assert result.log_likelihood == pytest.approx(again, rel=1e-13)
    assert isinstance(result.instance, Gaussian)
    low, high = result.values_at_sigma(3, as_instance=True)
    assert low.centre < result.median().centre < high.centre


def test_the_covariance_is_nearly_that_of_the_fisher_matrix():
    sd = np.sqrt(np.diag(FISHER))
    scaled = fitted().covariance / np.outer(sd, sd)
    np.testing.assert_allclose(scaled, FISHER / np.outer(sd, sd), atol=0.1)


@pytest.mark.slow
def test_the_evidence_is_that_of_quadrature():
    _, log, volume = grid()
    expected = np.log(np.sum(np.exp(log - log.max())) * volume) + log.max()
    engine = anb.InferenceEngine(Profile(), MODEL, seed=1)
    result = engine.run(sampler="nested", progress="none")
    assert result.log_evidence is not None
    assert result.log_evidence.value == pytest.approx(expected, abs=0.3)
    for name, quantity in QUANTITIES.items():
        mean, sd = by_quadrature(quantity)
        row = result.summary().loc[name]
        assert row["mean"] == pytest.approx(mean, abs=0.1 * sd)
        assert row["sd"] == pytest.approx(sd, rel=0.05)


def test_nothing_speaks_against_it():
    assert fitted().verdict() == []
