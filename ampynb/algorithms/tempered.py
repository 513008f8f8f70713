"""Parallel-tempered ensemble sampling, all temperatures in one compiled program."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from ampynb.algorithms.algorithm import Algorithm, Draws, Outcome, Start, Status
from ampynb.algorithms.chunk import draws_from, repeat
from ampynb.algorithms.ensemble import (
    Walkers,
    check_walkers,
    move_half,
    move_halves,
)
from ampynb.algorithms.ladder import Adaptation, adapted, check_ladder, make_ladder
from ampynb.algorithms.moves import Stretch, compiled_moves
from ampynb.algorithms.start import finite_prior_draws
from ampynb.algorithms.stranded import moved_words
from ampynb.algorithms.swaps import swap
from ampynb.algorithms.thermodynamic import (
    EVIDENCE_STATS,
    evidence_record,
    log_evidence,
)
from ampynb.analysis.posterior import Posterior
from ampynb.analysis.rejections import Rejections
from ampynb.model.options import names_options

__all__ = ["EVERY_TEMPERATURE", "Tempered"]

EVERY_TEMPERATURE = {
    "position": "tempered_position",
    "lp": "tempered_lp",
    "log_likelihood": "tempered_log_likelihood",
}


class TemperedState(NamedTuple):
    """The ensembles, the ladder and the random key.

    Attributes
    ----------
    key : random key
    step : array of int, ()
    walkers : Walkers
        Arrays of (ntemps, nwalkers, ...), coldest first.
    beta : array, (ntemps,)
        Inverse temperatures.
    swapped : array, (ntemps - 1,)
        Swap rates, summed over the steps.
    tried : array of int, (3,)
        What was counted before the first step; see `counted`.
    moved : array of int, ()
        Walkers that were moved at the start, as their probability was zero there.
    """

    key: jax.Array
    step: jax.Array
    walkers: Walkers
    beta: jax.Array
    swapped: jax.Array
    tried: jax.Array
    moved: jax.Array


@names_options
@dataclass(frozen=True, kw_only=True)
class Tempered(Algorithm):
    """Parallel-tempered ensemble sampler in model units, on JAX, with the evidence.

    One ensemble at each temperature T samples prior times likelihood**(1/T), by the
    moves of `Ensemble`, and neighbours in temperature exchange walkers at each step.
    What is hot goes from mode to mode, so that the coldest ensemble, whose draws these
    are, has the modes at their weights. Needs no gradient.

    Parameters
    ----------
    nwalkers : int
        Walkers of each temperature.
    ntemps : int, optional
        Temperatures; 8 by default.
    max_temperature : float, optional
        The hottest. Infinity, the default, is the prior itself: what the evidence
        needs, and best where modes are far apart. None for as high as ``ntemps`` go,
        each as much hotter as would have a quarter of a Gaussian's swaps accepted.
    betas : sequence of float, optional
        Inverse temperatures from 1 downwards, instead of these two.
    adaptive : bool
        Whether the temperatures move, during ``burn``, to where all pairs swap at the
        same rate (Vousden, Farr and Mandel 2016). The coldest and the hottest stay.
        The adaptation slows down, and ends with the burn-in: a ladder that went on
        moving would leave the draws without detailed balance, and the evidence without
        a ladder.
    adaptation_time : float
        Steps in which the distance of two temperatures grows by a factor e, where all
        swaps below it and none above are accepted.
    adaptation_lag : float
        Steps after which the adaptation is half as fast.
    keep_temperatures : bool
        Whether the draws of every temperature are kept, in ``outcome.tempered`` and in
        the group ``tempered_posterior``.
    moves : move, or sequence of moves or of (move, weight)
        As for `Ensemble`; `Stretch` by default.

    Notes
    -----
    The draws' numbers of whole steps are ``beta`` (ntemps,), ``swap_rate``
    (ntemps - 1,), and of each temperature, for the evidence, the share of walkers with
    a finite log likelihood, and the mean and variance of that, besides ``log_ratio``
    (ntemps - 1,), the logarithm of one step's estimate of a ratio of evidences.

    The hotter ensembles begin at prior draws, wherever the coldest does.

    The evidence is that of the prior as it is drawn from: normalised to where the
    model's assertions hold. That of `Nested` is smaller by the share of the prior's
    mass there, `Model.allowed_fraction`.
    """

    nwalkers: int = 32
    ntemps: int | None = None
    max_temperature: float | None = math.inf
    betas: Sequence[float] | None = None
    adaptive: bool = True
    adaptation_time: float = 1.0
    adaptation_lag: float = 100.0
    keep_temperatures: bool = False
    moves: Any = (Stretch(),)

    name: ClassVar[str] = "tempered"
    takes_numpy: ClassVar[bool] = False
    independent_chains: ClassVar[bool] = False
    candidates_per_walker: ClassVar[int] = 1
    shares_devices: ClassVar[bool] = True

    def __post_init__(self):
        object.__setattr__(self, "moves", compiled_moves(self.moves))
        if self.betas is not None:
            object.__setattr__(self, "betas", tuple(map(float, self.betas)))
        check_ladder(self.ntemps, self.max_temperature, self.betas)
        for option in ("adaptation_time", "adaptation_lag"):
            value = getattr(self, option)
            if not 0 < value < math.inf:
                raise ValueError(
                    f"expected {option} above 0; got {value!r}; leave it out, or set "
                    "adaptive=False for a ladder that stands still"
                )

    def ladder(self, ndim: int) -> np.ndarray:
        """Return the inverse temperatures at the beginning, (ntemps,)."""
        if self.betas is not None:
            return np.array(self.betas)
        return make_ladder(ndim, self.ntemps, self.max_temperature)

    def check(self, posterior: Posterior) -> None:
        """Raise where there are too few walkers."""
        check_walkers(self.nwalkers, posterior.model.ndim)

    def init(self, posterior: Posterior, key: jax.Array, start: Start) -> TemperedState:
        """Return the walkers with their densities, the hotter ones at prior draws."""
        key_hotter, key = jax.random.split(key)
        beta = self.ladder(posterior.model.ndim)
        position, rejections = _spread(posterior, key_hotter, start.position, len(beta))
        counts = (start.rejections + rejections).counts()
        moved = np.array(start.moved, counts.dtype)
        return _init(posterior, key, position, beta, counts, moved)

    def template(self, posterior: Posterior) -> TemperedState:
        """Return a state's structure."""
        beta = self.ladder(posterior.model.ndim)
        shape = (len(beta), self.nwalkers, posterior.model.ndim)
        position = jax.ShapeDtypeStruct(shape, jnp.result_type(float))
        counts = Rejections().counts()
        key = jax.random.key(0)
        return jax.eval_shape(_init, posterior, key, position, beta, counts, counts[0])

    def advance(
        self, posterior: Posterior, state: TemperedState, n: int
    ) -> tuple[TemperedState, Draws]:
        """Make ``n`` steps of all walkers, or as many as one call can hold."""
        status = self.status(state)
        adaptation = Adaptation(
            float(self.adaptation_time),
            float(self.adaptation_lag),
            self.burn if self.adaptive else 0,
        )
        options = self.moves, bool(self.keep_temperatures)
        state, records = _advance(posterior, state, n, adaptation, *options)
        done = int(state.step) - status.step
        kept = EVERY_TEMPERATURE.values() if self.keep_temperatures else ()
        of_steps = ["swap_rate", *EVIDENCE_STATS, *kept]
        return state, draws_from(records, done, status.phase, of_steps)

    def status(self, state: TemperedState) -> Status:
        """Return how far the walkers are, with the coldest's acceptance, and swaps."""
        step = int(state.step)
        evaluated = np.asarray(state.walkers.evaluated).sum(axis=(0, 1))
        rejections = Rejections.of_counts(np.asarray(state.tried) + evaluated)
        remarks = moved_words(int(state.moved), 0, self.nwalkers)
        if not step:
            return self.status_at(step, {}, rejections, remarks)
        metrics = {
            "acceptance_rate": float(jnp.mean(state.walkers.accepted[0])) / step,
            "swap_rate": float(jnp.mean(state.swapped)) / step,
        }
        return self.status_at(step, metrics, rejections, remarks)

    def live(self, state: TemperedState) -> None:
        """Return None: all is in the draws."""

    def finish(self, draws: Draws, live: Draws | None) -> Outcome:
        """Return the coldest draws as they are, with the evidence."""
        stats = draws.step_stats
        evidence = log_evidence(stats)
        if not stats.keys() >= set(EVERY_TEMPERATURE.values()):
            return Outcome(draws.position, draws.stats, evidence)
        tempered = {name: stats[kept] for name, kept in EVERY_TEMPERATURE.items()}
        tempered["beta"] = stats["beta"][-1]
        return Outcome(draws.position, draws.stats, evidence, tempered=tempered)


def _spread(
    posterior: Posterior, key: jax.Array, coldest: Any, ntemps: int
) -> tuple[np.ndarray, Rejections]:
    """Return where the walkers of all temperatures begin, (ntemps, nwalkers, ndim).

    Where too few prior draws have a likelihood, some of the coldest ones stand in.
    What was rejected comes with them.
    """
    nwalkers = len(coldest)
    found, rejections = finite_prior_draws(posterior, key, (ntemps - 1) * nwalkers)
    shares = [found[i :: ntemps - 1] for i in range(ntemps - 1)]
    hotter = [np.concatenate([x, coldest[: nwalkers - len(x)]]) for x in shares]
    return np.stack([np.asarray(coldest), *hotter]), rejections


@jax.jit
def _init(
    posterior: Posterior,
    key: jax.Array,
    position: jax.Array,
    beta: jax.Array,
    counts: jax.Array,
    moved: jax.Array,
) -> TemperedState:
    log_densities = jax.vmap(jax.vmap(posterior.log_densities))
    accepted = jnp.zeros(position.shape[:2], int)
    evaluated = jnp.zeros((*position.shape[:2], 3), int)
    walkers = Walkers(position, *log_densities(position), accepted, evaluated)
    beta = beta.astype(position.dtype)
    step = jnp.zeros((), int)
    swapped = jnp.zeros_like(beta[1:])
    return TemperedState(key, step, walkers, beta, swapped, counts, moved)


@functools.partial(jax.jit, static_argnames=("moves", "keep_temperatures"))
def _advance(
    posterior: Posterior,
    state: TemperedState,
    n: ArrayLike,
    adaptation: Adaptation,
    moves: tuple,
    keep_temperatures: bool,
) -> tuple[TemperedState, dict[str, jax.Array]]:
    def step(state: TemperedState) -> tuple[TemperedState, dict[str, jax.Array]]:
        after, record = _step(posterior, moves, adaptation, state)
        if keep_temperatures:
            record |= _of_every_temperature(after.walkers)
        return after, record

    return repeat(step, state, n)


def _step(
    posterior: Posterior, moves: tuple, adaptation: Adaptation, state: TemperedState
) -> tuple[TemperedState, dict[str, jax.Array]]:
    """Move each half of all ensembles once, exchange walkers, adapt the ladder."""
    beta = state.beta
    key, key_swap, *keys = jax.random.split(state.key, 5)

    def move(key: jax.Array, active: Walkers, others: jax.Array) -> Walkers:
        every = jax.vmap(functools.partial(_move_one, posterior, moves))
        return every(jax.random.split(key, len(beta)), beta, active, others)

    moved = move_halves(keys, state.walkers, move)
    walkers, swapped = swap(key_swap, moved, beta)
    swap_rate = jnp.mean(swapped, axis=1, dtype=beta.dtype)
    coldest = Walkers(*(values[0] for values in walkers))
    record = {
        "position": coldest.position,
        "lp": coldest.log_prior + coldest.log_likelihood,
        "log_likelihood": coldest.log_likelihood,
        "accepted": coldest.accepted > state.walkers.accepted[0],
        "swapped": swapped[0],
        "swap_rate": swap_rate,
        **evidence_record(walkers.log_likelihood, beta),
    }
    after = TemperedState(
        key,
        state.step + 1,
        walkers,
        adapted(beta, swap_rate, state.step, adaptation),
        state.swapped + swap_rate,
        state.tried,
        state.moved,
    )
    return after, record


def _move_one(
    posterior: Posterior,
    moves: tuple,
    key: jax.Array,
    beta: jax.Array,
    active: Walkers,
    others: jax.Array,
) -> Walkers:
    """Move half of the walkers of one temperature."""
    density = functools.partial(_tempered, beta)
    return move_half(posterior, moves, density, key, active, others)


def _tempered(
    beta: jax.Array, log_prior: jax.Array, log_likelihood: jax.Array
) -> jax.Array:
    # The prior counts by itself at 0, also where the log likelihood is -inf.
    return log_prior + jnp.where(beta > 0, beta * log_likelihood, 0.0)


def _of_every_temperature(walkers: Walkers) -> dict[str, jax.Array]:
    values = {
        "position": walkers.position,
        "lp": walkers.log_prior + walkers.log_likelihood,
        "log_likelihood": walkers.log_likelihood,
    }
    return {kept: values[name] for name, kept in EVERY_TEMPERATURE.items()}
