"""Nested sampling of likelihoods in plain NumPy: dynesty, one step at a time."""

from __future__ import annotations

import copy
import functools
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ampynb.algorithms.algorithm import (
    SAMPLING,
    Algorithm,
    Draws,
    Outcome,
    Start,
    Status,
)
from ampynb.algorithms.insertion import NO_RANK, insertion_ranks
from ampynb.algorithms.nested_evidence import (
    Evidence,
    check_first_points,
    check_options,
    check_points,
    evidence_after,
    first_evidence,
    nested_status,
)
from ampynb.algorithms.nested_outcome import live_draws, nested_outcome
from ampynb.algorithms.start import error_at, log_priors
from ampynb.analysis.posterior import Posterior
from ampynb.analysis.rejections import Evaluation, Rejections, RejectionTable
from ampynb.model.model import Model
from ampynb.model.options import names_options

__all__ = ["DynestyNested"]

WALKS_BY_ITSELF = 10, 20  # parameters, with sample="auto"
SAMPLES = ("auto", "unif", "rwalk", "slice", "rslice")
QUEUE = 8  # points that are sought at once, also without a pool: the chain is the same
LEAST_EFFICIENCY = 0.1  # at which points are still drawn from the whole cube
LONGEST_CHUNK = 64
RANKS = 2  # the stream of random numbers for insertion ranks
LOWEST = -1e300  # what dynesty makes of a log likelihood of -inf


class DynestyState(NamedTuple):
    """Live points, and all that a fresh dynesty sampler needs to go on with them.

    ``bound_points`` are those that dynesty's ellipsoids were last fitted to, NaN where
    the likelihood was zero; ``bound_step`` is the step at which it was, -1 while points
    come from the whole cube. ``contour`` and ``unborn`` are those of `counts_at_death`.
    """

    seed: np.ndarray
    step: int
    u: np.ndarray
    vector: np.ndarray
    log_likelihood: np.ndarray
    log_prior: np.ndarray
    insertion_rank: np.ndarray
    contour: np.ndarray
    unborn: int
    evidence: Evidence
    evaluations: int
    scale: np.ndarray
    bound_points: np.ndarray
    bound_step: int
    bound_evaluations: int
    rejected: RejectionTable


@names_options
@dataclass(frozen=True, kw_only=True)
class DynestyNested(Algorithm):
    """dynesty's nested sampler (Speagle 2020) for NumPy likelihoods.

    A step replaces points one after the other, with a dynesty sampler that is made
    afresh of the live points: so a run can be stored as plain arrays at every step.

    Parameters
    ----------
    nwalkers : int
        Live points; the error of the log evidence goes as 1 / sqrt(nwalkers).
    iterations : int, optional
        Steps at most; as many as it takes by default.
    share_replaced : float
        Share of the live points that a step replaces.
    sample : str
        How dynesty finds new points: ``"unif"``, ``"rwalk"``, ``"slice"``,
        ``"rslice"``, or ``"auto"``, which goes by the number of parameters.
    dlogz : float
        The run ends when the live points would raise the log evidence by less.
    pool : object with ``map``, optional
        Where the log likelihoods of eight points are computed at once; this process
        by default.
    """

    nwalkers: int = 500
    burn: int = 0
    iterations: int | None = field(default=None, compare=False)
    share_replaced: float = 0.1
    sample: str = "auto"
    dlogz: float = 0.01
    pool: Any = field(default=None, compare=False)

    name: ClassVar[str] = "nested"
    takes_numpy: ClassVar[bool] = True
    independent_chains: ClassVar[bool] = True
    candidates_per_walker: ClassVar[int] = 0
    draws_chains: ClassVar[bool] = False

    def __post_init__(self):
        check_options(self.burn, self.dlogz, self.share_replaced)
        if self.sample not in SAMPLES:
            raise ValueError(
                f"expected sample among {', '.join(map(repr, SAMPLES))}; got "
                f"{self.sample!r}; 'auto' is usual"
            )

    def check(self, posterior: Posterior) -> None:
        """Raise without dynesty, for too few points, and priors without quantiles."""
        _dynesty()
        check_points(posterior.model, self.nwalkers)

    def init(self, posterior: Posterior, key: jax.Array, start: Start) -> DynestyState:
        """Return live points from the prior; the start plays no part."""
        seed = np.asarray(jax.random.bits(key, (4,), np.uint32))
        shape = (self.nwalkers, posterior.model.ndim)
        u = np.random.default_rng([*seed]).random(shape)
        vector = np.asarray(_vectors(posterior.model, u), float)
        mapped = map if self.pool is None else self.pool.map
        found = list(mapped(posterior.evaluate, list(vector)))
        log_likelihood = np.array([one.value for one in found])
        rejections, infeasible = Rejections.of(found), ~np.isfinite(log_likelihood)
        check_first_points(
            log_likelihood,
            rejections,
            lambda: error_at(posterior, vector[infeasible]),
        )
        return DynestyState(
            seed=seed,
            step=0,
            u=u,
            vector=vector,
            log_likelihood=log_likelihood,
            log_prior=np.asarray(log_priors(posterior.model, vector), float),
            insertion_rank=np.full(self.nwalkers, NO_RANK),
            contour=np.array(-np.inf),
            unborn=0,
            evidence=first_evidence(jnp.asarray(log_likelihood)),
            evaluations=self.nwalkers,
            scale=np.array(1.0),
            bound_points=np.full(shape, np.nan),
            bound_step=-1,
            bound_evaluations=0,
            rejected=RejectionTable.empty().with_more(rejections),
        )

    def template(self, posterior: Posterior) -> DynestyState:
        """Return a state's structure."""
        points = np.zeros((self.nwalkers, posterior.model.ndim))
        each, one, seed = points[:, 0], np.array(0.0), np.zeros(4, np.uint32)
        evidence = jax.eval_shape(first_evidence, each)
        return DynestyState(
            seed, 0, points, points, each, each, each, one, 0, evidence, 0, one, points,
            0, 0, RejectionTable.empty(),
        )  # fmt: skip

    def advance(
        self, posterior: Posterior, state: DynestyState, n: int
    ) -> tuple[DynestyState, Draws]:
        """Make ``n`` steps, or as many as are left or one call can hold."""
        made: list[Draws] = []
        most = min(n, LONGEST_CHUNK)
        while len(made) < most and not state.evidence.is_complete(self.dlogz):
            state, draws = _step(self, posterior, state)
            made.append(draws)
        position = np.stack([draws.position for draws in made])
        stats = {
            name: np.stack([draws.stats[name] for draws in made])
            for name in made[0].stats
        }
        return state, Draws(position, stats, SAMPLING)

    def status(self, state: DynestyState) -> Status:
        """Return how far the points are, with the evidence so far."""
        evidence = jax.device_get(state.evidence)
        return nested_status(
            state.step,
            self.iterations,
            evidence,
            self.dlogz,
            state.evaluations,
            state.rejected.rejections(),
        )

    def live(self, state: DynestyState) -> Draws:
        """Return the live points, the worst first."""
        known = state.log_likelihood, state.log_prior, state.insertion_rank
        return live_draws(state.vector, *known, float(state.contour), state.unborn)

    def finish(self, draws: Draws, live: Draws | None) -> Outcome:
        """Return evidence, weighted draws, and draws of equal weight as one chain."""
        return nested_outcome(draws, live, self.dlogz)

    @property
    def n_replaced(self) -> int:
        """Number of points that a step replaces."""
        return max(round(self.share_replaced * self.nwalkers), 1)


@jax.jit
def _vector(model: Model, u: jax.Array) -> jax.Array:
    return model.prior_transform(u)


_vectors = jax.jit(jax.vmap(_vector, in_axes=(None, 0)))
_evidence_after = jax.jit(evidence_after, static_argnames=("ndim", "dlogz"))


def _dynesty() -> Any:
    """Import dynesty, which is not among the dependencies."""
    try:
        import dynesty
    except ImportError as error:
        raise ImportError(
            "expected dynesty, with which NumPy likelihoods are nested sampled; it is "
            "not installed; pip install 'ampynb[dynesty]', or write the likelihood "
            "with jax.numpy"
        ) from error
    return dynesty


def _step(
    algorithm: DynestyNested, posterior: Posterior, state: DynestyState
) -> tuple[DynestyState, Draws]:
    """Let the worst points die one by one, each replaced at once."""
    n = algorithm.n_replaced
    found: list[Evaluation] = []
    with _sampler(algorithm, posterior, state, found) as sampler:
        state = _bounded(sampler, n, state)
        deaths, inserted, insertion_rank = _deaths(sampler, n, state)
    died = _without_lowest(np.array([float(death.loglstar) for death in deaths]))
    position = np.stack([death.vstar for death in deaths])
    contour, unborn, counts = _counts(died, state)
    alive = _without_lowest(sampler.live_logl)
    stats = {
        "lp": np.asarray(log_priors(posterior.model, position), float) + died,
        "log_likelihood": died,
        "live_points": counts,
        "insertion_rank": inserted,
    }
    state = state._replace(
        step=state.step + 1,
        u=sampler.live_u,
        vector=sampler.live_v,
        log_likelihood=alive,
        log_prior=np.asarray(log_priors(posterior.model, sampler.live_v), float),
        insertion_rank=insertion_rank,
        contour=contour,
        unborn=unborn,
        evidence=_evidence_after(
            state.evidence,
            died,
            counts,
            alive,
            ndim=posterior.model.ndim,
            dlogz=algorithm.dlogz,
        ),
        evaluations=state.evaluations + sum(death.nc for death in deaths),
        scale=np.array(float(sampler.internal_sampler_next.scale)),
        rejected=state.rejected.with_more(Rejections.of(found)),
    )
    return state, Draws(position, stats, SAMPLING)


def _wrapping(algorithm: DynestyNested, model: Model) -> list[int] | None:
    """Return which parameters wrap, for the random walk of dynesty.

    Its other samplers are right without: they know of two ends that are both likely.
    With it points drawn from ellipsoids would be counted twice across the ends; and no
    sampler takes parameters that all wrap.
    """
    wraps = np.isfinite(model.periods)
    fewest, most = WALKS_BY_ITSELF
    by_itself = algorithm.sample == "auto" and fewest <= model.ndim <= most
    walks = algorithm.sample == "rwalk" or by_itself
    if not walks or not wraps.any() or wraps.all():
        return None
    return np.flatnonzero(wraps).tolist()


def _deaths(
    sampler: Any, n: int, state: DynestyState
) -> tuple[list, np.ndarray, np.ndarray]:
    """Let points die; return the deaths, and the ranks of the dead and the living."""
    random = np.random.default_rng([*state.seed, state.step, RANKS])
    ranks, of_dead, deaths = state.insertion_rank.copy(), [], []
    for death in sampler.sample(maxiter=n - 1, dlogz=None):
        alive, place = sampler.live_logl.copy(), death.worst
        born, alive[place] = alive[[place]], np.nan
        above = np.where(alive > death.loglstar, alive, np.nan)
        of_dead.append(ranks[place])
        ranks[place] = insertion_ranks(random.random(1), above, born)[0]
        deaths.append(death)
    return deaths, np.array(of_dead), ranks


@contextmanager
def _sampler(
    algorithm: DynestyNested,
    posterior: Posterior,
    state: DynestyState,
    found: list[Evaluation],
) -> Iterator[Any]:
    """Make a dynesty sampler of the live points, with random numbers of its step.

    The likelihoods that it computes are appended to ``found``.
    """
    pool = algorithm.pool
    mapped = map if pool is None else pool.map
    likelihood = functools.partial(_log_likelihood, posterior, mapped, found)
    sampler: Any = _dynesty().NestedSampler(
        likelihood,
        lambda u: np.asarray(_vector(posterior.model, u), float),
        posterior.model.ndim,
        nlive=algorithm.nwalkers,
        sample=algorithm.sample,
        periodic=_wrapping(algorithm, posterior.model),
        live_points=(state.u.copy(), state.vector.copy(), state.log_likelihood.copy()),
        rstate=np.random.default_rng([*state.seed, state.step]),
    )
    # Without dynesty's wrapper, which prints errors besides raising them.
    sampler.loglikelihood.loglikelihood = likelihood
    sampler.queue_size = QUEUE
    if pool is None:
        yield sampler
        return
    # Threads wait for the pool: it has to know of likelihoods only, not of dynesty.
    with ThreadPoolExecutor(QUEUE) as threads:
        sampler.mapper = threads.map
        yield sampler


def _log_likelihood(
    posterior: Posterior,
    mapped: Callable,
    found: list[Evaluation],
    vector: np.ndarray,
) -> float:
    (evaluation,) = mapped(posterior.evaluate, [vector])
    found.append(evaluation)
    return evaluation.value


def _bounded(sampler: Any, n: int, state: DynestyState) -> DynestyState:
    """Give a sampler its ellipsoids, fitted anew where dynesty itself would do that."""
    if state.bound_step < 0:
        few = state.evaluations < 2 * len(state.u)
        is_due = not few and state.step * n < LEAST_EFFICIENCY * state.evaluations
    else:
        since = state.evaluations - state.bound_evaluations
        is_due = since >= sampler.bound_update_interval
    if is_due:
        feasible = np.isfinite(state.log_likelihood)[:, None]
        state = state._replace(
            bound_points=np.where(feasible, state.u, np.nan),
            bound_step=state.step,
            bound_evaluations=state.evaluations,
        )
    # Within a step nothing is fitted: the state would not tell of it.
    sampler.first_bound_update_ncall = sampler.bound_update_interval = sys.maxsize
    if state.bound_step >= 0:
        points = state.bound_points
        seed = (*map(int, state.seed), state.bound_step, 1)
        settings = sampler.bound_bootstrap, sampler.bound_enlarge
        fitted = _ellipsoids(points.tobytes(), points.shape, seed, *settings)
        sampler.bound = copy.deepcopy(fitted)  # dynesty may change it
        sampler.unit_cube_sampling = False
        sampler.internal_sampler = sampler.internal_sampler_next
        sampler.internal_sampler.scale = float(state.scale)
    return state


@functools.lru_cache(maxsize=4)
def _ellipsoids(
    content: bytes, shape: tuple, seed: tuple, bootstrap: int, enlarge: float
) -> Any:
    """Fit dynesty's ellipsoids; kept for the next steps, as it takes long."""
    points = np.frombuffer(content).reshape(shape)
    points = points[np.isfinite(points[:, 0])]
    bound = _dynesty().bounding.MultiEllipsoid(shape[1])
    bound.update(points, rstate=np.random.default_rng(seed), bootstrap=bootstrap)
    if enlarge != 1:
        bound.scale_to_logvol(bound.logvol + np.log(enlarge))
    return bound


def _counts(
    died: np.ndarray, state: DynestyState
) -> tuple[np.ndarray, int, np.ndarray]:
    """Return the new contour, its unborn points, and how many were alive each time."""
    contour, unborn = float(state.contour), state.unborn
    counts = np.zeros(len(died), int)
    for i, log_likelihood in enumerate(died):
        unborn = unborn if log_likelihood == contour else 0
        contour, counts[i] = log_likelihood, len(state.u) - unborn
        unborn += 1
    return np.array(contour), unborn, counts


def _without_lowest(log_likelihood: np.ndarray) -> np.ndarray:
    """Return log likelihoods with -inf where dynesty has its lowest number."""
    return np.where(log_likelihood <= LOWEST, -np.inf, log_likelihood)
