"""A NumPy analysis that notes which process computed it, importable by all of them."""

import os
import signal
import time
from pathlib import Path
from typing import Any

from tests.helpers import NumpyLine, line_problem


class TracedLine(NumpyLine):
    """The line of `line_problem`; each call appends the process's number to a file.

    ``seconds`` are what a call takes besides.
    """

    def __init__(self, log: Path, seconds: float = 0.0):
        line = line_problem(use_jax=False).analysis
        super().__init__(line.x, line.y, line.yerr)
        self.log, self.seconds = log, seconds
        self.part: Any = None  # what a test lets it hold besides

    def log_likelihood_function(self, instance):
        with self.log.open("a") as file:
            file.write(f"{os.getpid()}\n")
        time.sleep(self.seconds)
        return super().log_likelihood_function(instance)

    def processes(self) -> set[int]:
        """Return the processes that have computed it, this one left out."""
        return {int(line) for line in self.log.read_text().split()} - {os.getpid()}


class FailingElsewhere(TracedLine):
    """A likelihood that fails in every process but its own, after some calls there."""

    def __init__(self, log: Path, after: int = 0):
        super().__init__(log)
        self.home, self.left = os.getpid(), after

    def log_likelihood_function(self, instance):
        if os.getpid() != self.home:
            self.left -= 1
            if self.left < 0:
                self.fail()
        return super().log_likelihood_function(instance)

    def fail(self) -> None:
        raise RuntimeError("the user's own error")


class UnsendableError(Exception):
    """An error that cannot be made again from what it is pickled as."""

    def __init__(self, first: str, second: str):
        super().__init__(first + second)


class FailingUnsendably(FailingElsewhere):
    """A likelihood whose error cannot be sent."""

    def fail(self) -> None:
        raise UnsendableError("two", "words")


class DyingOnce(FailingElsewhere):
    """A likelihood that kills its process, once."""

    def fail(self) -> None:
        grave = self.log.with_suffix(".died")
        if not grave.exists():
            grave.touch()
            os.kill(os.getpid(), signal.SIGKILL)
