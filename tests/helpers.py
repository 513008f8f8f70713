"""Problems with known answers, shared by the tests: ``from tests.helpers import ...``.

The module is importable by the worker processes of a pool, so an analysis in NumPy
that a pool computes lives here too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import numpyro.distributions as dist
from scipy.stats import truncnorm

import ampynb as anb

COMPILED = "/jax/core/compile/backend_compile_duration"


class Line(anb.Analysis):
    """A straight line with Gaussian noise."""

    def __init__(self, x, y, yerr, **kwargs):
        super().__init__(**kwargs)
        self.x, self.y, self.yerr = x, y, yerr

    def fit_from(self, instance):
        model = instance.slope * self.x + instance.intercept
        return anb.GaussianFit(data=self.y, noise=self.yerr, model=model)


class NumpyLine(anb.Analysis):
    """The same line, its likelihood in plain NumPy."""

    def __init__(self, x, y, yerr):
        super().__init__(use_jax=False)
        self.x, self.y, self.yerr = x, y, yerr

    def log_likelihood_function(self, instance):
        residuals = self.y - instance.slope * self.x - instance.intercept
        squares = (residuals / self.yerr) ** 2
        return -0.5 * np.sum(squares + np.log(2 * np.pi * self.yerr**2))


@dataclass(frozen=True)
class Problem:
    """An analysis, a model, and the exact moments of their posterior."""

    analysis: Any
    model: anb.Model
    mean: np.ndarray
    covariance: np.ndarray

    @property
    def posterior(self) -> anb.Posterior:
        return anb.Posterior(self.analysis, self.model)


def line_problem(use_jax: bool = True, seed: int = 0, n: int = 20) -> Problem:
    """Return a line with normal priors, whose posterior is a correlated Gaussian.

    Source: the normal equations with the prior as further data, as in Gelman et al.
    2013, Bayesian Data Analysis, section 14.8.
    """
    x, yerr = np.linspace(0.0, 2.0, n), np.full(n, 0.5)
    y = 1.5 * x - 0.5 + yerr * np.random.default_rng(seed).normal(size=n)
    prior_mean, prior_sd = np.array([1.0, 0.0]), np.array([2.0, 1.0])
    design = np.stack([x, np.ones(n)], axis=1) / yerr[:, None]
    precision = design.T @ design + np.diag(prior_sd**-2)
    covariance = np.linalg.inv(precision)
    mean = covariance @ (design.T @ (y / yerr) + prior_mean / prior_sd**2)
    model = anb.Model(slope=dist.Normal(1.0, 2.0), intercept=dist.Normal(0.0, 1.0))
    kind = Line if use_jax else NumpyLine
    return Problem(kind(x, y, yerr), model, mean, covariance)


def bounded_problem(use_jax: bool = True) -> Problem:
    """Return a line with uniform priors that cut its Gaussian likelihood.

    As x is centred, slope and intercept are independent, each a truncated normal.
    """
    x, yerr = np.array([-1.0, 1.0] * 2), np.full(4, 1.0)
    best = np.array([-0.2, 0.3])  # of the likelihood; the slope's is out of bounds
    bounds = np.array([[0.0, 1.0], [0.0, 3.0]])
    sd = 0.5  # 1 / sqrt(sum of x^2 / yerr^2), and 1 / sqrt(sum of 1 / yerr^2)
    low, high = (bounds - best[:, None]).T / sd
    exact = truncnorm(low, high, loc=best, scale=sd)
    model = anb.Model(slope=dist.Uniform(0.0, 1.0), intercept=dist.Uniform(0.0, 3.0))
    kind = Line if use_jax else NumpyLine
    analysis = kind(x, best[0] * x + best[1], yerr)
    return Problem(analysis, model, exact.mean(), np.diag(exact.var()))


def counted(kind: type) -> type:
    """Return a subclass of an analysis that counts its forward evaluations.

    A compiled evaluation counts once, when it is traced. Each call makes a class with
    a counter of its own, ``evaluations``.
    """

    class Counted(kind):
        evaluations = 0

        def fit_from(self, instance):
            type(self).evaluations += 1
            return super().fit_from(instance)

    return Counted


@contextmanager
def compilations() -> Iterator[list[str]]:
    """List the programs that XLA compiles within, also those read from its cache."""
    names: list[str] = []

    def note(event: str, duration_secs: float, **kwargs: str | int) -> None:
        if event == COMPILED:
            names.append(str(kwargs.get("fun_name")))

    jax.monitoring.register_event_duration_secs_listener(note)
    try:
        yield names
    finally:
        jax.monitoring.unregister_event_duration_listener(note)
