"""How a class of fits goes through compiled code, said at its head."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar, overload

import jax

from ampynb.model.arrays import join, split_object
from ampynb.model.traced import is_traced_in

__all__ = ["register_fit"]

Kind = TypeVar("Kind", bound=type)

_constants: dict[type, frozenset[str]] = {}


@overload
def register_fit(kind: Kind) -> Kind: ...
@overload
def register_fit(*, constants: Iterable[str] = ()) -> Callable[[Kind], Kind]: ...
def register_fit(kind: Any = None, *, constants: Iterable[str] = ()) -> Any:
    """Let a class of fits, or of what is in them, go through compiled code.

    Most classes need no such word: attributes that are arrays are found, and all else
    goes along. It is needed for a class with a ``__new__``, ``__getstate__`` or
    ``__reduce__`` of its own, and for attributes that are to be handed on as they are.

    Parameters
    ----------
    kind : type
        The class; it is returned as it is.
    constants : iterable of str
        Attributes that do not depend on the parameters and are no data of the
        analysis: settings, say, or a catalogue. The fit has the very object.

    Raises
    ------
    ValueError
        Where JAX or an earlier call was told something else of the class.
    TypeError
        When a fit is made, where a constant depends on the parameters or the data.

    Examples
    --------
    >>> @register_fit(constants=("instrument",))
    ... class SpectrumFit:
    ...     def __init__(self, data, model, instrument):
    ...         self.data, self.model, self.instrument = data, model, instrument
    """
    if isinstance(constants, str):
        raise TypeError(
            f"expected constants as a tuple of names; got the text {constants!r}; "
            f"write constants=({constants!r},)"
        )
    names = frozenset(constants)
    if kind is None:
        return lambda kind: _register(kind, names)
    return _register(kind, names)


def _register(kind: type, names: frozenset[str]) -> type:
    if not isinstance(kind, type):
        raise TypeError(
            f"expected a class; got {kind!r}; write @ampynb.register_fit above it"
        )
    if _constants.get(kind) == names:
        return kind

    def flatten(fit: Any) -> tuple[list, Any]:
        leaves: list = []
        skeleton = split_object(fit, leaves, lambda _: False, (id(fit),), names)
        for name in names:
            if is_traced_in(getattr(fit, name)):
                raise TypeError(
                    f"expected {name!r}, a constant of {kind.__qualname__}, to depend "
                    "on no parameter and no array of the analysis; got one that does; "
                    f"leave {name!r} out of constants"
                )
        return leaves, skeleton

    try:
        jax.tree_util.register_pytree_node(kind, flatten, join)
    except ValueError as error:
        raise ValueError(
            f"expected a class of which JAX knows nothing yet; got {kind.__qualname__},"
            " which was registered before; register it once"
        ) from error
    _constants[kind] = names
    return kind
