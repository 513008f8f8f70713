"""Likelihoods in plain NumPy: emcee itself, with its moves and a pool."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import emcee
import jax
import numpy as np

from ampynb.algorithms.algorithm import Algorithm, Draws, Outcome, Start, Status
from ampynb.algorithms.ensemble import check_walkers
from ampynb.algorithms.moves import (
    DEFAULT_MOVES,
    DifferentialEvolution,
    Stretch,
    weighted_moves,
)
from ampynb.algorithms.start import log_priors
from ampynb.algorithms.stranded import (
    Moved,
    looks,
    moved_words,
    pulled_in,
    stranded,
    until_next_look,
)
from ampynb.analysis.posterior import Posterior
from ampynb.analysis.rejections import Evaluation, Rejections, RejectionTable
from ampynb.model.model import Model
from ampynb.model.options import names_options

__all__ = ["EmceeEnsemble", "autocorrelation_time"]

LONGEST_CHUNK = 2048


class EmceeState(NamedTuple):
    """Walkers, densities, and NumPy's random state by its parts."""

    position: np.ndarray
    log_posterior: np.ndarray
    log_likelihood: np.ndarray
    random_words: np.ndarray
    random_place: np.ndarray
    random_normal: np.ndarray
    step: int
    accepted: int
    rejected: RejectionTable
    moved: np.ndarray


@names_options
@dataclass(frozen=True, kw_only=True)
class EmceeEnsemble(Algorithm):
    """emcee's ensemble sampler (Foreman-Mackey et al. 2013) for NumPy likelihoods.

    Parameters
    ----------
    moves : move, or sequence of moves or of (move, weight)
        emcee's moves, or those of `Ensemble`, or their names.
    pool : object with ``map``, optional
        Where the log likelihoods of half an ensemble are computed; this process by
        default.
    """

    nwalkers: int = 32
    moves: Any = DEFAULT_MOVES
    pool: Any = field(default=None, compare=False)

    name: ClassVar[str] = "ensemble"
    takes_numpy: ClassVar[bool] = True
    independent_chains: ClassVar[bool] = False
    candidates_per_walker: ClassVar[int] = 1

    def __post_init__(self):
        object.__setattr__(self, "moves", weighted_moves(self.moves))

    def check(self, posterior: Posterior) -> None:
        """Raise for too few walkers, and for moves that do not wrap where they must."""
        check_walkers(self.nwalkers, posterior.model.ndim)
        moves = [move for move, _ in self.moves]
        if posterior.model.wraps and any(map(_is_of_emcee, moves)):
            raise TypeError(
                "expected moves such as ampynb.Stretch() for parameters with a period; "
                "got moves of emcee, which do not know of it; leave moves out, or give "
                "'stretch', 'differential_evolution' or 'walk'"
            )

    def init(self, posterior: Posterior, key: jax.Array, start: Start) -> EmceeState:
        """Return the walkers at the start with their densities."""
        seed = np.asarray(jax.random.bits(key, (4,), np.uint32))
        random_state = np.random.RandomState(seed).get_state(legacy=True)
        position = np.array(start.position, dtype=float)
        batches: list[Rejections] = []
        densities = self._densities(posterior, batches)(position)
        log_posterior, log_likelihood = densities.T.copy()
        parts = _parts(random_state)
        # Where users say where to begin, that was looked at already.
        rejected = RejectionTable.empty().with_more(start.rejections)
        moved = np.array([start.moved, 0])
        return EmceeState(
            position, log_posterior, log_likelihood, *parts, 0, 0, rejected, moved
        )

    def template(self, posterior: Posterior) -> EmceeState:
        """Return a state's structure."""
        position = np.zeros((self.nwalkers, posterior.model.ndim))
        density = np.zeros(self.nwalkers)
        parts = _parts(np.random.RandomState(0).get_state(legacy=True))
        rejected = RejectionTable.empty()
        moved = np.zeros(2, int)
        return EmceeState(position, density, density, *parts, 0, 0, rejected, moved)

    def advance(
        self, posterior: Posterior, state: EmceeState, n: int
    ) -> tuple[EmceeState, Draws]:
        """Make ``n`` steps of all walkers, or as many as one call can hold."""
        phase = self.status(state).phase
        if state.step in looks(self.burn):
            state = self._with_stranded_moved(posterior, state)
        n = until_next_look(self.burn, state.step, min(n, LONGEST_CHUNK))
        batches: list[Rejections] = []
        sampler: Any = emcee.EnsembleSampler(
            self.nwalkers,
            posterior.model.ndim,
            self._densities(posterior, batches),
            vectorize=True,
            moves=[
                (_emcee_move(move, posterior.model), weight)
                for move, weight in self.moves
            ],
        )
        # Without emcee's wrapper, which prints errors besides raising them.
        sampler.log_prob_fn = self._densities(posterior, batches)
        begin = emcee.State(
            state.position,
            log_prob=state.log_posterior,
            blobs=state.log_likelihood,
            random_state=_random_state(state),
        )
        last: Any = sampler.run_mcmc(begin, n, skip_initial_state_check=True)
        position = np.asarray(sampler.get_chain())
        before = np.concatenate([state.position[None], position[:-1]])
        accepted = np.any(position != before, axis=-1)
        stats = {
            "lp": np.asarray(sampler.get_log_prob()),
            "log_likelihood": np.asarray(sampler.get_blobs(), dtype=float),
            "accepted": accepted,
        }
        state = EmceeState(
            last.coords,
            last.log_prob,
            np.asarray(last.blobs, dtype=float),
            *_parts(last.random_state),
            step=state.step + n,
            accepted=state.accepted + int(accepted.sum()),
            rejected=functools.reduce(
                RejectionTable.with_more, batches, state.rejected
            ),
            moved=state.moved,
        )
        return state, Draws(position, stats, phase)

    def status(self, state: EmceeState) -> Status:
        """Return how far the walkers are, with their mean acceptance rate."""
        moves = max(state.step * self.nwalkers, 1)
        metrics = {"acceptance_rate": state.accepted / moves} if state.step else {}
        at_start, in_burn = map(int, state.moved)
        remarks = moved_words(at_start, in_burn, self.nwalkers)
        rejections = state.rejected.rejections()
        return self.status_at(state.step, metrics, rejections, remarks)

    def live(self, state: EmceeState) -> None:
        """Return None: all is in the draws."""

    def finish(self, draws: Draws, live: Draws | None) -> Outcome:
        """Return the draws as they are."""
        return Outcome(draws.position, draws.stats)

    def _with_stranded_moved(
        self, posterior: Posterior, state: EmceeState
    ) -> EmceeState:
        """Return the state with walkers that are stranded moved to the others."""
        ndim = state.position.shape[1]
        lost = stranded(state.log_posterior, ndim)
        if not lost.any():
            return state
        batches: list[Rejections] = []
        compute = self._densities(posterior, batches)

        def densities(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            log_posterior, _ = compute(vectors).T
            return np.zeros(len(vectors)), log_posterior  # only their sum is used

        begin = Moved(state.position, np.zeros(len(lost)), state.log_posterior)
        moved = pulled_in(densities, begin, lost, ndim)
        log_posterior, log_likelihood = compute(moved.position).T.copy()
        return state._replace(
            position=moved.position,
            log_posterior=log_posterior,
            log_likelihood=log_likelihood,
            rejected=functools.reduce(
                RejectionTable.with_more, batches, state.rejected
            ),
            moved=state.moved + np.array([0, lost.sum()]),
        )

    def _densities(
        self, posterior: Posterior, batches: list[Rejections]
    ) -> Callable[[np.ndarray], np.ndarray]:
        mapped = map if self.pool is None else self.pool.map
        return functools.partial(_log_densities, posterior, mapped, batches)


def _parts(random_state: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the words of a Mersenne Twister, its place, and its spare normal."""
    _, words, place, has_normal, normal = random_state
    return np.array(words), np.array([place, has_normal]), np.array(normal)


def _random_state(state: EmceeState) -> tuple:
    place, has_normal = map(int, state.random_place)
    words, normal = state.random_words, float(state.random_normal)
    return "MT19937", words, place, has_normal, normal


def _log_densities(
    posterior: Posterior,
    mapped: Callable,
    batches: list[Rejections],
    vectors: np.ndarray,
) -> np.ndarray:
    """Return log posterior and log likelihood of each vector, (n, 2).

    What was rejected among them is appended to ``batches``.
    """
    log_prior = np.asarray(log_priors(posterior.model, vectors))
    inside = np.flatnonzero(np.isfinite(log_prior))
    log_likelihood = np.full(len(vectors), -np.inf)
    found = list(mapped(posterior.evaluate, [vectors[i] for i in inside]))
    if found and not isinstance(found[0], Evaluation):
        raise TypeError(
            "expected what the function returns from the map of the pool; got "
            f"{type(found[0]).__qualname__}; give a pool whose map returns values, as "
            "those of multiprocessing; a client of dask goes with executor='dask'"
        )
    log_likelihood[inside] = [one.value for one in found]
    batches.append(Rejections.of(found))
    return np.stack([log_prior + log_likelihood, log_likelihood], axis=1)


def _is_of_emcee(move: Any) -> bool:
    return isinstance(move, emcee.moves.Move)


def _emcee_move(move: Any, model: Model) -> Any:
    if _is_of_emcee(move):
        return move
    if model.wraps:
        return _OwnMove(move, model)
    if isinstance(move, Stretch):
        return emcee.moves.StretchMove(a=move.a)
    if isinstance(move, DifferentialEvolution):
        return emcee.moves.DEMove(sigma=move.sigma, gamma0=move.gamma)
    return _OwnMove(move)


class _OwnMove(emcee.moves.RedBlueMove):
    """A move that emcee does not have, such as `Walk`, as one of emcee's.

    On a circle those that it has are not enough: they know of no period.
    """

    def __init__(self, move: Any, model: Model | None = None):
        super().__init__()
        self._move, self._model = move, model

    def get_proposal(
        self, sample: np.ndarray, complement: list[np.ndarray], random: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        key = jax.random.key(random.randint(2**31 - 1))
        others = np.concatenate(complement)
        proposal, log_factor = _proposed(self._move, key, sample, others, self._model)
        return np.asarray(proposal), np.asarray(log_factor)


@functools.partial(jax.jit, static_argnames=("move",))
def _proposed(
    move: Any,
    key: jax.Array,
    active: jax.Array,
    others: jax.Array,
    model: Model | None,
) -> tuple[jax.Array, jax.Array]:
    if model is None:
        return move.propose(key, active, others)
    proposal, log_factor = move.propose(key, active, others, model.periods)
    return jax.vmap(model.wrap)(proposal), log_factor


def autocorrelation_time(chain: np.ndarray) -> np.ndarray:
    """Return the integrated autocorrelation time of each element, (ndim,) [steps].

    Parameters
    ----------
    chain : array, (n_draws, nwalkers, ndim)

    Notes
    -----
    emcee's estimator, with its window (Goodman and Weare 2010; Sokal 1996), given
    even where the chain is shorter than 50 times the estimate and so unreliable.
    """
    with np.errstate(divide="ignore", invalid="ignore"):  # where nothing varies
        return np.asarray(emcee.autocorr.integrated_time(chain, quiet=True, tol=0))
