"""Afterglow photometry shipped with the package."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from importlib.resources import files

import numpy as np

__all__ = ["AfterglowData", "load_gw170817"]


@dataclass(frozen=True)
class AfterglowData:
    """Broad-band photometry of one afterglow, one row per detection.

    Attributes
    ----------
    name : str
        The event.
    time : array, (n_obs,) [d]
        Time since the merger or burst.
    frequency : array, (n_obs,) [Hz]
        Observing frequency.
    flux, flux_err : array, (n_obs,) [mJy]
        Flux density and its standard deviation.
    source : str
        The papers that the data come from.
    """

    name: str
    time: np.ndarray = field(repr=False)
    frequency: np.ndarray = field(repr=False)
    flux: np.ndarray = field(repr=False)
    flux_err: np.ndarray = field(repr=False)
    source: str = field(repr=False)

    def __len__(self) -> int:
        return len(self.time)

    @property
    def bands(self) -> np.ndarray:
        """The distinct observing frequencies, ascending, (n_bands,) [Hz]."""
        return np.unique(self.frequency)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{band:.4g}</td><td>{np.sum(self.frequency == band)}</td>"
            f"<td>{self.time[self.frequency == band].min():.4g} to "
            f"{self.time[self.frequency == band].max():.4g}</td></tr>"
            for band in self.bands
        )
        return (
            f"<b>{escape(self.name)}</b>: {len(self)} detections<table><tr>"
            "<th>frequency [Hz]</th><th>detections</th><th>time [d]</th></tr>"
            f"{rows}</table><small>{escape(self.source)}</small>"
        )


def load_gw170817() -> AfterglowData:
    """Load the non-thermal afterglow of GW170817 / GRB 170817A.

    47 detections from 9 to 358 days after the merger: X-ray (2.418e17 Hz, 1 keV),
    optical (HST F606W at 5.09e14 Hz, F814W at 3.73e14 Hz) and radio (3 and 6 GHz).

    Returns
    -------
    AfterglowData

    References
    ----------
    Margutti et al. 2018, Alexander et al. 2018, Troja et al. 2018, Lyman et al. 2018,
    Dobie et al. 2018 and Hajela et al. 2019, as compiled in the examples of redback
    (Sarin et al. 2024).
    """
    path = files("ampynb.datasets") / "gw170817_afterglow.csv"
    with path.open() as lines:
        time, flux, frequency, flux_err = np.loadtxt(lines, delimiter=",", skiprows=1).T
    return AfterglowData(
        name="GW170817 afterglow",
        time=time,
        frequency=frequency,
        flux=flux,
        flux_err=flux_err,
        source="Margutti et al. 2018, Alexander et al. 2018, Troja et al. 2018, Lyman "
        "et al. 2018, Dobie et al. 2018, Hajela et al. 2019",
    )
