"""Whether a point is a maximum of a log density, and the last steps to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ampynb.algorithms.trust_region import Box, Descent, Local, Objective

__all__ = ["MOST_GAIN", "NOT_FINITE", "STOPPED", "Verdict", "judge"]

MOST_GAIN = 1e-7  # in log density, that a further step may have in store
MOST_GAIN_AT_LAST = 1e-4  # where rounding lets no further step do better
FLAT = 1e-12  # curvature along a direction, over the typical one
AS_WIDE = 2.0  # widths of the density in the prior
STEPS = 8
STOPPED = "stopped on request; call it again from here to go on"
NOT_FINITE = (
    "the log density or its derivatives are not finite at the start; start elsewhere, "
    "or look for a division by zero or the logarithm of a negative number"
)


class Verdict(NamedTuple):
    """Where a search ended, and whether that is a maximum.

    Attributes
    ----------
    x : array, (ndim,)
    cost : float
        Minus the log density.
    converged : bool
    message : str
    doubtful : bool
        Whether there may be a better one: an element is at the edge of its prior, or
        as uncertain as that leaves it.
    """

    x: np.ndarray
    cost: float
    converged: bool
    message: str
    doubtful: bool = False

    def is_better_than(self, other: Verdict) -> bool:
        """Whether the point is higher, or as high and a maximum."""
        gain = other.cost - self.cost
        if self.converged and not other.converged:
            return gain > -MOST_GAIN
        return gain > MOST_GAIN


class _Newton(NamedTuple):
    """The step to the maximum of a quadratic, and what it gains in log density."""

    step: np.ndarray
    gain: float
    flattest: float  # curvature in the direction in which it is least, scaled
    element: int  # which has the largest part of that direction


def judge(
    objective: Objective, descent: Descent, box: Box, names: Sequence[str]
) -> Verdict:
    """Return whether a search ended at a maximum, after Newton steps to the very top.

    It did where the exact curvature is negative in every direction that is free, and
    the next step would gain less than ``MOST_GAIN`` in log density, and less than that
    part of half the sum of squares; or a little more, where rounding spoils the step.
    """
    x, here = descent.x, descent.local
    free = ~box.held(x, here.gradient)
    if descent.stopped:
        return Verdict(x, here.value, False, STOPPED)
    newton = _newton(objective, x, here, free, box)
    exhausted = False
    for _ in range(STEPS):
        x_new = x + newton.step
        inside = np.all((x_new >= box.low) & (x_new <= box.high))
        if newton.flattest < FLAT or not inside:
            break
        new = objective.at(x_new)
        newton_new = _newton(objective, x_new, new, free, box)
        is_down = here.decrease_to(new) >= -4 * here.rounding - MOST_GAIN
        exhausted = not (is_down and newton_new.gain < newton.gain / 2)
        if exhausted:
            break
        x, here, newton = x_new, new, newton_new
    return _told(x, here, newton, exhausted, free, box, names)


def _newton(
    objective: Objective, x: np.ndarray, here: Local, free: np.ndarray, box: Box
) -> _Newton:
    step = np.zeros_like(x)
    if not free.any():
        return _Newton(step, 0.0, 1.0, 0)
    scales = np.maximum(here.scales, 1e-3 / box.widths)[free]
    hessian = objective.hessian(x)[np.ix_(free, free)] / np.outer(scales, scales)
    if not np.isfinite(hessian).all():
        return _Newton(step, np.inf, np.nan, 0)
    values, vectors = np.linalg.eigh(hessian)
    element = int(np.flatnonzero(free)[np.argmax(np.abs(vectors[:, 0]))])
    along = vectors.T @ (here.gradient[free] / scales)
    bent = np.where(values > 0, values, np.inf)
    step[free] = -(vectors @ (along / bent)) / scales
    return _Newton(step, 0.5 * float(np.sum(along**2 / bent)), values[0], element)


def _told(
    x: np.ndarray,
    here: Local,
    newton: _Newton,
    exhausted: bool,
    free: np.ndarray,
    box: Box,
    names: Sequence[str],
) -> Verdict:
    """Return the verdict in words."""
    edges = [name for name, is_free in zip(names, free, strict=True) if not is_free]
    name = names[newton.element]
    most = MOST_GAIN_AT_LAST if exhausted else MOST_GAIN
    most = max(most * min(1.0, here.squares or 1.0), 4 * here.rounding)
    pull = np.abs(here.gradient * box.widths)[~free]
    if not np.isfinite(newton.flattest):
        message = "the second derivatives are not finite here; start elsewhere"
    elif newton.flattest < -FLAT:
        message = f"the log density has no maximum here along {name}; start elsewhere"
    elif newton.flattest < FLAT or np.any(pull < MOST_GAIN):
        name = name if newton.flattest < FLAT else edges[int(np.argmin(pull))]
        message = (
            f"the log density does not depend on {name} here; start elsewhere, fix it "
            "or give it a narrower prior"
        )
    elif not newton.gain <= most:
        message = (
            f"a further step promises {newton.gain:.2g} in log density; call it again "
            "from here"
        )
    else:
        message = "the curvature is that of a maximum, and no further step would gain"
        if edges:
            message += (
                f" inside the prior of {', '.join(edges)}, at whose edge it is; widen "
                "the prior if values beyond are possible"
            )
        wide = bool(np.any(here.scales * box.widths < AS_WIDE))
        return Verdict(x, here.value, True, message, bool(edges) or wide)
    return Verdict(x, here.value, False, message, True)
