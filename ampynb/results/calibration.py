"""What simulation-based calibration found: ranks, and what they mean in words."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from ampynb.results.uniformity import departure, ecdf_band, p_value

if TYPE_CHECKING:
    import pandas as pd

    from ampynb.plots.figure import NotebookFigure
    from ampynb.results.uniformity import Band, Departure

__all__ = ["LOG_LIKELIHOOD", "Calibration"]

LOG_LIKELIHOOD = "log_likelihood"
MASS = 0.95  # of calibrations in which right ranks raise no alarm
CLEAR = 3.0  # standard deviations that are put into words


@dataclass(frozen=True, eq=False, repr=False)
class Calibration:
    """Ranks of true values among posterior draws, each of its own simulated data.

    Where model, likelihood and sampler are right, every rank is as probable as any
    other (Talts et al. 2018, theorem 1).

    Attributes
    ----------
    names : tuple of str, (n_quantities,)
        The parameters, ``log_likelihood``, and the test quantities that were asked
        for.
    ranks : array of int, (n, n_quantities)
        How many of the draws of a fit are below the true value; ties by lot.
    n_draws : int
        Draws of each fit, nearly independent; L in Talts et al. 2018.
    truths : array, (n, ndim) [model units]
        Draws from the prior, at which the data were simulated.
    ess : array, (n,)
        Effective number of independent draws that each fit made; of its slowest
        quantity.
    asked_for : int
        Fits that were to be made.
    left_out : int
        Draws from the prior with no finite likelihood, which were replaced.
    sampler : str
    seed : int
    seconds : float
        Computing time [s].
    reason : str
        ``"completed"``, ``"stopped"``, ``"failed"``, or ``"running"``.
    """

    names: tuple[str, ...]
    ranks: np.ndarray
    n_draws: int
    truths: np.ndarray
    ess: np.ndarray
    asked_for: int
    left_out: int
    sampler: str
    seed: int
    seconds: float
    reason: str

    def __len__(self) -> int:
        """Return the number of fits."""
        return len(self.ranks)

    @functools.cached_property
    def p_values(self) -> dict[str, float]:
        """By quantity, how often chance alone takes ranks as far from uniform.

        Of the graphical test of Säilynoja, Bürkner and Vehtari (2022), for each
        quantity by itself; NaN without fits.
        """
        return {
            name: p_value(ranks, self.n_draws + 1) if len(self) else np.nan
            for name, ranks in zip(self.names, self.ranks.T, strict=True)
        }

    @property
    def is_calibrated(self) -> bool:
        """Whether the ranks of all quantities together are as chance has them."""
        return len(self) > 0 and not any(map(self._is_off, self.names))

    def _is_off(self, name: str) -> bool:
        # Bonferroni: the more quantities, the farther one of them strays by chance.
        return self.p_values[name] <= (1 - MASS) / len(self.names)

    @property
    def band(self) -> Band:
        """Where all quantities' distributions of ranks stay, in 95 % of calibrations.

        That of `ecdf_band`, widened for the number of quantities.
        """
        return ecdf_band(len(self), self.n_draws + 1, 1 - (1 - MASS) / len(self.names))

    def departure(self, name: str) -> Departure:
        """Return how far a quantity's ranks are off on average, in sigma."""
        ranks = self.ranks[:, self.names.index(name)]
        return departure(ranks, self.n_draws + 1)

    # Words

    def verdict(self) -> list[str]:
        """Return what the ranks say, one sentence for each quantity, in plain words."""
        if not len(self):
            return ["no fit was finished: nothing can be said; let it run longer"]
        return [*map(self._sentence, self.names), *self._reservations()]

    def _sentence(self, name: str) -> str:
        if not self._is_off(name):
            return f"{name} is calibrated"
        found = self.departure(name)
        told = []
        if abs(found.spread) > max(CLEAR, abs(found.bias)):
            told.append(
                "pile up at both ends: the posterior is too narrow"
                if found.spread > 0
                else "pile up in the middle: the posterior is too wide"
            )
        if abs(found.bias) > CLEAR:
            told.append(_bias_in_words(name, low=found.bias < 0))
        return f"{name}: ranks " + (
            ", and ".join(told) or "are not uniform, in a way of its own: see plot()"
        )

    def _reservations(self) -> Iterator[str]:
        few = int(np.sum(~(self.ess >= self.n_draws)))
        if few:
            yield (
                f"{few} of {len(self)} fits have fewer than {self.n_draws} independent "
                f"draws, the least {np.nanmin(self.ess, initial=np.inf):.0f}, which by "
                "itself makes ranks pile up at both ends: give more iterations, or ask "
                "for fewer draws"
            )
        if self.left_out:
            drawn = self.asked_for + self.left_out
            yield (
                f"{self.left_out} of {drawn} draws from the prior have no finite "
                "likelihood and were replaced: what is proved holds for the rest of "
                "the prior"
            )
        if len(self) < self.asked_for:
            yield f"{self.reason} after {len(self)} of {self.asked_for} fits"

    # Views

    @property
    def table(self) -> pd.DataFrame:
        """One row for each quantity: ``p_value``, and ``bias`` and ``spread`` [sigma].

        See `departure` for the last two.
        """
        import pandas as pd

        found = [self.departure(name) for name in self.names] if len(self) else []
        columns = {
            "p_value": list(self.p_values.values()),
            "bias": [one.bias for one in found] or np.nan,
            "spread": [one.spread for one in found] or np.nan,
        }
        return pd.DataFrame(columns, index=list(self.names))

    def plot(self, names: str | list[str] | None = None) -> NotebookFigure:
        """Draw rank histograms, and how far the ranks' distributions are from uniform.

        Parameters
        ----------
        names : str or list of str, optional
            Quantities shown; all by default.
        """
        from ampynb.plots.calibration import plot_calibration
        from ampynb.plots.figure import NotebookFigure

        chosen = [names] if isinstance(names, str) else list(names or self.names)
        unknown = [name for name in chosen if name not in self.names]
        if unknown:
            raise ValueError(
                f"expected names among {', '.join(self.names)}; got "
                f"{', '.join(unknown)}; correct them"
            )
        if not len(self):
            raise ValueError(f"expected fits to draw; got none: {self.verdict()[0]}")
        figure = NotebookFigure(figsize=(9, 1.75 * len(chosen) + 0.75))
        columns = [self.names.index(name) for name in chosen]
        plot_calibration(
            figure,
            self.ranks[:, columns],
            self.n_draws + 1,
            self.band,
            [self._sentence(name) for name in chosen],
            [self._is_off(name) for name in chosen],
        )
        return figure

    def _headline(self) -> str:
        return (
            f"calibration of {self.sampler}: {len(self)} fits of data simulated from "
            f"the prior, {self.n_draws} draws each, in {self.seconds:.1f} s"
        )

    def __repr__(self) -> str:
        table = self.table.round(3).to_string()
        return "\n".join([self._headline(), *self.verdict(), table])

    def _repr_html_(self) -> str:
        told = "".join(
            f"<div>{_sign(line)} {escape(line)}</div>" for line in self.verdict()
        )
        table = self.table.to_html(float_format="{:.3g}".format, border=0)
        return f"<b>{escape(self._headline())}</b>{told}{table}"


def _sign(line: str) -> str:
    return "✓" if line.endswith("is calibrated") else "⚠"


def _bias_in_words(name: str, low: bool) -> str:
    if name == LOG_LIKELIHOOD:
        how = "better" if low else "worse"
        way = "low" if low else "high"
        return f"are {way}: draws fit the data {how} than they should"
    if low:
        return "are low: the posterior is biased towards high values"
    return "are high: the posterior is biased towards low values"
