"""The maximum of a density, from the best draw uphill."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from ampynb.algorithms.optimise import maximise as climb

if TYPE_CHECKING:
    from ampynb.results.result import Result

__all__ = ["DENSITIES", "Maximum", "maximise"]

DENSITIES = ("log_likelihood", "log_posterior")


@dataclass(frozen=True, eq=False, repr=False)
class Maximum:
    """The point at which a density is highest.

    Attributes
    ----------
    instance : instance
    vector : array, (ndim,) [model units]
    log_likelihood, log_posterior : float
        At the point.
    converged : bool
        Whether the optimiser found that it is a maximum.
    message : str
        The optimiser's own words.
    """

    instance: Any
    vector: np.ndarray
    log_likelihood: float
    log_posterior: float
    converged: bool
    message: str

    def __repr__(self) -> str:
        doubt = "" if self.converged else f", not converged: {self.message}"
        return (
            f"Maximum(log_likelihood={self.log_likelihood:.8g}, "
            f"log_posterior={self.log_posterior:.8g}, "
            f"vector={self.vector.tolist()}{doubt})"
        )

    def _repr_html_(self) -> str:
        return f"<code>{escape(repr(self))}</code>"


def maximise(result: Result, density: str = "log_likelihood") -> Maximum:
    """Return the very maximum of a density in model units, uphill from the best draw.

    Parameters
    ----------
    density : str
        ``"log_likelihood"`` for the best fit, ``"log_posterior"`` for the most
        probable point.

    Notes
    -----
    By `ampynb.algorithms.optimise.maximise`. Where the climb ends below the best draw,
    that is returned.
    """
    if density not in DENSITIES:
        raise ValueError(
            f"expected a density among {', '.join(map(repr, DENSITIES))}; got "
            f"{density!r}; correct it"
        )
    posterior, start = result.posterior, result.best.position
    result.check_unchanged()
    found = climb(posterior, start, density=density)
    is_better = found.log_density > float(getattr(posterior, density)(start))
    vector = found.vector if is_better else np.asarray(start)
    return Maximum(
        posterior.model.instance_from_vector(vector),
        vector,
        float(posterior.log_likelihood(vector)),
        float(posterior.log_posterior(vector)),
        found.converged,
        found.message,
    )
