"""The sliders and pictures of a notebook page, and how fast one moves the other."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jupyter_lab import NotebookPage
    from playwright.sync_api import Locator


class Slider:
    """A horizontal ipywidgets slider with one handle.

    Parameters
    ----------
    locator
        The widget's outermost element.
    """

    def __init__(self, locator: "Locator"):
        self.locator = locator
        self._handle = locator.locator(".noUi-handle")
        self._track = locator.locator(".noUi-base")

    @property
    def value(self) -> float:
        """The value in the page, not the kernel's; of a log slider the exponent."""
        # the accessible value is rounded to one decimal
        return self._track.evaluate("base => base.parentNode.noUiSlider.get(true)")

    @property
    def fraction(self) -> float:
        """Where on its track the handle stands, from 0 to 1."""
        low, high = self._track.evaluate(
            "base => Object.values(base.parentNode.noUiSlider.options.range).flat()"
        )
        return (self.value - low) / (high - low)

    def focus(self) -> None:
        """Give the keyboard to the handle."""
        self._handle.focus()

    def press(self, key: str, times: int = 1) -> None:
        """Press a key on the handle: an arrow is one step, Home and End the ends."""
        for _ in range(times):
            self._handle.press(key)

    def drag(self, fraction: float) -> None:
        """Drag the handle to a fraction of the track."""
        mouse = self.locator.page.mouse
        start, end = self.positions([self.fraction, fraction])
        mouse.move(*start)
        mouse.down()
        mouse.move(*end, steps=10)
        mouse.up()

    def positions(self, fractions: list[float]) -> list[tuple[float, float]]:
        """Return where in the window the handle is at fractions of the track."""
        self.locator.scroll_into_view_if_needed()
        handle, track = self._handle.bounding_box(), self._track.bounding_box()
        assert handle and track, "the slider is not shown"
        x = handle["x"] + handle["width"] / 2
        y = handle["y"] + handle["height"] / 2
        here = self.fraction
        return [(x + (there - here) * track["width"], y) for there in fractions]


class Picture:
    """An image or canvas that a cell shows, also when it is replaced by another.

    Parameters
    ----------
    outputs
        The cell's output area.
    nth
        Which of the images and canvases there.
    """

    def __init__(self, outputs: "Locator", nth: int):
        self.locator = outputs.locator("img, canvas").locator("visible=true").nth(nth)
        self._outputs = outputs
        self._nth = nth

    def fingerprint(self) -> str:
        """Return a text that is the same for the same pixels."""
        self.locator.evaluate("picture => picture.decode?.()")
        fingerprint = self._outputs.evaluate(
            "(outputs, nth) => probe.fingerprint(outputs, nth)", self._nth
        )
        assert fingerprint is not None, "the picture has gone"
        return fingerprint

    def arm_latency(self, timeout: float) -> None:
        """Begin to time the next key press; see `take_latency`."""
        self._outputs.evaluate(
            "(outputs, [nth, timeout]) => probe.armLatency(outputs, nth, timeout)",
            [self._nth, timeout * 1000],
        )

    def take_latency(self) -> float | None:
        """Return the milliseconds until the picture changed, None if it did not."""
        return self.locator.page.evaluate("() => probe.takeLatency()")


def measure_latency(
    page: "NotebookPage",
    slider: Slider,
    picture: Picture,
    moves: int = 30,
    timeout: float = 10,
) -> list[float]:
    """Time key presses on a slider until the picture they lead to is shown.

    The clock is the page's: from the browser's own time of the key press to just after
    the first animation frame in which the picture's pixels differ. The page is at rest
    before each press. The first moves are in the list too, although they may compile.

    Returns
    -------
    list of float
        Milliseconds, one for each move.
    """
    picture.fingerprint()
    there, back = "ArrowRight", "ArrowLeft"
    if slider.fraction > 0.5:
        there, back = back, there
    keys = [there, there, back, back] * (moves // 4 + 1)
    slider.focus()
    return [_time_press(page, slider, picture, key, timeout) for key in keys[:moves]]


def _time_press(
    page: "NotebookPage", slider: Slider, picture: Picture, key: str, timeout: float
) -> float:
    page.wait_idle()
    before = slider.value
    picture.arm_latency(timeout)
    slider.press(key)
    latency = picture.take_latency()
    if latency is None:
        errors = "; ".join(page.callback_errors()) or "no callback has failed"
        raise TimeoutError(
            f"the picture did not change within {timeout} s of {key}, which moved the "
            f"slider from {before} to {slider.value}; {errors}"
        )
    return latency


def flood(
    page: "NotebookPage", slider: Slider, moves: int = 100, seconds: float = 2
) -> None:
    """Drag a slider to the other end faster than the page or the kernel may follow.

    Returns when all is sent; what it leads to need not be shown, or even computed.
    """
    start = slider.fraction
    goal = 0.9 if start < 0.5 else 0.1
    path = [start + (goal - start) * step / moves for step in range(moves + 1)]
    (first, *others) = slider.positions(path)
    mouse = page.page.mouse
    mouse.move(*first)
    mouse.down()
    with _devtools(page) as send:
        for x, y in others:
            held = {"button": "left", "buttons": 1}
            send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y, **held)
            time.sleep(seconds / moves)
    mouse.move(*others[-1])
    mouse.up()


@contextmanager
def _devtools(page: "NotebookPage") -> Iterator[Callable[..., None]]:
    """Send DevTools commands without waiting, but for the last one's answer.

    Playwright waits for each answer, and so is slowed down by a page that is busy.
    """
    import websocket

    session = page.page.context.new_cdp_session(page.page)
    target = session.send("Target.getTargetInfo")["targetInfo"]["targetId"]
    session.detach()
    port = (page.lab.profile / "DevToolsActivePort").read_text().split()[0]
    address = f"ws://127.0.0.1:{port}/devtools/page/{target}"
    line = websocket.create_connection(address, timeout=30, suppress_origin=True)
    sent = 0

    def send(method: str, **parameters: object) -> None:
        nonlocal sent
        sent += 1
        line.send(json.dumps({"id": sent, "method": method, "params": parameters}))

    try:
        yield send
        while json.loads(line.recv()).get("id") != sent:
            pass
    finally:
        line.close()
