"""Points that one can jump to by name."""

from __future__ import annotations

import jax
import numpy as np

from ampynb.model.options import checked_count
from ampynb.results.result import Result
from ampynb.widgets.point import Point

__all__ = ["TARGETS", "check_result", "draw_of", "needed", "target"]

TARGETS = ("prior median", "prior draw", "best", "posterior median")


def target(
    to: str, point: Point, result: Result | None, best: Point | None, seed: int
) -> Point:
    """Return the point of a name, with what is fixed in ``point`` left as it is.

    Parameters
    ----------
    to : str
        One of `TARGETS`.
    best : Point, optional
        Where an optimiser ended.
    seed : int
        Of a prior draw.
    """
    model = point.model
    if to == "prior median":
        vector = model.prior_interval(0.0)[:, 0]
    elif to == "prior draw":
        vector = model.sample_prior(jax.random.key(seed), 1)[0]
    elif to == "posterior median":
        vector = model.vector_from_instance(needed(result).median())
    elif to == "best" and result is not None:
        vector = model.vector_from_instance(result.max_log_likelihood())
    elif to == "best" and best is not None:
        return best
    elif to == "best":
        raise ValueError(
            "expected a result or an optimum to go to; got neither; call "
            "explorer.optimise()"
        )
    else:
        raise ValueError(f"expected one of {', '.join(TARGETS)}; got {to!r}")
    return point.at_vector(np.asarray(vector)).rounded()


def draw_of(result: Result | None, point: Point, n: int) -> Point:
    """Return the point of the ``n``-th draw of a result."""
    draws = needed(result).flat_draws
    if checked_count("n", n, least=0, usual=0) >= len(draws):
        raise ValueError(f"expected a draw from 0 to {len(draws) - 1}; got {n}")
    instance = needed(result).model.instance_from_vector(draws[n])
    return point.at_vector(np.asarray(point.model.vector_from_instance(instance)))


def needed(result: Result | None) -> Result:
    """Return the result, or raise where there is none."""
    if result is None:
        raise ValueError(
            "expected a result; got none; pass result= to anb.explore, or call "
            "explorer.sample()"
        )
    return result


def check_result(result: Result, point: Point) -> None:
    """Raise where a result is of another model, what is fixed or freed here aside."""
    mine, theirs = point.given.names, result.model.names
    differ = {name.partition("[")[0] for name in set(mine) ^ set(theirs)}
    if differ - point.fixed - set(point.freed):
        raise ValueError(
            f"expected a result with the parameters {', '.join(mine)}; got one with "
            f"{', '.join(theirs)}; explore the model it is of"
        )
