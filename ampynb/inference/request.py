"""What a user asks for in one call, checked."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ampynb.algorithms.algorithm import Algorithm
from ampynb.algorithms.registry import algorithm_from
from ampynb.analysis.posterior import Posterior
from ampynb.inference.stopping import StoppingRule, check_rule
from ampynb.model.options import checked_count, meant

__all__ = ["Request"]

MOST_ITERATIONS = 100_000  # of a run that a rule ends, unless the user says otherwise
RUN_OPTIONS = ("thin_by", "iterations_per_quick_update")
USUAL = {
    "nwalkers": 32,
    "burn": 1000,
    "iterations": 1000,
    "thin_by": 10,
    "iterations_per_quick_update": 500,
}


@dataclass(frozen=True)
class Request:
    """The arguments of one run; see `InferenceEngine.run`."""

    nwalkers: int | None = None
    iterations: int | None = None
    burn: int | None = None
    sampler: str | Algorithm = "ensemble"
    workers: Any = None
    ntemps: int | None = None
    sampler_kw: Mapping[str, Any] | None = None
    run_kw: Mapping[str, Any] | None = None
    resume: bool | str = False
    start: Any = None
    path: str | Path | None = None
    until: StoppingRule | None = None
    executor: str = "process"
    devices: int | None = None

    def __post_init__(self):
        if not isinstance(self.resume, bool) and self.resume != "auto":
            raise ValueError(
                f"expected resume as True, False or 'auto'; got {self.resume!r}; "
                "'auto' continues a run where there is one"
            )
        if self.resume == "auto" and self.path is None:
            raise ValueError(
                "expected a path with resume='auto'; got none; give path='run-1'"
            )
        check_rule(self.until)
        unknown = [name for name in self.run_kw or {} if name not in RUN_OPTIONS]
        if unknown:
            hint = " ".join(filter(None, (meant(n, RUN_OPTIONS) for n in unknown)))
            raise ValueError(
                f"expected run_kw of {', '.join(RUN_OPTIONS)}; got "
                f"{', '.join(unknown)}{hint and f' ({hint})'}; options of the sampler "
                "go into sampler_kw"
            )
        if self.path is not None:
            _check_path(self.path)
        for name, count in (self.run_kw or {}).items():
            checked_count(name, count, 1, USUAL[name])

    @property
    def thin_by(self) -> int:
        """One in so many sampling steps is kept."""
        return int((self.run_kw or {}).get("thin_by", 1))

    @property
    def iterations_per_quick_update(self) -> int | None:
        """Steps from one update of the analysis to the next."""
        return (self.run_kw or {}).get("iterations_per_quick_update")

    @property
    def folder(self) -> Path | None:
        """The folder to save to, wherever the process moves meanwhile."""
        return None if self.path is None else Path(self.path).expanduser().absolute()

    @property
    def length(self) -> str:
        """What tells how long the run is."""
        return f"{self.iterations} until {self.until}, resume={self.resume}"

    def pool(self, algorithm: Algorithm) -> tuple[Any, str]:
        """Return where likelihoods are to be computed: workers, and what they are."""
        pool = getattr(algorithm, "pool", None)
        return pool if self.workers is None else self.workers, self.executor

    def algorithm(self, posterior: Posterior) -> Algorithm:
        """Return the algorithm that is asked for, configured and checked."""
        given = {
            name: value
            for name in ("nwalkers", "iterations", "burn", "ntemps")
            if (value := getattr(self, name)) is not None
        }
        options = {**(self.sampler_kw or {}), **given}
        algorithm = algorithm_from(self.sampler, posterior, options)
        open_ended = self.until is not None and isinstance(self.sampler, str)
        if open_ended and "iterations" not in options and algorithm.iterations:
            algorithm = dataclasses.replace(algorithm, iterations=MOST_ITERATIONS)
        self._check_fitting(algorithm)
        counts = {
            "nwalkers": _count(algorithm, "nwalkers", 1),
            "burn": _count(algorithm, "burn", 0),
        }
        if algorithm.iterations is not None:
            iterations = _count(algorithm, "iterations", 1)
            counts["iterations"] = iterations * self.thin_by
        algorithm = dataclasses.replace(algorithm, **counts)
        if self.until is not None:
            self.until.check(algorithm)
        return algorithm

    def defaults_of(self, algorithm: Algorithm) -> str:
        """Return what was left out, and what it is then, in words.

        Parameters
        ----------
        algorithm : Algorithm
            As this request has configured it.
        """
        usual = {field.name: field.default for field in dataclasses.fields(algorithm)}
        given = {name for name in usual if getattr(self, name, None) is not None}
        given |= set(self.sampler_kw or {})
        if isinstance(self.sampler, Algorithm):
            own = self.sampler
            given |= {name for name in usual if getattr(own, name) != usual[name]}
        if algorithm.iterations is None:  # it knows itself when it is done
            left = "iterations" not in given
            return "iterations left out: as many as it takes" if left else ""
        numbers = {
            "burn": algorithm.burn,
            "iterations": algorithm.iterations // self.thin_by,
        }
        left = [f"{name}={n}" for name, n in numbers.items() if name not in given]
        return f"{' and '.join(left)} by default, as left out" if left else ""

    def _check_fitting(self, algorithm: Algorithm) -> None:
        """Raise for what an algorithm of another kind could do."""
        if self.start is not None and not algorithm.candidates_per_walker:
            raise ValueError(
                f"expected no start with the sampler {algorithm.name!r}, which begins "
                "with draws from the prior; got one; leave it out"
            )
        if self.thin_by != 1 and not algorithm.draws_chains:
            raise ValueError(
                f"expected no thin_by with the sampler {algorithm.name!r}, which needs "
                f"all of its draws; got thin_by={self.thin_by}; leave it out"
            )


def _check_path(path: Any) -> None:
    is_path = isinstance(path, str | os.PathLike)
    if not (is_path and os.fspath(path)):
        raise (ValueError if is_path else TypeError)(
            "expected path as the name of a folder, a string or a Path; got "
            f"{path!r}; give for instance path='run-1'"
        )


def _count(algorithm: Algorithm, name: str, least: int) -> int:
    return checked_count(name, getattr(algorithm, name), least, USUAL[name])
