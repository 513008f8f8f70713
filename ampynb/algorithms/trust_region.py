"""Minimisation in a trust region: Levenberg-Marquardt and damped Newton steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

__all__ = ["Box", "Descent", "Local", "Objective", "descend"]

EPSILON = float(np.finfo(float).eps)
LEAST_RATIO, POOR, GOOD = 1e-4, 0.25, 0.75  # of the decrease to the predicted one


class Local(NamedTuple):
    """A function and its derivatives at one point.

    The function is ``squares + rest``, kept apart: of a small sum of squares beside a
    large constant the decrease would be lost to rounding.

    Attributes
    ----------
    squares, rest : float
        Half the sum of squared residuals, and all else.
    gradient : array, (ndim,)
    gauss_newton : array, (ndim, ndim)
        Gauss-Newton matrix of the residuals.
    rest_hessian : array, (ndim, ndim)
    """

    squares: float
    rest: float
    gradient: np.ndarray
    gauss_newton: np.ndarray
    rest_hessian: np.ndarray

    @property
    def value(self) -> float:
        """The function, rounded as a sum."""
        return self.squares + self.rest

    @property
    def curvature(self) -> np.ndarray:
        """Hessian matrix, but for the residuals' own second derivatives."""
        return self.gauss_newton + self.rest_hessian

    @property
    def is_finite(self) -> bool:
        """Whether the value and all derivatives are."""
        return all(np.isfinite(part).all() for part in self)

    @property
    def rounding(self) -> float:
        """Size of the rounding error of the value."""
        epsilon = float(np.finfo(self.gradient.dtype).eps)
        return epsilon * (self.squares + abs(self.rest))

    @property
    def scales(self) -> np.ndarray:
        """Square root of the curvature along each axis, (ndim,)."""
        along = np.diag(self.gauss_newton) + np.abs(np.diag(self.rest_hessian))
        return np.sqrt(along)

    def decrease_to(self, other: Local) -> float:
        """Return by how much the function is smaller at another point."""
        if not other.is_finite:
            return -np.inf
        return (self.squares - other.squares) + (self.rest - other.rest)


class Objective(Protocol):
    """A function to minimise."""

    def at(self, x: np.ndarray) -> Local:
        """Return the function near a point."""
        ...

    def hessian(self, x: np.ndarray) -> np.ndarray:
        """Return the whole Hessian matrix, (ndim, ndim)."""
        ...


@dataclass(frozen=True)
class Box:
    """Where the minimum is sought.

    Attributes
    ----------
    low, high : array, (ndim,)
        Infinite where there is no edge.
    widths : array, (ndim,)
        Typical lengths, for directions along which the function is flat.
    """

    low: np.ndarray
    high: np.ndarray
    widths: np.ndarray

    def held(self, x: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        """Return which elements are at an edge and would go beyond it."""
        below, above = (x <= self.low) & (gradient > 0), (x >= self.high)
        return below | (above & (gradient < 0))


class Descent(NamedTuple):
    """Where a descent ended: point, function there, and whether it ran its course."""

    x: np.ndarray
    local: Local
    finished: bool
    stopped: bool


def descend(
    objective: Objective,
    x: np.ndarray,
    box: Box,
    on_step: Callable[[np.ndarray], bool],
    iterations: int,
    boldness: float,
) -> Descent:
    """Go down from a point until rounding hides any further decrease.

    By steps in a trust region whose axes are scaled by the largest curvature met so
    far (Moré 1978). An element whose step would cross an edge of the box is put on the
    edge, and the step is sought again for the others.

    Parameters
    ----------
    on_step : callable
        Takes the point after each step that is taken; True ends the descent there.
    iterations : int
        At most.
    boldness : float
        Length of the first step, over that of the scaled starting point.
    """
    here = objective.at(x)
    scales = np.maximum(here.scales, 1e-3 / box.widths)
    radius = boldness * max(float(np.linalg.norm(scales * x)), 1.0)
    for _ in range(iterations):
        curvature = _curvature(objective, x, here, scales)
        step = _step_in_box(here.gradient, curvature, x, scales, radius, box)
        length = float(np.linalg.norm(scales * step))
        predicted = -float(here.gradient @ step + 0.5 * step @ curvature @ step)
        x_new = np.clip(x + step, box.low, box.high)
        new = objective.at(x_new)
        decrease = here.decrease_to(new)
        ratio = decrease / predicted if predicted > 0 else -1.0
        if ratio < POOR:
            radius = POOR * length
        elif ratio > GOOD:
            radius = max(radius, 2 * length)
        is_last = 0 <= predicted <= 4 * here.rounding
        is_last |= length <= EPSILON * float(np.linalg.norm(scales * x))
        if ratio > LEAST_RATIO or (is_last and decrease >= 0):
            x, here = x_new, new
            scales = np.maximum(scales, here.scales)
            if on_step(x):
                return Descent(x, here, False, True)
        if is_last:
            return Descent(x, here, True, False)
    return Descent(x, here, False, False)


def _curvature(
    objective: Objective, x: np.ndarray, here: Local, scales: np.ndarray
) -> np.ndarray:
    """Return the Gauss-Newton curvature, or the whole Hessian if that is no good.

    What is not a square may be concave, as the logarithm of a noise that is fitted
    is: it can cancel the Gauss-Newton matrix where the Hessian is far from singular.
    """
    if not here.gauss_newton.any():
        return here.curvature
    scaled = here.rest_hessian / np.outer(scales, scales)
    is_convex = np.linalg.eigvalsh(scaled)[0] > -1e-3
    return here.curvature if is_convex else objective.hessian(x)


def _step_in_box(
    gradient: np.ndarray,
    curvature: np.ndarray,
    x: np.ndarray,
    scales: np.ndarray,
    radius: float,
    box: Box,
) -> np.ndarray:
    """Return the step in the region, with elements on edges that they would cross."""
    step = np.zeros_like(x)
    free = ~box.held(x, gradient)
    while free.any():
        pull = gradient[free] + curvature[np.ix_(free, ~free)] @ step[~free]
        block = curvature[np.ix_(free, free)]
        step[free] = _step(pull, block, scales[free], radius)
        low, high = box.low - x, box.high - x
        outside = free & ((step < low) | (step > high))
        if not outside.any():
            break
        step[outside] = np.clip(step, low, high)[outside]
        free &= ~outside
    return step


def _step(
    gradient: np.ndarray, curvature: np.ndarray, scales: np.ndarray, radius: float
) -> np.ndarray:
    """Return the minimum of a quadratic in a ball (Moré and Sorensen 1983).

    By the eigenvalues of the scaled matrix, shifted until the step is short enough.
    """
    values, vectors = np.linalg.eigh(curvature / np.outer(scales, scales))
    along = -vectors.T @ (gradient / scales)
    least = EPSILON * max(values[-1], 1.0)
    low = max(0.0, least - values[0])

    def step(shift: float) -> np.ndarray:
        return along / np.maximum(values + shift, least)

    if np.linalg.norm(step(low)) <= radius:
        return vectors @ step(low) / scales
    # Between the bounds the length falls; its logarithm is found by bisection.
    high = low + float(np.linalg.norm(along)) / radius
    low = max(low, EPSILON * high)
    while high > 1.1 * low:
        middle = np.sqrt(low * high)
        if np.linalg.norm(step(middle)) > radius:
            low = middle
        else:
            high = middle
    return vectors @ step(high) / scales
