"""Widgets in a page that loads slowly, as on a machine whose cores are busy."""

import pytest
from test_monitor import ENDLESS, SET_UP

SLOW_IMPORTS = """() => {
  const address = URL.createObjectURL.bind(URL);
  URL.createObjectURL = (source) => {
    if (source.type !== 'text/javascript') return address(source);
    const wait = 'await new Promise((resolve) => setTimeout(resolve, 3000));';
    const code = `${wait} export default (await import('${address(source)}')).default;`;
    return address(new Blob([code], { type: 'text/javascript' }));
  };
}"""
EXPLORER = "explorer = anb.explore(engine.analysis, model)\nexplorer"


@pytest.mark.slow
def test_what_loads_late_hears_what_comes_then(open_notebook):
    cells = [SET_UP, (ENDLESS["ensemble"], "run"), (EXPLORER, "explorer")]
    page = open_notebook(cells)
    page.page.evaluate(SLOW_IMPORTS)
    page.run_all(timeout=120)
    page.outputs("run").get_by_role("button", name="Pause").wait_for()
    page.execute("run.stop()\nexplorer.set(slope=1.25)")
    page.outputs("run").get_by_text("■ stopped").wait_for()
    page.wait_drawn("explorer")
    slope = page.outputs("explorer").get_by_role("spinbutton").first
    assert float(slope.input_value()) == 1.25
    shown = page.evaluate("[text for _, text in explorer._board.view.frame['numbers']]")
    numbers = page.outputs("explorer").locator(".ampynb-numbers").inner_text()
    assert all(text in numbers for text in eval(shown))
    assert page.late_widgets > 0
    page.check()
