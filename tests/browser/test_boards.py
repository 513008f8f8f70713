"""How many boards a cell shows: one for each run, race, explorer or corner."""

import pytest
from test_monitor import RACE, SET_UP

RUN = "run = engine.start(nwalkers=16, iterations=10**8, burn=100)"
SAMPLED = "result = engine.run(nwalkers=16, iterations=500, burn=100)"
CELLS = {
    "start": RUN.removeprefix("run = "),
    "run": f"{RUN}\nrun",
    "display": f"{RUN}\ndisplay(run)",
}


def live_boards(page, cell) -> int:
    """Return how many monitors a cell shows; a race's own buttons are not one."""
    return page.outputs(cell).get_by_role("button", name="Pause").count()


@pytest.mark.slow
def test_a_cell_shows_each_run_and_each_race_once(open_notebook):
    stop = "engine._last_run[1].stop()\nengine._last_run[1].wait()"
    cells = [SET_UP]
    for source in CELLS.values():
        cells += [source, stop]
    race = (f"{RACE}race", "race")
    page = open_notebook([*cells, (RUN, "made"), ("run", "again"), race])
    page.run_all(timeout=120)
    for cell, name in enumerate(CELLS):
        assert page.outputs(1 + 2 * cell).get_by_text("■ stopped").count() == 1, name
    page.outputs("again").get_by_text("sampling").first.wait_for()
    shown = [live_boards(page, cell) for cell in ("made", "again", "race")]
    assert shown == [1, 1, 2]
    page.execute("run.stop()\nrace.stop()")
    page.outputs("made").get_by_text("■ stopped").wait_for()
    page.check()


@pytest.mark.slow
def test_a_cell_shows_each_explorer_and_corner_once(open_notebook, tmp_path):
    shown = {
        "explore": "explorer = anb.explore(engine.analysis, model)\nexplorer",
        "corner": "result.corner(interactive=True)",
        "replay": "result.replay()",
    }
    cells = [(source, name) for name, source in shown.items()]
    page = open_notebook([SET_UP, SAMPLED, *cells])
    page.run_all(timeout=120)
    for name in shown:
        views = page.outputs(name).locator(":scope > .jp-OutputArea-child")
        visible = [one for one in views.all() if one.inner_text().strip()]
        page.screenshot(tmp_path / f"{name}.png", cell=name)
        assert len(visible) == 1, name
    page.check()
