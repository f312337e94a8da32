"""Threads that work at once do not hear each other, and leave the whole process as it was."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import threading
import warnings
from collections.abc import MutableMapping
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import duckdb
import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

import erresearch
from erresearch.claims import claim_named
from erresearch.datasets import dataset_card
from erresearch.engine import table_files
from erresearch.errors import ErresearchWarning, own_warnings, warn
from erresearch.experiments import DESIGNS
from erresearch.io.resources import in_threads
from erresearch.report import figures
from erresearch.report.figures.style import file_of
from erresearch.worlds import CASES


def test_each_thread_gathers_its_own_warnings_and_those_of_the_work_it_hands_out():
    """The first to begin is the first to end, which filters of the process do not survive."""
    filters, show = list(warnings.filters), warnings.showwarning
    begun, ended = threading.Barrier(2), threading.Event()

    def gather(name: str) -> list[str]:
        with own_warnings() as said:
            begun.wait(10)
            in_threads(warn, [f"{name} {number}" for number in (1, 2, 1)])
            if name == "second":
                assert ended.wait(10)
        ended.set()
        return said

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(gather, ("first", "second"))
    assert [sorted(said) for said in (first, second)] == [["first 1", "first 2"], ["second 1", "second 2"]]
    assert warnings.filters == filters
    assert warnings.showwarning is show
    with pytest.warns(ErresearchWarning, match="nobody gathers") as heard:
        warn("nobody gathers")
    assert Path(heard[0].filename) == Path(__file__)
    # a file beside the package whose name begins alike is somebody else's
    beside = str(Path(erresearch.__file__).parent) + "_notes.py"
    with pytest.warns(ErresearchWarning, match="nobody gathers") as heard:
        exec(compile('warn("nobody gathers")', beside, "exec"), {"warn": warn})
    assert heard[0].filename == beside


def test_pictures_of_threads_leave_the_settings_of_matplotlib():
    before, inside = dict(mpl.rcParams), threading.Event()

    def draw(number: int) -> bool:
        with figures.theme():
            alone = not inside.is_set()
            inside.set()
            threading.Event().wait(0.01)
            inside.clear()
            return alone and not mpl.rcParams["axes.spines.top"]

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(draw, range(8)))
    assert dict(mpl.rcParams) == before


def test_what_is_remembered_is_the_same_however_often_it_is_made():
    """Threads that ask at once each make it: had it a part that is drawn, they would go on with different ones."""
    kept = "workshop", "cli"
    modules = [module.name for module in pkgutil.walk_packages(erresearch.__path__, "erresearch.")]
    for name in (name for name in modules if name.split(".")[1] not in kept):
        for key, value in vars(importlib.import_module(name)).items():
            if hasattr(value, "cache_clear") and not inspect.signature(value).parameters:
                made, again = map(repr, (value.__wrapped__(), value.__wrapped__()))
                assert made == again, f"{name}.{key}"


def test_a_picture_is_written_without_the_style_of_another_thread():
    figure = Figure()
    figure.subplots().plot([1, 2])
    alone = file_of(figure, "png")
    with ThreadPoolExecutor(1) as pool:
        with figures.theme():
            drawn = pool.submit(file_of, figure, "png")
            assert not wait([drawn], timeout=0.05).done
        assert drawn.result(10) == alone


@pytest.mark.parametrize(
    ("ask", "mapping"),
    [(lambda: claim_named("C01"), "options"), (lambda: dataset_card("hillstrom").columns[2], "recode")],
)
def test_what_a_caller_does_to_what_he_was_handed_is_not_done_to_the_registry(ask, mapping):
    """A claim is judged as it was declared, whoever tried another choice before."""
    before = repr(getattr(ask(), mapping))
    getattr(ask(), mapping)["lags"] = 40
    assert repr(getattr(ask(), mapping)) == before


@pytest.mark.parametrize("constant", [DESIGNS, CASES, CASES["C02-holds"].parameters])
def test_public_constants_cannot_be_changed(constant):
    assert not isinstance(constant, MutableMapping)


def test_threads_that_open_one_database_set_it_up_in_turn(tmp_path, monkeypatch):
    """The first of them locks the settings that all connections to the file share."""
    place, inside = str(tmp_path / "shop.db"), []
    with duckdb.connect(place) as made:
        made.sql("CREATE TABLE posts AS SELECT 1 AS likes")

    def slowly(connection: object) -> None:
        inside.append(connection)
        threading.Event().wait(0.05)

    monkeypatch.setattr(table_files, "cap_duckdb", slowly)
    with ThreadPoolExecutor(4) as pool:
        held = list(pool.map(table_files.open_database, [f"duckdb:{place}?table=posts"] * 4))
    assert (len(held), len(inside)) == (4, 1)
