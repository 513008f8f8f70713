"""Points that a likelihood rejects: why, and how many of them."""

from __future__ import annotations

import re
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

__all__ = [
    "NO_REJECTIONS",
    "REJECTING",
    "Evaluation",
    "FitException",
    "RejectionTable",
    "Rejections",
    "counted",
    "evaluation_of",
]

PACKAGE = Path(__file__).parents[1]
NAN, INFINITE = "NaN", "+inf"
OTHERS = "other reasons"
KEPT_REASONS, LONGEST_REASON = 8, 160  # of a run; bytes of each
SHOWN_REASONS = 3
NUMBER = re.compile(r"[-+]?\d[\d.]*(?:[eE][-+]?\d+)?")


class FitException(Exception):
    """Raise it in a NumPy likelihood to reject a point, which has no solution.

    Its log likelihood is -inf then, as after any `ValueError` or `ArithmeticError`,
    and the result says how many points were rejected, and why. A likelihood in JAX
    returns ``-jnp.inf`` instead.

    Examples
    --------
    ::

        def log_likelihood_function(self, instance):
            if not is_stable(instance):
                raise anb.FitException("the orbits cross")
            ...
    """


# LinAlgError is a ValueError; ZeroDivisionError and FloatingPointError are the latter.
REJECTING = (FitException, ValueError, ArithmeticError, np.linalg.LinAlgError)


class Evaluation(NamedTuple):
    """A log likelihood, and why it is -inf where the point was rejected."""

    value: float
    reason: str = ""


def evaluation_of(likelihood: Callable[[Any], Any], vector: Any) -> Evaluation:
    """Return a NumPy log likelihood; -inf where it raises, and where it is not finite.

    Errors other than `REJECTING` are raised, and say where.

    Raises
    ------
    TypeError
        Where it is no real number.
    """
    try:
        value = _number(likelihood(vector))
    except REJECTING as error:
        lines = str(error).strip().splitlines()
        told = f": {lines[0]}" if lines else ""
        return Evaluation(-np.inf, f"{type(error).__name__}{told}")
    except Exception as error:
        place = place_of(error)
        if place and not hasattr(error, "__notes__"):
            error.add_note(
                f"the likelihood raised this {place}; correct it, or raise "
                "ampynb.FitException where a point has no solution"
            )
        raise
    if np.isfinite(value) or value == -np.inf:
        return Evaluation(value)
    return Evaluation(-np.inf, NAN if np.isnan(value) else INFINITE)


def place_of(error: BaseException) -> str:
    """Return in words the last line of the user's that an error came through."""
    found = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        code = frame.f_code
        path = Path(code.co_filename)
        is_users = not path.is_relative_to(PACKAGE) and "site-packages" not in str(path)
        if is_users:
            found = f"at line {line} of {code.co_qualname.rpartition('<locals>.')[2]}"
    return found


def _number(value: Any) -> float:
    array = np.asarray(value)
    if array.ndim > 0 or array.dtype.kind in "cO":
        shape = f" of shape {array.shape}" if array.ndim else ""
        raise TypeError(
            f"expected a real number as the log likelihood; got {type(value).__name__}"
            f"{shape}, at some points at least; return a number at each, -numpy.inf "
            "where a point is impossible"
        )
    return float(value)


@dataclass(frozen=True)
class Rejections:
    """How many points were rejected, and why.

    A log likelihood that is -inf, as the likelihood itself returns it, is a value and
    no rejection.

    Attributes
    ----------
    points : int
        At which the likelihood was computed.
    reasons : dict of str to int
        ``"NaN"``, ``"+inf"`` or an error in words, and the number of points; messages
        that differ in their numbers alone are counted together.
    """

    points: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of_counts(cls, counts: Any) -> Rejections:
        """Return what `counted` has counted in compiled code."""
        points, undefined, infinite = map(int, counts)
        found = {NAN: undefined, INFINITE: infinite}
        return cls(points, {reason: n for reason, n in found.items() if n})

    @classmethod
    def of(cls, evaluations: Any) -> Rejections:
        """Return those among some evaluations, in an order that does not matter."""
        reasons = Counter(one.reason for one in evaluations if one.reason)
        return cls(len(evaluations), dict(sorted(reasons.items())))

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Rejections:
        """Return what `as_dict` gave."""
        return cls(int(found.get("points", 0)), dict(found.get("reasons", {})))

    def as_dict(self) -> dict[str, Any]:
        """Return numbers and words that JSON can keep."""
        return {"points": self.points, "reasons": dict(self.reasons)}

    def __add__(self, more: Rejections) -> Rejections:
        reasons = Counter(self.reasons) + Counter(more.reasons)
        return Rejections(self.points + more.points, dict(reasons))

    @property
    def total(self) -> int:
        """Number of points that were rejected."""
        return sum(self.reasons.values())

    def counts(self) -> np.ndarray:
        """Return the state in which compiled code goes on counting, (3,)."""
        found = self.reasons.get(NAN, 0), self.reasons.get(INFINITE, 0)
        return np.array([self.points, *found], dtype=jnp.result_type(int))

    def __str__(self) -> str:
        if not self.total:
            return ""
        ranked = sorted(self.reasons.items(), key=lambda item: (-item[1], item[0]))
        told = [reason for reason, _ in ranked]
        if len(ranked) > 1:
            told = [f"{reason} ({n:,})" for reason, n in ranked[:SHOWN_REASONS]]
        if len(ranked) > SHOWN_REASONS:
            left = sum(n for _, n in ranked[SHOWN_REASONS:])
            told.append(f"others ({left:,})")
        return f"rejected {self.total:,} of {self.points:,} points: {'; '.join(told)}"


NO_REJECTIONS = Rejections()


class RejectionTable(NamedTuple):
    """Rejections as plain arrays: part of the state of a sampler of NumPy likelihoods.

    Attributes
    ----------
    points : int
    counts : array of int, (KEPT_REASONS,)
    texts : array of uint8, (KEPT_REASONS, LONGEST_REASON)
        In UTF-8, filled up with zeros; the last is for all reasons that find no place.
    """

    points: int
    counts: np.ndarray
    texts: np.ndarray

    @classmethod
    def empty(cls) -> RejectionTable:
        """Return a table without any."""
        shape = KEPT_REASONS, LONGEST_REASON
        return cls(0, np.zeros(KEPT_REASONS, np.int64), np.zeros(shape, np.uint8))

    def with_more(self, more: Rejections) -> RejectionTable:
        """Return the table with further rejections counted."""
        counts, texts = self.counts.copy(), self.texts.copy()
        kinds = [_kind(_text(row)) for row in texts]
        for reason, n in more.reasons.items():
            row = _row(reason)
            kind = _kind(_text(row))
            free = kinds.index("") if "" in kinds[:-1] else KEPT_REASONS - 1
            place = kinds.index(kind) if kind in kinds else free
            if place == KEPT_REASONS - 1:
                row = _row(OTHERS)
            if not counts[place]:
                texts[place], kinds[place] = row, _kind(_text(row))
            counts[place] += n
        return RejectionTable(self.points + more.points, counts, texts)

    def rejections(self) -> Rejections:
        """Return what the table holds."""
        rows = zip(self.texts, self.counts, strict=True)
        return Rejections(self.points, {_text(text): int(n) for text, n in rows if n})


def _row(reason: str) -> np.ndarray:
    content = reason.encode()[:LONGEST_REASON].ljust(LONGEST_REASON, b"\0")
    return np.frombuffer(content, np.uint8)


def _text(row: np.ndarray) -> str:
    return row.tobytes().rstrip(b"\0").decode(errors="ignore")


def _kind(reason: str) -> str:
    """Return a reason without its numbers: each point may have others."""
    return NUMBER.sub("#", reason)


def counted(function: Callable[[Any], Any], posterior: Any) -> tuple[Any, jax.Array]:
    """Return ``function(posterior)``, and what its likelihoods were, (3,).

    In compiled code, for one point or chain at a time: the points at which the
    likelihood was computed, those of NaN, and those of +inf. Wherever in the function
    that is, in loops and gradients too.
    """
    counts = jax.new_ref(jnp.zeros(3, int))

    def note(value: jax.Array, inside: Any) -> None:
        kinds = jnp.stack(
            [jnp.ones_like(value, bool), jnp.isnan(value), jnp.isposinf(value)]
        )
        counts[...] += (kinds & inside).astype(counts.dtype)

    return function(posterior.noting(note)), counts[...]
