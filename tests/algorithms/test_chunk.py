"""Many steps in one program: their number, and the length of the buffer."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ampynb.algorithms.chunk import BUFFER_BYTES, LONGEST_CHUNK, draws_from, repeat


def count(width: int, state: jax.Array):
    """Count up by one; record the count ``width`` times."""
    return state + 1, {"position": jnp.full((1, width), state), "half": state / 2}


@functools.partial(jax.jit, static_argnames="width")
def counted(state: jax.Array, n: int, width: int = 2):
    return repeat(functools.partial(count, width), state, jnp.asarray(n))


@pytest.mark.parametrize("n", [0, 1, 5, LONGEST_CHUNK])
def test_so_many_steps_are_made_and_recorded_in_order(n: int):
    state, records = counted(jnp.asarray(10), n)
    draws = draws_from(records, n, "sampling")
    assert int(state) == 10 + n
    expected = 10 + np.arange(n)
    np.testing.assert_array_equal(draws.position, np.stack([expected] * 2, 1)[:, None])
    np.testing.assert_array_equal(draws.stats["half"], expected / 2)
    assert draws.phase == "sampling"


def test_one_program_serves_every_number_of_steps():
    traced: list[Any] = []

    @jax.jit
    def once(state: jax.Array, n: int):
        traced.append(n)
        return repeat(functools.partial(count, 3), state, jnp.asarray(n))

    for n in (1, 2, 3, 500):
        once(jnp.asarray(0), n)
    assert len(traced) == 1


@pytest.mark.parametrize(
    ("width", "most"),
    [
        (1, LONGEST_CHUNK),
        (BUFFER_BYTES // 8 // 5, 4),  # five rows fit, a power of two is taken
        (BUFFER_BYTES, 1),  # a row that is too long is still recorded
    ],
)
def test_no_call_holds_more_than_the_buffer(width: int, most: int):
    state, records = counted(jnp.asarray(0), 10 * LONGEST_CHUNK, width=width)
    assert int(state) == most
    assert records["position"].shape == (most, 1, width)


def test_draws_are_copies_that_free_the_buffer():
    _, records = counted(jnp.asarray(0), 3)
    draws = draws_from(records, 3, "warmup")
    assert draws.position.base is None
    assert draws.position.flags.writeable
