"""Afterglow photometry shipped with the package."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from importlib.resources import files

import numpy as np

__all__ = ["AfterglowData", "load_gw170817"]

BAND_NAMES = {
    2.418e17: "1 keV",
    5.09e14: "F606W",
    3.73e14: "F814W",
    6e9: "6 GHz",
    3e9: "3 GHz",
}


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
    def band(self) -> np.ndarray:
        """The name of each row's band, (n_obs,)."""
        return np.array([_band_name(value) for value in self.frequency])

    @property
    def bands(self) -> dict[str, float]:
        """The frequency of each band [Hz], in the order of the rows."""
        return {_band_name(value): float(value) for value in self.frequency}

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{name}</td><td>{frequency:.4g}</td>"
            f"<td>{np.sum(self.band == name)}</td>"
            f"<td>{self.time[self.band == name].min():.4g} to "
            f"{self.time[self.band == name].max():.4g}</td></tr>"
            for name, frequency in self.bands.items()
        )
        return (
            f"<b>{escape(self.name)}</b>: {len(self)} detections<table><tr>"
            "<th>band</th><th>frequency [Hz]</th><th>detections</th>"
            "<th>time [d]</th></tr>"
            f"{rows}</table><small>{escape(self.source)}</small>"
        )


def _band_name(frequency: float) -> str:
    return BAND_NAMES.get(float(frequency), f"{frequency:.4g} Hz")


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
