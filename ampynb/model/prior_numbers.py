"""The numbers in a prior, in an order that is the same in every process.

numpyro's own order is that of a set of names. A compiled program takes these numbers
as arguments, and is found again in the cache on disk only where they come in order.
Beside them stands what a prior class of the user's own reads, by content.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import jax
import numpyro.distributions as dist

from ampynb.model.content import content_of, is_installed, parts_of_structure

__all__ = ["PRIOR_METHODS", "Numbers", "numbers_in", "own_classes", "own_code"]

PRIOR_METHODS = ("log_prob", "sample", "cdf", "icdf", "support")  # that models ask for


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

    def tree_flatten(self) -> tuple[list, tuple[Any, str]]:
        """Return the numbers, and the structure of the prior with its own code."""
        leaves, structure = jax.tree_util.tree_flatten(self.prior)
        own = _own_code(structure)
        return [leaves[place] for place in _places(structure)], (structure, own)

    @classmethod
    def tree_unflatten(cls, known: tuple[Any, str], numbers: Iterable) -> Numbers:
        """Rebuild the prior from what `tree_flatten` returned."""
        structure, _ = known
        by_place = dict(zip(_places(structure), numbers, strict=True))
        leaves = [by_place[place] for place in range(len(by_place))]
        return cls(jax.tree_util.tree_unflatten(structure, leaves))


def own_code(prior: Any) -> str:
    """Return a key of what a prior of the user's own class computes with now.

    Empty where each class in it is of an installed package.
    """
    return _own_code(jax.tree_util.tree_structure(prior))


def own_classes(prior: Any) -> tuple[type, ...]:
    """Return the classes of the user's own in a prior, whose code may change."""
    return _own_classes(jax.tree_util.tree_structure(prior))


def _own_code(structure: Any) -> str:
    classes = _own_classes(structure)
    return content_of(*classes, names=PRIOR_METHODS).digest if classes else ""


@functools.cache
def _own_classes(structure: Any) -> tuple[type, ...]:
    parts = parts_of_structure(structure)
    classes = (part for part in parts if isinstance(part, type))
    return tuple(one for one in classes if not is_installed(one.__module__))


@functools.cache
def _places(structure: Any) -> tuple[int, ...]:
    """Return where among the leaves of a structure each number is."""
    own_order = tuple(range(structure.num_leaves))
    places = tuple(numbers_in(jax.tree_util.tree_unflatten(structure, own_order)))
    # A class that flattens itself into other numbers knows its order best.
    return places if sorted(places) == list(own_order) else own_order
