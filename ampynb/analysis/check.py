"""Whether a likelihood is one: found out before anything is compiled."""

from __future__ import annotations

import os
import re
import traceback
from pathlib import Path
from types import FrameType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ampynb.analysis.analysis import _bundle_analysis
from ampynb.analysis.fit import (
    DataError,
    PoissonFit,
    check_counts,
    check_missing,
    check_used,
    kinds_made,
)
from ampynb.analysis.joint import fits_in
from ampynb.analysis.posterior import Posterior
from ampynb.analysis.rejections import REJECTING, place_of
from ampynb.model.arrays import is_array
from ampynb.model.function import is_numpy_code
from ampynb.model.model import Model

__all__ = ["check_likelihood"]

PACKAGE = Path(__file__).parents[1]
OF_SEQUENCES = re.compile(r"\b(list|tuple|sequence)\b")
_AN_ARRAY = "which is an array in compiled code: leave out .values and .to_numpy()"
_COLUMNS = "of which JAX takes no columns: keep them as arrays, with numpy.asarray"
CONTAINERS = {
    "tuple": "which is a setting: give numbers as an array",
    "Series": _AN_ARRAY,
    "DataArray": _AN_ARRAY,
    "DataFrame": _COLUMNS,
    "Dataset": _COLUMNS,
}
OF_SHAPES = re.compile(r"broadcast|shape|dimension|length", re.IGNORECASE)


def check_likelihood(posterior: Posterior) -> None:
    """Evaluate the likelihood at the prior medians, without compiling it.

    Raises
    ------
    TypeError
        Where it is not written in JAX, or does not return a number.
    ValueError
        Where it returns an array, or fails; a NumPy likelihood may reject the point.
    """
    vector = posterior.model.prior_interval(0.0)[:, 0]
    if len(vector) == 0:
        raise ValueError(
            "expected a model with a free parameter; got none; give one of "
            f"{', '.join(row.name for row in posterior.model.rows)} a prior"
        )
    try:
        with kinds_made() as kinds:
            if posterior.analysis.use_jax:
                posterior.trace(_number, vector)
            else:
                _number(posterior, vector)
    except _Misuse as misuse:
        raise misuse.error from None
    except DataError:
        raise
    except Exception as error:
        if _rejects(posterior, error):
            return
        if is_numpy_code(error):
            raise TypeError(
                "expected a likelihood written in JAX; got code that turns traced "
                f"values into Python or NumPy ones ({_first_line(error)}); use "
                "jax.numpy in it, compute what does not depend on the parameters in "
                "__init__, or construct the analysis with use_jax=False"
                f"{_of_containers(posterior.analysis)}"
            ) from error
        if _is_ours(error):
            raise
        raise ValueError(
            "expected a likelihood that can be evaluated at the prior medians; got "
            f"{type(error).__name__}: {_first_line(error)}{_place_of(error)}; "
            f"{_remedy(posterior, error)}{_of_containers(posterior.analysis)}"
        ) from error
    _check_data(posterior, vector, any(issubclass(k, PoissonFit) for k in kinds))


def _of_containers(analysis: Any) -> str:
    """Return which attributes JAX does not compute with as they are, and what to do."""
    if not analysis.use_jax:
        return ""
    told = [
        f"; {name!r} is a {kind}, {remedy}"
        for name, value in vars(analysis).items()
        for kind, remedy in CONTAINERS.items()
        if type(value).__qualname__ == kind
    ]
    return "".join(told)


def _check_data(posterior: Posterior, vector: Any, has_counts: bool) -> None:
    """Raise for data of a fit in JAX that are none; one in NumPy raises by itself.

    Nothing is computed where no array has NaN or masks everything, and no data are
    counts.
    """
    analysis = posterior.analysis
    if not (analysis.use_jax and analysis.has_fit):
        return
    leaves = [np.asarray(leaf) for leaf in _bundle_analysis(analysis).leaves]
    if not (has_counts or any(map(_has_nan, leaves)) or _may_use_nothing(leaves)):
        return
    for name, found in jax.device_get(_data(posterior, vector)).items():
        data, mask = found["data"], found["mask"]
        where = "data" if name == "data" else f"the data of {name!r}"
        if isinstance(data, np.ndarray) and data.dtype.kind in "fc":
            check_used(data, mask, where)
            check_missing(data, mask, where)
            if "counts" in found:
                check_counts(data, mask, where)


def _has_nan(leaf: np.ndarray) -> bool:
    return leaf.dtype.kind in "fc" and bool(np.isnan(leaf).any())


def _may_use_nothing(leaves: list[np.ndarray]) -> bool:
    """Whether masks may leave out all data: alone, together, or the other way round."""
    masks: dict[tuple[int, ...], list[np.ndarray]] = {}
    for leaf in leaves:
        if leaf.dtype.kind == "b" and leaf.ndim:
            masks.setdefault(leaf.shape, []).append(leaf)
    return any(
        not np.all(some, axis=0).any() or any(one.all() for one in some)
        for some in masks.values()
    )


@jax.jit
def _data(posterior: Posterior, vector: Any) -> dict[str, dict]:
    with posterior.as_read():
        fit = posterior.analysis.fit_from(posterior.model.instance_from_vector(vector))
    return {
        name: {"data": one.data, "mask": getattr(one, "mask", None)}
        | ({"counts": ()} if isinstance(one, PoissonFit) else {})
        for name, one in fits_in(fit).items()
        if hasattr(one, "data")
    }


def _frames(error: BaseException) -> list[FrameType]:
    """Return where an error came through, its end last, JAX's own frames aside."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    inside = f"{os.sep}jax{os.sep}"
    return [frame for frame in frames if inside not in frame.f_code.co_filename]


def _is_ours(error: Exception) -> bool:
    """Whether it is a misuse of this package, whose own words say what to do."""
    frames = _frames(error)
    end = frames[-1].f_code.co_filename if frames else ""
    is_told = isinstance(error, TypeError) and str(error).startswith("expected ")
    return is_told and Path(end).is_relative_to(PACKAGE)


def _place_of(error: Exception) -> str:
    """Return the last line outside this package that an error came through."""
    place = place_of(error)
    return f", {place}" if place else ""


def _remedy(posterior: Posterior, error: Exception) -> str:
    text = str(error)
    if OF_SHAPES.search(text) and "argument" not in text:
        return (
            f"the data are {posterior.analysis!r}; give arrays that belong together "
            "equal lengths, and look at the error above"
        )
    groups = _sequences_in(posterior.model)
    if groups and isinstance(error, TypeError) and OF_SEQUENCES.search(text):
        name, kind = groups[0]
        return (
            f"{name!r} is a {kind} of parameters and no array: use instance.{name}[0] "
            f"for the first, or a vector, {name}=numpyro.distributions.Normal(0, "
            "1).expand([2])"
        )
    return "look at the error above, which the likelihood raised"


def _sequences_in(model: Model) -> list[tuple[str, str]]:
    """Return the names of a model's lists and tuples, and which of these each is."""
    return [
        (prefix.rstrip("."), node.component.__name__)
        for prefix, node in model.tree.nodes()
        if node.component in (list, tuple)
    ]


def _rejects(posterior: Posterior, error: Exception) -> bool:
    """Whether an error says that one point has no likelihood.

    Others may have one: whoever looks for a start finds out. Arrays whose shapes do
    not fit do so nowhere.
    """
    is_rejection = isinstance(error, REJECTING) and not posterior.analysis.use_jax
    return is_rejection and not OF_SHAPES.search(str(error))


class _Misuse(Exception):
    """The likelihood returned something that is no number."""

    def __init__(self, error: Exception):
        super().__init__(str(error))
        self.error = error


def _number(posterior: Posterior, vector: Any) -> Any:
    value = posterior.raw_log_likelihood(vector)
    if not (is_array(value) or isinstance(value, int | float | complex)):
        wrong = TypeError(
            "expected a number or an array from the log likelihood; got "
            f"{type(value).__qualname__}; return jnp.sum(...) or fit.log_likelihood"
        )
        raise _Misuse(wrong)
    dtype = jnp.result_type(value)
    if dtype.kind in "bc":
        wrong = TypeError(
            f"expected a real log likelihood; got one of type {dtype}; return for "
            "instance -0.5 * jnp.sum(jnp.abs(residuals) ** 2)"
        )
        raise _Misuse(wrong)
    if np.shape(value) != ():
        wrong = ValueError(
            "expected one log likelihood, a scalar; got an array of shape "
            f"{np.shape(value)}; sum over the data, as with jnp.sum(...)"
        )
        raise _Misuse(wrong)
    return jnp.asarray(value) if posterior.analysis.use_jax else value


def _first_line(error: Exception) -> str:
    return str(error).split("\n")[0]
