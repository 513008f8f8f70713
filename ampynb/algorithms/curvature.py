"""A log density near a point: its value, gradient and curvature, for optimisers."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ampynb.algorithms.trust_region import Box, Local
from ampynb.analysis.posterior import Posterior
from ampynb.analysis.rejections import REJECTING

__all__ = ["Exact", "Gradients", "Numerical"]

# Steps of finite differences, over the width of the density.
RESIDUAL_STEP, GRADIENT_STEP, VALUE_STEP = 1e-4, 1e-3, 1e-2
FIRST_WIDTHS = 10.0  # of the density in the prior, before any is known
SAME = 1e-9  # for the check that residuals give the log density


class Exact:
    """Minus a log density in JAX, differentiated exactly.

    Where the fit has residuals (`Posterior.least_squares`) its curvature is that of
    Gauss and Newton. Whether they give the log density, but for a constant, is
    checked at every point; where they do not, the whole Hessian takes their place.

    Parameters
    ----------
    posterior : Posterior
    density : str
        Method of the posterior.
    in_z : bool
        Whether points are unconstrained coordinates, rather than vectors.
    """

    def __init__(self, posterior: Posterior, density: str, in_z: bool):
        self._posterior, self._density, self._in_z = posterior, density, in_z
        self._by_residuals = True
        self._offset, self._size = 0.0, np.inf  # where the density is highest so far

    def at(self, x: np.ndarray) -> Local:
        """Return minus the log density near a point, but for a constant."""
        offset, local = self._evaluate(x, self._by_residuals)
        if not np.isfinite(offset):
            return local._replace(rest=np.inf)
        if self._by_residuals and not self._is_constant(offset, local):
            self._by_residuals = False
            return self.at(x)
        return local

    def _is_constant(self, offset: float, local: Local) -> bool:
        """Whether what residuals do not explain is what it was, but for rounding."""
        size = 1.0 + local.squares + abs(local.rest)
        same = abs(offset - self._offset) <= SAME * (size + self._size)
        if size < self._size:
            self._offset, self._size = offset, size
        return same

    def _evaluate(self, x: np.ndarray, by_residuals: bool) -> tuple[float, Local]:
        offset, squares, rest, *derivatives = _evaluate(
            x,
            self._posterior,
            density=self._density,
            in_z=self._in_z,
            by_residuals=by_residuals,
        )
        # The same constant is left out with residuals and without.
        rest = float(rest) if by_residuals else float(rest) - self._offset
        arrays = map(np.asarray, derivatives)
        return float(offset), Local(float(squares), rest, *arrays)

    def hessian(self, x: np.ndarray) -> np.ndarray:
        """Return the Hessian of minus the log density, (ndim, ndim)."""
        return self._evaluate(x, False)[1].rest_hessian

    def exists_at(self, x: np.ndarray) -> bool:
        """Whether the log density can be differentiated twice.

        A rule for the gradient alone (`jax.custom_vjp`) and a call of ordinary Python
        (`jax.pure_callback`) cannot; JAX says so by one of these errors.
        """
        settings = {"density": self._density, "in_z": self._in_z}
        try:
            for by_residuals in (True, False):
                call = functools.partial(
                    _evaluate, **settings, by_residuals=by_residuals
                )
                jax.eval_shape(call, x, self._posterior)
        except (TypeError, ValueError, NotImplementedError):
            return False
        return True


@functools.partial(jax.jit, static_argnames=("density", "in_z", "by_residuals"))
def _evaluate(
    x: jax.Array, posterior: Posterior, *, density: str, in_z: bool, by_residuals: bool
) -> tuple:
    """Return a constant that should be one, and the parts of `Local`."""

    def vector_at(x: jax.Array) -> jax.Array:
        return posterior.model.constrain(x) if in_z else x

    def cost(x: jax.Array) -> jax.Array:
        return -getattr(posterior, density)(vector_at(x))

    none = jnp.zeros((x.size, x.size))
    if not by_residuals or posterior.least_squares(vector_at(x)) is None:
        value, gradient = jax.value_and_grad(cost)(x)
        return jnp.zeros(()), jnp.zeros(()), value, gradient, none, jax.hessian(cost)(x)

    def parts(x: jax.Array) -> Any:
        return posterior.least_squares(vector_at(x))

    def residuals(x: jax.Array) -> jax.Array:
        return parts(x)[0]

    def rest(x: jax.Array) -> jax.Array:
        of_prior = posterior.log_prior(vector_at(x)) if has_prior(density) else 0.0
        return -parts(x)[1] - of_prior

    scaled, jacobian = residuals(x), jax.jacfwd(residuals)(x)
    squares = 0.5 * jnp.sum(scaled**2)
    value, gradient = jax.value_and_grad(rest)(x)
    return (
        cost(x) - squares - value,
        squares,
        value,
        jacobian.T @ scaled + gradient,
        jacobian.T @ jacobian,
        jax.hessian(rest)(x),
    )


def has_prior(density: str) -> bool:
    """Whether a density of `Posterior` is that with the prior."""
    return density == "log_posterior"


class Gradients:
    """Minus a log density that JAX differentiates once: central differences of that.

    Parameters
    ----------
    posterior : Posterior
    density : str
        Method of the posterior.
    in_z : bool
        Whether points are unconstrained coordinates, rather than vectors.
    box : Box
        Differences are taken inside.
    """

    def __init__(self, posterior: Posterior, density: str, in_z: bool, box: Box):
        self._posterior, self._density, self._in_z = posterior, density, in_z
        self._box, self._scales = box, FIRST_WIDTHS / box.widths

    def first(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """Return minus the log density at a point, and its gradient."""
        value, gradient = _first(
            x, self._posterior, density=self._density, in_z=self._in_z
        )
        return float(value), np.asarray(gradient)

    def at(self, x: np.ndarray) -> Local:
        """Return minus the log density near a point."""
        value, gradient = self.first(x)
        none = np.zeros((len(x), len(x)))
        local = Local(0.0, value, gradient, none, self.hessian(x))
        if local.is_finite:
            self._scales = np.maximum(local.scales, FIRST_WIDTHS / self._box.widths)
        return local

    def hessian(self, x: np.ndarray) -> np.ndarray:
        """Return the Hessian of minus the log density, (ndim, ndim)."""
        middle, steps = _steps(x, GRADIENT_STEP / self._scales, self._box)
        up, down = (
            np.stack([self.first(middle + side * step)[1] for step in steps])
            for side in (1, -1)
        )
        half = (up - down) / (4 * np.diag(steps))[:, None]
        return half + half.T


@functools.partial(jax.jit, static_argnames=("density", "in_z"))
def _first(x: jax.Array, posterior: Posterior, *, density: str, in_z: bool) -> tuple:
    """Return minus the log density and its gradient."""

    def cost(x: jax.Array) -> jax.Array:
        vector = posterior.model.constrain(x) if in_z else x
        return -getattr(posterior, density)(vector)

    return jax.value_and_grad(cost)(x)


def _steps(
    x: np.ndarray, lengths: np.ndarray, box: Box
) -> tuple[np.ndarray, np.ndarray]:
    """Return the middle of differences, and one step along each axis."""
    low, high = box.low + lengths, box.high - lengths
    return np.clip(x, low, np.maximum(low, high)), np.diag(lengths)


class Numerical:
    """Minus a log density that JAX cannot differentiate, by central differences.

    Their steps are small fractions of the width of the density, found on the way: of
    residuals, where the fit has them, smaller ones than of the value, which is
    differentiated twice.

    Parameters
    ----------
    posterior : Posterior
    density : str
        Method of the posterior.
    in_z : bool
        Whether points are unconstrained coordinates, rather than vectors.
    box : Box
        Differences are taken inside.
    on_evaluation : callable
        Called before each; it may raise to end the descent.
    """

    def __init__(
        self,
        posterior: Posterior,
        density: str,
        in_z: bool,
        box: Box,
        on_evaluation: Callable[[], Any],
    ):
        self._posterior, self._density, self._in_z = posterior, density, in_z
        self._box, self._on_evaluation = box, on_evaluation
        self._scales = FIRST_WIDTHS / box.widths
        self._by_residuals = self._is_scaled = False
        self._number = 0  # of residuals

    def value(self, x: np.ndarray) -> float:
        """Return minus the log density at a point."""
        self._on_evaluation()
        return -float(getattr(self._posterior, self._density)(self._vector(x)))

    def at(self, x: np.ndarray) -> Local:
        """Return minus the log density near a point, from differences."""
        find = self._of_residuals if self._by_residuals else self._of_values
        if not self._is_scaled:
            self._keep_scales(find(x))
        local = find(x)
        self._keep_scales(local)
        return local

    def hessian(self, x: np.ndarray) -> np.ndarray:
        """Return the Hessian of minus the log density, (ndim, ndim)."""
        return self._of_values(x).rest_hessian

    def _vector(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(self._posterior.model.constrain(x)) if self._in_z else x

    def _keep_scales(self, local: Local) -> None:
        if local.is_finite:
            self._is_scaled = True
            self._scales = np.maximum(local.scales, FIRST_WIDTHS / self._box.widths)

    def _parts(self, x: np.ndarray) -> tuple[np.ndarray, float]:
        """Return residuals and all else at a point."""
        self._on_evaluation()
        vector = self._vector(x)
        of_prior = float(self._posterior.log_prior(vector))
        try:
            parts: Any = self._posterior.least_squares(vector)
        except REJECTING:
            return np.full(self._number, np.nan), np.inf
        residuals, rest = parts
        return residuals, -rest - (of_prior if has_prior(self._density) else 0.0)

    def take_residuals(self, x: np.ndarray) -> bool:
        """Use residuals if they give the log density at a point; return whether."""
        try:
            parts = self._posterior.least_squares(self._vector(x))
        except REJECTING:
            return False
        if parts is None:
            return False
        self._number = len(parts[0])
        residuals, rest = self._parts(x)
        cost = 0.5 * float(np.sum(residuals**2)) + rest
        self._by_residuals = bool(np.isclose(cost, self.value(x), rtol=SAME, atol=SAME))
        return self._by_residuals

    def _of_residuals(self, x: np.ndarray) -> Local:
        residuals, rest = self._parts(x)
        middle, steps = _steps(x, RESIDUAL_STEP / self._scales, self._box)
        sides = [[self._parts(middle + s * step) for s in (1, -1)] for step in steps]
        lengths = np.diag(steps)
        pairs = list(zip(sides, lengths, strict=True))
        jacobian = np.stack([(u[0] - d[0]) / (2 * h) for (u, d), h in pairs], axis=1)
        slope = np.array([(u[1] - d[1]) / (2 * h) for (u, d), h in pairs])
        bend = np.array([(u[1] - 2 * rest + d[1]) / h**2 for (u, d), h in pairs])
        return Local(
            0.5 * float(residuals @ residuals),
            rest,
            jacobian.T @ residuals + slope,
            jacobian.T @ jacobian,
            np.diag(np.where(np.array_equal(middle, x), bend, 0.0)),
        )

    def _of_values(self, x: np.ndarray) -> Local:
        middle, steps = _steps(x, VALUE_STEP / self._scales, self._box)
        value, lengths, n = self.value(x), np.diag(steps), len(x)
        at_middle = value if np.array_equal(middle, x) else self.value(middle)
        up = np.array([self.value(middle + step) for step in steps])
        down = np.array([self.value(middle - step) for step in steps])
        hessian = np.diag((up - 2 * at_middle + down) / lengths**2)
        for i, j in itertools.combinations(range(n), 2):
            both, apart = steps[i] + steps[j], steps[i] - steps[j]
            corners = self.value(middle + both) + self.value(middle - both)
            corners -= self.value(middle + apart) + self.value(middle - apart)
            hessian[i, j] = hessian[j, i] = corners / (4 * lengths[i] * lengths[j])
        gradient = (up - down) / (2 * lengths) + hessian @ (x - middle)
        return Local(0.0, value, gradient, np.zeros((n, n)), hessian)
