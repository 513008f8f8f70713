"""Families of live points: where new points come from, and along which directions.

Slice sampling leaves the prior above a contour as it is only where its directions do
not depend on the point that moves. The covariance of all live points does: it is wider
along the line from their mean to the point, and to the relatives that the point still
resembles. Points then drift inwards along that line, all contours hold less of the
prior than is counted for them, and the evidence is too high: by five standard errors in
60 dimensions with 300 points. So the live points are divided into families for the
whole run, and a family moves along the covariance of the others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from ampynb.algorithms.insertion import insertion_ranks

__all__ = ["FAMILIES", "factors_of_others", "replace_in_families"]

FAMILIES = 4


def factors_of_others(
    key: jax.Array, state: Any, info: Any, params: Any = None
) -> dict[str, jax.Array]:
    """Return Cholesky factors of the covariance of the points outside each family.

    Parameters
    ----------
    key, info, params
        Of blackjax's protocol; not used.
    state : blackjax state
        Its ``particles.position`` is an array, (nlive, ndim).

    Returns
    -------
    dict
        ``covariance_factor``, (FAMILIES, ndim, ndim).
    """
    position = state.particles.position

    def factor(family: jax.Array) -> jax.Array:
        others = (_family(jnp.arange(len(position))) != family).astype(position.dtype)
        count = jnp.sum(others)
        deviation = position - others @ position / count
        covariance = (others[:, None] * deviation).T @ deviation / (count - 1)
        return jnp.linalg.cholesky(covariance)

    return {"covariance_factor": jax.vmap(factor)(jnp.arange(FAMILIES))}


def replace_in_families(step: Callable, n_steps: int, n_replaced: int) -> Callable:
    """Return how dead points are replaced, as blackjax's ``update_strategy``.

    Each begins at a survivor of its own family and makes ``n_steps`` of
    ``step(key, point, contour, covariance_factor=...)``.
    """

    def update(
        key: jax.Array, state: Any, contour: jax.Array, covariance_factor: jax.Array
    ) -> tuple[Any, Any]:
        points = state.particles
        key_start, key_move, key_rank = jax.random.split(key, 3)
        _, dead = jax.lax.top_k(-points.loglikelihood, n_replaced)
        begin = _survivors(key_start, points.loglikelihood, contour, dead)

        def chain(key: jax.Array, point: Any, factor: jax.Array) -> tuple[Any, Any]:
            def move(point: Any, key: jax.Array) -> tuple[Any, Any]:
                return step(key, point, contour, covariance_factor=factor)

            return jax.lax.scan(move, point, jax.random.split(key, n_steps))

        born, info = jax.vmap(chain)(
            jax.random.split(key_move, n_replaced),
            jax.tree_util.tree_map(lambda values: values[begin], points),
            covariance_factor[_family(dead)],
        )
        is_above = (points.loglikelihood > contour).at[dead].set(False)
        above = jnp.where(is_above, points.loglikelihood, jnp.nan)
        born = born._replace(
            loglikelihood_birth=jnp.full_like(born.loglikelihood_birth, contour),
            insertion_rank=insertion_ranks(
                jax.random.uniform(key_rank, (n_replaced,), above.dtype),
                above,
                born.loglikelihood,
            ),
        )
        return born, info

    return update


def _family(place: jax.Array) -> jax.Array:
    return place % FAMILIES


def _survivors(
    key: jax.Array, log_likelihood: jax.Array, contour: jax.Array, dead: jax.Array
) -> jax.Array:
    """Return a survivor for each place of a dead point, of its family if one lives."""
    lives = log_likelihood > contour
    lives = jnp.where(jnp.any(lives), lives, True)
    family = _family(jnp.arange(len(log_likelihood)))
    related = lives & (family == _family(dead)[:, None])
    related = jnp.where(jnp.any(related, axis=1, keepdims=True), related, lives)
    return jax.random.categorical(key, jnp.where(related, 0.0, -jnp.inf))
