"""The hooks of an analysis around one run: in one order, and none can harm it."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ampynb.analysis.analysis import Analysis
from ampynb.analysis.hooks import is_written
from ampynb.analysis.joint import JointAnalysis
from ampynb.analysis.posterior import Posterior
from ampynb.distributed.hosts import is_first
from ampynb.inference.events import (
    Advanced,
    Event,
    Failed,
    Finished,
    HookFailed,
    Started,
)
from ampynb.inference.parts import Part, check_visualizers
from ampynb.inference.updates import Updates
from ampynb.model.model import Model
from ampynb.model.parameter import Collection
from ampynb.results.result import Result, result_class

__all__ = ["RunHooks", "made_result", "modified"]

logger = logging.getLogger("ampynb")


def modified(posterior: Posterior, folder: Path | None) -> Posterior:
    """Return what is fitted: of `Analysis.modify_model` and `modify_before_fit`.

    Raises
    ------
    TypeError
        Where they return something else than a model and an analysis.
    """
    analysis, model = posterior.analysis, posterior.model
    given = analysis.modify_model(model)
    if not isinstance(given, Model | Collection):
        raise TypeError(_returned(analysis, "modify_model", "a Model", given))
    model = Model.of(given)
    other = analysis.modify_before_fit(folder, model)
    if not isinstance(other, Analysis):
        wanted = "an Analysis, such as self"
        raise TypeError(_returned(analysis, "modify_before_fit", wanted, other))
    check_visualizers(other)
    result_class(other)
    if other is analysis and model is posterior.model:
        return posterior
    return Posterior(other, model)


def _returned(analysis: Analysis, hook: str, wanted: str, got: Any) -> str:
    return (
        f"expected {type(analysis).__qualname__}.{hook} to return {wanted}; got "
        f"{got!r}; end it with a return"
    )


def made_result(
    analysis: Analysis, parts: Mapping[str, Any], tell: Callable[[str, Exception], Any]
) -> Result:
    """Return what `Analysis.make_result` does; where that fails, a plain `Result`."""
    try:
        made = analysis.make_result(result_class(analysis), **parts)
        if not isinstance(made, Result):
            raise TypeError(_returned(analysis, "make_result", "a Result", made))
        return made
    except Exception as error:
        tell("make_result", error)
        return Result(**parts)


class RunHooks:
    """Calls the hooks of one run as its events come, and makes its result.

    Parameters
    ----------
    posterior : Posterior
    folder : Path, optional
    parts : dict
        What `Analysis.make_result` is given, the end of the run aside.
    every : int, optional
        Steps from one update to the next; by default so few seconds as cost little.
    is_new : bool
        False for a run that is only read again.
    warnings : sequence of str
        Of the run that this one continues.
    """

    def __init__(
        self,
        posterior: Posterior,
        folder: Path | None,
        parts: Mapping[str, Any],
        every: int | None = None,
        is_new: bool = True,
        warnings: Sequence[str] = (),
    ):
        self.warnings = list(warnings)
        self._posterior, self._folder, self._parts = posterior, folder, parts
        self._is_calling = is_new and is_first()
        self._final: Result | None = None
        self._failures: deque[HookFailed] = deque()
        history = parts["history"]
        self.updates = Updates(posterior, folder, history, self._tell, every)

    def observe(self, event: Event) -> list[HookFailed]:
        """Call the hooks that it is time for, and return those that failed."""
        if self._is_calling:
            if isinstance(event, Started):
                self._begin()
            elif isinstance(event, Advanced):
                self.updates.observe(event.step)
            elif isinstance(event, Failed):
                self.updates.wait()
            elif isinstance(event, Finished):
                self._end(event)
        failures = []
        while self._failures:
            failures.append(self._failures.popleft())
        return failures

    def make_result(self, seconds: float, reason: str, message: str) -> Result:
        """Return the result as it is now; the one the hooks had when it has ended."""
        if self._final is not None:
            return self._final
        parts = {
            **self._parts,
            "posterior": self._posterior,
            "seconds": seconds,
            "reason": reason,
            "message": message,
            "warnings": self.warnings,
        }
        return made_result(self._posterior.analysis, parts, self._tell)

    def _begin(self) -> None:
        for part in self.updates.parts:
            self._try(part.label("save_attributes"), _save_attributes, part)
        self.updates.begin()

    def _end(self, event: Finished) -> None:
        analysis, folder = self._posterior.analysis, self._folder
        self.updates.wait()
        result = self.make_result(event.seconds, event.reason, event.message)
        self._final = result
        self.updates.end()
        self._try("save_results", analysis.save_results, folder, result)
        if isinstance(analysis, JointAnalysis):
            combined = analysis.save_results_combined
            self._try("save_results_combined", combined, folder, result)
        self._try("modify_after_fit", self._modify_after_fit, event)

    def _modify_after_fit(self, event: Finished) -> None:
        analysis, model = self._posterior.analysis, self._posterior.model
        other: Any = analysis.modify_after_fit(self._folder, model, self._final)
        if not isinstance(other, Analysis):
            wanted = "an Analysis, such as self"
            raise TypeError(_returned(analysis, "modify_after_fit", wanted, other))
        if other is not analysis:
            self._posterior, self._final = Posterior(other, model), None
            self._final = self.make_result(event.seconds, event.reason, event.message)

    def _try(self, hook: str, function: Callable, *arguments: Any) -> None:
        try:
            function(*arguments)
        except Exception as error:
            self._tell(hook, error)

    def _tell(self, hook: str, error: Exception) -> None:
        """Take note of an error, once."""
        failed = HookFailed(hook, type(error).__name__, str(error))
        if str(failed) not in self.warnings:
            self.warnings.append(str(failed))
            self._failures.append(failed)
            logger.warning("%s; the run goes on", failed, exc_info=error)


def _save_attributes(part: Part) -> None:
    if is_written(part.analysis, "save_attributes"):
        part.analysis.save_attributes(part.own_folder())
