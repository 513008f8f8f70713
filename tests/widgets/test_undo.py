import pytest

from ampynb.widgets.undo import UndoHistory


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def history(clock):
    return UndoHistory("a", clock)


def test_back_and_forth(history):
    history.record("b")
    history.record("c")
    assert [history.undo(), history.undo(), history.undo()] == ["b", "a", "a"]
    assert not history.can_undo and history.can_redo
    assert [history.redo(), history.redo(), history.redo()] == ["b", "c", "c"]
    assert history.can_undo and not history.can_redo


def test_a_drag_is_one_entry_and_a_pause_ends_it(history, clock):
    for clock.now in (0.0, 0.5, 1.2, 1.9):
        history.record(f"x at {clock.now}", key="x")
    clock.now = 3.0
    history.record("x again", key="x")
    assert history.undo() == "x at 1.9"
    assert history.undo() == "a"


def test_another_slider_begins_another_entry(history):
    history.record("x", key="x")
    history.record("y", key="y")
    assert history.undo() == "x"


def test_a_new_state_forgets_what_was_undone(history):
    history.record("b")
    history.undo()
    history.record("c")
    assert not history.can_redo
    assert history.undo() == "a"


def test_a_move_after_an_undo_does_not_take_the_place_of_what_was_undone_to(history):
    history.record("x1", key="x")
    history.record("y1", key="y")
    assert history.undo() == "x1"
    history.record("x2", key="x")
    assert history.undo() == "x1"


def test_a_state_that_takes_the_place_of_another_leaves_what_was_before(history):
    history.record("x1")
    history.replace("x2")
    assert history.state == "x2" and not history.can_redo
    assert history.undo() == "a"
