"""The monitor's picture of a joint fit."""

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
    before = explorer.picture.value
    explorer.set(slope=1.5)
    assert explorer.picture.value not in (b"", before)
    assert f"/ {19 - 3}" in explorer.readout.value
    explorer.close()
