"""A check that the user's likelihood is still the one that made a result's draws."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import numpy as np

from ampynb.analysis.program import ChangedError

if TYPE_CHECKING:
    from ampynb.results.result import Result

__all__ = ["check_unchanged"]


def check_unchanged(result: Result) -> None:
    """Raise `ChangedError` where the likelihood has changed since the draws were made.

    Notes
    -----
    A likelihood in JAX is compared as a program. One in NumPy is computed at the last
    draw, and compared with the value that is stored there.
    """
    posterior = result.posterior
    if posterior.analysis.use_jax:
        posterior.check_unchanged()
        return
    stored = np.ravel(result.stats.get("log_likelihood", ()))
    if not len(stored) or not result.algorithm.samples_posterior:
        return
    now = posterior.evaluate(result.flat_draws[-1]).value
    tolerance = 1e-6 if jax.config.read("jax_enable_x64") else 1e-2
    if not np.isclose(now, stored[-1], rtol=tolerance, atol=tolerance):
        raise ChangedError(type(posterior.analysis).__qualname__)
