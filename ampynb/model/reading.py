"""The program that users' functions are at the moment, as a key for what is compiled.

JAX keeps what it has traced under the function itself. A global that has changed since
then is not seen, neither by a compiled program nor by a function that users compile or
hand to ``scan`` themselves. Here functions are traced anew where anything that they can
read has changed; the key is a digest of the program and of its constants.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from types import FunctionType
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

from ampynb.model.content import Content, array_bytes, content_of, is_installed

__all__ = ["program_key", "traced_apart"]

MOST_KEPT = 512  # keys of former readings
ADDRESS = re.compile(r" at 0x\w+")
PLACING = ("shard", "layout", "mesh")  # in names of settings: where, not what

# A value of its own for each content: JAX keeps what it traces under it.
_apart = jax.make_user_context(None)
_former: OrderedDict[Any, str] = OrderedDict()
_lock = threading.Lock()


def traced_apart(key: Any) -> AbstractContextManager:
    """Return a context in which JAX uses only what it has traced under this key."""
    return _apart(key)


def program_key(
    functions: Sequence[Callable],
    arguments: Sequence[Any],
    content: Content,
    afresh: bool = True,
) -> str:
    """Return a key of what functions compute of arguments: equal for equal programs.

    Parameters
    ----------
    functions : sequence of callable
        Each returns a pytree of arrays, or a pair of that and of what else it gives.
    arguments : sequence of pytree
        Their arrays play no part, but for types and shapes.
    content : Content
        Of all that the functions may read.
    afresh : bool
        Whether to trace even where the same content was read before.
    """
    leaves, structure = jax.tree_util.tree_flatten(arguments)
    types = tuple((np.shape(leaf), jax.typeof(leaf).dtype) for leaf in leaves)
    former = content.digest, structure, types, jax.config.read("jax_enable_x64")
    if content.whole and not afresh and former in _former:
        return _former[former]
    # What cannot be looked into may have changed: traced under no former key.
    with traced_apart(content.digest if content.whole else object()):
        key = _read(functions, arguments, content)
    with _lock:
        _former[former] = key
        while len(_former) > MOST_KEPT:
            _former.popitem(last=False)
    return key


def _read(
    functions: Sequence[Callable], arguments: Sequence[Any], content: Content
) -> str:
    digest = _ProgramDigest()
    for function in functions:
        beside: list[Any] = []

        def computed(*arguments: Any, function: Any = function, beside: Any = beside):
            values, constants = function(*arguments)
            beside.append(constants)
            return values

        try:
            closed, shapes = jax.make_jaxpr(computed, return_shape=True)(*arguments)
        except Exception as error:  # whoever runs the function meets it, and tells it
            digest.say(f"raises {type(error).__qualname__}")
            continue
        digest.add_closed(closed)
        digest.say(str(jax.tree_util.tree_structure(shapes)))
        digest.say(content_of(*beside).digest)
    if digest.has_rules:  # of derivatives, or callbacks: functions without a trace yet
        digest.say(content.digest)
    return digest.hash.hexdigest()[:20]


class _ProgramDigest:
    """Adds up what programs are: operations, settings, constants, by content."""

    def __init__(self) -> None:
        self.hash = hashlib.sha1(usedforsecurity=False)
        self.has_rules = False
        self._seen: dict[int, int] = {}

    def say(self, text: str) -> None:
        """Add a text."""
        self.hash.update(text.encode(errors="surrogatepass") + b"\0")

    def add_closed(self, closed: ClosedJaxpr) -> None:
        """Add a program with its constants."""
        for constant in closed.consts:
            self._add(constant)
        self._add_program(closed.jaxpr)

    def _add_program(self, jaxpr: Jaxpr) -> None:
        if id(jaxpr) in self._seen:
            self.say(f"program {self._seen[id(jaxpr)]}")
            return
        self._seen[id(jaxpr)] = len(self._seen)
        names: dict[Any, str] = {}
        known = getattr(jaxpr, "all_invars", (*jaxpr.constvars, *jaxpr.invars))
        for variable in known:  # as of JAX 0.12, or before
            names[variable] = f"{len(names)}:{variable.aval.str_short()}"
        self.say(" ".join(names.values()))
        for equation in jaxpr.eqns:
            self.say(equation.primitive.name)
            self._add_variables(equation.invars, names)
            for name in sorted(equation.params):
                if not any(word in name for word in PLACING):
                    self.say(name)
                    self._add(equation.params[name])
            for variable in equation.outvars:
                names[variable] = f"{len(names)}:{variable.aval.str_short()}"
        self._add_variables(jaxpr.outvars, names)

    def _add_variables(self, variables: Sequence[Any], names: dict[Any, str]) -> None:
        for variable in variables:
            if isinstance(variable, Literal):
                self._add(variable.val)
            else:
                self.say(names.get(variable, "_"))

    def _add(self, value: Any) -> None:
        """Add a constant, or a setting of an operation."""
        if isinstance(value, ClosedJaxpr):
            self.add_closed(value)
        elif isinstance(value, Jaxpr):
            self._add_program(value)
        elif isinstance(value, tuple | list):
            self.say(f"{type(value).__name__} {len(value)}")
            for one in value:
                self._add(one)
        elif isinstance(value, np.ndarray | np.generic | jax.Array):
            self._add_array(value)
        elif isinstance(value, FunctionType) and is_installed(value.__module__ or ""):
            self.say(value.__qualname__)
        elif isinstance(value, type) or not callable(value):
            self.say(ADDRESS.sub("", repr(value)))
        else:
            self.has_rules = True
            self.say(getattr(value, "__qualname__", type(value).__qualname__))

    def _add_array(self, value: Any) -> None:
        if jax.numpy.issubdtype(value.dtype, jax.dtypes.prng_key):
            self.say(str(value.dtype))
            value = jax.random.key_data(value)
        for part in array_bytes(value):
            self.hash.update(part)
