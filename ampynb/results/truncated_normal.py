"""The truncated normal distribution with a given mean and standard deviation."""

from __future__ import annotations

import functools

import numpy as np

__all__ = ["with_moments"]

FAR = 8.0  # standard deviations beyond which an edge plays no part
MOST = 30.0  # standard deviations that the location may be away from the mean
NODES = 400


def with_moments(
    mean: np.ndarray, sd: np.ndarray, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return location and scale of normal distributions before they are truncated.

    Truncated they have the mean and the standard deviation asked for, or come as near
    as a truncated normal can: not nearer to a U shape than uniform.

    Parameters
    ----------
    mean, sd, low, high : array
        Of one shape; the edges may be infinite.
    """
    shape = np.shape(mean)
    columns = [np.ravel(np.broadcast_to(each, shape)) for each in (mean, sd, low, high)]
    solved = [_solve(*map(float, row)) for row in np.stack(columns, axis=1)]
    loc, scale = np.array(solved).T.reshape(2, *shape)
    return loc, scale


def _solve(mean: float, sd: float, low: float, high: float) -> tuple[float, float]:
    from scipy.optimize import least_squares

    # In units of the standard deviation, from the mean.
    low, high = (low - mean) / sd, (high - mean) / sd
    if low < -FAR and high > FAR:
        return mean, sd

    def mismatch(x: np.ndarray) -> np.ndarray:
        m, s = _moments(x[0], np.exp(x[1]), low, high)
        return np.array([m, np.log(s)])

    bounds = ([-MOST, np.log(0.5)], [MOST, np.log(MOST)])
    found = least_squares(mismatch, [0.0, 0.1], bounds=bounds, xtol=1e-12, ftol=1e-12)
    loc, scale = found.x[0], np.exp(found.x[1])
    return float(mean + sd * loc), float(sd * scale)


@functools.cache
def _nodes() -> tuple[np.ndarray, np.ndarray]:
    return np.polynomial.legendre.leggauss(NODES)


def _moments(loc: float, scale: float, low: float, high: float) -> tuple[float, float]:
    """Return mean and standard deviation of a truncated normal, by quadrature.

    The closed form loses all digits where the location is far outside.
    """
    peak = np.clip(loc, low, high)
    outside = abs(loc - peak)  # there it falls off like an exponential function
    reach = min(FAR * scale, 0.5 * FAR**2 * scale**2 / max(outside, 1e-9))
    left, right = max(low, peak - reach), min(high, peak + reach)
    nodes, weights = _nodes()
    x = 0.5 * (left + right) + 0.5 * (right - left) * nodes
    exponent = -0.5 * ((x - loc) / scale) ** 2
    density = weights * np.exp(exponent - exponent.max())
    density = density / density.sum()
    m = float(density @ x)
    return m, float(np.sqrt(density @ (x - m) ** 2))
