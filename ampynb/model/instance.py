"""The model's values as users' code sees them: attributes, nested like the model."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

import jax
import numpy as np
from jax.core import Tracer

__all__ = ["FixedInteger", "Instance", "as_identifier", "is_constant", "nested", "read"]


_MISSING = object()


def as_identifier(name: str) -> str:
    """Return a name as Python reads it in code: a micro sign becomes a Greek mu."""
    return unicodedata.normalize("NFKC", str(name))


class FixedInteger(int):
    """A whole number that a model fixes: compiled code holds it as a constant.

    So it can be a count or an index, as in ``range(instance.n)``.
    """


def is_constant(value: Any) -> bool:
    """Whether compiled code holds a value as a constant: a fixed integer or truth."""
    # Truths are NumPy's: Python's own, inverted by ~, are -1 and -2.
    return isinstance(value, FixedInteger | np.bool_)


@jax.tree_util.register_pytree_with_keys_class
class Instance:
    """Parameter values by attribute, in model units: ``instance.lens.theta_E``.

    Parameters
    ----------
    **values
        Numbers, arrays or nested instances, in the order of the model.
    """

    def __init__(self, /, **values: Any):
        self.__dict__.update(values)

    def __getitem__(self, name: str | int) -> Any:
        """Return a value by its dotted name, or by its position in a list."""
        return read(self, str(name))

    def __iter__(self) -> Iterator:
        return iter(self.__dict__.values())

    def __len__(self) -> int:
        return len(self.__dict__)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Instance):
            return NotImplemented
        mine, theirs = (jax.tree_util.tree_flatten(side) for side in (self, other))
        return mine[1] == theirs[1] and all(
            np.array_equal(a, b) for a, b in zip(mine[0], theirs[0], strict=True)
        )

    __hash__ = None  # type: ignore[assignment]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # protocol look-ups, copy and pickle among them
            raise AttributeError(name)
        raise AttributeError(
            f"expected one of the values {', '.join(self.__dict__) or '(none)'}; "
            f"got {name!r}; add it to the model or correct the name"
        )

    def __repr__(self) -> str:
        values = (f"{name}={_short(value)}" for name, value in self.__dict__.items())
        return f"Instance({', '.join(values)})"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{escape(_short(value))}</td></tr>"
            for name, value in self.__dict__.items()
        )
        return f"<table><tr><th>name</th><th>value</th></tr>{rows}</table>"

    def tree_flatten_with_keys(self) -> tuple[list, tuple]:
        """Return the values with their names as key paths; constants aside."""
        keys = [
            (jax.tree_util.GetAttrKey(name), value)
            for name, value in self.__dict__.items()
            if not is_constant(value)
        ]
        constants = tuple(
            (name, type(value), value) if is_constant(value) else (name, None, None)
            for name, value in self.__dict__.items()
        )
        return keys, constants

    @classmethod
    def tree_unflatten(cls, constants: tuple, values: Any) -> Instance:
        """Rebuild an instance from what `tree_flatten_with_keys` returned."""
        rest = iter(values)
        return cls(
            **{
                name: next(rest) if kind is None else value
                for name, kind, value in constants
            }
        )


def read(instance: Any, name: str) -> Any:
    """Return the part of ``instance`` that a dotted name stands for.

    A dictionary may have the whole of a dotted name as a key.
    """
    name = as_identifier(name)
    if isinstance(instance, dict) and name in instance:
        return instance[name]
    for part in name.split("."):
        if isinstance(instance, list | tuple) and part.isdigit():
            position = int(part)
            known = position < len(instance)
            instance = instance[position] if known else _MISSING
        elif isinstance(instance, dict):
            instance = instance.get(part, _MISSING)
        else:
            instance = getattr(instance, part)
        if instance is _MISSING:
            raise AttributeError(
                f"expected an instance with {name!r}; got none with {part!r}; give "
                "each parameter of the model a value"
            )
    return instance


def nested(values: Mapping[str, Any]) -> Instance:
    """Return values by dotted name as an instance of instances."""
    tree: dict[str, Any] = {}
    for name, value in values.items():
        first, _, rest = name.partition(".")
        if rest:
            tree.setdefault(first, {})[rest] = value
        else:
            tree[first] = value
    return Instance(
        **{
            name: nested(part) if isinstance(part, dict) else part
            for name, part in tree.items()
        }
    )


def _short(value: Any) -> str:
    if isinstance(value, Tracer):
        return str(value)
    if isinstance(value, int | float | np.ndarray | np.generic | jax.Array):
        return np.array2string(
            np.asarray(value), formatter={"float_kind": "{:.6g}".format}, threshold=6
        )
    return repr(value)
