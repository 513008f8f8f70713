"""A notebook that is opened again, with a new kernel, while its run was under way."""

import time
from pathlib import Path

import pytest
from test_monitor import SET_UP, wait_for_state

import ampynb as anb


def wait_for_draws(path: Path, timeout: float = 60) -> None:
    """Wait until a run's folder has draws."""
    begun = time.monotonic()
    while not (path.exists() and len(anb.open_run(path).draws)):
        assert time.monotonic() - begun < timeout, "nothing was saved"
        time.sleep(0.1)


@pytest.mark.slow
def test_the_same_cell_goes_on_with_its_run_and_shows_all_of_it(
    open_notebook, tmp_path: Path
):
    path = tmp_path / "run"
    start = f"run = engine.start(16, 10**8, 100, path={str(path)!r}, resume='auto')"
    cells = [SET_UP, (start, "run")]
    page = open_notebook(cells)
    page.run_all()
    wait_for_draws(path)
    page.close()
    saved = anb.open_run(path)
    assert saved.reason == "killed"

    page = open_notebook(cells)
    page.run_all()
    wait_for_state(page, "sampling", timeout=60)
    page.outputs("run").locator("img").wait_for()
    page.execute("run.pause()")
    wait_for_state(page, "paused", timeout=10)
    n = len(saved.draws)
    assert int(page.evaluate("len(run.inspect().draws)")) > n
    total = page.evaluate(f"float(run.inspect().draws[:{n}].sum())")
    assert float(total) == float(saved.draws[:].sum())
    steps, rows = "run.history.steps('warmup')", "run.history.thinned(400)[0][0]"
    assert page.evaluate(f"{steps}, int({rows})") == "(100, 1)"
    page.screenshot(tmp_path / "reopened.png")
    page.execute("run.stop()")
    page.check()
