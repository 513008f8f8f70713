"""Ready fits: what a forward evaluation returns, and what plots and LOO read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import jax.scipy.special
import numpy as np
import scipy.special
from jax.core import Tracer

from ampynb.model.containers import as_numbers
from ampynb.model.masked import unmask
from ampynb.model.options import names_options
from ampynb.model.units import in_unit, with_unit

__all__ = [
    "DataError",
    "GaussianFit",
    "PoissonFit",
    "StudentTFit",
    "check_counts",
    "check_missing",
    "check_noise",
    "check_used",
    "kinds_made",
    "used_in",
]

FLAGS = ("mask", "upper_limit")
IN_DATA_UNIT = {"data", "noise", "model", "curve"}
BY_DATUM = ("data", "noise", "model", *FLAGS)
ROUNDING = 1e-6  # of counts that were computed, relative

_kinds: ContextVar[set[type] | None] = ContextVar("kinds", default=None)


@contextmanager
def kinds_made() -> Iterator[set[type]]:
    """Collect the classes of the fits that are made within."""
    kinds: set[type] = set()
    token = _kinds.set(kinds)
    try:
        yield kinds
    finally:
        _kinds.reset(token)


def _normalise(fit: Any) -> None:
    """Make each attribute of a fit an array of floats or booleans, and check them.

    A user's number, list, column or array of any type becomes one that all else here
    can be written for, in the unit of the data. In JAX, integers would break gradients.
    What is masked in one array is left out of all.
    """
    if (kinds := _kinds.get()) is not None:
        kinds.add(type(fit))
    given = {
        field.name: value
        for field in fields(fit)
        if (value := getattr(fit, field.name)) is not None or field.default is MISSING
    }
    _, unit = with_unit(given["data"])
    for name in IN_DATA_UNIT & set(given):
        given[name] = in_unit(name, given[name], unit, "data")
    for name in set(BY_DATUM) & set(given):
        given[name], used = unmask(given[name])
        if used is not None:
            given["mask"] = used & _truths("mask", given.get("mask", True))
    arrays = {
        name: (_truths if name in FLAGS else as_numbers)(name, value)
        for name, value in given.items()
    }
    _check_shapes({name: array for name, array in arrays.items() if name in BY_DATUM})
    _check_missing(arrays["data"], arrays.get("mask"))
    if arrays["model"].shape != arrays["data"].shape:  # one number for all data
        xp, _ = _library(arrays["model"])
        arrays["model"] = xp.broadcast_to(arrays["model"], arrays["data"].shape)
    if any(isinstance(array, Tracer) for array in arrays.values()):
        # A compiler's own logarithms of constants differ in the last digit.
        arrays = {name: _at_run_time(array) for name, array in arrays.items()}
    for name, array in arrays.items():
        object.__setattr__(fit, name, array)


def _truths(name: str, value: Any) -> Any:
    return as_numbers(name, value, bool)


def _check_missing(data: Any, mask: Any) -> None:
    """Raise for no data, and for NaN in used ones, where the data are known by now."""
    if np.size(data) == 0:
        raise DataError(
            f"expected data; got none, an array of shape {np.shape(data)}; look at "
            "what was selected"
        )
    if _are_known(mask):
        check_used(data, mask)
    if _are_known(data, mask):
        check_missing(data, mask)


def _are_known(*values: Any) -> bool:
    return not any(isinstance(value, jax.Array) for value in values)


def _at_run_time(array: Any) -> Any:
    if isinstance(array, jax.Array) or array.dtype == bool:
        return array
    return jax.lax.optimization_barrier(jnp.asarray(array))


def _check_shapes(arrays: dict[str, Any]) -> None:
    """Raise where arrays that belong together differ in shape."""
    shapes = {name: np.shape(array) for name, array in arrays.items()}
    try:
        broadcast = np.broadcast_shapes(*shapes.values())
    except ValueError:
        broadcast = None
    if broadcast != shapes["data"]:
        told = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(
            f"expected arrays of the data's shape {shapes['data']}, or numbers; got "
            f"{told}; give each datum one value"
        )


class DataError(ValueError):
    """Data that no fit can use: none at all, or some that are not what they must be."""


def check_used(data: Any, mask: Any, where: str = "data") -> None:
    """Raise where every datum is masked."""
    if mask is not None and not np.any(mask):
        raise DataError(
            f"expected {where} of which some are used; got {np.size(data)} that are "
            "all masked; mask is True where a datum is used, as in "
            "mask=np.isfinite(data), and a masked array's own mask where it is not"
        )


def check_missing(data: Any, mask: Any, where: str = "data") -> None:
    """Raise for NaN in data that are used."""
    missing = np.isnan(data) if mask is None else np.isnan(data) & mask
    if missing.any():
        raise DataError(
            f"expected {where} without NaN where they are used; got "
            f"{np.sum(missing)} of {np.size(missing)} that are NaN, "
            f"{_first(missing)}; leave them out of all arrays, "
            "or give the fit mask=~np.isnan(data)"
        )


def check_counts(data: Any, mask: Any, where: str = "data") -> None:
    """Raise for data that are used and are no counts."""
    data = np.asarray(data)
    finite = np.where(np.isfinite(data), data, 0.0)
    wrong = np.abs(finite - np.round(finite)) > ROUNDING * np.abs(finite)
    wrong = wrong | (data < 0) | np.isinf(data)
    wrong = wrong if mask is None else wrong & mask
    if wrong.any():
        raise DataError(
            f"expected {where} of a PoissonFit as counts, whole numbers of 0 or more; "
            f"got {data[wrong][0]:.6g}, {_first(wrong)}, and "
            f"{np.sum(wrong)} of {np.size(wrong)} in all that are none; give the "
            "counts as they were measured, no rates and no background taken off, or "
            "fit a GaussianFit"
        )


def check_noise(fit: Any, where: str = "noise") -> None:
    """Raise where the noise that a ready fit is given is not positive."""
    if not isinstance(fit, GaussianFit | StudentTFit):
        return
    noise = np.broadcast_to(fit.noise, np.shape(fit.data))
    wrong = ~(noise > 0) & used_in(fit)
    if wrong.any():
        raise DataError(
            f"expected {where} as positive numbers; got {noise[wrong][0]:.6g}, "
            f"{_first(wrong)}, and {np.sum(wrong)} of {np.size(wrong)} in all that are "
            "not positive; correct them, or leave these data out with mask=noise > 0"
        )


def _first(wrong: np.ndarray) -> str:
    """Return in words where the first of some data is."""
    first = tuple(map(int, np.argwhere(wrong)[0])) if wrong.ndim else ()
    return f"the first at index {first[0] if len(first) == 1 else first}"


def used_in(fit: Any) -> np.ndarray:
    """Return where data are used, of the data's shape: True but where masked."""
    shape = np.shape(fit.data)
    mask: Any = getattr(fit, "mask", None)
    return np.ones(shape, bool) if mask is None else np.broadcast_to(mask, shape)


def _library(*values: Any) -> tuple[Any, Any]:
    """Return JAX's arrays and special functions, or NumPy's where no value is JAX's.

    A likelihood in NumPy stays in NumPy, and pays for no dispatch to JAX.
    """
    if any(isinstance(value, jax.Array) for value in values):
        return jnp, jax.scipy.special
    return np, scipy.special


def _describe(fit: Any) -> str:
    """Return a fit in one line: its numbers, not its arrays."""
    names = ("log_likelihood", "chi_squared")[: 1 + fit.is_chi_squared]
    values = {name: getattr(fit, name) for name in names}
    traced = any(isinstance(value, Tracer) for value in values.values())
    numbers = "" if traced else "".join(f", {n}={v:.6g}" for n, v in values.items())
    return f"{type(fit).__name__}({np.size(fit.data)} data{numbers})"


def _unmasked(data: Any, model: Any, mask: Any) -> Any:
    """Return the data, the model where masked: NaN there would spoil gradients."""
    xp, _ = _library(data, model, mask)
    return data if mask is None else xp.where(mask, data, model)


def _used(pointwise: Any, mask: Any) -> Any:
    xp, _ = _library(pointwise, mask)
    return pointwise if mask is None else xp.where(mask, pointwise, 0.0)


@names_options
@dataclass(frozen=True, repr=False)
class GaussianFit:
    """Data with independent Gaussian noise.

    Parameters
    ----------
    data : array, (n_obs,) or any shape
        Observed values.
    noise : array or float
        Standard deviation of each datum, in the data's unit.
    model : array
        Predicted values, of the data's shape.
    mask : array of bool, optional
        True where a datum is used.
    upper_limit : array of bool, optional
        True where the datum is an upper limit: its likelihood is the probability of
        measuring less than ``data``.
    curve : array, (n_curve,) or (n_groups, n_curve), optional
        The model on the analysis's `Panel.curve_x`, for plots. Samplers do not
        compute it.
    """

    data: Any
    noise: Any
    model: Any
    mask: Any = None
    upper_limit: Any = None
    curve: Any = None

    is_chi_squared: ClassVar[bool] = True

    def __post_init__(self):
        _normalise(self)

    @property
    def residuals(self) -> Any:
        """(data - model) / noise, of the data's shape; 0 where masked."""
        data = _unmasked(self.data, self.model, self.mask)
        return (data - self.model) / _unmasked(self.noise, 1.0, self.mask)

    @property
    def pointwise_log_likelihood(self) -> Any:
        """Log likelihood of each datum, of the data's shape; 0 where masked."""
        xp, special = _library(self.data, self.model, self.noise)
        scaled, noise = self.residuals, _unmasked(self.noise, 1.0, self.mask)
        density = -0.5 * scaled**2 - xp.log(noise) - 0.5 * np.log(2 * np.pi)
        if self.upper_limit is not None:
            density = xp.where(self.upper_limit, special.log_ndtr(scaled), density)
        return _used(density, self.mask)

    @property
    def log_likelihood(self) -> Any:
        """Sum of `pointwise_log_likelihood`."""
        if self.upper_limit is not None:
            return np.sum(self.pointwise_log_likelihood)
        # Sums apart: the logarithms of the noise are the same for every walker, and
        # inside the one sum a compiler takes them again for each.
        xp, _ = _library(self.model, self.noise)
        noise = _unmasked(self.noise, 1.0, self.mask)
        norm = xp.log(noise) + 0.5 * np.log(2 * np.pi)
        norm = _used(xp.broadcast_to(norm, np.shape(self.data)), self.mask)
        return -0.5 * self.chi_squared - np.sum(norm)

    @property
    def chi_squared(self) -> Any:
        """Sum of squared residuals over the data that are neither masked nor limits."""
        squared = self.residuals**2
        if self.upper_limit is not None:
            xp, _ = _library(squared, self.upper_limit)
            squared = xp.where(self.upper_limit, 0.0, squared)
        return np.sum(squared)

    @property
    def least_squares(self) -> tuple[Any, Any]:
        """Residuals, 0 for upper limits, and the rest of the log likelihood.

        The log likelihood is the rest less half the sum of the squared residuals,
        which optimisers make small by the method of Levenberg and Marquardt.
        """
        xp, special = _library(self.data, self.model, self.noise)
        scaled, noise = self.residuals, _unmasked(self.noise, 1.0, self.mask)
        rest = xp.broadcast_to(
            -xp.log(noise) - 0.5 * np.log(2 * np.pi), np.shape(self.data)
        )
        if self.upper_limit is not None:
            rest = xp.where(self.upper_limit, special.log_ndtr(scaled), rest)
            scaled = xp.where(self.upper_limit, 0.0, scaled)
        return scaled, np.sum(_used(rest, self.mask))

    def __repr__(self) -> str:
        return _describe(self)

    def predict(self, key: jax.Array) -> jax.Array:
        """Draw new data, of the data's shape, as the fit says they come."""
        noise = jnp.broadcast_to(self.noise, jnp.shape(self.data))
        return self.model + noise * jax.random.normal(key, jnp.shape(self.data))


@names_options
@dataclass(frozen=True, repr=False)
class PoissonFit:
    """Counts.

    Parameters
    ----------
    data : array of counts, whole numbers of 0 or more, (n_obs,) or any shape
    model : array
        Expected counts, positive, of the data's shape.
    mask : array of bool, optional
        True where a datum is used.
    curve : array, optional
        As in `GaussianFit`.
    """

    data: Any
    model: Any
    mask: Any = None
    curve: Any = None

    is_chi_squared: ClassVar[bool] = False

    def __post_init__(self):
        _normalise(self)
        if _are_known(self.data, self.mask):
            check_counts(self.data, self.mask)

    @property
    def noise(self) -> Any:
        """Square root of the expected counts."""
        xp, _ = _library(self.model)
        return xp.sqrt(self.model)

    @property
    def residuals(self) -> Any:
        """(data - model) / sqrt(model), of the data's shape; 0 where masked."""
        data = _unmasked(self.data, self.model, self.mask)
        return (data - self.model) / self.noise

    @property
    def pointwise_log_likelihood(self) -> Any:
        """Log probability of each count, of the data's shape; 0 where masked."""
        xp, special = _library(self.data, self.model)
        # xlogy: no count expected and none seen is certain, and not NaN.
        counts = xp.asarray(_unmasked(self.data, self.model, self.mask))
        seen = special.xlogy(counts, xp.where(counts == 0, 1.0, self.model))
        factorial = special.gammaln(counts + 1.0)
        return _used(seen - self.model - factorial, self.mask)

    @property
    def log_likelihood(self) -> Any:
        """Sum of `pointwise_log_likelihood`."""
        return np.sum(self.pointwise_log_likelihood)

    @property
    def chi_squared(self) -> Any:
        """Pearson's statistic, the sum of squared residuals.

        It is chi-squared distributed only where many counts are expected.
        """
        return np.sum(self.residuals**2)

    def __repr__(self) -> str:
        return _describe(self)

    def predict(self, key: jax.Array) -> jax.Array:
        """Draw new counts, of the data's shape."""
        return jax.random.poisson(key, self.model, jnp.shape(self.data))


@names_options
@dataclass(frozen=True, repr=False)
class StudentTFit:
    """Data with independent Student-t noise: a few outliers do little harm.

    Parameters
    ----------
    data : array, (n_obs,) or any shape
    noise : array or float
        Scale of each datum's distribution, in the data's unit.
    model : array
        Predicted values, of the data's shape.
    degrees_of_freedom : float
        Weight of the tails: 1 is Cauchy, infinity is Gaussian.
    mask : array of bool, optional
        True where a datum is used.
    curve : array, optional
        As in `GaussianFit`.
    """

    data: Any
    noise: Any
    model: Any
    degrees_of_freedom: Any = 4.0
    mask: Any = None
    curve: Any = None

    is_chi_squared: ClassVar[bool] = False

    def __post_init__(self):
        _normalise(self)

    @property
    def residuals(self) -> Any:
        """(data - model) / noise, of the data's shape; 0 where masked."""
        data = _unmasked(self.data, self.model, self.mask)
        return (data - self.model) / _unmasked(self.noise, 1.0, self.mask)

    @property
    def pointwise_log_likelihood(self) -> Any:
        """Log likelihood of each datum, of the data's shape; 0 where masked."""
        freedom = self.degrees_of_freedom
        xp, special = _library(self.data, self.model, self.noise, freedom)
        squared = self.residuals**2
        is_gaussian = xp.isinf(freedom)
        freedom = xp.where(is_gaussian, 1.0, freedom)
        norm = special.gammaln((freedom + 1) / 2) - special.gammaln(freedom / 2)
        norm -= 0.5 * xp.log(np.pi * freedom)
        density = norm - (freedom + 1) / 2 * xp.log1p(squared / freedom)
        gaussian = -0.5 * (squared + np.log(2 * np.pi))
        density = xp.where(is_gaussian, gaussian, density)
        noise = _unmasked(self.noise, 1.0, self.mask)
        return _used(density - xp.log(noise), self.mask)

    @property
    def log_likelihood(self) -> Any:
        """Sum of `pointwise_log_likelihood`."""
        return np.sum(self.pointwise_log_likelihood)

    @property
    def chi_squared(self) -> Any:
        """Sum of squared residuals; it is not chi-squared distributed here."""
        return np.sum(self.residuals**2)

    def __repr__(self) -> str:
        return _describe(self)

    def predict(self, key: jax.Array) -> jax.Array:
        """Draw new data, of the data's shape."""
        shape = jnp.shape(self.data)
        noise = jnp.broadcast_to(self.noise, shape)
        return self.model + noise * jax.random.t(key, self.degrees_of_freedom, shape)
