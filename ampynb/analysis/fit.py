"""Ready fits: what a forward evaluation returns, and what plots and LOO read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy import stats
from jax.scipy.special import gammaln

__all__ = ["GaussianFit", "PoissonFit", "StudentTFit"]


def _check_shapes(**arrays: Any) -> None:
    """Raise where arrays that belong together differ in shape."""
    shapes = {name: jnp.shape(array) for name, array in arrays.items()}
    try:
        broadcast = jnp.broadcast_shapes(*shapes.values())
    except ValueError:
        broadcast = None
    if broadcast != shapes["data"]:
        told = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(
            f"expected arrays of the data's shape {shapes['data']}, or numbers; got "
            f"{told}; give each datum one value"
        )


def _used(pointwise: jax.Array, mask: Any) -> jax.Array:
    return pointwise if mask is None else jnp.where(mask, pointwise, 0.0)


@dataclass(frozen=True)
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

    def __post_init__(self):
        if hasattr(self.data, "shape") and hasattr(self.model, "shape"):
            _check_shapes(data=self.data, noise=self.noise, model=self.model)

    @property
    def residuals(self) -> jax.Array:
        """(data - model) / noise, of the data's shape; 0 where masked."""
        return _used((self.data - self.model) / self.noise, self.mask)

    @property
    def pointwise_log_likelihood(self) -> jax.Array:
        """Log likelihood of each datum, of the data's shape; 0 where masked."""
        density = stats.norm.logpdf(self.data, self.model, self.noise)
        if self.upper_limit is not None:
            below = stats.norm.logcdf(self.data, self.model, self.noise)
            density = jnp.where(self.upper_limit, below, density)
        return _used(density, self.mask)

    @property
    def log_likelihood(self) -> jax.Array:
        """Sum of `pointwise_log_likelihood`."""
        return jnp.sum(self.pointwise_log_likelihood)

    @property
    def chi_squared(self) -> jax.Array:
        """Sum of squared residuals over the data that are neither masked nor limits."""
        squared = self.residuals**2
        if self.upper_limit is not None:
            squared = jnp.where(self.upper_limit, 0.0, squared)
        return jnp.sum(squared)

    def predict(self, key: jax.Array) -> jax.Array:
        """Draw new data, of the data's shape, as the fit says they come."""
        noise = jnp.broadcast_to(self.noise, jnp.shape(self.data))
        return self.model + noise * jax.random.normal(key, jnp.shape(self.data))


@dataclass(frozen=True)
class PoissonFit:
    """Counts.

    Parameters
    ----------
    data : array of counts, (n_obs,) or any shape
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

    def __post_init__(self):
        if hasattr(self.data, "shape") and hasattr(self.model, "shape"):
            _check_shapes(data=self.data, model=self.model)

    @property
    def noise(self) -> jax.Array:
        """Square root of the expected counts."""
        return jnp.sqrt(self.model)

    @property
    def residuals(self) -> jax.Array:
        """(data - model) / sqrt(model), of the data's shape; 0 where masked."""
        return _used((self.data - self.model) / self.noise, self.mask)

    @property
    def pointwise_log_likelihood(self) -> jax.Array:
        """Log probability of each count, of the data's shape; 0 where masked."""
        counts = jnp.asarray(self.data)
        log_mean = jnp.log(self.model)
        # 0 * ln 0 is 0 here: no count expected and none seen is certain.
        seen = jnp.where(counts == 0, 0.0, counts * log_mean)
        return _used(seen - self.model - gammaln(counts + 1.0), self.mask)

    @property
    def log_likelihood(self) -> jax.Array:
        """Sum of `pointwise_log_likelihood`."""
        return jnp.sum(self.pointwise_log_likelihood)

    @property
    def chi_squared(self) -> jax.Array:
        """Pearson's statistic: the sum of squared residuals."""
        return jnp.sum(self.residuals**2)

    def predict(self, key: jax.Array) -> jax.Array:
        """Draw new counts, of the data's shape."""
        return jax.random.poisson(key, self.model, jnp.shape(self.data))


@dataclass(frozen=True)
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

    def __post_init__(self):
        if hasattr(self.data, "shape") and hasattr(self.model, "shape"):
            _check_shapes(data=self.data, noise=self.noise, model=self.model)

    @property
    def residuals(self) -> jax.Array:
        """(data - model) / noise, of the data's shape; 0 where masked."""
        return _used((self.data - self.model) / self.noise, self.mask)

    @property
    def pointwise_log_likelihood(self) -> jax.Array:
        """Log likelihood of each datum, of the data's shape; 0 where masked."""
        density = stats.t.logpdf(
            self.data, self.degrees_of_freedom, self.model, self.noise
        )
        return _used(density, self.mask)

    @property
    def log_likelihood(self) -> jax.Array:
        """Sum of `pointwise_log_likelihood`."""
        return jnp.sum(self.pointwise_log_likelihood)

    @property
    def chi_squared(self) -> jax.Array:
        """Sum of squared residuals; it is not chi-squared distributed here."""
        return jnp.sum(self.residuals**2)

    def predict(self, key: jax.Array) -> jax.Array:
        """Draw new data, of the data's shape."""
        shape = jnp.shape(self.data)
        noise = jnp.broadcast_to(self.noise, shape)
        return self.model + noise * jax.random.t(key, self.degrees_of_freedom, shape)
