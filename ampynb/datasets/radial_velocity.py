"""Radial velocities of stars with planets, shipped with the package."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files

import numpy as np

__all__ = ["RadialVelocityData", "load_k2_24"]


@dataclass(frozen=True)
class RadialVelocityData:
    """Radial velocities of one star, one row per spectrum.

    Attributes
    ----------
    name : str
        The star.
    time : array, (n_obs,) [d]
        Barycentric Julian date less 2454833.
    velocity, velocity_err : array, (n_obs,) [m/s]
        Radial velocity, positive for a star that recedes, about a mean, and its
        standard deviation.
    period, transit_time : dict of str to float [d]
        Of each planet: its period, and when it is before the star, on the same scale
        as ``time``.
    source : str
        The papers that the data come from.
    """

    name: str
    time: np.ndarray = field(repr=False)
    velocity: np.ndarray = field(repr=False)
    velocity_err: np.ndarray = field(repr=False)
    period: Mapping[str, float] = field(repr=False)
    transit_time: Mapping[str, float] = field(repr=False)
    source: str = field(repr=False)

    def __len__(self) -> int:
        return len(self.time)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(planet)}</td><td>{self.period[planet]:.6g}</td>"
            f"<td>{self.transit_time[planet]:.8g}</td></tr>"
            for planet in self.period
        )
        return (
            f"<b>{escape(self.name)}</b>: {len(self)} radial velocities from "
            f"{self.time.min():.1f} to {self.time.max():.1f} d (BJD - 2454833), with "
            f"errors of {np.median(self.velocity_err):.2g} m/s<table><tr><th>planet"
            "</th><th>period [d]</th><th>transit [d]</th></tr>"
            f"{rows}</table><small>{escape(self.source)}</small>"
        )


def load_k2_24() -> RadialVelocityData:
    """Load the radial velocities of K2-24 (EPIC 203771098), which has two planets.

    32 spectra by Keck/HIRES over 101 days. Both planets transit, b every 20.885 and c
    every 42.363 days, so that their phases are known; they move the star by a few m/s,
    little more than the errors.

    Returns
    -------
    RadialVelocityData

    References
    ----------
    Petigura et al. 2016, ApJ 818, 36, as distributed with RadVel (Fulton et al. 2018,
    PASP 130, 044504), whose periods and times of transit these are too.
    """
    path = files("ampynb.datasets") / "k2_24_rv.csv"
    with path.open() as lines:
        time, velocity, error = np.loadtxt(lines, delimiter=",", skiprows=1).T
    return RadialVelocityData(
        name="K2-24",
        time=time,
        velocity=velocity,
        velocity_err=error,
        period={"b": 20.885258, "c": 42.363011},
        transit_time={"b": 2072.79438, "c": 2082.62516},
        source="Petigura et al. 2016, by way of RadVel (Fulton et al. 2018)",
    )
