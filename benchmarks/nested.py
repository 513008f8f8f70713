"""Nested sampling beside dynesty, in 1/error^2 of ln Z, which grows as the time does.

Three problems in float64 with 500 live points and the monitor on: a five-parameter fit
of 1,000 points, the eggbox, and a correlated Gaussian in ten dimensions. dynesty has
the likelihood in NumPy, and moves by random walks: the uniform draws of its defaults
take minutes to find the small posterior of the fit. ``samplers.py`` runs it.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from typing import Any

import dynesty
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from contest import Contest

import ampynb as anb

NLIVE = 500
Run = Callable[[int], float]

random = np.random.default_rng(0)
X = np.linspace(-1, 1, 1000)
NOISE = np.full(X.size, 0.5)
RHO, GAUSSIAN_NDIM = 0.5, 10
COVARIANCE = np.full((GAUSSIAN_NDIM,) * 2, RHO) + (1 - RHO) * np.eye(GAUSSIAN_NDIM)
PRECISION = np.linalg.inv(COVARIANCE)
NORMALISATION = -0.5 * np.linalg.slogdet(2 * np.pi * COVARIANCE)[1]


def curve(xp, p, x):
    """Return a parabola and a Gaussian line, for NumPy and JAX alike."""
    profile = xp.exp(-0.5 * ((x - p[2]) / 0.2) ** 2)
    return p[0] + p[1] * x + p[3] * profile + p[4] * x * x


Y = curve(np, [0.5, -1.0, 0.3, 1.2, 0.7], X) + NOISE * random.normal(size=X.size)


def log_fit(xp, p, data):
    """Log likelihood of the fit."""
    x, y, noise = data
    residuals = (y - curve(xp, p, x)) / noise
    return -0.5 * xp.sum(residuals**2 + xp.log(2 * np.pi * noise**2))


def log_eggbox(xp, p, data):
    """Log likelihood of the eggbox (Feroz, Hobson and Bridges 2009)."""
    return (2 + xp.cos(p[0] / 2) * xp.cos(p[1] / 2)) ** 5


def log_gaussian(xp, p, data):
    """Log likelihood of the correlated Gaussian."""
    (precision,) = data
    return NORMALISATION - 0.5 * p @ precision @ p


PROBLEMS: dict[str, tuple[Callable, tuple, int, float, float]] = {
    # name: function, data, ndim, lower, upper
    "5-D fit": (log_fit, (X, Y, NOISE), 5, -5.0, 5.0),
    "2-D eggbox": (log_eggbox, (), 2, 0.0, 10 * np.pi),
    "10-D Gaussian": (log_gaussian, (PRECISION,), 10, -5.0, 5.0),
}


class Fit(anb.Analysis):
    """A log likelihood as an analysis."""

    def __init__(self, log_likelihood, data):
        super().__init__()
        self.log_likelihood, self.data = log_likelihood, data

    def log_likelihood_function(self, instance):
        """Return the log likelihood of one instance."""
        return self.log_likelihood(jnp, instance.p, self.data)


def ampynb_run(name: str) -> Run:
    """Return a run of the engine, its monitor on."""
    function, data, ndim, lower, upper = PROBLEMS[name]
    model = anb.Model(p=dist.Uniform(lower, upper).expand([ndim]))

    def run(seed: int) -> float:
        engine = anb.InferenceEngine(Fit(function, data), model, seed=seed)
        with contextlib.redirect_stdout(io.StringIO()):  # outside a notebook: as text
            result: Any = engine.start(
                NLIVE, sampler="nested", progress="widget"
            ).wait()
        return result.log_evidence.error**-2

    return run


def dynesty_run(name: str) -> Run:
    """Return a run of dynesty with random walks, without its bar."""
    function, data, ndim, lower, upper = PROBLEMS[name]

    def run(seed: int) -> float:
        sampler = dynesty.NestedSampler(
            lambda p: function(np, p, data),
            lambda u: lower + (upper - lower) * u,
            ndim,
            nlive=NLIVE,
            sample="rwalk",
            rstate=np.random.default_rng(seed),
        )
        sampler.run_nested(print_progress=False)
        return sampler.results.logzerr[-1] ** -2

    return run


CONTESTS = [
    Contest(f"nested / dynesty, {name}", ampynb_run(name), dynesty_run(name), 2, 3)
    for name in PROBLEMS
]
