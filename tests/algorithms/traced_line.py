"""A NumPy analysis that notes which process computed it, importable by all of them."""

import os
import time
from pathlib import Path

from tests.helpers import NumpyLine, line_problem


class TracedLine(NumpyLine):
    """The line of `line_problem`; each call appends the process's number to a file.

    ``seconds`` are what a call takes besides.
    """

    def __init__(self, log: Path, seconds: float = 0.0):
        line = line_problem(use_jax=False).analysis
        super().__init__(line.x, line.y, line.yerr)
        self.log, self.seconds = log, seconds

    def log_likelihood_function(self, instance):
        with self.log.open("a") as file:
            file.write(f"{os.getpid()}\n")
        time.sleep(self.seconds)
        return super().log_likelihood_function(instance)

    def processes(self) -> set[int]:
        """Return the processes that have computed it, this one left out."""
        return {int(line) for line in self.log.read_text().split()} - {os.getpid()}


class FailingElsewhere(TracedLine):
    """A likelihood that fails in every process but its own."""

    def __init__(self, log: Path):
        super().__init__(log)
        self.home = os.getpid()

    def log_likelihood_function(self, instance):
        if os.getpid() != self.home:
            raise ArithmeticError("the user's own error")
        return super().log_likelihood_function(instance)
