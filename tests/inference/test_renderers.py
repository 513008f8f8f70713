"""Who is told of a run, and what they say."""

import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

import ampynb as anb
from ampynb.algorithms.scripted import Scripted
from ampynb.inference.events import (
    Advanced,
    Event,
    Failed,
    Finished,
    PhaseChanged,
    Saved,
    Started,
)
from ampynb.inference.renderers import JsonLines, Lines, ProgressBar
from tests.helpers import line_problem

BEGIN = Started(sampler="scripted", nwalkers=3, ndim=2, burn=40, iterations=60, seed=3)
HALFWAY = Advanced("sampling", 50, 100, 0.5, 2.5, {"acceptance_rate": 0.4321})
END = Finished("completed", 100, 5.0)
STOPPED = Finished("stopped", 50, 2.5)
BROKEN = Failed("ValueError", "NaN in the data", 50, 2.5)
EVERY_KIND = (
    BEGIN,
    PhaseChanged("compiling"),
    PhaseChanged("sampling"),
    HALFWAY,
    Saved("run", 50),
    END,
)


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def run_with(progress: Any, **options: Any) -> anb.Result:
    problem = line_problem()
    script = Scripted(nwalkers=3, burn=40, iterations=60, **options)
    engine = anb.InferenceEngine(problem.analysis, problem.model, seed=3)
    return engine.run(sampler=script, progress=progress)


# The choice


@pytest.mark.parametrize("progress", ["none", False])
def test_silence_is_silent(progress: Any, capfd: pytest.CaptureFixture):
    assert run_with(progress).reason == "completed"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("progress", ["terminal", "auto", True])
def test_a_terminal_has_a_bar(progress: Any, monkeypatch: pytest.MonkeyPatch):
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    run_with(progress)
    shown = stream.getvalue()
    assert "100/100" in shown and "completed after 100 steps" in shown


@pytest.mark.parametrize("progress", ["terminal", "auto", True])
def test_a_log_has_a_last_line(progress: Any, monkeypatch: pytest.MonkeyPatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    run_with(progress)
    assert re.fullmatch(r"completed after 100 steps in \d+\.\d s\n", stream.getvalue())


def test_json_goes_to_the_standard_error(capsys: pytest.CaptureFixture):
    run_with("json")
    out, errors = capsys.readouterr()
    assert out == ""
    events = [json.loads(line) for line in errors.splitlines()]
    assert [events[0]["event"], events[-1]["event"]] == ["Started", "Finished"]
    assert events[0]["seed"] == 3 and events[-1]["step"] == 100


@pytest.mark.parametrize("progress", ["none", "json", "terminal"])
def test_the_named_log_gets_every_event_of_every_run(
    progress: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
):
    log = tmp_path / "events.jsonl"
    monkeypatch.setenv("AMPYNB_EVENT_LOG", str(log))
    run_with(progress)
    run_with(progress)
    names = [json.loads(line)["event"] for line in log.read_text().splitlines()]
    assert names.count("Started") == names.count("Finished") == 2
    assert names[: names.index("Finished") + 1].count("Advanced") >= 2


def test_the_users_own_renderer_is_shown_the_run():
    class Mine:
        def __init__(self):
            self.events: list[Event] = []

        def show(self, event: Event) -> None:
            self.events.append(event)

    mine = Mine()
    run_with(mine)
    assert isinstance(mine.events[0], Started)
    assert isinstance(mine.events[-1], Finished)


@pytest.mark.parametrize("progress", ["bar", "", "None"])
def test_an_unknown_choice_is_refused(progress: str):
    with pytest.raises(ValueError, match=r"expected progress among .*'none'.*; got"):
        run_with(progress)


@pytest.mark.parametrize("progress", [3, object(), [None]])
def test_what_cannot_show_is_refused(progress: Any):
    with pytest.raises((TypeError, ValueError), match=r"expected .*show.*got"):
        run_with(progress)


# The bar


def test_the_bar_counts_steps_and_names_phase_and_metrics():
    stream = Terminal()
    bar = ProgressBar(stream)
    bar.show(BEGIN)
    bar.show(PhaseChanged("warmup"))
    assert "warmup" in stream.getvalue() and "/100" in stream.getvalue()
    bar.show(HALFWAY)
    bar.show(PhaseChanged("sampling"))
    shown = stream.getvalue()
    assert "50/100" in shown and "acceptance rate 0.432" in shown


@pytest.mark.parametrize(
    ("last", "words"),
    [
        (END, "completed after 100 steps in 5.0 s"),
        (STOPPED, "stopped after 50 steps in 2.5 s"),
        (BROKEN, "failed: NaN in the data after 50 steps in 2.5 s"),
    ],
    ids=["completed", "stopped", "failed"],
)
@pytest.mark.parametrize("kind", [ProgressBar, Lines])
def test_the_end_is_told(kind: type, last: Any, words: str):
    stream = Terminal()
    renderer = kind(stream)
    renderer.show(BEGIN)
    renderer.show(HALFWAY)
    renderer.show(last)
    assert words in stream.getvalue()
    assert stream.getvalue().endswith("\n"), "the next line begins anew"


def test_the_bar_of_a_failed_run_ends_before_the_error(
    monkeypatch: pytest.MonkeyPatch,
):
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    with pytest.raises(RuntimeError):
        run_with("terminal", fails_at=50)
    assert "failed: scripted failure at step 50" in stream.getvalue()


# Lines


def test_lines_come_every_thirty_seconds_at_most():
    now, stream = [0.0], io.StringIO()
    lines, told_at = Lines(stream, clock=lambda: now[0]), []
    lines.show(BEGIN)
    for second in range(200):
        now[0], before = float(second), len(stream.getvalue())
        lines.show(HALFWAY)
        if len(stream.getvalue()) > before:
            told_at.append(second)
    assert told_at == [30, 60, 90, 120, 150, 180]
    assert stream.getvalue().splitlines()[0] == "sampling 50/100 acceptance rate 0.432"


def test_lines_after_a_long_chunk_are_not_made_up_for():
    now, stream = [0.0], io.StringIO()
    lines = Lines(stream, clock=lambda: now[0])
    for now[0] in (1000.0, 1000.1, 1000.2):
        lines.show(HALFWAY)
    assert len(stream.getvalue().splitlines()) == 1


# JSON


@pytest.mark.parametrize("event", EVERY_KIND, ids=lambda event: type(event).__name__)
def test_an_event_is_read_back_from_its_line(event: Event):
    stream = io.StringIO()
    JsonLines(stream).show(event)
    line = stream.getvalue()
    assert line.count("\n") == 1 and line.endswith("\n")
    told = json.loads(line)
    kind = {type(known).__name__: type(known) for known in EVERY_KIND}
    assert kind[told.pop("event")](**told) == event


def test_a_file_is_appended_to(tmp_path: Path):
    path = tmp_path / "log.jsonl"
    for event in EVERY_KIND:
        JsonLines(path).show(event)
    told = [json.loads(line) for line in path.read_text().splitlines()]
    assert told == [event.as_dict() for event in EVERY_KIND]


def test_an_event_cannot_be_changed():
    with pytest.raises(AttributeError):
        BEGIN.seed = 1  # type: ignore[misc]
