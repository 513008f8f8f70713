"""The maximum of a log density, uphill from a point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import scipy.optimize

from ampynb.algorithms.curvature import Exact, Gradients, Numerical
from ampynb.algorithms.maximum import NOT_FINITE, STOPPED, Verdict, judge
from ampynb.algorithms.trust_region import Box, Descent, Objective, descend
from ampynb.analysis.posterior import Posterior
from ampynb.model.function import Function
from ampynb.model.model import Model

__all__ = ["Optimum", "maximise"]

MOST_WITH_HESSIAN = 100  # parameters, in each step
MOST_JUDGED = 1000  # parameters, by the Hessian at the end
BOLD, CAUTIOUS = 100.0, 0.1  # first steps, over the length of the start
MOST_GAIN_BY_GRADIENTS = 1e-5  # in log density, that a further step may have in store
RESTARTS = 4
INSIDE = 1e-9  # of the prior's width: samplers cannot start on its very edge
EDGE = 5.0  # in unconstrained coordinates, for a start on the edge of a prior
HUGE = 1e100  # minus the log density of where there is none


@dataclass(frozen=True, eq=False, repr=False)
class Optimum:
    """Where an optimiser ended.

    Attributes
    ----------
    vector : array, (ndim,) [model units]
    log_density : float
        Of the density that was asked for, in model units.
    converged : bool
        Whether the point is a maximum: the log density is curved downwards in every
        direction, and a further step would gain nothing. At the edge of a prior, it
        is the maximum of the points inside.
    message : str
        Why it is a maximum, or why not and what to do.
    names : tuple of str
        Of the elements of the vector.
    """

    vector: np.ndarray
    log_density: float
    converged: bool
    message: str
    names: tuple[str, ...]

    @property
    def _headline(self) -> str:
        return "converged" if self.converged else "not converged"

    @property
    def _rows(self) -> list[tuple[str, str]]:
        values = (f"{value:.10g}" for value in self.vector)
        density = ("log density", f"{self.log_density:.10g}")
        return [*zip(self.names, values, strict=True), density]

    def __repr__(self) -> str:
        width = max(len(name) for name, _ in self._rows)
        lines = (f"{name.ljust(width)}  {value}" for name, value in self._rows)
        return "\n".join([f"Optimum, {self._headline}: {self.message}", *lines])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{value}</td></tr>"
            for name, value in self._rows
        )
        mark = "✓" if self.converged else "⚠"
        told = f"<div>{mark} {self._headline}: {escape(self.message)}</div>"
        return f"<b>Optimum</b>{told}<table>{rows}</table>"


class _Stopped(Exception):
    """Ends a search from within."""


def maximise(
    posterior: Posterior,
    vector: Any,
    on_step: Callable[[np.ndarray], bool] | None = None,
    iterations: int = 1000,
    *,
    density: str = "log_posterior",
) -> Optimum:
    """Climb from a point to the nearest maximum of the posterior density.

    The density is that over the vector, in model units, so that the maximum does not
    depend on coordinates. Where the fit has residuals, as `GaussianFit` and a joint
    fit of such have, the steps are those of Levenberg (1944) and Marquardt (1963) on
    them, in the form of Moré (1978), and priors, upper limits and a noise that is
    fitted enter with their second derivatives; elsewhere they are Newton's, in a trust
    region. The priors' edges bound the search. One that ends in doubt, at an edge, or
    where the data say no more of a parameter than its prior, is made again from the
    start with shorter steps, and the better end is kept.

    Derivatives are exact for an analysis in JAX. For one in NumPy they are central
    differences, after a simplex search (Nelder & Mead 1965) where there are no
    residuals; so are second ones of a likelihood that JAX cannot differentiate twice.
    With more than 100 parameters the method is L-BFGS (Liu & Nocedal 1989).

    Parameters
    ----------
    posterior : Posterior
    vector : array, (ndim,) [model units]
    on_step : callable, optional
        Takes the best vector so far, after each iteration or more often; True ends
        the climb there.
    iterations : int
        At most, of each search.
    density : str
        ``"log_posterior"``, or ``"log_likelihood"`` for that alone.

    Raises
    ------
    ValueError
        Where the start lies outside the prior's support.
    """
    climb = _Climb(posterior.read(), density, on_step, iterations)
    return climb.from_vector(vector)


class _Climb:
    """One call of `maximise`, and the best point that it has come to."""

    def __init__(
        self,
        posterior: Posterior,
        density: str,
        on_step: Callable[[np.ndarray], bool] | None,
        iterations: int,
    ):
        self.posterior, self.density, self.model = posterior, density, posterior.model
        self.on_step, self.iterations = on_step, iterations
        # Edges that depend on other parameters are none in unconstrained coordinates.
        priors = [prior for _, prior in self.model.free()]
        self.in_z = any(isinstance(prior, Function) for prior in priors)
        self.box = _unbounded(self.model) if self.in_z else _box(self.model)

    def from_vector(self, vector: Any) -> Optimum:
        vector = np.asarray(vector, float)
        z = _inside(self.model, vector)
        x = z if self.in_z else np.clip(vector, self.box.low, self.box.high)
        self.best = x
        try:
            verdict = self._from(x)
        except _Stopped:
            verdict = Verdict(self.best, np.nan, False, STOPPED)
        best = self._vector(verdict.x)
        log_density = float(getattr(self.posterior, self.density)(best))
        names = tuple(self.model.names)
        return Optimum(best, log_density, verdict.converged, verdict.message, names)

    def _from(self, x: np.ndarray) -> Verdict:
        common = (self.posterior, self.density, self.in_z)
        if not self.posterior.analysis.use_jax:
            differences = Numerical(*common, self.box, self._poll)
            if not differences.take_residuals(x):
                x = self._simplex(differences, x)
            return self._by_curvature(differences, x)
        exact, gradients = Exact(*common), Gradients(*common, self.box)
        if len(x) > MOST_WITH_HESSIAN:
            return self._by_gradients(gradients, x)
        return self._by_curvature(exact if exact.exists_at(x) else gradients, x)

    # Where it is

    def _vector(self, x: np.ndarray) -> np.ndarray:
        found = self.model.constrain(x) if self.in_z else self.model.wrap(x)
        return np.array(found)

    def _is_last(self, x: np.ndarray) -> bool:
        """Keep the best point, show it, and return whether to end there."""
        self.best = x
        return self.on_step is not None and bool(self.on_step(self._vector(x)))

    def _poll(self, *_: Any) -> bool:
        """Show the best point again; end if that is asked for."""
        if self._is_last(self.best):
            raise _Stopped
        return False

    # Methods

    def _by_curvature(self, objective: Objective, x: np.ndarray) -> Verdict:
        if not objective.at(x).is_finite:
            return Verdict(x, np.inf, False, NOT_FINITE)
        first = self._search(objective, x, BOLD, self._is_last)
        if first.message == STOPPED or not first.doubtful:
            return first
        self.best = first.x
        second = self._search(objective, x, CAUTIOUS, self._poll)
        return second if second.is_better_than(first) else first

    def _search(
        self, objective: Objective, x: np.ndarray, boldness: float, on_step: Callable
    ) -> Verdict:
        # A log density without a maximum is climbed until its numbers overflow.
        with np.errstate(over="ignore", invalid="ignore"):
            ended = descend(objective, x, self.box, on_step, self.iterations, boldness)
            return judge(objective, ended, self.box, self.model.names)

    def _simplex(self, differences: Numerical, x: np.ndarray) -> np.ndarray:
        """Return the end of a search that needs no derivatives."""
        origin, box = x, self.box

        def point(u: np.ndarray) -> np.ndarray:
            return np.clip(origin + box.widths * u, box.low, box.high)

        def callback(intermediate_result: Any) -> None:
            self.best = point(intermediate_result.x)

        found = scipy.optimize.minimize(
            lambda u: min(differences.value(point(u)), HUGE),
            np.zeros(len(x)),
            method="Nelder-Mead",
            callback=callback,
            options={"maxiter": 200 * len(x), "adaptive": len(x) > 2},
        )
        return point(found.x)

    def _by_gradients(self, gradients: Gradients, x: np.ndarray) -> Verdict:
        """Return the end of searches by L-BFGS, each with a memory of its own."""
        origin, box, widths = x, self.box, self.box.widths

        def objective(u: np.ndarray) -> tuple[float, np.ndarray]:
            value, gradient = gradients.first(origin + widths * u)
            gradient = np.nan_to_num(gradient, posinf=0.0, neginf=0.0)
            return (value if np.isfinite(value) else HUGE), gradient * widths

        def callback(intermediate_result: Any) -> None:
            self.best = origin + widths * intermediate_result.x
            self._poll()

        bounds = np.stack([(box.low - origin) / widths, (box.high - origin) / widths])
        u, gain, cost = np.zeros(len(x)), np.inf, np.inf
        for _ in range(RESTARTS):
            found = scipy.optimize.minimize(
                objective,
                u,
                jac=True,
                method="L-BFGS-B",
                bounds=bounds.T,
                callback=callback,
                options={"maxiter": self.iterations, "gtol": 0.0, "ftol": 1e-15},
            )
            u, cost = found.x, float(found.fun)
            downhill = np.where(box.held(origin + widths * u, found.jac), 0, found.jac)
            gain = 0.5 * float(downhill @ (found.hess_inv @ downhill))
            if gain <= MOST_GAIN_BY_GRADIENTS:
                break
        x = origin + widths * u
        if cost == HUGE:
            return Verdict(x, np.inf, False, NOT_FINITE)
        if len(x) <= MOST_JUDGED and gain <= MOST_GAIN_BY_GRADIENTS:
            ended = Descent(x, gradients.at(x), True, False)
            return judge(gradients, ended, box, self.model.names)
        converged = gain <= MOST_GAIN_BY_GRADIENTS
        promise = f"by L-BFGS a further step promises {gain:.2g} in log density"
        advice = "" if converged else "; call it again from here"
        return Verdict(x, cost, converged, promise + advice)


def _unbounded(model: Model) -> Box:
    """Return the box of unconstrained coordinates."""
    low, high = (_inside(model, edge) for edge in model.prior_interval(0.68).T)
    infinite = np.full(model.ndim, np.inf)
    return Box(-infinite, infinite, np.maximum(np.abs(high - low) / 2, INSIDE))


def _box(model: Model) -> Box:
    """Return the box of the vector, a little inside the priors' edges.

    There are none where a parameter wraps.
    """
    wraps = np.isfinite(model.periods)[:, None]
    inner = model.prior_interval(0.68)
    bounds = np.where(wraps, [-np.inf, np.inf], model.bounds)
    gap = np.where(np.isfinite(bounds), INSIDE * np.abs(inner - bounds), 0.0)
    low = np.maximum(bounds[:, 0] + gap[:, 0], np.nextafter(bounds[:, 0], np.inf))
    high = np.minimum(bounds[:, 1] - gap[:, 1], np.nextafter(bounds[:, 1], -np.inf))
    return Box(low, high, (inner[:, 1] - inner[:, 0]) / 2)


def _inside(model: Model, vector: np.ndarray) -> np.ndarray:
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
