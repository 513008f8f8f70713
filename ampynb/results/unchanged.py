"""Whether the user's code still is that of a result's draws."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import numpy as np

from ampynb.analysis.program import ChangedError

if TYPE_CHECKING:
    from ampynb.results.result import Result

__all__ = ["check_unchanged"]


def check_unchanged(result: Result) -> None:
    """Raise where the likelihood is not what it was when the draws were made.

    A likelihood in JAX is compared as a program. One in NumPy is computed at the last
    draw, once for each call.

    Raises
    ------
    ChangedError
        With it nothing can be computed of the draws.
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
