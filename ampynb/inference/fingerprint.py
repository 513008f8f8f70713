"""What a run is of: model, data and algorithm in words that a file can keep."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist

from ampynb.algorithms.algorithm import Algorithm
from ampynb.analysis.analysis import Analysis
from ampynb.inference.loop import Plan
from ampynb.model.arrays import attributes_of, is_array, is_ordinary_object, split
from ampynb.model.function import Function
from ampynb.model.masked import unmask
from ampynb.model.model import Model
from ampynb.model.prior_numbers import numbers_in, own_code
from ampynb.model.prior_text import describe_prior
from ampynb.model.units import with_unit

__all__ = ["asked_for", "differences", "fingerprint"]

LONGEST = 120  # words of one value
ADDRESS = re.compile(r" at 0x\w+")  # of an object without words of its own

Fingerprint = Mapping[str, Mapping[str, str]]


def fingerprint(plan: Plan) -> Fingerprint:
    """Return what must be the same for a run to be continued, by section and name.

    Notes
    -----
    Of the analysis, its attributes: arrays by a hash of their content, all else by
    its words. Private attributes count only where they hold arrays: what else they
    hold are counters and caches. Its code is not compared; whoever continues a run
    compares what it gives at a draw. Functions of the model are compared by what
    they compute.
    """
    return {
        "parameter": _model_lines(plan.posterior.model),
        "assertion": {
            name: f"the function {function.digest}"
            for name, function in plan.posterior.model.assertions.items()
        },
        "data": _data_lines(plan.posterior.analysis),
        "algorithm": _algorithm_lines(plan.algorithm),
        "run": {
            "seed": str(plan.seed),
            "thin_by": str(plan.thin_by),
            "precision": str(jnp.result_type(float)),
        },
    }


def asked_for(plan: Plan) -> Fingerprint:
    """Return what else must be the same for a finished run to be read again.

    It may differ in a run that is continued: more steps, or another rule.
    """
    return {
        "run": {
            "iterations": str(plan.algorithm.iterations),
            "until": str(plan.until),
            "start": "prior draws" if plan.start is None else _described(plan.start),
        }
    }


def differences(former: Fingerprint, now: Fingerprint) -> list[str]:
    """Return what has changed, in words, section by section."""
    told = []
    for section in sorted({*former, *now}):
        then, new = former.get(section, {}), now.get(section, {})
        for name in sorted({*then, *new}):
            if then.get(name) != new.get(name):
                was, is_now = then.get(name, "absent"), new.get(name, "absent")
                told.append(f"{section} {name} was {was}, and is {is_now}")
    order = list(now.get("parameter", {}))
    if not told and list(former.get("parameter", {})) != order:
        told.append(f"the parameters are in another order: {', '.join(order)}")
    return told


def _model_lines(model: Model) -> dict[str, str]:
    return {row.name: _row_text(row, given) for row, given in model.entries()}


def _row_text(row: Any, given: Any) -> str:
    if row.source is not None:
        return f"tied to {row.source}"
    text = _prior_text(row, given)
    return text if row.period is None else f"{text} period {row.period!r}"


def _prior_text(row: Any, given: Any) -> str:
    if isinstance(given, Function):
        # What it computes, and not how it is written, which may differ in spaces.
        return f"{row.kind} by the function {given.digest}"
    if row.kind == "fixed":
        given = np.asarray(given, dtype=jnp.result_type(float))
    own = own_code(given)[:12]
    text = f"{row.kind} {describe_prior(given)} {_digest(*numbers_in(given))}"
    return f"{text} with code {own}" if own else text


def _data_lines(analysis: Analysis) -> dict[str, str]:
    lines = {"class": type(analysis).__qualname__}
    for name, value in vars(analysis).items():
        arrays, _ = split(value)
        if arrays or not name.startswith("_"):
            lines[name] = _described(value)
    return lines


def _algorithm_lines(algorithm: Algorithm) -> dict[str, str]:
    kind = type(algorithm)
    lines = {
        field.name: _described(getattr(algorithm, field.name))
        for field in dataclasses.fields(algorithm)
        if field.compare
    }
    return {"class": f"{kind.__module__}.{kind.__qualname__}", **lines}


def _described(value: Any) -> str:
    """Return a value in words, and where they are many a hash of them."""
    words = _words(value)
    if len(words) <= LONGEST:
        return words
    return f"{words[:LONGEST]} {hashlib.sha256(words.encode()).hexdigest()[:12]}"


def _words(value: Any, above: tuple[int, ...] = ()) -> str:
    """Return all that a value is, in words that are the same in every process."""
    inner = functools.partial(_words, above=(*above, id(value)))
    if isinstance(value, np.generic):
        value = value.item()
    if id(value) in above:
        return "..."
    numbers, unit = with_unit(value)
    if unit is not None:
        return f"{inner(numbers)} {unit}"
    values, used = unmask(value)
    if used is not None:
        return f"{np.shape(values)} {_digest(values, used)}"
    if is_array(value):
        return f"{np.shape(value)} {_digest(value)}"
    if isinstance(value, Model):
        return repr(_model_lines(value))
    if isinstance(value, dist.Distribution):
        return f"{describe_prior(value)} {_digest(*numbers_in(value))}"
    if isinstance(value, np.ndarray | list | tuple):
        return f"[{', '.join(map(inner, list(value)))}]"
    if isinstance(value, set | frozenset):
        return f"{{{', '.join(sorted(map(inner, value)))}}}"
    if isinstance(value, Mapping):
        pairs = (f"{inner(name)}: {inner(each)}" for name, each in value.items())
        return f"{{{', '.join(pairs)}}}"
    if is_ordinary_object(value):
        pairs = (f"{name}={inner(v)}" for name, v in attributes_of(value).items())
        return f"{type(value).__qualname__}({', '.join(pairs)})"
    children, structure = jax.tree_util.tree_flatten(value, lambda x: x is not value)
    if not jax.tree_util.treedef_is_leaf(structure):  # one that the user has registered
        return f"{ADDRESS.sub('', str(structure))} [{', '.join(map(inner, children))}]"
    return ADDRESS.sub("", repr(value))


def _digest(*arrays: Any) -> str:
    """Return a short hash of numbers, their types and their shapes."""
    found = hashlib.sha256()
    for array in map(np.asarray, arrays):
        found.update(json.dumps([array.dtype.str, array.shape]).encode())
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()[:12]
