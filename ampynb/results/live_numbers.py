"""How far the draws of a run that goes on can be trusted, quickly."""

from __future__ import annotations

import numpy as np

from ampynb.algorithms.algorithm import SAMPLING, Algorithm
from ampynb.results.diagnostics import live_diagnostics, live_r_hat, live_tau
from ampynb.results.history import History

__all__ = ["live_numbers", "r_hat_without"]

MOST_ROWS = 1000
MOST_WALKERS = 64  # of which the autocorrelation time is taken


def live_numbers(history: History, algorithm: Algorithm) -> dict[str, float]:
    """Return the numbers by which a sampler's draws are judged, of the worst element.

    Of evenly spaced steps, which errs on the side of too few effective draws.

    Returns
    -------
    dict of str to float
        ``ess`` and ``r_hat`` for independent chains; ``ess``, ``tau`` [kept steps] and
        ``length``, the steps over ``tau``, for an ensemble, whose walkers R-hat cannot
        compare. What is not known yet is left out, and all where draws are no chains.
    """
    _, rows = history.thinned(MOST_ROWS, SAMPLING)
    if not (algorithm.draws_chains and len(rows)):
        return {}
    if algorithm.independent_chains:
        return live_diagnostics(rows)
    steps = history.steps(SAMPLING)
    some = rows[:, :: -(-algorithm.nwalkers // MOST_WALKERS)]
    tau = float(np.max(live_tau(some))) * steps / max(len(rows), 1)
    if not np.isfinite(tau):
        return {}
    return {"ess": steps * algorithm.nwalkers / tau, "tau": tau, "length": steps / tau}


def r_hat_without(position: np.ndarray) -> np.ndarray:
    """Return the largest R-hat of the other chains, for each that is left out.

    Where one of them is much smaller than the rest, that chain is the odd one.

    Parameters
    ----------
    position : array, (n_draws, nchains, ndim)

    Returns
    -------
    array, (nchains,)
        NaN where it is unknown.
    """
    n = position.shape[1]
    others = [np.delete(position, chain, axis=1) for chain in range(n)]
    return np.array([np.max(live_r_hat(rest)) for rest in others])
