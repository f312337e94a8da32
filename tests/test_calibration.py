"""The calibration: its cells, its counting, its stored table."""

from __future__ import annotations

import math
from dataclasses import asdict, replace

import numpy as np
import pytest
from builders import script

from erresearch.errors import DataError, DesignError, UnknownNameError
from erresearch.report.calibration import BARS, CellOutcome, held_to, kept, stored, table
from erresearch.worlds import WORLDS

calibrate, cells, run_cell = (
    getattr(script("tools/calibration.py"), name) for name in ("calibrate", "cells", "run_cell")
)


def outcome(**changes) -> CellOutcome:
    values = {
        "cell": "nil", "draws": 500, "supported": 0.02, "contradicted": 0.0, "nil": 0.9, "inconclusive": 0.08,
        "association": 0.0, "right": 0.9, "wrong": 0.02, "coverage": 0.95, "suffice": 1.0, "nil_where_suffices": 0.9,
        "mean": 0.0, "spread": 0.01, "mean_se": 0.01, "clusters": 40.0, "seconds": 1.0,
    }  # fmt: skip
    return CellOutcome(**(values | changes))


def test_cells_are_named_worlds_with_bars_that_exist():
    known = cells()
    hostile = script("tools/hostile.py").WORLDS
    assert 80 <= len(known) <= 110
    assert {cell.world for cell in known.values() if cell.kind != "shops"} <= set(WORLDS)
    assert {cell.world for cell in known.values() if cell.kind == "shops"} == set(hostile)
    assert all(name in BARS for cell in known.values() for name in cell.counts)
    assert known["nil"].draws == known["effect"].draws == 2_000


def test_what_a_cell_is_held_to_is_read_from_the_same_declaration():
    assert held_to() == {name: cell.counts for name, cell in cells().items()}


def test_every_world_of_the_embedded_board_has_a_cell_of_its_own_design():
    known = [cell for cell in cells().values() if cell.kind != "shops"]
    plain = {cell.world for cell in known if cell.design is None and cell.level == 0.95}
    assert plain == set(WORLDS)


def test_a_cell_gives_the_same_draws_each_time_and_more_draws_extend_them():
    first = run_cell("nil, 12 accounts", draws=2)
    again = replace(run_cell("nil, 12 accounts", draws=2), seconds=first.seconds)
    np.testing.assert_equal(asdict(again), asdict(first))  # shares of nothing are no numbers
    assert run_cell("nil, 12 accounts", draws=2, rng=1) != first


def test_shops_have_their_promotions_written_down_or_not():
    cell = cells()["teaser before a sale, 6 shops, declared"]
    assert (cell.kind, cell.accounts, cell.declared) == ("shops", 6, True)
    assert run_cell(cell, draws=1).clusters == 6
    # a relaunch stays, although its column marks the first week only
    hostile = script("tools/hostile.py")
    table = hostile.WORLDS["relaunch"].make(np.random.default_rng(1), weeks=60, shops=2)
    declared = hostile.events(table, "relaunch")
    assert set(declared["kind"]) == {"step"}
    assert len(declared) == 2


def test_a_bar_is_missed_beyond_monte_carlo_error_only():
    nil = (*cells()["nil"].counts, "right")
    edge = 0.025 + 3.5 * math.sqrt(0.025 * 0.975 / 500)
    assert outcome(supported=edge - 1e-9).missed(nil) == ()
    assert outcome(supported=edge + 1e-9).missed(nil) == ("false supported",)
    assert outcome(coverage=0.85).missed(nil) == ("coverage",)
    assert outcome(right=0.5, nil_where_suffices=0.5).missed(nil) == ("nil recognised", "right")
    assert outcome(coverage=math.nan).missed(nil) == ()


def test_calibrate_goes_on_where_it_stopped(tmp_path):
    path, said = tmp_path / "table.csv", []
    calibrate(path, only=["nil, 12 accounts"], draws=1, say=said.append)
    calibrate(path, only=["nil, 12 accounts"], draws=1, say=said.append)
    assert len(said) == 1
    assert stored(path)["nil, 12 accounts"].draws == 1
    # further draws are those that would have followed
    calibrate(path, only=["nil, 12 accounts"], draws=3)
    longer, whole = (
        asdict(one) for one in (stored(path)["nil, 12 accounts"], run_cell("nil, 12 accounts", draws=3))
    )
    for one in (longer, whole):
        assert one.pop("cell") == "nil, 12 accounts"
        del one["seconds"]
    assert longer == pytest.approx(whole, rel=1e-4, nan_ok=True)


def test_refusals(tmp_path):
    with pytest.raises(UnknownNameError, match=r"no cell 'nill'.*Did you mean 'nil'"):
        run_cell("nill")
    with pytest.raises(UnknownNameError, match="no cell 'x'"):
        calibrate(tmp_path / "t.csv", only=["x"])
    with pytest.raises(DesignError, match="at least one draw: 0"):
        run_cell("nil", draws=0)
    (tmp_path / "cells.toml").write_text('[[cell]]\nname = "a"\n', encoding="utf-8")
    with pytest.raises(DataError, match="cell 'a' cannot be run: lacks world, claim, kind, draws, level"):
        cells(tmp_path / "cells.toml")
    text = '[[cell]]\nname = "a"\nworld = "nil"\nclaim = "C01"\nkind = "cube"\ndraws = 1\nlevel = 0.95\n'
    (tmp_path / "cells.toml").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"cell 'a' cannot be run: unknown count or kind \['cube'\]"):
        cells(tmp_path / "cells.toml")
    (tmp_path / "t.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"t\.csv is not a table of outcomes: a, b"):
        stored(tmp_path / "t.csv")


def test_no_bar_is_missed_in_the_stored_table():
    shown = table()
    assert {"nil", "effect", "reverse"} <= set(shown.index)
    assert not shown.index.duplicated().any()
    # named, not met: with five accounts no decisive word can be given, but the interval that is printed is too narrow;
    # promotions are declared as weeks, not by their strength, which leaves a fifth of δ that 40 shops can see
    assert dict(shown.query("missed != ''")["missed"]) == {
        "nil, 5 accounts": "coverage",
        "promotion, then a dip, 40 shops, declared": "coverage",
    }


@pytest.mark.parametrize("promise", BARS)
def test_the_mean_over_the_cells_keeps_each_promise(promise):
    bar, side = BARS[promise]
    counted = [one for one in kept(promise) if not math.isnan(one.share)]
    if not counted:
        pytest.skip("none of its cells has been run")
    mean = sum(one.share for one in counted) / len(counted)
    error = math.sqrt(bar * (1 - bar) * sum(1 / one.draws for one in counted)) / len(counted)
    assert mean <= bar + 2 * error if side == "at most" else mean >= bar - 2 * error


def test_no_world_of_the_board_gets_a_wrong_word_and_effects_are_found():
    found, known = stored(), cells()
    for name, seen in found.items():
        cell = known[name]
        usual = cell.accounts in (None, 40) and cell.weeks in (None, 104) and cell.level == 0.95
        if cell.kind == "shops" or cell.design is not None or not usual:
            continue
        slack = 3.5 * math.sqrt(0.025 * 0.975 / seen.draws)
        assert seen.wrong <= 0.025 + slack, name
        # a nil waits for a reliability, which the worlds with noise in x do not always give
        assert seen.right >= 0.80 or name in {"nil", "reverse"}, name


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "nil",
        "effect",
        "decay",
        "flat",
        "flat, selected on reactions",
        "same week .3, 12 shops",
        "effect .1, bots, 40 shops",
        "promotion, then a dip, 12 shops",
        "teaser before a sale, 12 shops, declared",
        "C02: nothing, 12 shops",
    ],
)
def test_a_sample_of_cells_again(name):
    cell = replace(cells()[name], draws=60)
    assert run_cell(cell).missed(cell.counts) == ()


def test_the_table_in_the_docs_is_the_stored_one():
    made = script("tools/calibration_table.py")
    text = made.PAGE.read_text(encoding="utf-8")
    assert made.page(text) == text, "run `python tools/calibration_table.py`"
