"""Long work says so where somebody looks, and only there."""

from __future__ import annotations

import io
import sys
import time
import types

import pytest

from erresearch.io.resources import waiting


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def look_at(monkeypatch):
    """To be called inside the test: the capture puts its own stream in place between setup and call."""

    def look(stream):
        monkeypatch.setattr(sys, "stderr", stream)
        return stream

    return look


def wait_for(condition) -> None:
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("nothing was shown")


def test_a_terminal_sees_one_line_that_goes(look_at):
    terminal = look_at(Terminal())
    with waiting("adding \x1b[31mup", after=0):
        wait_for(terminal.getvalue)
    first, last = terminal.getvalue().split("\r\x1b[K")[1], terminal.getvalue()[-4:]
    assert first == "erresearch: adding \ufffd[31mup … 0 s"
    assert last == "\r\x1b[K"


def test_short_work_says_nothing(look_at):
    terminal = look_at(Terminal())
    with waiting("adding up", after=60):
        pass
    assert terminal.getvalue() == ""


def test_the_outermost_work_has_the_word(look_at):
    terminal = look_at(Terminal())
    with waiting("judging", after=60), waiting("a pass", after=0):
        time.sleep(0.05)
    assert terminal.getvalue() == ""
    with waiting("a pass", after=0):
        wait_for(terminal.getvalue)
    assert "a pass" in terminal.getvalue()


def test_an_error_goes_through_and_the_line_goes_too(look_at):
    terminal = look_at(Terminal())
    wait = waiting("adding up", after=0)
    wait.__enter__()
    wait_for(terminal.getvalue)
    assert not wait.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_pipes_and_files_see_nothing(look_at):
    pipe = look_at(io.StringIO())
    with waiting("adding up", after=0):
        time.sleep(0.05)
    assert pipe.getvalue() == ""
    look_at(None)  # as under pythonw
    with waiting("adding up", after=0):
        pass


@pytest.mark.parametrize("somebody", [True, False])
def test_a_notebook_is_told_below_the_cell_where_somebody_sits(somebody, monkeypatch, look_at):
    shown: list[str] = []

    class Handle:
        def display(self, bundle, *, raw):
            shown.append(bundle["text/plain"])

        update = display

    shell = types.SimpleNamespace(kernel=types.SimpleNamespace(_allow_stdin=somebody))
    module = types.ModuleType("IPython")
    module.get_ipython = lambda: shell
    module.display = types.SimpleNamespace(DisplayHandle=Handle)
    monkeypatch.setitem(sys.modules, "IPython", module)
    look_at(io.StringIO())
    with waiting("adding up", after=0):
        if somebody:
            wait_for(lambda: shown)
    assert (shown[:1], shown[-1:]) == ((["erresearch: adding up … 0 s"], [""]) if somebody else ([], []))


def test_a_module_that_another_thread_is_importing_is_no_notebook(monkeypatch, look_at):
    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    look_at(io.StringIO())
    with waiting("long work"):
        pass
    assert sys.stderr.getvalue() == ""
