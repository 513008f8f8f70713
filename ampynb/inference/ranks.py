"""Ranks of true values among draws of their posteriors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ampynb.algorithms.algorithm import Algorithm, Outcome
from ampynb.algorithms.nested_outcome import effective_size
from ampynb.analysis.posterior import Posterior
from ampynb.analysis.simulation import Simulation
from ampynb.results.calibration import LOG_LIKELIHOOD
from ampynb.results.diagnostics import live_ess, live_tau

__all__ = ["Quantities", "RankedFit", "ranked"]


class Quantities:
    """What is ranked: the parameters, the log likelihood, and what users ask for.

    Parameters
    ----------
    posterior : Posterior
    further : dict of str to callable
        Each takes one instance and returns a number.

    Attributes
    ----------
    names : tuple of str
    """

    def __init__(self, posterior: Posterior, further: Mapping[str, Callable]):
        known = (*posterior.model.names, LOG_LIKELIHOOD)
        for name, function in further.items():
            if name in known or not callable(function):
                raise ValueError(
                    "expected quantities as a dictionary of new names to functions of "
                    f"an instance; got {name!r}: {function!r}; give for instance "
                    "{'ratio': lambda instance: instance.a / instance.b}"
                )
        self.names = (*known, *further)
        self._further = dict(further)
        self._model, self._use_jax = posterior.model, posterior.analysis.use_jax
        self._compiled = jax.jit(jax.vmap(self._of_one))

    def check(self, vector: np.ndarray) -> None:
        """Raise where a quantity of the user is no number."""
        instance = self._model.instance_from_vector(vector)
        for name, function in self._further.items():
            shape = np.shape(function(instance))
            if shape != ():
                raise ValueError(
                    f"expected the quantity {name!r} as one number for one instance; "
                    f"got an array of shape {shape}; take an element, or a sum"
                )

    def of(self, vectors: np.ndarray, log_likelihood: np.ndarray) -> np.ndarray:
        """Return every quantity at some points, (n, n_quantities).

        Parameters
        ----------
        vectors : array, (n, ndim) [model units]
        log_likelihood : array, (n,)
        """
        columns = [vectors, log_likelihood[:, None]]
        if self._further and self._use_jax:
            columns.append(np.asarray(self._compiled(vectors)))
        elif self._further:
            columns.append(np.stack([self._of_one(vector) for vector in vectors]))
        return np.concatenate(columns, axis=1)

    def _of_one(self, vector: Any) -> Any:
        instance = self._model.instance_from_vector(vector)
        values = [function(instance) for function in self._further.values()]
        return (jnp if self._use_jax else np).stack(values)


class RankedFit(NamedTuple):
    """What is kept of a fit.

    Attributes
    ----------
    ranks : array of int, (n_quantities,)
    ess : float
        Effective number of independent draws that were made.
    """

    ranks: np.ndarray
    ess: float


def ranked(
    simulation: Simulation,
    outcome: Outcome,
    algorithm: Algorithm,
    quantities: Quantities,
    n_draws: int,
    random: np.random.Generator,
) -> RankedFit:
    """Rank the true values among ``n_draws`` draws of a fit (Talts et al. 2018).

    Equal values, as of a quantity that is discrete, are put in order by lot.
    """
    position = np.asarray(outcome.position)
    log_likelihood = np.asarray(outcome.stats["log_likelihood"])
    kept = _thinned(position.shape[:2], algorithm.draws_chains, n_draws, random)
    drawn = quantities.of(position[kept], log_likelihood[kept])
    truth = np.array([simulation.log_likelihood])
    true = quantities.of(simulation.vector[None], truth)
    below, equal = np.sum(drawn < true, axis=0), np.sum(drawn == true, axis=0)
    ranks = below + random.integers(0, equal + 1)
    values = np.concatenate([position, log_likelihood[..., None]], axis=-1)
    return RankedFit(ranks, _independent_draws(values, outcome, algorithm))


def _thinned(
    shape: tuple[int, int], are_chains: bool, n_draws: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return steps and walkers of the draws that are kept.

    Of chains they are the walkers at some steps, as far apart as there is room for:
    in equilibrium walkers are independent at any one step, also those of an ensemble,
    whose law is a product (Goodman and Weare 2010).
    """
    steps, nwalkers = shape
    if steps * nwalkers < n_draws:
        raise ValueError(
            f"expected at least {n_draws} draws of each fit; got {steps * nwalkers}; "
            "run longer, or ask for fewer draws"
        )
    rows = np.arange(steps)
    if are_chains:
        needed = -(-n_draws // nwalkers)
        rows = (np.arange(1, needed + 1) * steps) // needed - 1
    chosen = random.choice(len(rows) * nwalkers, n_draws, replace=False)
    return rows[chosen // nwalkers], chosen % nwalkers


def _independent_draws(
    values: np.ndarray, outcome: Outcome, algorithm: Algorithm
) -> float:
    """Return the effective sample size of the slowest quantity."""
    if algorithm.draws_chains and algorithm.independent_chains:
        return float(np.fmin.reduce(live_ess(values)))
    if algorithm.draws_chains:
        return values[..., 0].size / float(np.fmax.reduce(live_tau(values)))
    if not outcome.weighted:
        return float(values[..., 0].size)
    return effective_size(np.exp(outcome.weighted["log_weight"]))
