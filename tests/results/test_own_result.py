"""Results of the user's own class."""

from pathlib import Path

import numpy as np
import pytest

import ampynb as anb
from ampynb.algorithms.scripted import Scripted
from tests.helpers import Line
from tests.results.builders import LINE


class LineResult(anb.Result):
    """A result that knows where its line ends."""

    @property
    def end(self) -> float:
        instance = self.instance
        return float(instance.slope * self.analysis.x[-1] + instance.intercept)


class OwnLine(Line):
    Result = LineResult


ANALYSIS = OwnLine(LINE.analysis.x, LINE.analysis.y, LINE.analysis.yerr)


def run(analysis: anb.Analysis, **options: object) -> anb.Result:
    engine = anb.InferenceEngine(analysis, LINE.model, seed=1)
    return engine.run(4, 30, 10, Scripted(), progress="none", **options)  # type: ignore


def test_a_run_gives_a_result_of_the_analysis_own_class():
    result = run(ANALYSIS)
    assert type(result) is LineResult
    expected = result.instance.slope * 2.0 + result.instance.intercept
    assert result.end == pytest.approx(expected)
    assert result.analysis is ANALYSIS
    assert repr(result).startswith("LineResult of scripted, completed")
    assert np.array_equal(result.draws, run(LINE.analysis).draws)


def test_a_saved_run_is_opened_as_it(tmp_path: Path):
    saved = run(ANALYSIS, path=tmp_path / "run")
    again = anb.open_run(tmp_path / "run", ANALYSIS, LINE.model)
    assert type(again) is LineResult
    assert again.end == saved.end  # type: ignore
    assert type(anb.open_run(tmp_path / "run")) is anb.Result


def test_without_one_it_is_the_package_s():
    assert type(run(LINE.analysis)) is anb.Result


@pytest.mark.parametrize("wrong", [dict, LineResult.summary, "LineResult"])
def test_a_class_that_is_no_result_is_told_before_the_run(wrong):
    kind = type("Wrong", (Line,), {"Result": wrong})
    line = LINE.analysis
    with pytest.raises(TypeError, match=r"expected Wrong\.Result to be a subclass .*;"):
        run(kind(line.x, line.y, line.yerr))
