"""Stop, Pause and Resume of a run, in every kernel that is supported."""

import os
import subprocess
import sys

import pytest
from jupyter_lab import JupyterLab, write_notebook
from test_monitor import SET_UP

ENDLESS = "(nwalkers=16, iterations=10**8, burn=100)"
RUN = f"result = engine.run{ENDLESS}\nkept = [(result.reason, len(result.draws) > 0)]"
BUSY = f"""
import time

run = engine.start{ENDLESS}
while not run.status.ended:
    time.sleep(0.01)
kept.append((run.result.reason, len(run.result.draws) > 0))
"""
START = f"run = engine.start{ENDLESS}"
KEPT = "([('stopped', True), ('stopped', True)], 'stopped')"
SECONDS_TO_SHOW = 0.1
SECONDS_TO_HEAR = 0.3
# How long it takes from a click until the page shows it, and until the kernel has
# answered [s], by the page's clock.
PRESS = """
async ([area, name, word]) => {
  const isNamed = (e) => e.textContent === name;
  const button = [...area.querySelectorAll('button')].find(isNamed);
  const head = area.querySelector('.ampynb-run-head');
  const begun = performance.now();
  button.click();
  const until = async (condition) => {
    while (!condition()) {
      if (performance.now() - begun > 15000) throw new Error(area.innerText);
      await new Promise((resolve) => { setTimeout(resolve, 2); });
    }
    return (performance.now() - begun) / 1000;
  };
  const shown = await until(() => head.textContent.match(word));
  return [shown, await until(() => !('asked' in head.dataset) || !head.isConnected)];
}
"""
PYTHONPATH = os.environ.get("PYTHONPATH", "")
OTHER_KERNELS = ("6.31.0", "7.3.0")


def pip_install(folder, *packages: str) -> None:
    """Install packages, without what they need, into a folder of their own."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    done = subprocess.run(
        [*command, "--target", str(folder), *packages], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"pip could not fetch {packages[0]}: {done.stderr[-300:]}")


@pytest.fixture(scope="module", params=OTHER_KERNELS)
def other_kernel(lab, request, tmp_path_factory):
    """A JupyterLab whose kernels are of another release of ipykernel."""
    folder = tmp_path_factory.mktemp("ipykernel")
    needs = ("nest-asyncio", "nest-asyncio2", "psutil")
    pip_install(folder / "packages", f"ipykernel=={request.param}", *needs)
    path = os.pathsep.join(filter(None, [str(folder / "packages"), PYTHONPATH]))
    with JupyterLab(folder / "lab", {"PYTHONPATH": path}, lab.browser) as other:
        yield other, request.param


def assert_presses_are_heard(page, cell: int) -> None:
    """Press the buttons of a run that a cell begins, and see when that is heard."""
    area, times = page.outputs(cell), {"Pause": [], "Resume": [], "Stop": []}

    def press(name: str, word: str, then: str) -> None:
        measured = page.page.evaluate(PRESS, [area.element_handle(), name, word])
        times[name].append(measured)
        area.get_by_text(then).first.wait_for(timeout=60_000)

    # at once, while it compiles and before the page has a shell of the kernel
    area.get_by_role("button", name="Pause").wait_for(timeout=60_000)
    for _ in range(3):
        press("Pause", "pausing", then="paused")
        press("Resume", "resuming|warmup|sampling", then="sampling")
    area.get_by_role("button", name="Details").click()
    area.get_by_role("button", name="Details", pressed=True).wait_for()
    area.locator("table").first.wait_for()
    press("Stop", "stopping", then="■ stopped")
    for name, measured in times.items():
        shown, heard = map(min, zip(*measured, strict=True))
        # one that is late is the machine's doing, all are the kernel's
        allowed = SECONDS_TO_HEAR * (1 if len(measured) > 1 else 3)
        assert shown < SECONDS_TO_SHOW and heard < allowed, (name, times)


def assert_all_cells_are_stopped(lab, folder) -> str:
    """Open a notebook, run it all, and stop what it runs; return its ipykernel."""
    page = lab.open(write_notebook(folder / "runs.ipynb", [SET_UP, RUN, BUSY, START]))
    page.start_all()
    for cell in (1, 2, 3):
        assert_presses_are_heard(page, cell)
    page.wait_idle()
    assert page.evaluate("kept, run.result.reason") == KEPT
    version = page.evaluate("__import__('ipykernel').__version__").strip("'")
    page.check()
    page.close()
    return version


def test_buttons_are_heard_whatever_the_cell_does(lab, tmp_path):
    assert_all_cells_are_stopped(lab, tmp_path)


@pytest.mark.slow
def test_buttons_are_heard_by_other_kernels(other_kernel, tmp_path):
    lab, version = other_kernel
    assert assert_all_cells_are_stopped(lab, tmp_path) == version


@pytest.mark.slow
def test_what_is_not_heard_is_told_and_an_interrupt_keeps_every_draw(
    open_notebook, tmp_path
):
    """As in a front end that does not say how the kernel can be reached."""
    deaf = (
        "from ampynb.widgets import controls_view\n"
        "controls_view.address_of = lambda view: ''"
    )
    page = open_notebook([SET_UP, deaf, RUN])
    page.start_all()
    area = page.outputs(2)
    area.get_by_text("sampling").first.wait_for(timeout=60_000)
    area.get_by_role("button", name="Pause").click()
    told = area.get_by_role("alert").get_by_text("press ■ (interrupt the kernel)")
    told.wait_for()
    page.screenshot(tmp_path / "unheard.png", cell=2)
    page.interrupt()
    area.get_by_text("■ stopped").wait_for()
    page.wait_idle()
    assert page.evaluate("kept") == "[('stopped', True)]"
    page.check()
