"""Whether a value holds what only lives while a function is compiled."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from types import FunctionType, MethodType, ModuleType
from typing import Any

from jax.core import Tracer

from ampynb.model.arrays import attributes_of

__all__ = ["is_traced_in"]


def is_traced_in(value: Any) -> bool:
    """Whether a traced array is in a value, however deep, closures included."""
    seen: set[int] = set()
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Tracer):
            return True
        if id(one) not in seen:
            seen.add(id(one))
            waiting.extend(_held_by(one))
    return False


def _held_by(value: Any) -> Iterable:
    if isinstance(value, str | bytes | int | float | type | ModuleType):
        return ()
    if isinstance(value, FunctionType):
        return [cell.cell_contents for cell in value.__closure__ or ()]
    if isinstance(value, MethodType):
        return value.__self__, value.__func__
    if isinstance(value, functools.partial):
        return value.func, *value.args, *value.keywords.values()
    if isinstance(value, Mapping):
        return value.values()
    if isinstance(value, list | tuple | set | frozenset):
        return value
    return attributes_of(value).values()
