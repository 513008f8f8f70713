"""A point as the Python that makes it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ampynb.model.instance import Instance, is_constant, read
from ampynb.model.prior_text import describe_prior
from ampynb.widgets.point import Point

__all__ = ["code_of"]


def code_of(point: Point) -> str:
    """Return statements that make the point's instance and its model.

    They need ``anb``, ``np`` and ``dist`` as this project's examples import them, and
    the model under the name ``model``. A model that nothing was changed in is left out.
    """
    names = [row.name for row in point.given.rows]
    kinds = {row.name: row.kind for row in point.given.rows}
    lines = []
    held = [name for name in point.values if name in point.fixed]
    held = [name for name in held if _was_changed(point, name, kinds[name])]
    if held:
        now = {row.name: value for row, value in point.model.entries()}
        values = ", ".join(f'"{name}": {_number(now[name])}' for name in held)
        lines.append(f"model = model.fix({{{values}}})")
    for name, prior in point.freed.items():
        if name in point.fixed:
            continue
        written = describe_prior(prior)
        scalar = not point.values[name].shape
        line = f'model = model.with_priors({{"{name}": dist.{written}}})'
        lines.append(line if scalar else f"# {name} has the prior {written}")
    if any(is_constant(value) for _, value in point.model.entries()):
        vector = _number(point.vector)
        return "\n".join([*lines, f"instance = model.instance_from_vector({vector})"])
    return "\n".join([f"instance = {_call(point.instance, names, '')}", *lines])


def _was_changed(point: Point, name: str, kind: str) -> bool:
    if kind == "free":
        return True
    given = {row.name: value for row, value in point.given.entries()}
    return not np.array_equal(given[name], point.values[name])


def _call(instance: Any, names: list[str], prefix: str) -> str:
    """Return the call that makes an instance, or one nested in it."""
    here = read(instance, prefix[:-1]) if prefix else instance
    inner = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
    arguments = {}
    for name in dict.fromkeys(part.partition(".")[0] for part in inner):
        full = f"{prefix}{name}"
        if full in names:
            arguments[name] = _number(read(instance, full))
        else:
            arguments[name] = _call(instance, names, f"{full}.")
    if isinstance(here, dict):
        pairs = (f'"{name}": {text}' for name, text in arguments.items())
        return f"{{{', '.join(pairs)}}}"
    if type(here) in (list, tuple):
        items = "".join(f"{text}, " for text in arguments.values())
        return f"[{items}]" if isinstance(here, list) else f"({items})"
    kind = "anb.Instance" if isinstance(here, Instance) else type(here).__name__
    if all(name.isidentifier() for name in arguments):
        written = ", ".join(f"{name}={text}" for name, text in arguments.items())
        return f"{kind}({written})"
    written = ", ".join(f'"{name}": {text}' for name, text in arguments.items())
    return f"{kind}(**{{{written}}})"


def _number(value: Any) -> str:
    array = np.asarray(value)
    return repr(array.item()) if array.ndim == 0 else f"np.array({array.tolist()})"
