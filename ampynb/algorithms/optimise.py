"""The maximum of a posterior, from a point on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import scipy.optimize

from ampynb.analysis.posterior import Posterior

__all__ = ["Optimum", "maximise"]

EDGE = 5.0  # in unconstrained coordinates, for a start on the edge of a prior
HUGE = 1e100  # minus the log posterior of where there is none


@dataclass(frozen=True)
class Optimum:
    """Where an optimiser ended.

    Attributes
    ----------
    vector : array, (ndim,) [model units]
    log_posterior : float
    converged : bool
    message : str
        The optimiser's own words.
    """

    vector: np.ndarray
    log_posterior: float
    converged: bool
    message: str


def maximise(
    posterior: Posterior,
    vector: Any,
    on_step: Callable[[np.ndarray], bool] | None = None,
    iterations: int = 500,
) -> Optimum:
    """Climb from a point to the nearest maximum of the posterior density.

    The density is that over the vector, in model units, so that the maximum does not
    depend on the coordinates in which it is sought: those are unconstrained, and
    scaled by the width of the prior. By L-BFGS (Liu & Nocedal 1989), or for an
    analysis in NumPy, without gradients, by the simplex of Nelder & Mead (1965).

    Parameters
    ----------
    posterior : Posterior
    vector : array, (ndim,) [model units]
    on_step : callable, optional
        Takes the vector after each iteration; True ends the climb there.
    iterations : int
        At most.

    Raises
    ------
    ValueError
        Where the start lies outside the prior's support.
    """
    model = posterior.model
    origin = _inside(model, np.asarray(vector, float))
    low, high = (_inside(model, edge) for edge in model.prior_interval(0.68).T)
    scale = (high - low) / 2

    def vector_at(x: np.ndarray) -> np.ndarray:
        return np.asarray(model.constrain(origin + scale * x))

    def objective(x: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = _log_posterior(origin + scale * x, posterior)
        gradient = np.nan_to_num(scale * np.asarray(gradient), posinf=0.0, neginf=0.0)
        return _cost(value), -gradient

    def cost(x: np.ndarray) -> float:
        return _cost(posterior.log_posterior(vector_at(x)))

    def callback(intermediate_result: Any) -> None:
        if on_step is not None and on_step(vector_at(intermediate_result.x)):
            raise StopIteration

    gradients = posterior.analysis.use_jax
    found = scipy.optimize.minimize(
        objective if gradients else cost,
        np.zeros(len(origin)),
        jac=gradients,
        method="L-BFGS-B" if gradients else "Nelder-Mead",
        callback=callback,
        options={"maxiter": iterations if gradients else 200 * len(origin)},
    )
    return Optimum(vector_at(found.x), -float(found.fun), found.success, found.message)


def _cost(log_posterior: Any) -> float:
    value = float(log_posterior)
    return -value if np.isfinite(value) else HUGE


def _inside(model: Any, vector: np.ndarray) -> np.ndarray:
    """Return unconstrained coordinates, of an edge those of a point near it."""
    z = np.asarray(model.unconstrain(vector))
    undefined = np.isnan(z)
    if undefined.any():
        element = int(np.argmax(undefined))
        raise ValueError(
            "expected a start inside the priors' bounds; got "
            f"{model.names[element]}={vector[element]:.6g}; move it inside"
        )
    return np.nan_to_num(z, posinf=EDGE, neginf=-EDGE)


@jax.jit
@jax.value_and_grad
def _log_posterior(z: jax.Array, posterior: Posterior) -> jax.Array:
    return posterior.log_posterior(posterior.model.constrain(z))
