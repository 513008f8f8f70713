"""Affine-invariant ensemble sampling, compiled as one program."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike

from ampynb.algorithms.algorithm import Algorithm, Draws, Outcome, Start, Status
from ampynb.algorithms.chunk import draws_from, repeat, traced_template
from ampynb.algorithms.moves import DEFAULT_MOVES, compiled_moves
from ampynb.algorithms.start import densities
from ampynb.algorithms.stranded import (
    Moved,
    looks,
    moved_words,
    pulled_in,
    stranded,
    until_next_look,
)
from ampynb.analysis.posterior import Posterior
from ampynb.analysis.rejections import Rejections
from ampynb.distributed.devices import log_densities
from ampynb.model.options import names_options

__all__ = [
    "Ensemble",
    "Walkers",
    "check_walkers",
    "move_half",
    "move_halves",
]


class Walkers(NamedTuple):
    """Walkers, their densities, how often each has moved, and what it has tried.

    ``evaluated`` is of each walker what `counted` counts, (..., 3).
    """

    position: jax.Array
    log_prior: jax.Array
    log_likelihood: jax.Array
    accepted: jax.Array
    evaluated: jax.Array


class EnsembleState(NamedTuple):
    """The random key, the walkers and the counters.

    ``tried`` is what `counted` counts, before the first step; ``moved`` are the walkers
    that were moved at the start, and in the burn-in.
    """

    key: jax.Array
    step: jax.Array
    walkers: Walkers
    tried: jax.Array
    moved: jax.Array


@names_options
@dataclass(frozen=True, kw_only=True)
class Ensemble(Algorithm):
    """Ensemble sampler of Goodman and Weare (2010) in model units, on JAX.

    Half of the walkers move at a time, each by what the other half is (Foreman-Mackey
    et al. 2013); the halves are drawn anew at each step. Needs no gradient. Walkers
    that are stranded after a half or three quarters of ``burn``, far below the others,
    are restarted near these, and the result says so.

    Parameters
    ----------
    moves : move, or sequence of moves or of (move, weight)
        `DifferentialEvolution`, `Stretch` and `Walk`, or their names such as
        ``"stretch"``; one is drawn each time. By default the first two, four times
        to one.
    """

    nwalkers: int = 32
    moves: Any = DEFAULT_MOVES

    name: ClassVar[str] = "ensemble"
    takes_numpy: ClassVar[bool] = False
    independent_chains: ClassVar[bool] = False
    candidates_per_walker: ClassVar[int] = 1
    shares_devices: ClassVar[bool] = True
    state_axes: ClassVar[Any] = 0

    def __post_init__(self):
        object.__setattr__(self, "moves", compiled_moves(self.moves))

    def check(self, posterior: Posterior) -> None:
        """Raise where there are too few walkers."""
        check_walkers(self.nwalkers, posterior.model.ndim)

    def init(self, posterior: Posterior, key: jax.Array, start: Start) -> EnsembleState:
        """Return the walkers at the start with their densities."""
        counts = start.rejections.counts()
        moved = np.array([start.moved, 0], counts.dtype)
        return _init(posterior, key, jnp.asarray(start.position), counts, moved)

    def template(self, posterior: Posterior) -> EnsembleState:
        """Return a state's structure."""
        return traced_template(self, posterior)

    def advance(
        self, posterior: Posterior, state: EnsembleState, n: int
    ) -> tuple[EnsembleState, Draws]:
        """Make ``n`` steps of all walkers, or as many as one call can hold."""
        status = self.status(state)
        if status.step in looks(self.burn):
            state = _with_stranded_moved(posterior, state)
        n = until_next_look(self.burn, status.step, n)
        state, records = _advance(posterior, state, n, self.moves)
        done = int(state.step) - status.step
        return state, draws_from(records, done, status.phase)

    def step(
        self, posterior: Posterior, state: EnsembleState
    ) -> tuple[EnsembleState, dict[str, jax.Array]]:
        """Move every walker once; see `Steps`."""
        return _step(posterior, self.moves, state)

    def status(self, state: EnsembleState) -> Status:
        """Return how far the walkers are, with their mean acceptance rate."""
        step = int(state.step)
        walkers = state.walkers
        accepted, evaluated, tried, moved = jax.device_get(
            (walkers.accepted, walkers.evaluated, state.tried, state.moved)
        )
        metrics = {"acceptance_rate": float(accepted.mean()) / step} if step else {}
        rejections = Rejections.of_counts(tried + evaluated.sum(axis=0))
        remarks = moved_words(int(moved[0]), int(moved[1]), self.nwalkers)
        return self.status_at(step, metrics, rejections, remarks)

    def live(self, state: EnsembleState) -> None:
        """Return None: all is in the draws."""

    def finish(self, draws: Draws, live: Draws | None) -> Outcome:
        """Return the draws as they are."""
        return Outcome(draws.position, draws.stats)


def check_walkers(nwalkers: int, ndim: int) -> None:
    """Raise where there are fewer walkers than the moves need."""
    if nwalkers < max(2 * ndim, 4):
        raise ValueError(
            f"expected nwalkers of at least twice the number of free parameters, "
            f"{max(2 * ndim, 4)}; got {nwalkers}; ask for nwalkers={max(4 * ndim, 8)}"
        )


@jax.jit
def _init(
    posterior: Posterior,
    key: jax.Array,
    position: jax.Array,
    counts: jax.Array,
    moved: jax.Array,
) -> EnsembleState:
    log_prior, log_likelihood, evaluated = log_densities(posterior, position)
    accepted = jnp.zeros(position.shape[0], int)
    walkers = Walkers(
        position, log_prior, log_likelihood, accepted, jnp.zeros_like(evaluated)
    )
    return EnsembleState(key, jnp.zeros((), int), walkers, counts, moved)


def _with_stranded_moved(posterior: Posterior, state: EnsembleState) -> EnsembleState:
    """Return the state with walkers that are stranded moved to the others."""
    walkers = state.walkers
    position, log_prior, log_likelihood = jax.device_get(
        (walkers.position, walkers.log_prior, walkers.log_likelihood)
    )
    begin = Moved(position, log_prior, log_likelihood)
    ndim = begin.position.shape[1]
    lost = stranded(begin.log_prior + begin.log_likelihood, ndim)
    if not lost.any():
        return state
    moved = pulled_in(functools.partial(densities, posterior), begin, lost, ndim)
    own = dict(zip(Walkers._fields, map(jnp.asarray, moved), strict=False))
    counts = state.moved + jnp.array([0, lost.sum()], state.moved.dtype)
    return state._replace(walkers=walkers._replace(**own), moved=counts)


@functools.partial(jax.jit, static_argnames=("moves",))
def _advance(
    posterior: Posterior, state: EnsembleState, n: ArrayLike, moves: tuple
) -> tuple[EnsembleState, dict[str, jax.Array]]:
    return repeat(functools.partial(_step, posterior, moves), state, n)


def _step(
    posterior: Posterior, moves: tuple, state: EnsembleState
) -> tuple[EnsembleState, dict[str, jax.Array]]:
    """Move each half of a freshly shuffled ensemble once."""
    key, *keys = jax.random.split(state.key, 4)
    move = functools.partial(move_half, posterior, moves, operator.add)
    walkers = move_halves(keys, state.walkers, move)
    record = {
        "position": walkers.position,
        "lp": walkers.log_prior + walkers.log_likelihood,
        "log_likelihood": walkers.log_likelihood,
        "accepted": walkers.accepted > state.walkers.accepted,
    }
    return state._replace(key=key, step=state.step + 1, walkers=walkers), record


def move_halves(
    keys: Sequence[jax.Array],
    walkers: Walkers,
    move: Callable[[jax.Array, Walkers, jax.Array], Walkers],
) -> Walkers:
    """Move each half of freshly shuffled walkers once.

    Parameters
    ----------
    keys : three keys
    walkers : Walkers
        Of one ensemble, or of several along a first axis, which are shuffled alike.
    move : callable
        ``move(key, active, others)`` returns the active walkers, moved by what the
        positions of the others are.
    """
    key_shuffle, key_first, key_second = keys
    axis = walkers.log_prior.ndim - 1
    nwalkers = walkers.log_prior.shape[axis]
    order = jnp.argsort(jax.random.bits(key_shuffle, (nwalkers,)))

    def take(some: jax.Array) -> Walkers:
        return jax.tree_util.tree_map(
            lambda values: jnp.take(values, some, axis, mode="clip"), walkers
        )

    first, second = take(order[: nwalkers // 2]), take(order[nwalkers // 2 :])
    first = move(key_first, first, second.position)
    second = move(key_second, second, first.position)

    def put_back(values: jax.Array, *halves: jax.Array) -> jax.Array:
        place = (slice(None),) * axis + (order,)
        moved = jnp.concatenate(halves, axis)
        return values.at[place].set(moved, unique_indices=True)

    return jax.tree_util.tree_map(put_back, walkers, first, second)


def move_half(
    posterior: Posterior,
    moves: tuple,
    density: Callable[[jax.Array, jax.Array], jax.Array],
    key: jax.Array,
    active: Walkers,
    others: jax.Array,
) -> Walkers:
    """Move some of the walkers of one ensemble once.

    Parameters
    ----------
    density : callable
        The log density that is sampled, of log prior and log likelihood.
    active : Walkers
        Those that move.
    others : array, (n_others, ndim)
        Positions of those that stay.
    """
    key_choice, key_move, key_accept = jax.random.split(key, 3)
    model = posterior.model
    periods = (model.periods,) if model.wraps else ()
    arguments = key_move, active.position, others
    proposals = [_proposing(move, *periods) for move, _ in moves]
    if len(moves) == 1:
        proposal, log_factor = proposals[0](*arguments)
    else:
        weights = jnp.array([weight for _, weight in moves])
        choice = jax.random.choice(key_choice, len(moves), p=weights)
        proposal, log_factor = lax.switch(choice, proposals, *arguments)
    if periods:
        proposal = jax.vmap(model.wrap)(proposal)
    log_prior, log_likelihood, evaluated = log_densities(posterior, proposal)
    before = density(active.log_prior, active.log_likelihood)
    log_ratio = log_factor + density(log_prior, log_likelihood) - before
    uniform = jax.random.uniform(key_accept, log_ratio.shape, log_ratio.dtype)
    accept = jnp.log(uniform) < log_ratio
    return Walkers(
        position=jnp.where(accept[:, None], proposal, active.position),
        log_prior=jnp.where(accept, log_prior, active.log_prior),
        log_likelihood=jnp.where(accept, log_likelihood, active.log_likelihood),
        accepted=active.accepted + accept,
        evaluated=active.evaluated + evaluated,
    )


def _proposing(move: Any, *periods: np.ndarray) -> Callable:
    """Return a move's ``propose``, given the periods where any parameter wraps."""
    return lambda *arguments: move.propose(*arguments, *periods)
