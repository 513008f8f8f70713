"""States as plain arrays by name, for files, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

__all__ = ["decode_state", "encode_state"]


def encode_state(state: Any) -> dict[str, np.ndarray]:
    """Return the arrays of a state, each by its place in the pytree."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(state)
    return {jax.tree_util.keystr(path): _plain(leaf) for path, leaf in leaves}


def decode_state(template: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """Return the state that was encoded as ``arrays``.

    Parameters
    ----------
    template : pytree
        From the algorithm's ``template``.

    Raises
    ------
    ValueError
        Where an array is missing, or has another shape or type.
    """
    leaves, structure = jax.tree_util.tree_flatten_with_path(template)
    names = [jax.tree_util.keystr(path) for path, _ in leaves]
    if sorted(names) != sorted(arrays):
        raise ValueError(
            f"expected a state of {', '.join(names)}; got {', '.join(arrays)}; it is "
            "of another algorithm, or of another version of ampynb or its libraries"
        )
    decoded = [
        _like(leaf, arrays[name], name)
        for name, (_, leaf) in zip(names, leaves, strict=True)
    ]
    return jax.tree_util.tree_unflatten(structure, decoded)


def _is_key(leaf: Any) -> bool:
    return hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _plain(leaf: Any) -> np.ndarray:
    return np.asarray(jax.random.key_data(leaf) if _is_key(leaf) else leaf)


def _like(leaf: Any, array: np.ndarray, name: str) -> Any:
    """Return an array as the kind of thing that the template's leaf stands for."""
    is_key = _is_key(leaf)
    plain = jax.eval_shape(jax.random.key_data, leaf) if is_key else leaf
    expected = np.shape(plain), np.result_type(plain)
    if (array.shape, array.dtype) != expected:
        raise ValueError(
            f"expected {name} of the state with shape and type {expected}; got "
            f"{(array.shape, array.dtype)}; it is of another model or algorithm"
        )
    if is_key:
        return jax.random.wrap_key_data(jnp.asarray(array))
    if isinstance(leaf, int):
        return int(array)
    return array if isinstance(leaf, np.ndarray) else jnp.asarray(array)
