"""The numbers in a prior, in an order that is the same in every process.

numpyro's own order is that of a set of names. A compiled program takes these numbers
as arguments, and is found again in the cache on disk only where they come in order.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import jax
import numpyro.distributions as dist

__all__ = ["Numbers", "numbers_in"]


def numbers_in(given: Any) -> list:
    """Return the numbers in a prior or a value, in an order that is always the same."""
    if not isinstance(given, dist.Distribution):
        return jax.tree_util.tree_leaves(given)
    names = sorted(type(given).gather_pytree_data_fields())
    return [number for name in names for number in numbers_in(vars(given).get(name))]


@jax.tree_util.register_pytree_node_class
class Numbers:
    """A prior as a pytree of its numbers, in order.

    Parameters
    ----------
    prior : Distribution, or any pytree
    """

    def __init__(self, prior: Any):
        self.prior = prior

    def tree_flatten(self) -> tuple[list, Any]:
        """Return the numbers, and the structure of the prior."""
        leaves, structure = jax.tree_util.tree_flatten(self.prior)
        return [leaves[place] for place in _places(structure)], structure

    @classmethod
    def tree_unflatten(cls, structure: Any, numbers: Iterable) -> Numbers:
        """Rebuild the prior from what `tree_flatten` returned."""
        by_place = dict(zip(_places(structure), numbers, strict=True))
        leaves = [by_place[place] for place in range(len(by_place))]
        return cls(jax.tree_util.tree_unflatten(structure, leaves))


@functools.cache
def _places(structure: Any) -> tuple[int, ...]:
    """Return where among the leaves of a structure each number is."""
    own_order = tuple(range(structure.num_leaves))
    places = tuple(numbers_in(jax.tree_util.tree_unflatten(structure, own_order)))
    # A class that flattens itself into other numbers knows its order best.
    return places if sorted(places) == list(own_order) else own_order
