"""How far draws can be trusted: sample sizes, R-hat, and what they mean in words."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from ampynb.algorithms.nested_outcome import effective_size
from ampynb.model.circle import directions, in_one_piece, of_columns
from ampynb.results.points import Points

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "FEWEST_LIVE_DRAWS",
    "GOOD_ESS",
    "GOOD_R_HAT",
    "RELIABLE_LENGTH",
    "Diagnostics",
    "live_diagnostics",
    "live_ess",
    "live_r_hat",
    "live_tau",
    "summary_columns",
    "weighted_columns",
]

GOOD_R_HAT = 1.01  # Vehtari et al. 2021
GOOD_ESS = 400
GOOD_E_BFMI = 0.3  # Betancourt 2016
GOOD_SWAP_RATE = 0.02
RELIABLE_LENGTH = 50  # autocorrelation times that emcee asks a chain to be long
FINE = "nothing speaks against these draws"
FEWEST_LIVE_DRAWS = 8
MOST_LIVE_DRAWS = 20_000  # of all walkers together


def summary_columns(
    position: np.ndarray,
    independent_chains: bool,
    periods: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Return the columns of the posterior table, each (ndim,).

    Parameters
    ----------
    position : array, (n_draws, nwalkers, ndim)
    independent_chains : bool
        False for an ensemble, whose walkers depend on each other: its effective
        sample size is the number of draws over the autocorrelation time, and ``tau``
        [steps] is a column.
    periods : array, (ndim,), optional
        Infinite where an element does not wrap.
    """
    from ampynb.results.inference_data import effective_sample_size, r_hat

    if periods is None:
        periods = np.full(position.shape[-1], np.inf)
    parts, position = directions(position, periods), in_one_piece(position, periods)
    points = Points(position.reshape(-1, position.shape[-1]))
    low, middle, high = points.quantile((0.05, 0.5, 0.95))
    sd = points.sd()
    columns = {
        "mean": points.mean(),
        "sd": sd,
        "q05": low,
        "median": middle,
        "q95": high,
    }
    extra = {}
    if independent_chains:
        bulk = of_columns(effective_sample_size(parts, "bulk"), periods, np.fmin)
    else:
        from ampynb.algorithms.external import autocorrelation_time  # imports emcee

        extra["tau"] = of_columns(autocorrelation_time(parts), periods, np.fmax)
        bulk = len(points.values) / extra["tau"]
    return {
        **columns,
        "mcse_mean": sd / np.sqrt(bulk),
        "ess_bulk": bulk,
        "ess_tail": effective_sample_size(position, "tail"),
        "r_hat": of_columns(r_hat(parts), periods, np.fmax),
        **extra,
    }


def weighted_columns(points: Points) -> dict[str, np.ndarray]:
    """Return the columns of the posterior table for draws of unequal weight.

    They have no order in which they could converge: the effective sample size is that
    of their weights (Kish 1965), the same for all elements.

    Parameters
    ----------
    points : Points, (m, ndim)
    """
    low, middle, high = points.quantile((0.05, 0.5, 0.95))
    sd, size = points.sd(), effective_size(np.asarray(points.weights))
    return {
        "mean": points.mean(),
        "sd": sd,
        "q05": low,
        "median": middle,
        "q95": high,
        "mcse_mean": sd / np.sqrt(size),
        "ess": np.full(len(middle), size),
    }


@dataclass(frozen=True)
class Diagnostics:
    """How far draws can be trusted, in numbers and in plain words.

    Attributes
    ----------
    names : list of str, (ndim,)
    columns : dict of str to array, (ndim,)
        Those of the posterior table; empty where there are too few draws.
    steps : int
        Kept steps after the burn-in.
    stats, step_stats : dict of str to array
        Numbers of each draw, and of whole steps.
    trouble : list of str
        Other problems that are known.
    """

    names: list[str]
    columns: Mapping[str, np.ndarray]
    steps: int
    stats: Mapping[str, np.ndarray]
    step_stats: Mapping[str, np.ndarray]
    trouble: list[str]

    @property
    def divergences(self) -> int | None:
        """Number of divergent transitions; None where the sampler knows none."""
        found = self.stats.get("diverging")
        return None if found is None else int(np.sum(found))

    @functools.cached_property
    def e_bfmi(self) -> np.ndarray | None:
        """Energy Bayesian fraction of missing information, (nchains,).

        Source: Betancourt 2016. Below 0.3 the momentum does not reach all energies
        that the posterior has. None where the sampler has no energy.
        """
        from ampynb.results.inference_data import bfmi

        energy = self.stats.get("energy")
        return None if energy is None or len(energy) < 4 else bfmi(energy)

    @property
    def tau_is_reliable(self) -> np.ndarray | None:
        """Whether the chain is as long as emcee asks, 50 times tau, (ndim,)."""
        if "tau" not in self.columns:
            return None
        return self.steps >= RELIABLE_LENGTH * self.columns["tau"]

    @property
    def swap_rates(self) -> np.ndarray | None:
        """Share of accepted swaps of each pair of temperatures, coldest first."""
        found = self.step_stats.get("swap_rate")
        return None if found is None or not len(found) else found.mean(axis=0)

    @property
    def acceptance_rate(self) -> float | None:
        """Mean share of accepted moves, or mean acceptance probability."""
        for name in ("acceptance_rate", "accepted"):
            if name in self.stats and self.stats[name].size:
                return float(np.mean(self.stats[name]))
        return None

    @property
    def table(self) -> pd.DataFrame:
        """R-hat, effective sample sizes and autocorrelation time of each element."""
        import pandas as pd

        chosen = ("r_hat", "ess_bulk", "ess_tail", "ess", "mcse_mean", "tau")
        columns = {name: self.columns[name] for name in chosen if name in self.columns}
        table = pd.DataFrame(columns, index=self.names)
        if self.tau_is_reliable is not None:
            table["tau_is_reliable"] = self.tau_is_reliable
        return table

    @functools.cached_property
    def verdict(self) -> list[str]:
        """What is wrong with the draws, in plain words; empty where nothing is."""
        return [*self.trouble, *self._of_columns(), *self._of_sampler()]

    def _of_columns(self) -> Iterator[str]:
        columns, names, steps = self.columns, self.names, self.steps
        worst = _worst(columns.get("r_hat"), largest=True)
        if worst is not None and columns["r_hat"][worst] > GOOD_R_HAT:
            yield (
                f"not converged: R-hat of {names[worst]} is "
                f"{columns['r_hat'][worst]:.3g}, above {GOOD_R_HAT}; run longer, or "
                "start nearer the best fit"
            )
        fewest = _worst(columns.get("ess_bulk"), largest=False)
        if fewest is not None and columns["ess_bulk"][fewest] < GOOD_ESS:
            yield (
                f"few independent draws: {columns['ess_bulk'][fewest]:.0f} of "
                f"{names[fewest]}, below {GOOD_ESS}; run longer"
            )
        elif "tau" not in columns:
            yield from self._of_tails()
        if "ess" in columns and columns["ess"][0] < GOOD_ESS:
            yield (
                f"few independent draws: {columns['ess'][0]:.0f} by their weights, "
                f"below {GOOD_ESS}; give more live points (nwalkers)"
            )
        slowest = _worst(columns.get("tau"), largest=True)
        if slowest is not None and steps < RELIABLE_LENGTH * columns["tau"][slowest]:
            yield (
                f"short chain: {steps} steps are {steps / columns['tau'][slowest]:.0f} "
                f"autocorrelation times of {names[slowest]}, fewer than "
                f"{RELIABLE_LENGTH}; its estimate is uncertain, run longer"
            )

    def _of_tails(self) -> Iterator[str]:
        """Yield remarks on quantiles; those of an ensemble are not judged by chains."""
        tails = self.columns.get("ess_tail")
        fewest = _worst(tails, largest=False)
        if tails is not None and fewest is not None and tails[fewest] < GOOD_ESS:
            yield (
                f"few draws in the tails: an effective {tails[fewest]:.0f} of "
                f"{self.names[fewest]}, below {GOOD_ESS}; quantiles are uncertain, run "
                "longer"
            )

    def _of_sampler(self) -> Iterator[str]:
        if self.divergences:
            yield (
                f"{self.divergences} divergences: parts of the posterior may be "
                "missing; raise target_accept, or choose parameters that are less "
                "entangled"
            )
        if self.e_bfmi is not None and np.min(self.e_bfmi) < GOOD_E_BFMI:
            yield (
                f"low energy information: E-BFMI of chain {np.argmin(self.e_bfmi)} is "
                f"{np.min(self.e_bfmi):.2g}, below {GOOD_E_BFMI}; its tails may be cut "
                "short: choose parameters with lighter tails"
            )
        if self.swap_rates is not None and np.min(self.swap_rates) < GOOD_SWAP_RATE:
            pair = int(np.argmin(self.swap_rates))
            yield (
                f"few swaps: {100 * self.swap_rates[pair]:.1f} % between temperatures "
                f"{pair + 1} and {pair + 2}; give more of them (ntemps), or "
                "adaptive=True"
            )

    def _lines(self) -> list[tuple[str, str]]:
        rates = self.swap_rates
        told = {
            "steps": f"{self.steps}",
            "acceptance rate": _told(self.acceptance_rate, "{:.3f}"),
            "divergences": _told(self.divergences, "{}"),
            "E-BFMI": _told(self.e_bfmi, "{:.2f}"),
            "swap rates": _told(rates, "{:.2f}"),
        }
        return [(name, text) for name, text in told.items() if text]

    def __repr__(self) -> str:
        lines = [f"{name}: {text}" for name, text in self._lines()]
        table = [self.table.round(4).to_string()] if self.columns else []
        return "\n".join([*(self.verdict or [FINE]), *lines, *table])

    def _repr_html_(self) -> str:
        told = "".join(f"<div>⚠ {escape(line)}</div>" for line in self.verdict)
        cells = "".join(
            f"<tr><th>{name}</th><td>{text}</td></tr>" for name, text in self._lines()
        )
        table = (
            self.table.to_html(float_format="{:.4g}".format, border=0)
            if self.columns
            else ""
        )
        return f"{told or f'<div>✓ {FINE}</div>'}<table>{cells}</table>{table}"


def _told(value: Any, form: str) -> str:
    if value is None:
        return ""
    return ", ".join(form.format(one) for one in np.atleast_1d(value))


def _worst(values: np.ndarray | None, largest: bool) -> int | None:
    if values is None or np.all(np.isnan(values)):
        return None
    return int(np.nanargmax(values) if largest else np.nanargmin(values))


def live_diagnostics(position: np.ndarray) -> dict[str, float]:
    """Return R-hat and effective sample size of the worst element, quickly.

    NaN where an element has none, as one that never moves; nothing of too few draws.

    Parameters
    ----------
    position : array, (n_draws, nwalkers, ndim)
        Of more than some ten thousand in all only a part is taken, which makes the
        sample size a lower bound.
    """
    if len(position) < FEWEST_LIVE_DRAWS:
        return {}
    thin = max(-(-position[..., 0].size // MOST_LIVE_DRAWS), 1)
    position = position[::thin]
    return {
        "ess": float(np.min(live_ess(position))),
        "r_hat": float(np.max(live_r_hat(position))),
    }


def live_ess(position: np.ndarray) -> np.ndarray:
    """Return the effective sample size of each element, (ndim,); NaN where unknown.

    Rank-normalised as in Vehtari et al. 2021, with numpyro's estimator: it takes
    milliseconds and no import of ArviZ. For independent chains.

    Parameters
    ----------
    position : array, (n_draws, nwalkers, ndim)
    """
    from numpyro.diagnostics import effective_sample_size

    if len(position) < FEWEST_LIVE_DRAWS:
        return np.full(max(position.shape[-1], 1), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        size = effective_sample_size(_rank_normalised(np.moveaxis(position, 1, 0)))
    # Chains that swing to and fro may be worth more than as many independent draws;
    # the estimate breaks down beyond ArviZ's bound, and turns negative.
    n = position[..., 0].size
    most = n * np.log10(n)
    return np.where((size < 0) | (size > most), most, size)


def live_r_hat(position: np.ndarray) -> np.ndarray:
    """Return the rank-normalised split R-hat of each element, (ndim,).

    With numpyro's estimator; walkers are taken for chains. NaN where it is unknown.
    """
    from numpyro.diagnostics import split_gelman_rubin

    if len(position) < FEWEST_LIVE_DRAWS:
        return np.full(max(position.shape[-1], 1), np.nan)
    chains = np.moveaxis(position, 1, 0)
    folded = np.abs(chains - np.median(chains, axis=(0, 1)))
    with np.errstate(divide="ignore", invalid="ignore"):
        bulk = split_gelman_rubin(_rank_normalised(chains))
        tails = split_gelman_rubin(_rank_normalised(folded))
    return np.fmax(bulk, tails)


def live_tau(position: np.ndarray) -> np.ndarray:
    """Return the autocorrelation time of each element, (ndim,) [rows]."""
    from ampynb.algorithms.external import autocorrelation_time  # imports emcee

    if len(position) < FEWEST_LIVE_DRAWS:
        return np.full(max(position.shape[-1], 1), np.nan)
    return autocorrelation_time(position)


def _rank_normalised(values: np.ndarray) -> np.ndarray:
    """Replace each element's values, (chain, draw, ndim), by normal scores of ranks."""
    from scipy.special import ndtri
    from scipy.stats import rankdata

    flat = values.reshape(-1, values.shape[-1])
    ranks = rankdata(flat, axis=0)  # ties share a rank: a rejected step repeats a draw
    return ndtri((ranks - 0.375) / (len(flat) + 0.25)).reshape(values.shape)
