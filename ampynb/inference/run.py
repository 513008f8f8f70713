"""A run: one sampling loop, driven in this thread or in a worker thread."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from html import escape
from typing import Any, Protocol

from ampynb.algorithms.algorithm import Algorithm
from ampynb.analysis.posterior import Posterior
from ampynb.distributed.hosts import is_alone
from ampynb.inference.events import Advanced, Event, Failed, Finished
from ampynb.inference.hooks import RunHooks
from ampynb.inference.loop import Command, StopWhen
from ampynb.inference.recorder import Recorder
from ampynb.inference.run_status import RunStatus
from ampynb.inference.stopping import StoppingRule, check_rule
from ampynb.inference.store_error import StoreError
from ampynb.inference.waiting import wait_or_stop
from ampynb.results.history import History
from ampynb.results.result import Result

__all__ = ["Renderer", "Run", "RunFailedError", "RunStatus"]

logger = logging.getLogger("ampynb")


class Renderer(Protocol):
    """Shows a run: one method, called after every event in the run's own thread."""

    def show(self, event: Event) -> None:
        """Take one event; return at once."""
        ...


class RunFailedError(RuntimeError):
    """A run ended with an error, which is its cause; ``result`` has the draws so far.

    Attributes
    ----------
    result : Result
    """

    def __init__(self, message: str, result: Result):
        super().__init__(message)
        self.result = result


class Run:
    """A run that can be paused, resumed, stopped, looked into and waited for.

    `InferenceEngine.start` makes one and returns at once; the draws are made in a
    worker thread. Every draw made until a stop, an error or an interrupt is kept.

    Attributes
    ----------
    posterior, algorithm : Posterior and Algorithm
        What is sampled, and by what.
    history : History
        The draws so far.
    until : StoppingRule or None
        What ends the run early; `stop_when` changes it.
    takes_rules : bool
        Whether it does; a calibration, which is many fits, takes none.
    last_event : float
        Time of the last event [s, on the monotonic clock].
    """

    def __init__(
        self,
        posterior: Posterior,
        algorithm: Algorithm,
        loop: Generator[Event, Command | StopWhen, None],
        history: History,
        make_result: Callable[[float, str, str], Result],
        recorder: Recorder | None = None,
        until: StoppingRule | None = None,
        takes_rules: bool = True,
        hooks: RunHooks | None = None,
    ):
        self.posterior, self.algorithm, self.history = posterior, algorithm, history
        self._loop, self._make_result, self._recorder = loop, make_result, recorder
        self.until = self._until_sent = until
        self.takes_rules, self._hooks = takes_rules, hooks
        self._renderers: list[Renderer] = []
        self._status = RunStatus()
        self._pace: list[tuple[float, int]] = []
        self._may_go, self._ended = threading.Event(), threading.Event()
        self._may_go.set()
        self._stopping = self._held = False
        self._error: Exception | None = None
        self._result: Result | None = None
        self.last_event = time.monotonic()

    # Driving

    def drive_in_thread(self, renderers: Sequence[Renderer]) -> Run:
        """Make the draws in a worker thread, and return at once."""
        self._renderers = list(renderers)
        thread = threading.Thread(target=self._drive, name="ampynb-run", daemon=True)
        thread.start()
        return self

    def drive_here(self, renderers: Sequence[Renderer]) -> Result:
        """Make the draws in this thread; Ctrl-C stops and keeps every draw."""
        self._renderers = list(renderers)
        with self._interrupts_stop():
            self._drive()
        return self._outcome()

    def _drive(self) -> None:
        with closing(self.driving(self._renderers)) as driving:
            for _ in driving:
                self._hold()

    def driving(self, renderers: Sequence[Renderer]) -> Generator[None, None, None]:
        """Make the draws, for whoever takes turns: each `next` goes on to an event.

        A run that is not `may_go_on` is to be left where it is.
        """
        self._renderers, recorder = list(renderers), self._recorder
        try:
            self._note(next(self._loop))
            while True:
                yield
                self._note(self._loop.send(self._command()))
        except StopIteration:
            pass
        except Exception as error:
            self._fail(error)
        finally:
            self._loop.close()
            if recorder is not None:
                recorder.close()
            self._ended.set()

    def _command(self) -> Command | StopWhen:
        """Return the command for the loop; a new rule is sent once."""
        if self._stopping:
            return Command.STOP
        until = self.until
        if until is self._until_sent:
            return Command.CONTINUE
        self._until_sent = until
        return StopWhen(until)

    def _fail(self, error: Exception) -> None:
        """Note an error, and save what was drawn before it if that can be."""
        self._error = error
        status = self._status
        failed = Failed(type(error).__name__, str(error), status.step, status.seconds)
        if isinstance(error, StoreError):
            self._recorder = None  # it is what failed
        try:
            self._note(failed)
        except StoreError as worse:
            self._recorder = None
            logger.warning("the failed run could not be saved: %s", worse)
            self._note(failed)

    def may_go_on(self) -> bool:
        """Whether the run is not paused; asked between two chunks by its driver."""
        self._held = not (self._stopping or self._may_go.is_set())
        return not self._held

    def _hold(self) -> None:
        """Wait here while the run is paused."""
        # In short waits: a stop by a signal does not touch the lock of the event.
        while not self.may_go_on():
            self._may_go.wait(0.05)

    def _note(self, event: Event) -> None:
        """Tell of an event, and save; a run has ended only when it is saved."""
        self.last_event = time.monotonic()
        is_last = isinstance(event, Finished | Failed)
        if not is_last:
            self._show(event)
        saved = None if self._recorder is None else self._recorder.observe(event)
        if saved is not None:
            self._show(saved)
        for failed in () if self._hooks is None else self._hooks.observe(event):
            self._show(failed)
        if self._hooks is not None and self._recorder is not None:
            self._recorder.warn(self._hooks.warnings, at_once=is_last)
        if is_last:
            self._show(event)

    def _show(self, event: Event) -> None:
        rate = self._rate(event) if isinstance(event, Advanced) else 0.0
        self._status = self._status.after(event, rate)
        for renderer in list(self._renderers):
            self._try(renderer, renderer.show, event)

    def _try(self, renderer: Renderer, action: Callable, *arguments: Any) -> None:
        """Let a renderer act; one that fails is switched off, with one warning."""
        try:
            action(*arguments)
        except Exception:
            self._renderers.remove(renderer)
            logger.warning(
                "%s failed and is switched off; the run goes on",
                type(renderer).__name__,
                exc_info=True,
            )

    def _rate(self, event: Advanced) -> float:
        """Return steps per second over the last ten chunks."""
        self._pace = [*self._pace[-10:], (event.seconds, event.step)]
        (first_seconds, first_step), seconds = self._pace[0], event.seconds
        span = seconds - first_seconds
        return (event.step - first_step) / span if span > 0 else 0.0

    @contextmanager
    def _interrupts_stop(self) -> Iterator[None]:
        """Let a first Ctrl-C stop the run at the chunk's edge, and a second at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def on_interrupt(number: int, frame: Any) -> None:
            if self._stopping:
                raise KeyboardInterrupt
            self._stopping = True

        former = signal.signal(signal.SIGINT, on_interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, former)

    def close(self) -> None:
        """Let go of what a run holds that nobody has driven yet."""
        self.stop()
        self.drive_here([])

    # What users call

    def pause(self) -> None:
        """Hold the run at the end of the present chunk of steps."""
        self._may_go.clear()

    def resume(self) -> None:
        """Let a paused run go on."""
        self._may_go.set()

    def stop(self) -> None:
        """End the run after the present chunk of steps, and keep every draw."""
        self._stopping = True
        self._may_go.set()

    def stop_when(self, until: StoppingRule | None) -> None:
        """End the run when a rule is met, in the place of the rule that it had.

        It is judged at the end of the present chunk of steps, and as the run goes on;
        the result's ``message`` says which rule ended it. The steps that were asked for
        remain the most that are made.

        Parameters
        ----------
        until : StoppingRule or None
            For instance ``ess(400) | seconds(600)``; None for no rule.

        Raises
        ------
        TypeError, ValueError
            For what is no rule, or one that cannot judge this sampler.
        RuntimeError
            Where the run has ended, is a calibration, or is made by several processes.
        """
        check_rule(until)
        if not self.takes_rules:
            raise RuntimeError(
                "expected stop_when in a run of one fit; got a calibration, which is "
                "many; stop() it, which keeps those that are done"
            )
        if until is not None:
            until.check(self.algorithm)
        if self.status.ended:
            raise RuntimeError(
                f"expected a run that goes on; it is {self.status.state}; run it with "
                f"until={until} and resume=True"
            )
        if not is_alone():
            raise RuntimeError(
                "expected stop_when in a run of one process; got several, which would "
                "have to agree; give until= when you start the run"
            )
        self.until = until

    def wait(self, timeout: float | None = None) -> Result:
        """Wait for the end and return the result.

        An interrupt (Ctrl-C, or the notebook's stop button) stops the run and keeps
        every draw; a second one leaves the run behind.

        Raises
        ------
        RunFailedError
            Where the run ended with an error; its ``result`` has the draws so far.
        TimeoutError
            Where the run goes on after ``timeout`` seconds.
        """
        if not wait_or_stop(self._ended.wait, self.stop, timeout):
            raise TimeoutError(
                f"expected the run to end within {timeout} s; it is at step "
                f"{self.status.steps}; wait longer, or stop() it"
            )
        for renderer in list(self._renderers):
            settle = getattr(renderer, "settle", None)
            if settle is not None:
                self._try(renderer, settle)
        return self._outcome()

    def _outcome(self) -> Result:
        result, status = self.result, self.status
        if self._error is not None and status.step == 0:
            raise self._error  # misuse, found out late: there are no draws to keep
        if self._error is not None:
            raise RunFailedError(
                f"the run failed after {status.step} steps: {status.message}; the "
                "draws so far are in this error's result",
                result,
            ) from self._error
        return result

    def inspect(self) -> Result:
        """Return the result of the draws so far; the run goes on."""
        status = self._status
        reason = status.state if self._ended.is_set() else "running"
        return self._make_result(status.seconds, reason, status.message)

    @property
    def is_stopping(self) -> bool:
        """Whether a stop was asked for; the status says when the run has stopped."""
        return self._stopping

    @property
    def status(self) -> RunStatus:
        """Where the run is."""
        status = self._status
        if status.ended:
            return status
        if self._stopping:
            return replace(status, state="stopping")
        if not self._may_go.is_set():
            return replace(status, state="paused" if self._held else "pausing")
        return status

    @property
    def result(self) -> Result:
        """The result of a run that has ended, also one that failed.

        Raises
        ------
        RuntimeError
            While the run goes on.
        """
        if not self._ended.is_set():
            raise RuntimeError(
                f"expected a run that has ended; it is {self.status.state}; wait() for "
                "it, or inspect() the draws so far"
            )
        if self._result is None:
            self._result = self.inspect()
        return self._result

    @property
    def picture(self) -> bytes | None:
        """What the analysis drew of the best point so far, as PNG, if it draws any."""
        return None if self._hooks is None else self._hooks.updates.picture

    # Views

    def __repr__(self) -> str:
        status = self.status
        line = f"Run {status.state}: step {status.steps}"
        rate = f", {status.rate:.0f} steps/s" if status.rate else ""
        return line + rate + (f"; {status.message}" if status.message else "")

    def _ipython_display_(self) -> None:
        """Show nothing more in the cell that shows a monitor of this run."""
        if not any(getattr(one, "is_shown_here", False) for one in self._renderers):
            raise NotImplementedError  # so that IPython asks for the bundle

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        """Show a live monitor while the run goes on, and its static record after."""
        from ampynb.inference.renderers import in_notebook, monitor_of

        text = {"text/plain": repr(self)}
        if not in_notebook():
            return text | {"text/html": f"<code>{escape(repr(self))}</code>"}
        return text | monitor_of(self).mimebundle()
