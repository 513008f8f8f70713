"""The nonlinear least-squares problems of NIST, with certified answers.

Source: National Institute of Standards and Technology, Statistical Reference Datasets,
nonlinear regression; the certificates are in ``tests/reference/nist``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist

import ampynb as anb

FOLDER = Path(__file__).parents[1] / "reference" / "nist"
TURN = 2 * np.pi


def box(x, b1, b2):
    return b1 * (1 - jnp.exp(-b2 * x))


def chwirut(x, b1, b2, b3):
    return jnp.exp(-b1 * x) / (b2 + b3 * x)


def gauss(x, b1, b2, b3, b4, b5, b6, b7, b8):
    first = b3 * jnp.exp(-((x - b4) ** 2) / b5**2)
    second = b6 * jnp.exp(-((x - b7) ** 2) / b8**2)
    return b1 * jnp.exp(-b2 * x) + first + second


def lanczos(x, b1, b2, b3, b4, b5, b6):
    return b1 * jnp.exp(-b2 * x) + b3 * jnp.exp(-b4 * x) + b5 * jnp.exp(-b6 * x)


def cubic(x, b1, b2, b3, b4, b5, b6, b7):
    above = b1 + b2 * x + b3 * x**2 + b4 * x**3
    return above / (1 + b5 * x + b6 * x**2 + b7 * x**3)


def enso(x, b1, b2, b3, b4, b5, b6, b7, b8, b9):
    year, second, third = TURN * x / 12, TURN * x / b4, TURN * x / b7
    return (
        b1
        + (b2 * jnp.cos(year) + b3 * jnp.sin(year))
        + (b5 * jnp.cos(second) + b6 * jnp.sin(second))
        + (b8 * jnp.cos(third) + b9 * jnp.sin(third))
    )


MODELS: dict[str, Callable] = {
    "Bennett5": lambda x, b1, b2, b3: b1 * (b2 + x) ** (-1 / b3),
    "BoxBOD": box,
    "Chwirut1": chwirut,
    "Chwirut2": chwirut,
    "DanWood": lambda x, b1, b2: b1 * x**b2,
    "ENSO": enso,
    "Eckerle4": lambda x, b1, b2, b3: b1 / b2 * jnp.exp(-0.5 * ((x - b3) / b2) ** 2),
    "Gauss1": gauss,
    "Gauss2": gauss,
    "Gauss3": gauss,
    "Hahn1": cubic,
    "Kirby2": lambda x, b1, b2, b3, b4, b5: (
        (b1 + b2 * x + b3 * x**2) / (1 + b4 * x + b5 * x**2)
    ),
    "Lanczos1": lanczos,
    "Lanczos2": lanczos,
    "Lanczos3": lanczos,
    "MGH09": lambda x, b1, b2, b3, b4: b1 * (x**2 + x * b2) / (x**2 + x * b3 + b4),
    "MGH10": lambda x, b1, b2, b3: b1 * jnp.exp(b2 / (x + b3)),
    "MGH17": lambda x, b1, b2, b3, b4, b5: (
        b1 + b2 * jnp.exp(-x * b4) + b3 * jnp.exp(-x * b5)
    ),
    "Misra1a": box,
    "Misra1b": lambda x, b1, b2: b1 * (1 - (1 + b2 * x / 2) ** -2.0),
    "Misra1c": lambda x, b1, b2: b1 * (1 - (1 + 2 * b2 * x) ** -0.5),
    "Misra1d": lambda x, b1, b2: b1 * b2 * x / (1 + b2 * x),
    "Nelson": lambda x, b1, b2, b3: b1 - b2 * x[0] * jnp.exp(-b3 * x[1]),  # of ln y
    "Rat42": lambda x, b1, b2, b3: b1 / (1 + jnp.exp(b2 - b3 * x)),
    "Rat43": lambda x, b1, b2, b3, b4: b1 / (1 + jnp.exp(b2 - b3 * x)) ** (1 / b4),
    "Roszman1": lambda x, b1, b2, b3, b4: (
        b1 - b2 * x - jnp.arctan(b3 / (x - b4)) / np.pi
    ),
    "Thurber": cubic,
}


class Regression(anb.Analysis):
    """One of the problems, its noise the certified deviation of the residuals."""

    def __init__(self, name: str, x: np.ndarray, y: np.ndarray, yerr: float, **kwargs):
        super().__init__(**kwargs)
        self.name, self.x, self.y, self.yerr = name, x, y, yerr

    def fit_from(self, instance):
        model = MODELS[self.name](self.x, **vars(instance))
        return anb.GaussianFit(self.y, jnp.full_like(self.y, self.yerr), model)


@dataclass(frozen=True)
class Certificate:
    """What NIST gives: two starts, the answer, and its sum of squares."""

    name: str
    x: np.ndarray
    y: np.ndarray
    starts: dict[int, np.ndarray]
    certified: np.ndarray
    sum_of_squares: float

    @property
    def yerr(self) -> float:
        return float(np.sqrt(self.sum_of_squares / (len(self.y) - len(self.certified))))

    def squares_at(self, vector: np.ndarray) -> float:
        residuals = self.y - np.asarray(MODELS[self.name](self.x, *vector))
        return float(np.sum(residuals**2))

    def digits_of(self, vector: np.ndarray) -> float:
        """Return how many digits agree, in the parameter where fewest do."""
        off = np.abs(np.asarray(vector) / self.certified - 1)
        return float(-np.log10(np.max(off) + 1e-11))

    def posterior(self, width: float = 10.0, **options: Any) -> anb.Posterior:
        """Return uniform priors, some times as wide as starts and answer are large."""
        points = np.array([self.certified, *self.starts.values()])
        most = width * np.abs(points).max(axis=0)
        priors = {f"b{i + 1}": dist.Uniform(-m, m) for i, m in enumerate(most)}
        analysis = Regression(self.name, self.x, self.y, self.yerr, **options)
        return anb.Posterior(analysis, anb.Model(**priors))


@cache
def certificate(name: str) -> Certificate:
    lines = (FOLDER / f"{name}.dat").read_text().splitlines()
    rows = [re.findall(r"[-+.\dE]+", line.partition("=")[2]) for line in lines[40:58]]
    numbers = np.array([row[:3] for row in rows if len(row) >= 4], dtype=float)
    squares = next(line for line in lines if line.startswith("Residual Sum of Squares"))
    data = np.array([line.split() for line in lines[60:] if line.strip()], dtype=float)
    y, x = data[:, 0], data[:, 1:].T
    return Certificate(
        name,
        x if len(x) > 1 else x[0],
        np.log(y) if name == "Nelson" else y,
        {1: numbers[:, 0], 2: numbers[:, 1]},
        numbers[:, 2],
        float(squares.split()[-1]),
    )
