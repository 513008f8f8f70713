"""The posterior table, and what speaks against it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ampynb.algorithms.stranded import bound, usual
from ampynb.analysis.latent import LatentError
from ampynb.results.diagnostics import (
    Diagnostics,
    summary_columns,
    weighted_columns,
)
from ampynb.results.points import Points

if TYPE_CHECKING:
    import pandas as pd

    from ampynb.results.result import Result

__all__ = ["FEWEST_DRAWS", "columns_of_table", "diagnostics", "no_draws", "summary"]

FEWEST_DRAWS = 4  # of each walker, for a table
MOST_NAMED = 8  # stranded walkers


def columns_of_table(
    result: Result, table: Any, position: np.ndarray, points: Points
) -> dict[str, np.ndarray]:
    """Return the table's columns, each (k,).

    Parameters
    ----------
    result : Result
    table : Model, StoredTable or LatentSamples
        What knows the periods of the columns.
    position : array, (n_draws, nwalkers, k)
    points : Points, (m, k)
        The same in one list, or the draws of unequal weight in their place.
    """
    if points.weights is not None:
        return weighted_columns(points)
    algorithm = result.algorithm
    independent = algorithm.independent_chains or not algorithm.draws_chains
    return summary_columns(position, independent, table.periods)


def summary(result: Result) -> pd.DataFrame:
    """Return the posterior table, one row for each element of the vector.

    Returns
    -------
    DataFrame
        Columns ``unit, mean, sd, q05, median, q95, mcse_mean, ess_bulk, ess_tail,
        r_hat``, and ``tau`` [steps] for ensembles. R-hat of an ensemble takes its
        walkers for chains: it can show that a run has not converged, not that it has.
        Weighted draws have no chains, and ``ess`` in the place of these.
        Of a parameter that wraps the numbers are those of draws within half a period of
        their mean direction; R-hat and sample sizes are the worse of two components of
        its direction.
        With latent variables ``kind`` is ``"free"`` for parameters and ``"latent"`` in
        their rows, whose numbers are those of finite values; where there are others,
        R-hat and sample sizes are NaN.
    """
    import pandas as pd

    table = pd.DataFrame(result.table_columns, index=result.table.names)
    table.insert(0, "unit", result.table.units)
    latents = result.latents_or_error
    if not latents or isinstance(latents, LatentError):
        return table
    table.insert(1, "kind", "free")
    samples = latents.samples
    columns = columns_of_table(result, samples, samples.position, latents.points)
    below = pd.DataFrame(columns, samples.names)
    below.insert(0, "unit", samples.units)
    below.insert(1, "kind", "latent")
    return pd.concat([table, below])


def diagnostics(result: Result) -> Diagnostics:
    """Return how far the draws can be trusted, in numbers and in plain words."""
    few = len(result.draws) < FEWEST_DRAWS
    return Diagnostics(
        names=result.table.names,
        columns={} if few else result.table_columns,
        steps=len(result.draws),
        stats=result.stats,
        step_stats=result.step_stats,
        trouble=[
            *filter(None, [str(result.history.rejections)]),
            *_trouble(result, few),
            *result.outcome.trouble,
        ],
    )


def _trouble(result: Result, few: bool) -> list[str]:
    """Return what is wrong besides the numbers."""
    wanted = f"{FEWEST_DRAWS} draws of each walker or more"
    told = [no_draws(result, wanted)] if few else _slow_walkers(result)
    latents = result.latents_or_error
    if isinstance(latents, LatentError):
        return [*told, f"no latent variables: {latents}"]
    return told if latents is None else [*told, *latents.samples.remarks()]


def _slow_walkers(result: Result) -> list[str]:
    """Return remarks on walkers that never move or stay far below the others."""
    return [*_standing_still(result), *_stranded(result)]


def _stranded(result: Result) -> list[str]:
    """Return which walkers or chains are stranded, and how far below the others."""
    log_posterior = result.stats.get("lp")
    if log_posterior is None or not result.algorithm.draws_chains:
        return []
    log_posterior = np.asarray(log_posterior)
    best, level = log_posterior.max(axis=0), usual(np.median(log_posterior, axis=0))
    if not np.isfinite(level):
        return []
    lost = np.flatnonzero(best < level - bound(result.table.ndim))
    if not len(lost):
        return []
    word = "chain" if result.algorithm.independent_chains else "walker"
    depths = [
        "at zero probability" if depth == np.inf else f"{depth:.3g} below"
        for depth in level - best[lost]
    ]
    named = [f"{word} {i + 1} {depth}" for i, depth in zip(lost, depths, strict=True)]
    if len(named) > MOST_NAMED:
        named = [*named[:MOST_NAMED], "..."]
    return [
        f"stranded: {len(lost)} of {len(best)} {word}s never come near the log "
        f"posterior of the others ({', '.join(named)}), and their draws are not of the "
        "posterior; burn longer, start nearer the best fit, or leave them out"
    ]


def _standing_still(result: Result) -> list[str]:
    """Return remarks on elements and walkers that never move.

    R-hat and sample sizes do not know of them: nothing varies in what they judge.
    """
    never_moves = np.all(result.draws == result.draws[:1], axis=0)
    elements, walkers = never_moves.all(axis=0), never_moves.all(axis=1)
    if walkers.any():
        return [
            f"standing still: {np.sum(walkers)} of {len(walkers)} walkers never move; "
            "burn longer, or start nearer the best fit"
        ]
    if elements.any():
        names = [result.table.names[i] for i in np.flatnonzero(elements)]
        return [
            f"standing still: no walker ever moves in {', '.join(names)}; look at what "
            "the likelihood makes of it, or start elsewhere"
        ]
    return []


def no_draws(result: Result, wanted: str) -> str:
    """Return the message for a result that has too few draws."""
    burnt = f" after {len(result.warmup)} steps of burn-in"
    return (
        f"expected {wanted}; got {len(result.draws)}: the run {result.reason}"
        f"{burnt if result.algorithm.burn else ''}; run it longer"
    )
