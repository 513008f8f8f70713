"""Split any object into its arrays and everything else, and join them again.

Compiled functions take what users write (an analysis, a component, a fit) as
arguments. Its numeric arrays travel as traced arguments; all else (flags, strings,
functions) becomes a hashable skeleton on which the compilation is keyed. So new data
of the same shape compile nothing, and a changed setting is never stale.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, is_dataclass
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import jax
import numpy as np
import numpyro.distributions as dist

from ampynb.model.containers import ListedNumbers, array_in, numbers_in_list
from ampynb.model.content import content_of, parts_of_structure
from ampynb.model.instance import FixedInteger, is_constant
from ampynb.model.masked import MaskedValues, unmask
from ampynb.model.prior_numbers import Numbers
from ampynb.model.units import System, with_unit

__all__ = [
    "Bundle",
    "Leaves",
    "attributes_of",
    "constants_in",
    "holds_numbers",
    "is_array",
    "is_ordinary_object",
    "join",
    "parts_of",
    "register_component",
    "split",
]

_PROTOCOL_SLOTS = ("__dict__", "__weakref__")
_PLAIN = (
    type,
    FunctionType,
    BuiltinFunctionType,
    MethodType,
    ModuleType,
    np.ufunc,
)


class Leaves(list):
    """Arrays that are met in one object, and the system of units of quantities."""

    def __init__(self):
        super().__init__()
        self.system = System()


@dataclass(frozen=True)
class _Slot:
    """The place of an array."""


@dataclass(frozen=True)
class _Tree:
    """A container that JAX can flatten, with the skeletons of its leaves."""

    structure: Any
    children: tuple


@dataclass(frozen=True)
class _Table:
    """A dictionary in its own order, which JAX would sort by key."""

    names: tuple
    children: tuple


@dataclass(frozen=True)
class _Object:
    """An ordinary object, with the skeletons of its attributes."""

    kind: type
    names: tuple[str, ...]
    children: tuple


class _Static:
    """A value that compiled code holds as a constant; equal values share a program."""

    def __init__(self, value: Any):
        self.value = value
        self.key = _static_key(value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Static) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


def _static_key(value: Any) -> tuple:
    if isinstance(value, np.ndarray):
        return ("array", value.dtype.str, value.shape, tuple(value.ravel().tolist()))
    if isinstance(value, set):
        return ("set", frozenset(value))
    try:
        hash(value)
    except TypeError:
        content = content_of(value)
        return ("content", content.digest, None if content.whole else id(value))
    return ("value", type(value), value)


def is_array(value: Any) -> bool:
    """Whether ``value`` is an array of numbers or booleans, traced or not."""
    if isinstance(value, jax.Array):
        return not jax.numpy.issubdtype(value.dtype, jax.dtypes.prng_key)
    return isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biufc"


def holds_numbers(value: Any) -> bool:
    """Whether a value is a number, a truth or an array of these."""
    return isinstance(value, int | float) or is_array(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool | FixedInteger)


def is_ordinary_object(value: Any) -> bool:
    """Whether ``value`` may be rebuilt from its attributes alone."""
    kind = type(value)
    return (
        (hasattr(value, "__dict__") or bool(_slots(kind)))
        and not isinstance(value, _PLAIN)
        and kind.__new__ is object.__new__
        and kind.__reduce_ex__ is object.__reduce_ex__
        and (kind.__getstate__ is object.__getstate__ or is_dataclass(value))
    )


def _slots(kind: type) -> list[str]:
    slots = (vars(base).get("__slots__", ()) for base in kind.__mro__)
    named = ((one,) if isinstance(one, str) else one for one in slots)
    return [name for one in named for name in one if name not in _PROTOCOL_SLOTS]


def attributes_of(value: Any) -> dict[str, Any]:
    """Return an object's attributes, those in slots among them."""
    in_slots = {n: getattr(value, n) for n in _slots(type(value)) if hasattr(value, n)}
    return {**in_slots, **getattr(value, "__dict__", {})}


def split(value: Any, numbers: bool = False) -> tuple[list, Any]:
    """Return the arrays in ``value`` and a hashable skeleton of the rest.

    Parameters
    ----------
    value : object
        Arrays, containers, dataclasses and ordinary objects, nested at will.
    numbers : bool
        Whether Python numbers count as arrays too.
    """
    leaves: list = []
    return leaves, _split(value, leaves, numbers, ())


def _split(value: Any, leaves: list, numbers: bool, above: tuple[int, ...]) -> Any:
    if isinstance(value, np.ndarray):
        value, unit = with_unit(value)
        if unit is not None:
            system = getattr(leaves, "system", None) or System()
            value = system.convert(value, unit)
    value, used = unmask(value)
    if used is not None:
        value = MaskedValues(value, used)
    if is_constant(value):
        return _Static(value)
    array, listed = array_in(value), numbers_in_list(value)
    if isinstance(listed, ListedNumbers) and not numbers:
        return _Static(listed)
    value = next((one for one in (array, listed) if one is not None), value)
    if is_array(value) or (numbers and _is_number(value)):
        leaves.append(value)
        return _Slot()
    if type(value) is dict:
        below = (_split(child, leaves, numbers, above) for child in value.values())
        return _Table(tuple(value), tuple(below))
    tree = Numbers(value) if isinstance(value, dist.Distribution) else value
    children, structure = jax.tree_util.tree_flatten(tree, lambda x: x is not tree)
    if not jax.tree_util.treedef_is_leaf(structure):
        below = (_split(child, leaves, numbers, above) for child in children)
        return _Tree(structure, tuple(below))
    if is_ordinary_object(value) and id(value) not in above:
        return split_object(value, leaves, lambda _: numbers, (*above, id(value)))
    return _Static(value)


def split_object(
    value: Any,
    leaves: list,
    numbers: Callable[[str], bool],
    above: tuple[int, ...] = (),
    constants: Collection[str] = (),
) -> _Object:
    """Split the attributes of one object; ``numbers(name)`` as in `split`.

    Those named in ``constants`` are left whole.
    """
    attributes = attributes_of(value)
    children = (
        _Static(attribute)
        if name in constants
        else _split(attribute, leaves, numbers(name), above)
        for name, attribute in attributes.items()
    )
    return _Object(type(value), tuple(attributes), tuple(children))


def constants_in(skeleton: Any) -> Iterator[Any]:
    """Yield what `split` has left whole, from no class that JAX knows."""
    if isinstance(skeleton, _Static):
        yield skeleton.value
    for child in getattr(skeleton, "children", ()):
        yield from constants_in(child)


def parts_of(skeleton: Any) -> Iterator[Any]:
    """Yield the classes in what `split` returned, and what it has left whole."""
    if isinstance(skeleton, _Static):
        yield skeleton.value
    if isinstance(skeleton, _Object):
        yield skeleton.kind
    if isinstance(skeleton, _Tree):
        yield from parts_of_structure(skeleton.structure)
    for child in getattr(skeleton, "children", ()):
        yield from parts_of(child)


def join(skeleton: Any, leaves: Collection) -> Any:
    """Rebuild what `split` took apart, with ``leaves`` in the arrays' places."""
    return _join(skeleton, iter(leaves))


def _join(skeleton: Any, leaves: Iterator) -> Any:
    if isinstance(skeleton, _Slot):
        return next(leaves)
    if isinstance(skeleton, _Static):
        return skeleton.value
    children = [_join(child, leaves) for child in skeleton.children]
    if isinstance(skeleton, _Tree):
        tree = jax.tree_util.tree_unflatten(skeleton.structure, children)
        return tree.prior if isinstance(tree, Numbers) else tree
    named = zip(skeleton.names, children, strict=True)
    if isinstance(skeleton, _Table):
        return dict(named)
    rebuilt = object.__new__(skeleton.kind)
    for name, child in named:
        object.__setattr__(rebuilt, name, child)
    return rebuilt


@jax.tree_util.register_pytree_node_class
class Bundle:
    """Any object as a pytree, to be handed into and out of compiled functions."""

    def __init__(self, value: Any, numbers: bool = False):
        self.leaves, self.skeleton = split(value, numbers)

    def value(self) -> Any:
        """Return the object, with whatever arrays the bundle now holds."""
        return join(self.skeleton, self.leaves)

    def tree_flatten(self) -> tuple[list, Any]:
        """Return the arrays as children and the skeleton as auxiliary data."""
        return self.leaves, self.skeleton

    @classmethod
    def tree_unflatten(cls, skeleton: Any, leaves: Collection) -> Bundle:
        """Rebuild a bundle from what `tree_flatten` returned."""
        bundle = object.__new__(cls)
        bundle.leaves, bundle.skeleton = list(leaves), skeleton
        return bundle


_component_parameters: dict[type, set[str]] = {}


def register_component(kind: type, parameters: Collection[str]) -> None:
    """Make a user's component class a pytree whose parameters are leaves.

    A class that JAX already knows is left as it is. Attributes named in
    ``parameters`` are leaves even when they are Python numbers, so that instances
    made by hand and by a model have the same structure.
    """
    if issubclass(kind, tuple):  # a named tuple, which JAX flattens itself
        return
    if kind in _component_parameters:
        _component_parameters[kind].update(parameters)
        return
    names = _component_parameters[kind] = set(parameters)

    def flatten(component):
        leaves: list = []
        skeleton = split_object(component, leaves, lambda name: name in names)
        return leaves, skeleton

    try:
        jax.tree_util.register_pytree_node(kind, flatten, join)
    except ValueError:  # the user has registered it; theirs is the better knowledge
        del _component_parameters[kind]
