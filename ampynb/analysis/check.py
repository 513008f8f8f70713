"""Whether a likelihood is one: found out before anything is compiled."""

from __future__ import annotations

import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ampynb.analysis.fit import MissingDataError
from ampynb.analysis.joint import fits_in
from ampynb.analysis.posterior import Posterior
from ampynb.analysis.rejections import REJECTING
from ampynb.model.arrays import is_array
from ampynb.model.function import is_numpy_code

__all__ = ["check_likelihood"]

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
        if posterior.analysis.use_jax:
            posterior.trace(_number, vector)
        else:
            _number(posterior, vector)
    except _Misuse as misuse:
        raise misuse.error from None
    except MissingDataError:
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
            ) from error
        raise ValueError(
            "expected a likelihood that can be evaluated at the prior medians; got "
            f"{type(error).__name__}: {_first_line(error)}; the data are "
            f"{posterior.analysis!r}; give arrays that belong together equal lengths, "
            "and look at the error above"
        ) from error
    _check_missing(posterior, vector)


def _check_missing(posterior: Posterior, vector: Any) -> None:
    """Raise for NaN in the data of a fit in JAX; one in NumPy raises by itself.

    Where no array has any, nothing is computed.
    """
    analysis = posterior.analysis
    if not (analysis.use_jax and analysis.has_fit):
        return
    if not any(_has_nan(leaf) for leaf in jax.tree_util.tree_leaves(posterior)):
        return
    for name, (data, mask) in jax.device_get(_data(posterior, vector)).items():
        if isinstance(data, np.ndarray) and data.dtype.kind in "fc":
            missing = np.isnan(data) & (True if mask is None else mask)
            if missing.any():
                where = "data" if name == "data" else f"the data of {name!r}"
                raise MissingDataError.of(missing, where)


def _has_nan(leaf: Any) -> bool:
    return np.asarray(leaf).dtype.kind in "fc" and bool(np.isnan(leaf).any())


@jax.jit
def _data(posterior: Posterior, vector: Any) -> dict[str, tuple]:
    fit = posterior.analysis.fit_from(posterior.model.instance_from_vector(vector))
    return {
        name: (one.data, getattr(one, "mask", None))
        for name, one in fits_in(fit).items()
        if hasattr(one, "data")
    }


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
    if not (is_array(value) or isinstance(value, int | float)):
        wrong = TypeError(
            "expected a number or an array from the log likelihood; got "
            f"{type(value).__qualname__}; return jnp.sum(...) or fit.log_likelihood"
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
