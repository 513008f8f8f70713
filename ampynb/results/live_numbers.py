"""How far the draws of a run that goes on can be trusted, quickly."""

from __future__ import annotations

import numpy as np

from ampynb.algorithms.algorithm import SAMPLING, Algorithm
from ampynb.model.circle import directions
from ampynb.results.diagnostics import (
    FEWEST_LIVE_DRAWS,
    MOST_LIVE_DRAWS,
    live_diagnostics,
    live_ess,
    live_r_hat,
    live_tau,
)
from ampynb.results.history import History

__all__ = ["live_numbers", "r_hat_without"]

MOST_ROWS = 1000
MOST_WALKERS = 16  # of which the autocorrelation time is taken
NEARLY_INDEPENDENT = 0.5  # effective draws for each row


def live_numbers(history: History, algorithm: Algorithm) -> dict[str, float]:
    """Return the numbers by which a sampler's draws are judged, of the worst element.

    Of evenly spaced steps. Where these are as good as independent, too much lies
    between them to tell how good the chain is: then of the last steps as well.

    Returns
    -------
    dict of str to float
        ``ess`` and ``r_hat`` for independent chains; ``ess``, ``tau`` [kept steps] and
        ``length``, the steps over ``tau``, for an ensemble, whose walkers R-hat cannot
        compare. What is not known yet is left out, and all where draws are no chains.
        NaN where an element never moves.
    """
    steps, rows = history.steps(SAMPLING), history.thinned(MOST_ROWS, SAMPLING)[1]
    rows = directions(rows, history.periods)
    if not (algorithm.draws_chains and len(rows)):
        return {}
    spacing = steps / len(rows)
    if algorithm.independent_chains:
        found = live_diagnostics(rows)
        if spacing > 1 and found.get("ess", 0.0) > NEARLY_INDEPENDENT * _taken(rows):
            latest = directions(history.latest(), history.periods)
            share = np.min(live_ess(latest)) / latest[..., 0].size
            found["ess"] = float(np.fmax(found["ess"], share * steps * rows.shape[1]))
        return found
    tau = _tau(rows) * spacing
    if spacing > 1 and tau * NEARLY_INDEPENDENT < spacing:
        tau = min(tau, _tau(directions(history.latest(), history.periods)))
    if not np.isfinite(tau):
        return {} if len(rows) < FEWEST_LIVE_DRAWS else {"ess": np.nan}
    return {"ess": steps * algorithm.nwalkers / tau, "tau": tau, "length": steps / tau}


def _tau(rows: np.ndarray) -> float:
    """Return the longest autocorrelation time of some of the walkers [rows]."""
    return float(np.max(live_tau(rows[:, :: -(-rows.shape[1] // MOST_WALKERS)])))


def _taken(rows: np.ndarray) -> float:
    """Return of how many draws `live_diagnostics` takes the sample size."""
    size = rows[..., 0].size
    return size / max(-(-size // MOST_LIVE_DRAWS), 1)


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
