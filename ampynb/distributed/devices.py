"""Walkers and chains that share the devices that JAX has."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from ampynb.analysis.posterior import Posterior
from ampynb.analysis.rejections import counted

if TYPE_CHECKING:
    from ampynb.algorithms.algorithm import Algorithm

__all__ = ["across_devices", "log_densities", "mesh_for", "on_mesh", "placed"]

AXIS = "walkers"


def mesh_for(
    devices: int | None, posterior: Posterior, algorithm: Algorithm
) -> Mesh | None:
    """Return the devices that share a run, or None for a run on one.

    Parameters
    ----------
    devices : int, optional
        How many; by default all that JAX has. Then walkers that depend on each other
        stay on one processor, as they meet twice at each step, and a run stays on the
        device that a user has chosen, for JAX or for arrays of the analysis.
    posterior : Posterior
    algorithm : Algorithm

    Raises
    ------
    ValueError
        Where there are not so many, or where processes would be left without work.
    """
    present = jax.devices()
    together = jax.process_count() > 1
    is_count = isinstance(devices, int | np.integer) and not isinstance(devices, bool)
    if devices is not None and not (is_count and 1 <= devices <= len(present)):
        raise ValueError(
            f"expected devices as a whole number from 1 to {len(present)}, as many as "
            f"JAX has; got {devices!r}; leave it out, or see jax.devices()"
        )
    if devices is not None and together and devices != len(present):
        raise ValueError(
            f"expected all {len(present)} devices to share a run of several processes; "
            f"got devices={devices}; leave it out"
        )
    number = len(present) if devices is None else int(devices)
    if devices is not None and devices > 1 and not algorithm.shares_devices:
        raise ValueError(
            f"expected devices=1 with {type(algorithm).__name__}, which runs on one; "
            f"got {devices}; leave it out"
        )
    if number == 1 or not algorithm.shares_devices:
        return None
    if devices is None and not together:
        meets_often = present[0].platform == "cpu" and not algorithm.independent_chains
        if meets_often or _is_placed(posterior):
            return None
    return jax.make_mesh(
        (number,), (AXIS,), axis_types=(AxisType.Auto,), devices=present[:number]
    )


def _is_placed(posterior: Posterior) -> bool:
    """Whether a user has said on which device to compute."""
    arrays = jax.tree_util.tree_leaves(posterior)
    settings: Any = jax.config
    return settings.jax_default_device is not None or any(
        isinstance(array, jax.Array) and array.committed for array in arrays
    )


def on_mesh(mesh: Mesh | None) -> AbstractContextManager:
    """Return a context in which `across_devices` shares its work."""
    return nullcontext() if mesh is None else jax.set_mesh(mesh)


def placed(mesh: Mesh | None, state: Any) -> Any:
    """Return a state as `on_mesh` programs leave one, whole on every device."""
    if mesh is None:
        return state
    if jax.process_count() == 1:
        return jax.device_put(state, NamedSharding(mesh, PartitionSpec()))
    with on_mesh(mesh):  # device_put takes no random keys to other processes
        return jax.jit(lambda state: state)(state)


def across_devices(function: Callable, in_axes: Any, out_axes: Any = 0) -> Callable:
    """Return a function of batches, each device computing its part of the batch.

    Outside `on_mesh` it is the function itself. A batch that cannot be divided evenly
    is filled up with copies of its last element. The results are whole on every
    device: what is made of them is computed on each, and does not depend on how many
    there are.

    Parameters
    ----------
    function : callable
        Computes the elements of a batch independently of each other.
    in_axes, out_axes : int, None, or pytree of these
        The batch's axis of each argument and result, as of `jax.vmap`; None for what
        is the same for all elements.
    """
    mesh = jax.sharding.get_abstract_mesh()
    if AXIS not in mesh.axis_names:
        return function

    def shared(*arguments: Any) -> Any:
        size = _batch_size(in_axes, arguments)
        filled = -(-size // mesh.size) * mesh.size
        # Whole on every device before and after, so that nothing else is shared out:
        # moves and shuffles would need many more messages than they save work.
        whole = functools.partial(
            lax.with_sharding_constraint, shardings=PartitionSpec()
        )
        results = jax.shard_map(
            function,
            in_specs=_over_axes(_spec, in_axes),
            out_specs=_over_axes(_spec, out_axes),
            check_vma=False,
        )(*whole(_resized(in_axes, arguments, size, filled)))
        return _resized(out_axes, whole(results), filled, size)

    return shared


def log_densities(posterior: Posterior, vectors: jax.Array) -> tuple:
    """Return log prior and log likelihood, each (n,), of vectors, (n, ndim).

    And what `counted` counts of each, (n, 3).
    """

    def of_one(posterior: Posterior, vector: jax.Array) -> jax.Array:
        densities, counts = counted(lambda p: p.log_densities(vector), posterior)
        return jnp.stack([*densities, *counts])  # in one message between devices

    def batch(posterior: Posterior, vectors: jax.Array) -> jax.Array:
        return jax.vmap(functools.partial(of_one, posterior))(vectors)

    found = across_devices(batch, in_axes=(None, 0))(posterior, vectors)
    return found[:, 0], found[:, 1], found[:, 2:].astype(int)


def _over_axes(function: Callable, axes: Any, *trees: Any) -> Any:
    """Apply a function to each axis and the part of each tree that it is of."""
    is_axis = lambda axis: axis is None  # noqa: E731
    return jax.tree_util.tree_map(function, axes, *trees, is_leaf=is_axis)


def _spec(axis: int | None) -> PartitionSpec:
    return PartitionSpec() if axis is None else PartitionSpec(*[None] * axis, AXIS)


def _batch_size(axes: Any, tree: Any) -> int:
    sizes: list[int] = []

    def note(axis: int | None, part: Any) -> None:
        if axis is not None:
            leaves = jax.tree_util.tree_leaves(part)
            sizes.extend(leaf.shape[axis] for leaf in leaves)

    _over_axes(note, axes, tree)
    return sizes[0]


def _resized(axes: Any, tree: Any, size: int, wanted: int) -> Any:
    """Return a batch cut, or filled up with copies of its last element."""
    if wanted == size:
        return tree
    places = np.minimum(np.arange(wanted), size - 1)

    def resize(axis: int | None, part: Any) -> Any:
        if axis is None:
            return part
        return jax.tree_util.tree_map(lambda leaf: jnp.take(leaf, places, axis), part)

    return _over_axes(resize, axes, tree)
