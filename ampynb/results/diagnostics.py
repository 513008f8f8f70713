"""How far draws can be trusted: sample sizes, R-hat, and what they mean in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

__all__ = ["GOOD_ESS", "GOOD_R_HAT", "live_diagnostics", "summary_columns", "verdict"]

GOOD_R_HAT = 1.01  # Vehtari et al. 2021
GOOD_ESS = 400
RELIABLE_LENGTH = 50  # autocorrelation times that emcee asks a chain to be long
FEWEST_LIVE_DRAWS = 8
MOST_LIVE_DRAWS = 20_000  # of all walkers together


def summary_columns(
    position: np.ndarray, independent_chains: bool
) -> dict[str, np.ndarray]:
    """Return the columns of the posterior table, each (ndim,).

    Parameters
    ----------
    position : array, (n_draws, nwalkers, ndim)
    independent_chains : bool
        False for an ensemble, whose walkers depend on each other: its effective
        sample size is the number of draws over the autocorrelation time, and ``tau``
        [steps] is a column.
    """
    from ampynb.results.inference_data import effective_sample_size, r_hat

    flat = position.reshape(-1, position.shape[-1])
    low, middle, high = np.quantile(flat, (0.05, 0.5, 0.95), axis=0)
    sd = flat.std(axis=0, ddof=1) if len(flat) > 1 else np.full(len(middle), np.nan)
    columns = {
        "mean": flat.mean(axis=0),
        "sd": sd,
        "q05": low,
        "median": middle,
        "q95": high,
    }
    extra = {}
    if independent_chains:
        bulk = effective_sample_size(position, "bulk")
    else:
        from ampynb.algorithms.external import autocorrelation_time  # imports emcee

        extra["tau"] = autocorrelation_time(position)
        bulk = len(flat) / extra["tau"]
    return {
        **columns,
        "mcse_mean": sd / np.sqrt(bulk),
        "ess_bulk": bulk,
        "ess_tail": effective_sample_size(position, "tail"),
        "r_hat": r_hat(position),
        **extra,
    }


def verdict(
    columns: Mapping[str, np.ndarray],
    names: Sequence[str],
    n_steps: int,
    diverging: int,
) -> list[str]:
    """Return what is wrong with the draws, in plain words; empty where nothing is."""
    told = []
    worst = _worst(columns["r_hat"], largest=True)
    if worst is not None and columns["r_hat"][worst] > GOOD_R_HAT:
        told.append(
            f"not converged: R-hat of {names[worst]} is {columns['r_hat'][worst]:.3g}, "
            f"above {GOOD_R_HAT}; run longer, or start nearer the best fit"
        )
    fewest = _worst(columns["ess_bulk"], largest=False)
    if fewest is not None and columns["ess_bulk"][fewest] < GOOD_ESS:
        told.append(
            f"few independent draws: {columns['ess_bulk'][fewest]:.0f} of "
            f"{names[fewest]}, below {GOOD_ESS}; run longer"
        )
    slowest = _worst(columns.get("tau", np.array([np.nan])), largest=True)
    if slowest is not None and n_steps < RELIABLE_LENGTH * columns["tau"][slowest]:
        told.append(
            f"short chain: {n_steps} steps are {n_steps / columns['tau'][slowest]:.0f} "
            f"autocorrelation times of {names[slowest]}, fewer than {RELIABLE_LENGTH}; "
            "its estimate is uncertain, run longer"
        )
    if diverging:
        told.append(
            f"{diverging} divergences: parts of the posterior may be missing; raise "
            "target_accept, or choose parameters that are less entangled"
        )
    return told


def _worst(values: np.ndarray, largest: bool) -> int | None:
    if not np.any(np.isfinite(values)):
        return None
    return int(np.nanargmax(values) if largest else np.nanargmin(values))


def live_diagnostics(position: np.ndarray) -> dict[str, float]:
    """Return R-hat and effective sample size of the worst element, quickly.

    Parameters
    ----------
    position : array, (n_draws, nwalkers, ndim)
        Thinned to some ten thousand in all, which makes the sample size a lower bound.

    Notes
    -----
    Rank-normalised as in Vehtari et al. 2021, with numpyro's estimators: it takes
    milliseconds and no import of ArviZ. Walkers are taken for chains.
    """
    from numpyro.diagnostics import effective_sample_size, split_gelman_rubin

    if len(position) < FEWEST_LIVE_DRAWS:
        return {}
    thin = -(-position[..., 0].size // MOST_LIVE_DRAWS)
    chains = np.moveaxis(position[::thin], 1, 0)
    folded = np.abs(chains - np.median(chains, axis=(0, 1)))
    ranked, ranked_folded = _rank_normalised(chains), _rank_normalised(folded)
    with np.errstate(divide="ignore", invalid="ignore"):
        r_hat = np.fmax(split_gelman_rubin(ranked), split_gelman_rubin(ranked_folded))
        found = {
            "ess": float(np.fmin.reduce(effective_sample_size(ranked))),
            "r_hat": float(np.fmax.reduce(r_hat)),
        }
    return {name: value for name, value in found.items() if np.isfinite(value)}


def _rank_normalised(values: np.ndarray) -> np.ndarray:
    """Replace each element's values, (chain, draw, ndim), by normal scores of ranks."""
    from scipy.special import ndtri
    from scipy.stats import rankdata

    flat = values.reshape(-1, values.shape[-1])
    ranks = rankdata(flat, axis=0)  # ties share a rank: a rejected step repeats a draw
    return ndtri((ranks - 0.375) / (len(flat) + 0.25)).reshape(values.shape)
