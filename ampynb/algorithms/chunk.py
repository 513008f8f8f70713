"""Many steps of a kernel in one compiled program, whatever their number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike

from ampynb.algorithms.algorithm import Algorithm, Draws, Start
from ampynb.analysis.posterior import Posterior

__all__ = ["draws_from", "repeat", "traced_template"]

BUFFER_BYTES = 8 * 2**20
LONGEST_CHUNK = 2048


def repeat(
    step: Callable,
    state: Any,
    n: ArrayLike,
    is_done: Callable[[Any], jax.Array] | None = None,
) -> tuple[Any, Any]:
    """Apply ``step(state) -> (state, record)`` up to ``n`` times.

    With ``is_done(state)``, no step is made from a state for which it is true.

    The number is an argument of the compiled program and not a part of it: records go
    into a buffer of fixed length. So one compilation serves every chunk length, and a
    chain cannot depend on how it was cut.

    Returns
    -------
    state : pytree
        The state after the last step.
    records : pytree
        The records, each with a leading axis as long as the buffer; only the first
        ``min(n, length)`` hold draws.
    """
    record = jax.eval_shape(lambda state: step(state)[1], state)
    length = _buffer_length(record)
    buffer = jax.tree_util.tree_map(
        lambda leaf: jnp.zeros((length, *leaf.shape), leaf.dtype), record
    )

    last = jnp.minimum(n, length)

    def goes_on(carry):
        i, state, _ = carry
        return (i < last) if is_done is None else (i < last) & ~is_done(state)

    def body(carry):
        i, state, buffer = carry
        state, record = step(state)
        buffer = jax.tree_util.tree_map(
            lambda rows, row: lax.dynamic_update_index_in_dim(rows, row, i, 0),
            buffer,
            record,
        )
        return i + 1, state, buffer

    _, state, buffer = lax.while_loop(goes_on, body, (0, state, buffer))
    return state, buffer


def _buffer_length(record: Any) -> int:
    leaves = jax.tree_util.tree_leaves(record)
    size = sum(leaf.size * leaf.dtype.itemsize for leaf in leaves)
    fits = max(BUFFER_BYTES // max(size, 1), 1)
    return min(2 ** (fits.bit_length() - 1), LONGEST_CHUNK)


def draws_from(
    records: dict[str, jax.Array],
    n: int,
    phase: str,
    step_stats: Sequence[str] = (),
) -> Draws:
    """Return the first ``n`` records, ``position`` among them, as draws on the host.

    Those named by ``step_stats`` are numbers of whole steps.
    """
    # A copy: a view would keep the whole buffer alive.
    arrays = {name: np.array(rows[:n]) for name, rows in _on_host(records).items()}
    position = arrays.pop("position")
    of_steps = {name: arrays.pop(name) for name in step_stats}
    return Draws(position, arrays, phase, of_steps)


def traced_template(algorithm: Algorithm, posterior: Posterior) -> Any:
    """Return the structure of a compiled algorithm's state; computes nothing."""
    shape = (algorithm.nwalkers, posterior.model.ndim)

    def begin(key: jax.Array, position: jax.Array) -> Any:
        start: Any = position  # stands for an array while it is traced
        return algorithm.init(posterior, key, Start(start))

    position = jax.ShapeDtypeStruct(shape, jnp.result_type(float))
    return jax.eval_shape(begin, jax.random.key(0), position)


def _on_host(records: dict[str, jax.Array]) -> dict[str, np.ndarray]:
    return jax.device_get(records)
