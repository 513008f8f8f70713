"""Nested sampling: blackjax's nested slice sampler in our own loop."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from blackjax.mcmc.slice import build_kernel as slice_kernel
from blackjax.ns import from_mcmc, nss
from jax.typing import ArrayLike

from ampynb.algorithms.algorithm import (
    SAMPLING,
    Algorithm,
    Draws,
    Outcome,
    Start,
    Status,
)
from ampynb.algorithms.chunk import draws_from, repeat
from ampynb.algorithms.insertion import NO_RANK
from ampynb.algorithms.nested_evidence import (
    Evidence,
    check_first_points,
    check_options,
    check_points,
    counts_at_death,
    evidence_after,
    first_evidence,
    nested_status,
)
from ampynb.algorithms.nested_families import factors_of_others, replace_in_families
from ampynb.algorithms.nested_outcome import live_draws, nested_outcome
from ampynb.analysis.posterior import Posterior
from ampynb.analysis.rejections import Rejections, counted
from ampynb.model.circle import unwrapped
from ampynb.model.options import names_options

__all__ = ["Nested"]

FEWEST_SLICES = 20
SLICES_PER_SQUARE = 0.15  # of the number of dimensions
INTERVAL = 3.0  # of a slice, in lengths of its direction, which are 2 sd
MOST_SHRINKAGE = 100


class Points(NamedTuple):
    """Points of the unit cube by the names that blackjax knows, and their vectors."""

    position: jax.Array
    logdensity: jax.Array
    loglikelihood: jax.Array
    loglikelihood_birth: jax.Array
    insertion_rank: jax.Array
    vector: jax.Array


class NestedState(NamedTuple):
    """Live points, the evidence so far, and the random key.

    ``unborn`` points have died down to the likelihood ``contour``; the better ones that
    replace them are counted as alive above it, after all that die at it.
    """

    key: jax.Array
    step: jax.Array
    live: Any
    log_prior: jax.Array
    contour: jax.Array
    unborn: jax.Array
    evidence: Evidence
    evaluations: jax.Array
    evaluated: jax.Array


class Sliced(NamedTuple):
    """What blackjax says of a slice, and what `counted` has counted in it, (3,)."""

    slice: Any
    evaluated: jax.Array


@names_options
@dataclass(frozen=True, kw_only=True)
class Nested(Algorithm):
    """Nested slice sampling (Yallup, Kroupa and Handley 2026) in the unit cube.

    Live points shrink towards the peak of the likelihood; those that die on the way
    give the evidence and the posterior (Skilling 2006). A step replaces the worst of
    them by slice sampling above the best of these, along directions that have the
    covariance of live points that are no relatives. The run ends by itself; its verdict
    includes the test of insertion ranks (Fowlie, Handley and Su 2020).

    Parameters
    ----------
    nwalkers : int
        Live points; the error of the log evidence goes as 1 / sqrt(nwalkers).
    iterations : int, optional
        Steps at most; as many as it takes by default.
    share_replaced : float
        Share of the live points that a step replaces.
    slice_steps : int, optional
        Slice-sampling steps from a live point to a new one. By default three times the
        number d of free parameters, but 10 at least, and 0.15 d**2 above 20 parameters.
        Raise it where runs disagree.
    dlogz : float
        The run ends when the live points would raise the log evidence by less.
    """

    nwalkers: int = 500
    burn: int = 0
    iterations: int | None = field(default=None, compare=False)
    share_replaced: float = 0.1
    slice_steps: int | None = None
    dlogz: float = 0.01

    name: ClassVar[str] = "nested"
    takes_numpy: ClassVar[bool] = False
    independent_chains: ClassVar[bool] = True
    candidates_per_walker: ClassVar[int] = 0
    draws_chains: ClassVar[bool] = False

    def __post_init__(self):
        check_options(self.burn, self.dlogz, self.share_replaced)
        if self.slice_steps is not None and self.slice_steps < 1:
            raise ValueError(
                f"expected slice_steps of at least 1; got {self.slice_steps}; leave it "
                "out for what the number of parameters needs"
            )

    def check(self, posterior: Posterior) -> None:
        """Raise for too few points, and priors that have no quantile function."""
        check_points(posterior.model, self.nwalkers)

    def init(self, posterior: Posterior, key: jax.Array, start: Start) -> NestedState:
        """Return live points from the prior; the start plays no part."""
        state = _init(posterior, key, self)
        log_likelihood = jax.device_get(state.live.particles.loglikelihood)
        check_first_points(log_likelihood, Rejections.of_counts(state.evaluated))
        return state

    def template(self, posterior: Posterior) -> NestedState:
        """Return a state's structure."""
        return jax.eval_shape(
            functools.partial(_init, algorithm=self), posterior, jax.random.key(0)
        )

    def advance(
        self, posterior: Posterior, state: NestedState, n: int
    ) -> tuple[NestedState, Draws]:
        """Make ``n`` steps, or as many as are left or one call can hold."""
        before = int(state.step)
        state, records = _advance(posterior, state, n, self)
        return state, draws_from(records, int(state.step) - before, SAMPLING)

    def status(self, state: NestedState) -> Status:
        """Return how far the points are, with the evidence so far."""
        step, evidence, evaluations, evaluated = jax.device_get(
            (state.step, state.evidence, state.evaluations, state.evaluated)
        )
        return nested_status(
            int(step),
            self.iterations,
            evidence,
            self.dlogz,
            int(evaluations),
            Rejections.of_counts(evaluated),
        )

    def live(self, state: NestedState) -> Draws:
        """Return the live points, the worst first."""
        points, contour, unborn = state.live.particles, state.contour, state.unborn
        known = points.vector, points.loglikelihood, state.log_prior
        return live_draws(
            *jax.device_get((*known, points.insertion_rank, contour, unborn))
        )

    def finish(self, draws: Draws, live: Draws | None) -> Outcome:
        """Return evidence, weighted draws, and draws of equal weight as one chain."""
        return nested_outcome(draws, live, self.dlogz)

    @property
    def n_replaced(self) -> int:
        """Number of points that a step replaces."""
        return max(round(self.share_replaced * self.nwalkers), 1)


def _kernel(posterior: Posterior, algorithm: Nested) -> Callable:
    """Return blackjax's nested slice sampler, with an interval of our own."""

    def slice_step(key: jax.Array, state: Any, *contour: Any, **options: Any) -> tuple:
        def sliced(counting: Posterior) -> tuple:
            step = nss.slice_constrained_step(
                functools.partial(_point, counting),
                slice_kernel(_interval, max_shrinkage=MOST_SHRINKAGE),
                nss.covariance_proposal,
            )
            return step(key, state, *contour, **options)

        (state, info), evaluated = counted(sliced, posterior)
        return state, Sliced(info, evaluated)

    return from_mcmc.build_kernel(
        slice_step,
        algorithm.slice_steps or usual_slice_steps(posterior.model.ndim),
        _scale_from(posterior),
        algorithm.n_replaced,
        update_strategy=replace_in_families,
    )


def _scale_from(posterior: Posterior) -> Callable:
    """Return what takes the scale of slices from the live points.

    Those that lie over the ends of the cube where it wraps are taken in one piece.
    """
    if not posterior.model.wraps:
        return factors_of_others
    turns = np.where(np.isfinite(posterior.model.periods), 1.0, np.inf)

    def scale(key: jax.Array, state: Any, *arguments: Any) -> dict[str, Any]:
        points = state.particles
        whole = points._replace(position=unwrapped(points.position, turns))
        state = state._replace(particles=whole)
        return factors_of_others(key, state, *arguments)

    return scale


def usual_slice_steps(ndim: int) -> int:
    """Return how many slice-sampling steps a new point needs.

    A slice across a convex body is as long as its standard deviation, so that it takes
    some steps a dimension to move away; but across the unit cube itself, where a run
    begins, a slice ends at the nearest of all faces, and the number goes as the square.
    """
    return max(FEWEST_SLICES, 3 * ndim, round(SLICES_PER_SQUARE * ndim**2))


def _interval(
    key: jax.Array, in_slice: Callable, width: float, max_expansions: int
) -> tuple[jax.Array, jax.Array, jax.Array, Callable]:
    """Return an interval around a point, at random, that is not stepped out.

    Valid at any length (Neal 2003, section 4.1, with m = 1). As the scale is known from
    the live points, one that is long enough takes less than half of the evaluations
    that stepping out takes, and the likelihood is compiled once and not five times.
    """
    length = INTERVAL * width
    left = -length * jax.random.uniform(key)
    return left, left + length, jnp.zeros((), int), lambda t: jnp.asarray(True)


def _point(
    posterior: Posterior, u: jax.Array, loglikelihood_birth: ArrayLike = jnp.nan
) -> Points:
    """Return what is known of a point of the unit cube; outside it has no density.

    Where a parameter wraps the cube does, too.
    """
    if posterior.model.wraps:
        u = jnp.where(np.isfinite(posterior.model.periods), u - jnp.floor(u), u)
    inside = jnp.all((u >= 0) & (u <= 1))
    # The likelihood is not tried where the prior is not defined.
    vector = posterior.model.prior_transform(jnp.where(inside, u, 0.5))
    log_likelihood = posterior.log_likelihood(vector, inside)
    return Points(
        position=u,
        logdensity=jnp.where(inside, 0.0, -jnp.inf).astype(u.dtype),
        loglikelihood=log_likelihood,
        loglikelihood_birth=jnp.full_like(log_likelihood, loglikelihood_birth),
        insertion_rank=jnp.full_like(log_likelihood, NO_RANK),
        vector=vector,
    )


@functools.partial(jax.jit, static_argnames=("algorithm",))
def _init(posterior: Posterior, key: jax.Array, algorithm: Nested) -> NestedState:
    key, key_points = jax.random.split(key)
    shape = algorithm.nwalkers, posterior.model.ndim
    # Drawn flat: XLA takes five times as long to compile it in some shapes.
    u = jax.random.uniform(key_points, (shape[0] * shape[1],)).reshape(shape)
    points, evaluated = jax.vmap(
        lambda u: counted(lambda counting: _point(counting, u), posterior)
    )(u)
    live: Any = nss.init(
        u,
        lambda *_, **births: points,
        update_inner_kernel_params_fn=_scale_from(posterior),
    )
    points = live.particles
    return NestedState(
        key=key,
        step=jnp.zeros((), int),
        live=live,
        log_prior=jax.vmap(posterior.log_prior)(points.vector),
        contour=jnp.full((), -jnp.inf, points.loglikelihood.dtype),
        unborn=jnp.zeros((), int),
        evidence=first_evidence(points.loglikelihood),
        evaluations=jnp.full((), algorithm.nwalkers, int),
        evaluated=jnp.sum(evaluated, axis=0),
    )


@functools.partial(jax.jit, static_argnames=("algorithm",))
def _advance(
    posterior: Posterior, state: NestedState, n: ArrayLike, algorithm: Nested
) -> tuple[NestedState, dict[str, jax.Array]]:
    kernel = _kernel(posterior, algorithm)
    step = functools.partial(_step, posterior, kernel, algorithm.dlogz)
    return repeat(step, state, n, lambda s: s.evidence.is_complete(algorithm.dlogz))


def _step(
    posterior: Posterior, kernel: Callable, dlogz: float, state: NestedState
) -> tuple[NestedState, dict[str, jax.Array]]:
    """Let the worst points die, and replace them."""
    key, key_step = jax.random.split(state.key)
    live, info = kernel(key_step, state.live)
    dead: Any = info.particles
    died, alive = dead.loglikelihood, live.particles.loglikelihood
    nlive, ndim = live.particles.position.shape
    counts = counts_at_death(died, nlive, state.contour, state.unborn)
    record = {
        "position": dead.vector,
        "lp": jax.vmap(posterior.log_prior)(dead.vector) + died,
        "log_likelihood": died,
        "live_points": counts,
        "insertion_rank": dead.insertion_rank,
    }
    state = NestedState(
        key=key,
        step=state.step + 1,
        live=live,
        log_prior=jax.vmap(posterior.log_prior)(live.particles.vector),
        contour=died[-1],
        unborn=died.size + jnp.where(died[-1] == state.contour, state.unborn, 0),
        evidence=evidence_after(state.evidence, died, counts, alive, ndim, dlogz),
        evaluations=state.evaluations + jnp.sum(info.update_info.slice.num_shrink),
        evaluated=state.evaluated + jnp.sum(info.update_info.evaluated, axis=(0, 1)),
    )
    return state, record
