"""What samplers of one problem have come to, side by side."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ampynb.algorithms.algorithm import SAMPLING, WARMUP
from ampynb.results.history import History
from ampynb.results.result import Result
from ampynb.results.tables import FEWEST_DRAWS

__all__ = ["Standing", "evaluations_in", "standing_of"]


class Standing(NamedTuple):
    """Where one sampler is in a race.

    Attributes
    ----------
    sampler, state : str
    draws : int
        After the burn-in, of all walkers together.
    seconds : float
        The run's own computing time, compilation and burn-in included [s].
    r_hat : float
        The worst; NaN where it is not known, or the walkers depend on each other.
    ess : float
        The least effective sample size; NaN where it is not known.
    ess_per_second : float
    evaluations : int or None
        Of the likelihood, or of its gradient where the sampler needs that; None where
        they are not counted.
    """

    sampler: str
    state: str
    draws: int
    seconds: float
    r_hat: float
    ess: float
    ess_per_second: float
    evaluations: int | None


def standing_of(result: Result, evaluations: int | None) -> Standing:
    """Return where the draws of a result put their sampler."""
    algorithm, seconds = result.algorithm, result.seconds
    draws = int(np.prod(result.draws.shape[:2]))
    r_hat = ess = np.nan
    if len(result.draws) >= FEWEST_DRAWS:
        columns = result.diagnostics().columns
        sizes = columns.get("ess_bulk", columns.get("ess", ()))
        ess = _worst(np.fmin, sizes)
        if algorithm.draws_chains and algorithm.independent_chains:
            r_hat = _worst(np.fmax, columns.get("r_hat", ()))
    return Standing(
        sampler=algorithm.name,
        state=result.reason,
        draws=draws,
        seconds=seconds,
        r_hat=r_hat,
        ess=ess,
        ess_per_second=ess / seconds if seconds else np.nan,
        evaluations=evaluations,
    )


def evaluations_in(
    history: History, algorithm: Any, step: int, metrics: dict[str, float]
) -> int | None:
    """Return how often a likelihood or its gradient was computed, where it is known.

    Parameters
    ----------
    step : int
        Steps that were made, warm-up included.
    metrics : dict of str to float
        The algorithm's own numbers.
    """
    if "evaluations" in metrics:
        return int(metrics["evaluations"])
    tallies = history.tally[WARMUP], history.tally[SAMPLING]
    leapfrogs = [tally.total("n_steps") for tally in tallies]
    found = [total for total in leapfrogs if total is not None]
    if found:
        all_kept = sum(tally.steps for tally in tallies) == step
        return int(sum(total.sum() for total in found)) if all_kept else None
    if algorithm.independent_chains or not step:
        return None
    beta = tallies[1].last("beta")
    ntemps = 1 if beta is None else len(beta)
    return (step + 1) * algorithm.nwalkers * ntemps  # and once at the start


def _worst(choose: np.ufunc, values: Any) -> float:
    return float(choose.reduce(values)) if len(values) else np.nan
