"""What users write, read into a tree of components and parameters."""

from __future__ import annotations

import inspect
import keyword
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpyro.distributions as dist

from ampynb.model.arrays import holds_numbers, register_component
from ampynb.model.instance import Instance, as_identifier
from ampynb.model.parameter import Collection, Parameter

__all__ = ["Formula", "Node", "Tie", "build", "nodes_from"]

RESERVED = ("chain", "draw")
CONTAINERS = (tuple, list, dict)


@dataclass(frozen=True)
class Node:
    """A component of the model: a class to make, and its entries in order.

    Attributes
    ----------
    component : type or None
        The user's class, a tuple, a list or a dictionary; None for an `Instance`.
    entries : tuple of (str, Node, Parameter, Tie or Formula)
    assertions : tuple of (str, callable)
        What must hold of the component's instance, by name.
    """

    component: type | None
    entries: tuple[tuple[str, Any], ...]
    assertions: tuple[tuple[str, Callable], ...] = field(default=(), compare=False)

    def walk(self, prefix: str = "") -> Iterator[tuple[str, Any]]:
        """Yield each parameter under its dotted name, in order."""
        for name, entry in self.entries:
            if isinstance(entry, Node):
                yield from entry.walk(f"{prefix}{name}.")
            else:
                yield f"{prefix}{name}", entry

    def nodes(self, prefix: str = "") -> Iterator[tuple[str, Node]]:
        """Yield this node and all below it under their dotted prefixes."""
        yield prefix, self
        for name, entry in self.entries:
            if isinstance(entry, Node):
                yield from entry.nodes(f"{prefix}{name}.")

    def with_entries(self, changes: Mapping[str, Any], prefix: str = "") -> Node:
        """Return the node with some of its parameters exchanged, by dotted name."""
        entries = tuple(
            (
                name,
                entry.with_entries(changes, f"{prefix}{name}.")
                if isinstance(entry, Node)
                else changes.get(f"{prefix}{name}", entry),
            )
            for name, entry in self.entries
        )
        return replace(self, entries=entries)

    def within(self, path: str) -> Node:
        """Return the node as it is at ``path`` in another: its links point there."""
        links = {
            name: entry.within(path)
            for name, entry in self.walk()
            if isinstance(entry, Tie | Formula)
        }
        return self.with_entries(links)


@dataclass(frozen=True)
class Tie:
    """A parameter that takes the value of another."""

    source: str
    parameter: Parameter

    def within(self, path: str) -> Tie:
        """Return the tie as it is at ``path`` in another model."""
        return replace(self, source=f"{path}.{self.source}")


@dataclass(frozen=True)
class Formula:
    """A parameter that a function of others gives: those below the prefix ``scope``."""

    parameter: Parameter
    scope: str = ""

    def same_as(self, other: Any) -> bool:
        """Whether another entry has the same function of the same values."""
        return (
            isinstance(other, Formula)
            and other.scope == self.scope
            and other.parameter.prior is self.parameter.prior
        )

    def within(self, path: str) -> Formula:
        """Return the formula as it is at ``path`` in another model."""
        return replace(self, scope=f"{path}.{self.scope}")


def nodes_from(component: type | None, entries: Mapping[str, Any]) -> Node:
    """Read what the user wrote into a tree of nodes and parameters."""
    if component is not None:
        _check_component(component, entries)
        register_component(component, entries.keys())
    return Node(component, _entries_from(entries, ""))


def _entries_from(
    entries: Mapping, prefix: str, attribute: bool = True
) -> tuple[tuple[str, Any], ...]:
    names = [_checked_name(name, attribute) for name in entries]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(
                f"expected names that differ; got {name!r} twice, as Python reads "
                "them; call one of the parameters something else"
            )
    return tuple(
        (name, _entry_from(name, entry, prefix))
        for name, entry in zip(names, entries.values(), strict=True)
    )


def _entry_from(name: str, entry: Any, prefix: str) -> Any:
    """Read one entry; ``prefix`` leads to it from the model that it is written in."""
    if isinstance(entry, Parameter):
        return Formula(entry) if entry.is_function else entry
    if isinstance(entry, Collection):
        return nodes_from(None, entry).within(f"{prefix}{name}")
    tree = getattr(entry, "tree", None)
    if isinstance(tree, Node):  # a Model within a model
        return tree.within(f"{prefix}{name}")
    if type(entry) in CONTAINERS:
        return _container_from(name, entry, prefix)
    is_function = callable(entry) and not isinstance(entry, type)
    if holds_numbers(entry) or is_function or isinstance(entry, dist.Distribution):
        return _entry_from(name, _parameter(name, entry), prefix)
    raise TypeError(
        f"parameter {name!r}: expected a numpyro distribution, a number, an array, a "
        "function of the model's other values, a Parameter, a Model, a Collection, or "
        f"a tuple, list or dictionary of them; got {_told(entry)}; write for instance "
        f"{name}={_remedy(entry)}"
    )


def _parameter(name: str, given: Any) -> Parameter:
    try:
        return Parameter(given)
    except (TypeError, ValueError) as error:
        raise type(error)(f"parameter {name!r}: {error}") from None


def _container_from(name: str, entry: Any, prefix: str) -> Node:
    by_name = isinstance(entry, dict)
    entries = entry if by_name else {str(i): item for i, item in enumerate(entry)}
    if not by_name and all(isinstance(item, int | float) for item in entry):
        raise TypeError(
            f"parameter {name!r}: expected priors, models or Parameters in a "
            f"{type(entry).__name__}; got numbers alone, {entry!r}, which may be meant "
            f"as bounds or as values; write {name}=numpyro.distributions.Uniform(0, 1) "
            "for bounds, an array or ampynb.Parameter(0.5) for each for fixed values"
        )
    return Node(type(entry), _entries_from(entries, f"{prefix}{name}.", not by_name))


def _told(entry: Any) -> str:
    if isinstance(entry, type):
        return f"the class {entry.__qualname__} itself"
    return f"{type(entry).__module__}.{type(entry).__qualname__}"


def _remedy(entry: Any) -> str:
    if not isinstance(entry, type):
        return "numpyro.distributions.Uniform(0, 1)"
    if issubclass(entry, dist.Distribution):
        return f"{entry.__name__}(...), with its parameters"
    return f"ampynb.Model({entry.__name__}, ...), with a prior for each argument"


def _checked_name(name: Any, attribute: bool) -> str:
    """Return a name as Python reads it; ``attribute`` where it is to be one."""
    if not isinstance(name, str) or not (name.isidentifier() or name.isdigit()):
        raise ValueError(
            f"expected a parameter name that is a Python identifier; got {name!r}; "
            "give LaTeX or words as Parameter(..., label=...)"
        )
    if name in RESERVED:
        raise ValueError(
            f"expected a name other than ArviZ's dimensions {' and '.join(RESERVED)}; "
            f"got {name!r}; call the parameter something else"
        )
    name = as_identifier(name)
    if attribute and (keyword.iskeyword(name) or hasattr(Instance, name)):
        raise ValueError(
            "expected a parameter name that can be an attribute of the instance; got "
            f"{name!r}, which Python or the instance uses itself; write {name}_ and "
            f"Parameter(..., label={name!r})"
        )
    return name


def _check_component(component: type, entries: Mapping[str, Any]) -> None:
    if not isinstance(component, type):
        raise TypeError(
            "expected a class as the component of a Model; got "
            f"{type(component).__qualname__}; name parameters by keyword, as in "
            "Model(slope=...)"
        )
    signature = inspect.signature(component)
    try:
        signature.bind(**dict.fromkeys(entries))
    except TypeError as error:
        raise TypeError(
            f"expected the arguments of {component.__qualname__}{signature}; got "
            f"{', '.join(entries) or 'none'}: {error}; give each argument without a "
            "default a prior or a value"
        ) from None


def build(node: Node, values: Mapping[str, Any], prefix: str = "") -> Any:
    """Make the instance of a node from values by dotted name."""
    arguments = {
        name: build(entry, values, f"{prefix}{name}.")
        if isinstance(entry, Node)
        else values[f"{prefix}{name}"]
        for name, entry in node.entries
    }
    if node.component is dict:
        return arguments
    if node.component in CONTAINERS:
        return node.component(arguments.values())
    return (node.component or Instance)(**arguments)
