"""Many posteriors of one structure, for programs that compute them together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ampynb.analysis.posterior import Posterior
from ampynb.model.model import Model

__all__ = ["PosteriorBatch"]


@jax.tree_util.register_pytree_node_class
class PosteriorBatch:
    """Posteriors that differ in their numbers alone.

    Arrays in which they differ are stacked, those that they share are held once. As an
    argument of a compiled function a batch is a pytree.

    Parameters
    ----------
    posteriors : sequence of Posterior
        Of one class of analysis, one parameter table and equal shapes.
    """

    def __init__(self, posteriors: Sequence[Posterior]):
        flat = [jax.tree_util.tree_flatten(posterior) for posterior in posteriors]
        self._structure = flat[0][1]
        # Shapes first: of other shapes, programs are others too.
        alike = len({len(leaves) for leaves, _ in flat}) == 1
        places = list(zip(*(leaves for leaves, _ in flat), strict=alike))
        for place in places if alike else ():
            _check_shapes(place)
        for _, structure in flat:
            if structure != self._structure:
                raise ValueError(
                    "expected posteriors that differ in their arrays alone; got "
                    "analyses or models of different structure; give them equal "
                    "settings, names and kinds of prior"
                )
        shared = [all(leaf is place[0] for leaf in place) for place in places]
        self._axes = tuple(None if same else 0 for same in shared)
        self._leaves = [
            place[0] if same else jnp.asarray(np.stack([*map(np.asarray, place)]))
            for place, same in zip(places, shared, strict=True)
        ]

    @property
    def model(self) -> Model:
        """The model of the first posterior; all have its parameter table."""
        first = [
            leaf if axis is None else leaf[0]
            for leaf, axis in zip(self._leaves, self._axes, strict=True)
        ]
        return jax.tree_util.tree_unflatten(self._structure, first).model

    def map(
        self, function: Callable, *arguments: Any, axes: Any = 0, out_axes: Any = 0
    ) -> Any:
        """Return ``function(posterior, *arguments)`` of all, computed together.

        Parameters
        ----------
        function : callable
            Pure JAX; it is given one posterior.
        *arguments : pytree
            With a leading axis over the posteriors.
        axes, out_axes : pytree of 0 or None
            Where an argument, or what is returned, has no such axis; see `jax.vmap`.
        """

        def of_one(leaves: list, *arguments: Any) -> Any:
            posterior = jax.tree_util.tree_unflatten(self._structure, leaves)
            return function(posterior, *arguments)

        in_axes = (list(self._axes), *(axes for _ in arguments))
        mapped = jax.vmap(of_one, in_axes=in_axes, out_axes=out_axes)
        return mapped(self._leaves, *arguments)

    def tree_flatten(self) -> tuple[list, tuple]:
        """Return the arrays as children, the structure as auxiliary data."""
        return self._leaves, (self._structure, self._axes)

    @classmethod
    def tree_unflatten(cls, auxiliary: tuple, leaves: Sequence) -> PosteriorBatch:
        """Rebuild a batch inside compiled code."""
        batch = object.__new__(cls)
        batch._structure, batch._axes = auxiliary
        batch._leaves = list(leaves)
        return batch


def _check_shapes(place: Sequence[Any]) -> None:
    shapes = {np.shape(leaf) for leaf in place}
    if len(shapes) > 1:
        told = " and ".join(map(str, sorted(shapes)))
        raise ValueError(
            f"expected arrays of one shape in all posteriors; got {told}; pad and mask "
            "those that are shorter"
        )
