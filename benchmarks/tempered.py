"""Parallel tempering beside ptemcee, in steps.

Two posteriors in float64, of two modes in 2 dimensions and of four modes in 10, with 8
temperatures of 40 walkers each, both samplers adapting their ladder, ampynb's monitor
on. ptemcee has a NumPy likelihood and needs the alias ``np.float``, which NumPy has not
had since 1.24 and which is restored here. ``samplers.py`` runs it where ptemcee is
installed.
"""

from __future__ import annotations

import contextlib
import io

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from contest import Contest

import ampynb as anb

vars(np).setdefault("float", float)  # as ptemcee expects it
import ptemcee  # noqa: E402

NWALKERS, NTEMPS, SD = 40, 8, 0.5
STEPS = {"ampynb": 20_000, "ptemcee": 300}
BURN = 1000
PROBLEMS = {
    "2-D, two modes": (np.array([[-4.0, -4.0], [4.0, 4.0]]), [0.7, 0.3]),
    "10-D, four modes": (
        6 * np.eye(4, 10) - 3 * np.eye(4, 10)[[1, 2, 3, 0]],
        [0.4, 0.3, 0.2, 0.1],
    ),
}


class Modes(anb.Analysis):
    """Gaussian modes of one width."""

    def __init__(self, places, log_weights):
        super().__init__()
        self.places, self.log_weights = places, log_weights

    def log_likelihood_function(self, instance):
        """Return the log likelihood of one instance."""
        squares = jnp.sum(((instance.p - self.places) / SD) ** 2, axis=-1)
        return jax.nn.logsumexp(self.log_weights - 0.5 * squares)


class Problem:
    """One posterior, and how either sampler draws from it."""

    def __init__(self, places: np.ndarray, weights: list[float]):
        self.places, self.weights = places, np.array(weights)
        self.ndim = places.shape[1]
        self.log_weights = np.log(weights) - self.ndim * np.log(SD * np.sqrt(2 * np.pi))

    def log_likelihood(self, p: np.ndarray) -> float:
        """Log likelihood of one point, in NumPy."""
        terms = self.log_weights - 0.5 * np.sum(((p - self.places) / SD) ** 2, axis=-1)
        highest = terms.max()
        return highest + np.log(np.sum(np.exp(terms - highest)))

    def log_prior(self, p: np.ndarray) -> float:
        """Log prior of one point."""
        return 0.0 if np.all(np.abs(p) < 10) else -np.inf

    def run_ampynb(self, seed: int) -> float:
        """Sample with the engine, its monitor on."""
        model = anb.Model(p=dist.Uniform(-10, 10).expand([self.ndim]))
        analysis = Modes(self.places, self.log_weights)
        engine = anb.InferenceEngine(analysis, model, seed=seed)
        with contextlib.redirect_stdout(io.StringIO()):  # outside a notebook: as text
            engine.start(
                nwalkers=NWALKERS,
                iterations=STEPS["ampynb"] - BURN,
                burn=BURN,
                sampler="tempered",
                ntemps=NTEMPS,
                progress="widget",
            ).wait()
        return STEPS["ampynb"]

    def run_ptemcee(self, seed: int) -> float:
        """Sample with ptemcee."""
        random = np.random.default_rng(seed)
        begin = random.uniform(-10, 10, size=(NTEMPS, NWALKERS, self.ndim))
        sampler = ptemcee.Sampler(
            NWALKERS, self.ndim, self.log_likelihood, self.log_prior, ntemps=NTEMPS
        )
        sampler.run_mcmc(begin, STEPS["ptemcee"], adapt=True)
        return STEPS["ptemcee"]


CONTESTS = [
    Contest(f"tempered / ptemcee, {name}", one.run_ampynb, one.run_ptemcee, 20)
    for name, one in ((name, Problem(*given)) for name, given in PROBLEMS.items())
]
