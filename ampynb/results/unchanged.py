"""A check that the user's likelihood is still the one that made a result's draws."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import numpy as np

from ampynb.analysis.posterior import Posterior
from ampynb.analysis.program import ChangedError

if TYPE_CHECKING:
    from ampynb.results.result import Result

__all__ = ["changed_since", "check_unchanged"]


@jax.jit
def _log_likelihood(posterior: Posterior, vector: jax.Array) -> jax.Array:
    return posterior.log_likelihood(vector)


def check_unchanged(result: Result) -> None:
    """Raise `ChangedError` where the likelihood has changed since the draws were made.

    Notes
    -----
    A likelihood in JAX is compared as a program, which does not have the data in it.
    So it is computed at the last draw too, as one in NumPy is, and compared with the
    value that is stored there.
    """
    posterior = result.posterior
    posterior.check_unchanged()
    stored = np.ravel(result.stats.get("log_likelihood", ()))
    if not len(stored) or not result.algorithm.samples_posterior:
        return
    last = result.flat_draws[-1]
    if posterior.analysis.use_jax:
        now = float(_log_likelihood(posterior, last))
    else:
        now = posterior.evaluate(last).value
    tolerance = 1e-6 if jax.config.read("jax_enable_x64") else 1e-2
    if not np.isclose(now, stored[-1], rtol=tolerance, atol=tolerance):
        raise ChangedError(type(posterior.analysis).__qualname__)


def changed_since(result: Result) -> ChangedError | None:
    """Return the error of `check_unchanged`; None where there is nothing to compare."""
    if not result.has_posterior or not len(result.draws):
        return None
    try:
        result.check_unchanged()
    except ChangedError as error:
        return error
    return None
