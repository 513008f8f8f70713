"""Moves of an ensemble: each proposes where half of the walkers go, by the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ampynb.model.circle import shortest, unwrapped
from ampynb.model.options import names_options

__all__ = [
    "DEFAULT_MOVES",
    "DifferentialEvolution",
    "Stretch",
    "Walk",
    "compiled_moves",
    "weighted_moves",
]


@names_options
@dataclass(frozen=True)
class Stretch:
    """Stretch move (Goodman and Weare 2010, equations 9 and 10).

    Parameters
    ----------
    a : float
        Largest stretch; a walker moves to between 1/a and a times its distance from
        another.
    """

    a: float = 2.0

    def __post_init__(self):
        if not self.a > 1:
            raise ValueError(f"expected a above 1; got {self.a}; 2 is usual")

    def propose(
        self,
        key: jax.Array,
        active: jax.Array,
        others: jax.Array,
        periods: np.ndarray | None = None,
    ) -> tuple[jax.Array, jax.Array]:
        """Propose one move for each active walker.

        Parameters
        ----------
        active, others : array, (n_active, ndim) and (n_others, ndim)
        periods : array, (ndim,), optional
            Periods of parameters that wrap, infinite of others; None without any.

        Returns
        -------
        proposal : array, (n_active, ndim)
            What wraps in it may be outside the support of its prior.
        log_factor : array, (n_active,)
            What is added to the log ratio of the densities.

        Notes
        -----
        Where a parameter wraps, the move is that of the coordinates in which the other
        walker is the origin, each within half a period of it; a proposal further away
        is rejected. So is its way back, and detailed balance is exact.
        """
        n_active, ndim = active.shape
        length, choice = jax.random.uniform(key, (2, n_active), active.dtype)
        stretch = ((self.a - 1.0) * length + 1.0) ** 2 / self.a
        centre = others[_place(choice, others.shape[0])]
        log_factor = (ndim - 1.0) * jnp.log(stretch)
        if periods is None:
            return centre + stretch[:, None] * (active - centre), log_factor
        step = stretch[:, None] * shortest(active - centre, periods)
        is_near = jnp.all(jnp.abs(step) < periods / 2, axis=1)
        return centre + step, jnp.where(is_near, log_factor, -jnp.inf)


@names_options
@dataclass(frozen=True)
class DifferentialEvolution:
    """Differential-evolution move (ter Braak 2006; Nelson, Ford and Payne 2014).

    Parameters
    ----------
    gamma : float, optional
        Share of the difference of two other walkers that is added; 2.38/sqrt(2 ndim)
        by default.
    sigma : float
        Relative standard deviation of ``gamma``.
    """

    gamma: float | None = None
    sigma: float = 1e-5

    def propose(
        self,
        key: jax.Array,
        active: jax.Array,
        others: jax.Array,
        periods: np.ndarray | None = None,
    ) -> tuple[jax.Array, jax.Array]:
        """Propose one move for each active walker; see `Stretch.propose`."""
        n_active, ndim = active.shape
        n_others = others.shape[0]
        uniform = jax.random.uniform(key, (3, n_active), active.dtype)
        first = _place(uniform[0], n_others)
        second = (first + 1 + _place(uniform[1], n_others - 1)) % n_others
        gamma = 2.38 / (2 * ndim) ** 0.5 if self.gamma is None else self.gamma
        scatter = 12**0.5 * (uniform[2] - 0.5)  # of unit deviation
        factor = gamma * (1.0 + self.sigma * scatter)
        difference = others[first] - others[second]
        if periods is not None:
            difference = shortest(difference, periods)
        proposal = active + factor[:, None] * difference
        return proposal, jnp.zeros(n_active, active.dtype)


@names_options
@dataclass(frozen=True)
class Walk:
    """Walk move (Goodman and Weare 2010, equation 11), among all other walkers.

    The step is normal, with the covariance of the other walkers.

    Parameters
    ----------
    scale : float, optional
        Length of the step beside that of the covariance; 2.38/sqrt(ndim) by default,
        the optimum for a normal posterior (Gelman, Roberts and Gilks 1996).
    """

    scale: float | None = None

    def propose(
        self,
        key: jax.Array,
        active: jax.Array,
        others: jax.Array,
        periods: np.ndarray | None = None,
    ) -> tuple[jax.Array, jax.Array]:
        """Propose one move for each active walker; see `Stretch.propose`."""
        n_active, ndim = active.shape
        n_others = others.shape[0]
        scale = 2.38 / ndim**0.5 if self.scale is None else self.scale
        normal = jax.random.normal(key, (n_active, n_others), active.dtype)
        if periods is None:
            deviation = others - jnp.mean(others, axis=0)
        else:
            deviation = unwrapped(others, periods)
            deviation -= jnp.mean(deviation, axis=0)
        step = normal @ deviation / n_others**0.5
        return active + scale * step, jnp.zeros(n_active, active.dtype)


def _place(uniform: jax.Array, n: int) -> jax.Array:
    """Return which of ``n`` is chosen; cheaper than whole random numbers of JAX."""
    return (n * uniform).astype(jnp.int32)


NAMED = {
    "stretch": Stretch,
    "differential_evolution": DifferentialEvolution,
    "walk": Walk,
}
# On curved posteriors worth twice the stretch move; it brings back those far away.
DEFAULT_MOVES = ((DifferentialEvolution(), 0.8), (Stretch(), 0.2))


def compiled_moves(moves: Any) -> tuple[tuple[Any, float], ...]:
    """Return moves in JAX with weights that sum to 1."""
    weighted = weighted_moves(moves)
    for move, _ in weighted:
        if type(move).__module__.startswith("emcee."):
            raise TypeError(
                "expected moves such as ampynb.Stretch() or ampynb."
                f"DifferentialEvolution(); got {type(move).__qualname__}; emcee's own "
                "moves serve analyses with use_jax=False"
            )
    return weighted


def weighted_moves(moves: Any) -> tuple[tuple[Any, float], ...]:
    """Return moves with weights that sum to 1; names become moves."""
    if not isinstance(moves, list | tuple):
        moves = (moves,)
    pairs = [move if isinstance(move, list | tuple) else (move, 1.0) for move in moves]
    total = sum(weight for _, weight in pairs)
    if not pairs or not total > 0 or any(weight < 0 for _, weight in pairs):
        raise ValueError(
            f"expected moves with positive weights; got {moves!r}; give for instance "
            "[(ampynb.Stretch(), 0.5), (ampynb.DifferentialEvolution(), 0.5)]"
        )
    return tuple((_named(move), float(weight) / total) for move, weight in pairs)


def _named(move: Any) -> Any:
    """Return the move of a name, or the move itself."""
    if isinstance(move, str):
        if move not in NAMED:
            raise ValueError(
                f"expected moves among {', '.join(map(repr, NAMED))}, or objects such "
                f"as ampynb.Stretch(); got {move!r}; correct it"
            )
        return NAMED[move]()
    if not hasattr(move, "propose"):
        raise TypeError(
            "expected moves such as ampynb.Stretch() or ampynb."
            f"DifferentialEvolution(); got {type(move).__qualname__}; give one, or "
            "a list of them"
        )
    return move
