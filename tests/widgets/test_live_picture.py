"""The monitor's picture of a joint fit."""

from typing import Any

import ampynb as anb
from ampynb.widgets.live_picture import LivePicture
from tests.analysis.test_joint import lines, shared_slope


def test_each_analysis_of_a_joint_one_has_its_panels():
    engine = anb.InferenceEngine(anb.JointAnalysis(**lines()), shared_slope(), seed=1)
    result = engine.run(8, 3, burn=2, sampler="ensemble", progress="none")
    picture = LivePicture(result.posterior, result.history)
    assert picture.png()
    titles = [axes.get_title(loc="left") for axes in picture._figure.axes]  # type: ignore[union-attr]
    assert "radio: best fit so far" in titles
    assert "xray: best fit so far" in titles
    assert picture.png()


def test_the_explorer_draws_a_joint_fit():
    joint, model = anb.JointAnalysis(**lines()), shared_slope()
    explorer = anb.explore(joint, model)
    before, background = explorer._board.picture(), explorer.widget.background
    explorer.set(slope=1.5)
    assert explorer._board.picture() not in (b"", before)
    assert explorer.numbers["χ² / degrees of freedom"].endswith(f"/ {19 - 3}")
    assert len(explorer.widget.scene["parts"]) == 4  # a curve and residuals of each
    assert explorer.draws_curves
    explorer.snapshot()
    assert explorer.widget.background != background
    explorer.widget._handle_custom_msg({"do": "sweep", "name": "slope"}, [])
    assert explorer.wait()
    assert explorer.widget.alert == ""
    explorer.close()


def test_the_explorer_sees_new_data_in_a_joint_fit():
    joint, model = anb.JointAnalysis(**lines()), shared_slope()
    explorer = anb.explore(joint, model)
    epoch = explorer.widget.scene["epoch"]
    explorer.set(slope=1.5)
    assert explorer.widget.scene["epoch"] == epoch
    radio: Any = joint.analyses["radio"]
    radio.y = radio.y + 1.0
    explorer.set(slope=1.6)
    assert explorer.widget.scene["epoch"] == epoch + 1
    explorer.close()
