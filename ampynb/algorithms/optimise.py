"""The maximum of a posterior, from a point on."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import scipy.optimize

from ampynb.analysis.posterior import Posterior

__all__ = ["Optimum", "maximise"]

EDGE = 5.0  # in unconstrained coordinates, for a start on the edge of a prior
HUGE = 1e100  # minus the log density of where there is none
FINE = {"gtol": 1e-6, "ftol": 1e-14}


@dataclass(frozen=True)
class Optimum:
    """Where an optimiser ended.

    Attributes
    ----------
    vector : array, (ndim,) [model units]
    log_density : float
        Of the density that was asked for, in model units.
    converged : bool
    message : str
        The optimiser's own words.
    """

    vector: np.ndarray
    log_density: float
    converged: bool
    message: str


def maximise(
    posterior: Posterior,
    vector: Any,
    on_step: Callable[[np.ndarray], bool] | None = None,
    iterations: int = 500,
    *,
    density: str = "log_posterior",
    scale: np.ndarray | None = None,
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
    density : str
        ``"log_posterior"``, or ``"log_likelihood"`` for that alone.
    scale : array, (ndim, ndim), optional
        Square root of the posterior's covariance in z, in the place of the priors'
        widths: for a start that is near the maximum, which is then sought to a
        millionth of that width. A density in NumPy is differentiated numerically.

    Raises
    ------
    ValueError
        Where the start lies outside the prior's support.
    """
    model = posterior.model
    origin = _inside(model, np.asarray(vector, float))
    is_near = scale is not None
    steps = scale if scale is not None else _prior_widths(model)

    def vector_at(x: np.ndarray) -> np.ndarray:
        return np.asarray(model.constrain(origin + steps @ x))

    def objective(x: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = _log_density(origin + steps @ x, posterior, density)
        gradient = np.nan_to_num(np.asarray(gradient), posinf=0.0, neginf=0.0) @ steps
        return _cost(value), -gradient

    def cost(x: np.ndarray) -> float:
        return _cost(getattr(posterior, density)(vector_at(x)))

    def callback(intermediate_result: Any) -> None:
        if on_step is not None and on_step(vector_at(intermediate_result.x)):
            raise StopIteration

    in_jax = posterior.analysis.use_jax
    gradients = in_jax or is_near
    options = {"maxiter": iterations if gradients else 200 * len(origin)}
    found = scipy.optimize.minimize(
        objective if in_jax else cost,
        np.zeros(len(origin)),
        jac=True if in_jax else "3-point" if is_near else None,
        method="L-BFGS-B" if gradients else "Nelder-Mead",
        callback=callback,
        options=options | (FINE if is_near else {}),
    )
    return Optimum(vector_at(found.x), -float(found.fun), found.success, found.message)


def _prior_widths(model: Any) -> np.ndarray:
    low, high = (_inside(model, edge) for edge in model.prior_interval(0.68).T)
    return np.diag((high - low) / 2)


def _cost(log_density: Any) -> float:
    value = float(log_density)
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


@functools.partial(jax.jit, static_argnames="density")
@jax.value_and_grad
def _log_density(z: jax.Array, posterior: Posterior, density: str) -> jax.Array:
    return getattr(posterior, density)(posterior.model.constrain(z))
