"""AMPy's names for the log densities of a vector."""

from __future__ import annotations

from typing import Any

from ampynb.analysis.analysis import Analysis
from ampynb.analysis.posterior import Posterior
from ampynb.model.model import Model
from ampynb.model.parameter import Collection

__all__ = ["log_likelihood_model", "log_posterior_model", "log_prior_model"]


def log_prior_model(theta: Any, params: Model | Collection) -> Any:
    """Return the log prior density of a vector, -inf outside its support.

    Parameters
    ----------
    theta : array, (ndim,) [model units]
    params : Model or Collection
    """
    return Model.of(params).log_prior(theta)


def log_likelihood_model(
    theta: Any, engine: Analysis, param_view: Model | Collection
) -> Any:
    """Return the log likelihood of a vector, -inf where it is not finite.

    Parameters
    ----------
    theta : array, (ndim,) [model units]
    engine : Analysis
        What computes the likelihood.
    param_view : Model or Collection
        What makes an instance of the vector.
    """
    return Posterior(engine, param_view).log_likelihood(theta)


def log_posterior_model(
    theta: Any, engine: Analysis, param_view: Model | Collection
) -> Any:
    """Return the log posterior density of a vector; see `log_likelihood_model`."""
    return Posterior(engine, param_view).log_posterior(theta)
