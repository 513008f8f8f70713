"""What code and data are, by content: a digest of all that a function may read.

A function of a notebook reads more than its arguments: globals, class attributes,
defaults, closures, what the functions that it calls read in their turn. The digest is
over their contents: a cell that is run again, and says the same, leaves it as it is.
"""

from __future__ import annotations

import dis
import functools
import hashlib
import marshal
import os
import site
import sys
import sysconfig
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.core import Tracer

__all__ = [
    "Content",
    "array_bytes",
    "content_of",
    "is_installed",
    "parts_of_structure",
]

_INSTALLED = tuple(
    os.path.join(folder, "")
    for folder in (
        *map(sysconfig.get_path, ("stdlib", "platstdlib", "purelib", "platlib")),
        *site.getsitepackages(),
    )
)
_BY_NAME_ALONE = (ModuleType, types.BuiltinFunctionType, np.ufunc, np.dtype)
_BY_ANY_NAME = {"getattr", "vars", "dir", "hasattr"}  # of what the code has at hand
_FROM_ANYWHERE = {
    "globals",
    "locals",
    "eval",
    "exec",
    "__import__",
    "import_module",
    "attrgetter",
    "environ",
    "getenv",
    "open",
    "read",
    "read_text",
    "read_bytes",
    "load",
    "loadtxt",
    "genfromtxt",
    "fromfile",
    "memmap",
    "getdata",
    "read_csv",
    "read_table",
    "read_excel",
    "read_hdf",
    "read_parquet",
    "read_json",
}  # names of what gives something that is not in the code, as a file's content
_NO_CONTENT = {
    "__dict__", "__weakref__", "__doc__", "__module__", "__firstlineno__",
    "__static_attributes__", "__annotations__", "__annotate__", "__annotate_func__",
    "__annotations_cache__", "__abstractmethods__", "_abc_impl", "__qualname__",
    "__builtins__", "__loader__", "__spec__", "__file__", "__cached__", "__path__",
}  # fmt: skip


class Content(NamedTuple):
    """The digest of some values, and whether it is over all that they are.

    Attributes
    ----------
    digest : str
    whole : bool
        False where something could not be looked into, or is looked up by a name that
        is only known when the code runs.
    """

    digest: str
    whole: bool


def content_of(*values: Any, names: Iterable[str] = ()) -> Content:
    """Return the digest of values, functions and classes, by content.

    Parameters
    ----------
    *values : object
    names : iterable of str
        Attributes of classes to read in addition to those that code asks for.
    """
    reader = _Reader(names)
    try:
        for value in values:
            reader.read(value)
        reader.read_attributes()
    except RecursionError:
        reader.whole = False
    return Content(reader.hash.hexdigest(), reader.whole)


def parts_of_structure(structure: Any) -> Iterator[Any]:
    """Yield the classes in a pytree's structure, and what is constant in it."""
    node = structure.node_data()
    if node is not None and node[0] not in (list, tuple, dict):
        yield from node
    for child in structure.children():
        yield from parts_of_structure(child)


def array_bytes(array: Any) -> Iterator[Any]:
    """Yield what an array of numbers is: type, shape, content."""
    array = np.asarray(array)
    yield f"{array.dtype.str}{array.shape}".encode()
    yield np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


class _Reader:
    """Walks from a value to all that it holds or names, each once."""

    def __init__(self, names: Iterable[str]):
        self.hash = hashlib.sha1(usedforsecurity=False)
        self.whole = True
        self._seen: dict[int, int] = {}
        self._kept: list[Any] = []  # so that no other object gets an id that was seen
        self._asked: dict[str, None] = dict.fromkeys(names)
        self._asks_for_any = False
        self._owners: list[tuple[Any, set[str]]] = []  # classes and modules

    def read(self, value: Any) -> None:
        """Add a value."""
        kind = type(value)
        self._say(kind.__qualname__)
        if value is None or isinstance(
            value, bool | int | float | complex | str | bytes
        ):
            self._say(repr(value))
            return
        if id(value) in self._seen:
            self._say(str(self._seen[id(value)]))
            return
        self._seen[id(value)] = len(self._seen)
        self._kept.append(value)
        self._read_new(value)

    def read_attributes(self) -> None:
        """Add the attributes of classes and modules that the code asks for.

        What is found may ask for more, until nothing new is.
        """
        found = True
        while found:
            found = False
            for owner, done in list(self._owners):
                for name in self._wanted(owner, done):
                    found = True
                    done.add(name)
                    self._say(name)
                    self.read(vars(owner)[name])

    def _wanted(self, owner: Any, done: set[str]) -> list[str]:
        held = vars(owner)
        wanted = held if self._asks_for_any else self._asked
        special = (n for n in held if n.startswith("__") and isinstance(owner, type))
        names = {*wanted, *special} - done - _NO_CONTENT
        return sorted(name for name in names if name in held)

    def _say(self, text: str) -> None:
        self.hash.update(text.encode(errors="surrogatepass") + b"\0")

    def _read_all(self, values: Iterable[Any]) -> None:
        values = list(values)
        self._say(str(len(values)))
        for value in values:
            self.read(value)

    def _read_new(self, value: Any) -> None:
        if isinstance(value, np.ndarray | np.generic | jax.Array):
            self._read_array(value)
        elif isinstance(value, list | tuple | dict | set | frozenset | Mapping):
            self._read_container(value)
        elif isinstance(value, CodeType):
            self._read_code(value)
        elif isinstance(value, FunctionType):
            self._read_function(value)
        elif isinstance(value, type):
            self._read_class(value)
        elif isinstance(value, ModuleType):
            self._say(value.__name__)
            if not is_installed(value.__name__):
                self._owners.append((value, set()))
        elif isinstance(value, types.CellType):
            self._read_cell(value)
        elif isinstance(value, _BY_NAME_ALONE):
            self._say(getattr(value, "__qualname__", repr(value)))
        else:
            self._read_object(value)

    def _read_array(self, value: Any) -> None:
        if isinstance(value, Tracer):
            self._say(str(value.aval))
        elif isinstance(value, jax.Array) and jax.numpy.issubdtype(
            value.dtype, jax.dtypes.prng_key
        ):
            self._say(str(value.dtype))
            self._read_array(jax.random.key_data(value))
        elif value.dtype.hasobject:
            self._say(str(value.shape))
            self._read_all(np.ravel(value).tolist())
        else:
            for part in array_bytes(value):
                self.hash.update(part)

    def _read_container(self, value: Any) -> None:
        if type(value) in (list, tuple, dict):
            try:
                self.hash.update(marshal.dumps(value, 2))  # of plain ones, at once
                return
            except ValueError:
                pass
        if isinstance(value, set | frozenset):
            self._read_all(sorted(value, key=_in_order))
        elif isinstance(value, Mapping):
            self._read_all(value.keys())
            self._read_all(value.values())
        else:
            self._read_all(value)
        if hasattr(value, "__dict__"):  # a class of the user's own
            self.read(type(value))
            self.read(vars(value))

    def _read_code(self, code: CodeType) -> None:
        reads = _what_it_reads(code)
        self.hash.update(code.co_code)
        self._say(repr((code.co_names, code.co_varnames, code.co_freevars)))
        self._read_all(code.co_consts)
        self._asked |= dict.fromkeys(reads.attributes)
        if not _BY_ANY_NAME.isdisjoint(reads.globals):
            self._asks_for_any = True
        if not _FROM_ANYWHERE.isdisjoint((*reads.globals, *reads.attributes)):
            self.whole = False

    def _read_function(self, function: FunctionType) -> None:
        self._say(f"{function.__module__}.{function.__qualname__}")
        if is_installed(function.__module__ or ""):
            if function.__closure__:  # made by a library, of what a user gave it
                self._read_all(function.__closure__)
            return
        self.read(function.__code__)
        self.read(function.__defaults__)
        self.read(function.__kwdefaults__)
        self._read_all(function.__closure__ or ())
        self._read_all(vars(function).items())
        known = function.__globals__
        reads = _what_it_reads(function.__code__)
        for name in reads.globals:
            if name in known:
                self._say(name)
                self.read(known[name])
        for name in reads.modules:
            if name in sys.modules:
                self.read(sys.modules[name])

    def _read_cell(self, cell: types.CellType) -> None:
        try:
            self.read(cell.cell_contents)
        except ValueError:  # not filled yet
            self._say("empty")

    def _read_class(self, kind: type) -> None:
        self._say(f"{kind.__module__}.{kind.__qualname__}")
        for base in kind.__mro__:
            if base is not kind and not is_installed(base.__module__):
                self.read(base)
        if not is_installed(kind.__module__):
            self._owners.append((kind, set()))

    def _read_object(self, value: Any) -> None:
        """Add an object by its class and its parts, or what a copy would need."""
        wrapped = getattr(value, "__wrapped__", None)
        if wrapped is not None:  # a compiled function, say
            self.read(wrapped)
            return
        if isinstance(value, MethodType):
            self._read_all((value.__func__, value.__self__))
            return
        if isinstance(value, staticmethod | classmethod):
            self.read(value.__func__)
            return
        if isinstance(value, property):
            self._read_all((value.fget, value.fset))
            return
        if isinstance(value, functools.partial):
            self._read_all((value.func, value.args, value.keywords))
            return
        self.read(type(value))
        if isinstance(value, types.MemberDescriptorType | types.GetSetDescriptorType):
            return
        parts = _parts_of(value)
        if parts is None:
            self.whole = False
        else:
            self._read_all(parts)


@dataclass(frozen=True)
class _Reads:
    """Names that code, and code within it, looks up."""

    globals: tuple[str, ...]
    attributes: tuple[str, ...]
    modules: tuple[str, ...]


@functools.lru_cache(maxsize=4096)
def _what_it_reads(code: CodeType) -> _Reads:
    found: dict[str, dict[str, None]] = {"globals": {}, "attributes": {}, "modules": {}}
    for one in dis.get_instructions(code):
        name = one.opname
        if name in ("LOAD_GLOBAL", "LOAD_NAME"):
            found["globals"][str(one.argval)] = None
        elif name.startswith(("LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER", "IMPORT_FROM")):
            found["attributes"][str(one.argval)] = None
        elif name == "IMPORT_NAME":
            found["modules"][str(one.argval)] = None
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            inner = _what_it_reads(constant)
            for what, names in found.items():
                names.update(dict.fromkeys(getattr(inner, what)))
    return _Reads(*(tuple(found[n]) for n in ("globals", "attributes", "modules")))


@functools.lru_cache(maxsize=4096)
def is_installed(module: str) -> bool:
    """Whether a module is of a package that does not change within a session."""
    root = module.partition(".")[0]
    if root == "__main__":
        return False
    if root in ("ampynb", *sys.builtin_module_names):
        return True
    file = getattr(sys.modules.get(root), "__file__", None)
    return file is not None and file.startswith(_INSTALLED)


def _parts_of(value: Any) -> Any:
    """Return what an object is made of, or None where it cannot be told."""
    kind = type(value)
    own = kind.__reduce_ex__ is object.__reduce_ex__ and (
        kind.__reduce__ is object.__reduce__
    )
    if own and kind.__getstate__ is object.__getstate__ and hasattr(value, "__dict__"):
        slots = (vars(base).get("__slots__", ()) for base in kind.__mro__)
        names = [n for one in slots for n in ([one] if isinstance(one, str) else one)]
        held = {n: getattr(value, n) for n in names if hasattr(value, n)}
        return [*held.items(), *vars(value).items()]
    try:
        reduced = value.__reduce_ex__(4)
    except Exception:  # whatever a class raises that cannot be copied
        return None
    if isinstance(reduced, str):
        return [reduced]
    function, arguments, *rest = reduced
    state, *items = [*rest, None, None, None][:3]
    return [function, arguments, state, *(list(one or ()) for one in items)]


def _in_order(value: Any) -> tuple[str, str]:
    return type(value).__qualname__, repr(value)
