"""Artists, not pixels: what each figure draws, says and refuses."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import dataclass, replace
from typing import Literal

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, strategies as st
from matplotlib.figure import Figure
from scipy.stats import binomtest, norm

from erresearch.errors import DataError
from erresearch.report import figures
from erresearch.report.figures.style import WORD_COLOURS, label, rounded, span
from erresearch.results import (
    WORDS,
    Bins,
    Curve,
    Decay,
    Estimate,
    Interval,
    Precedence,
    Sensitivity,
)

HOSTILE = "a$b$ <script>alert('x')</script>\n\"\\frac{" + "x" * 10_000


def estimate(
    value: float, half: float = 0.05, *, name: str = "talk", n: int = 4160, accounts: int = 40, unit: str = ""
) -> Estimate:
    return Estimate(
        name,
        value=value,
        se=half / 2,
        df=39,
        interval=Interval(value - half, value + half),
        n_rows=n,
        n_accounts=accounts,
        unit=unit,
    )


def axes():
    return Figure(figsize=(9, 5)).subplots()


def by_gid(ax, gid: str) -> list:
    return [artist for artist in ax.get_children() if artist.get_gid() == gid]


def title(ax) -> str:
    return " ".join(ax.get_title(loc="left").split())


def draw(ax) -> None:
    """Lay everything out, so that a text that matplotlib cannot read would fail here."""
    ax.figure.canvas.draw()


def some_decay(beta: float, half: float = 0.03, *, spline: bool = False, low: float | None = 0.1) -> Decay:
    x = np.linspace(6.9, 13.8, 8)
    error = np.full(8, np.nan if low is None else low)
    points = Bins(
        x=x,
        y=beta * x,
        low=beta * x - error,
        high=beta * x + error,
        n=np.arange(8, 16),
    )
    curve = (
        Bins(
            x=x,
            y=beta * x,
            low=beta * x,
            high=beta * x,
            n=np.full(8, 92),
        )
        if spline
        else None
    )
    found = estimate(beta, half)
    return Decay(
        exponent=found,
        log_ols=found,
        reliability=((1.0, found),),
        spline=curve,
        points=points,
        shared_denominator=-0.71,
        dropped={},
    )


def some_curve(m: int = 6) -> Curve:
    value = np.linspace(0.3, -0.1, m)
    se = np.full(m, 0.03)
    return Curve(
        outcome="sales", x="talk", value=value, se=se, t=value / se, low=value - 0.06, high=value + 0.06,
        n_rows=900, n_accounts=30, definition=tuple("likes" if i % 2 else "all" for i in range(m)), lag=("1",) * m,
        effects=("account",) * m, controls=tuple(("spend",) if i < m // 2 else () for i in range(m)),
        median_t=3.0, mean_signed_t=2.0, share_agreeing=0.8,
        share_significant=0.6, pvalues={"median t": 0.02},
    )  # fmt: skip


def some_precedence(forward: float, reverse: float, lead: float, now: float | None = None) -> Precedence:
    return Precedence(
        x="talk", y="sales", forward=estimate(forward, 0.02), reverse=estimate(reverse, 0.02), lead=estimate(lead, 0.02),
        lags=((-1, estimate(lead, 0.02)), (1, estimate(forward, 0.02)), (2, estimate(0.0, 0.02))),
        contemporaneous=None if now is None else estimate(now, 0.02), method="OLS", n_rows=4000, n_accounts=40,
        dropped={},
    )  # fmt: skip


def some_sensitivity(left: float = 0.08) -> Sensitivity:
    r = np.linspace(0, 0.4, 9)
    grid = 0.1 - 0.5 * np.outer(r, r)
    return Sensitivity(
        estimate=estimate(0.1),
        robustness_value=0.28,
        robustness_value_alpha=0.19,
        partial_r2=0.09,
        benchmark="spend",
        bound_x=0.05,
        bound_y=0.1,
        adjusted=left,
        r2_x=r,
        r2_y=r,
        contours=grid,
    )


@dataclass(frozen=True)
class Cell:
    name: str
    share: float
    draws: int
    bar: float
    side: Literal["at most", "at least"]


def test_figures_import_without_matplotlib():
    code = "import sys, erresearch.report.figures; print(sorted({'matplotlib', 'seaborn', 'pandas'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_theme_ends_with_its_block_even_after_an_error():
    before = dict(mpl.rcParams)

    def fail_inside() -> None:
        with figures.theme():
            assert mpl.rcParams["axes.spines.top"] is False
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        fail_inside()
    assert dict(mpl.rcParams) == before


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("word", WORDS)
def test_every_word_is_readable_on_white_and_has_its_own_symbol(word):
    assert 1.05 / (luminance(figures.WORD_COLOURS[word]) + 0.05) >= 4.5
    assert len({figures.SYMBOLS[w] for w in WORDS}) == len(WORDS)


def test_colours_stay_apart_for_colour_blind_readers():
    # Viénot, Brettel & Mollon (1999): what deuteranopes and protanopes see, in linear RGB
    views = {
        "deuteranopia": [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]],
        "protanopia": [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]],
    }
    colours = {
        word: np.array([(int(c[i : i + 2], 16) / 255) ** 2.2 for i in (1, 3, 5)])
        for word, c in WORD_COLOURS.items()
    }
    for matrix in views.values():
        for one, other in (
            ("supported", "contradicted"),
            ("supported", "inconclusive"),
            ("contradicted", "practically nil"),
        ):
            seen = [np.clip(np.array(matrix) @ colours[word], 0, 1) ** (1 / 2.2) for word in (one, other)]
            assert np.abs(seen[0] - seen[1]).max() > 0.12, (one, other)


@given(st.text(max_size=300))
def test_labels_are_one_short_line_without_mathematics(text):
    made = label(text)
    assert "\n" not in made
    assert len(made.replace(r"\$", "$")) <= 44
    assert made.count("$") == made.count(r"\$")


@given(st.floats(-1e6, 1e6), st.floats(1e-5, 1e3))
def test_rounding_stays_within_a_twentieth_of_the_half_width(value, half):
    text = rounded(value, like=half).replace("−", "-").replace(",", "")
    if 1e-6 <= abs(value) < 1e9:
        assert abs(float(text) - value) <= half / 20 * 1.0001


def test_unbounded_and_unknown_numbers_are_words():
    assert rounded(math.nan) == "not a number"
    assert rounded(-math.inf) == "−∞"
    assert span(Interval(-math.inf, math.inf)) == "unbounded below to unbounded above"


# forest, one estimate, distance ------------------------------------------------------------------------------


def test_forest_draws_a_point_and_an_interval_per_estimate_in_place():
    given_axes = axes()
    made = [estimate(0.3), estimate(0.02, n=12)]
    ax = figures.forest(made, sesoi=0.05, ax=given_axes)
    assert ax is given_axes
    points = [line.get_xydata()[0].tolist() for line in by_gid(ax, "point")]
    assert points == [[0.3, 0], [0.02, 1]]
    intervals = [line.get_xdata() for line in by_gid(ax, "interval")]
    assert np.allclose(intervals, [[0.25, 0.35], [-0.03, 0.07]])
    assert [t.get_text() for t in ax.texts] == ["n = 4,160, 40 accounts", "n = 12, 40 accounts"]
    zone = by_gid(ax, "too small to matter")[0].get_extents().transformed(ax.transData.inverted())
    assert (zone.x0, zone.x1) == (pytest.approx(-0.05), pytest.approx(0.05))
    assert "95 % interval" in ax.get_xlabel()


def test_forest_marks_unbounded_ends_instead_of_hiding_them():
    open_end = replace(estimate(0.3), interval=Interval(0.1, math.inf))
    ax = figures.forest([open_end, estimate(0.2)], ax=axes())
    assert [line.get_marker() for line in by_gid(ax, "unbounded")] == [">"]
    assert np.isfinite(ax.get_xlim()).all()
    both = replace(estimate(0.3), interval=Interval(-math.inf, math.inf))
    assert len(by_gid(figures.forest([both], ax=axes()), "unbounded")) == 2


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([0.3, 0.4], "a and b lie above 0"),
        ([0.3, -0.4, 0.0], "a lies above 0; b lies below 0; c reaches across 0"),
        ([0.0, 0.01], "a and b reach across 0"),
        ([-0.3], "a lies below 0"),
        ([0.3] * 30 + [0.0], "a longer name 20 reaches across 0; the other 30 lie above 0"),
    ],
)
def test_forest_title_says_which_interval_lies_where(values, said):
    names = [*"abcdefghij", *(f"a longer name {i}" for i in range(21))]
    drawn = {name: estimate(v) for name, v in zip(names, values, strict=False)}
    assert title(figures.forest(drawn, ax=axes())) == said


def test_forest_takes_a_mapping_and_hostile_names():
    ax = figures.forest({HOSTILE: estimate(0.1), "b": estimate(0.2)}, ax=axes())
    draw(ax)
    assert ax.get_yticklabels()[0].get_text().startswith(r"a\$b\$ <script>")


def test_forest_of_nothing_is_refused():
    with pytest.raises(DataError, match="a forest needs an estimate: none"):
        figures.forest([])


# decay --------------------------------------------------------------------------------------------------------


def test_decay_draws_rates_of_the_bins_over_followers():
    found = some_decay(0.75, spline=True)
    ax = figures.decay(found, ax=axes())
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    drawn = by_gid(ax, "points")[0].get_xydata()
    assert np.allclose(drawn[:, 0], np.exp(found.points.x))
    assert np.allclose(drawn[:, 1], np.exp(found.points.y - found.points.x))
    fit = by_gid(ax, "fit")[0].get_xydata()
    slope = np.diff(np.log(fit[[0, -1], 1])) / np.diff(np.log(fit[[0, -1], 0]))
    assert slope == pytest.approx(0.75 - 1)
    assert len(by_gid(ax, "spline")) == 1
    assert any("92" in text.get_text() for text in ax.texts)
    assert ax.get_legend() is None
    assert "%" in ax.yaxis.get_major_formatter()(0.02, 0)
    draw(ax)


def test_decay_band_of_the_shared_denominator_falls_with_slope_minus_one():
    found = some_decay(1.0)
    (band,) = by_gid(figures.decay(found, ax=axes()), "shared denominator")
    corners = np.log(band.get_paths()[0].vertices)
    middle = [corners[np.isclose(corners[:, 0], x), 1] for x in found.points.x]
    centre = [(m.min() + m.max()) / 2 for m in middle]
    assert np.polyfit(found.points.x, centre, 1)[0] == pytest.approx(-1)


@pytest.mark.parametrize(
    ("beta", "half", "said"),
    [
        (0.75, 0.03, "The rate falls"),
        (1.2, 0.03, "The rate rises"),
        (0.99, 0.03, "A falling rate is not settled"),
    ],
)
def test_decay_title_follows_the_interval(beta, half, said):
    assert title(figures.decay(some_decay(beta, half), ax=axes())).startswith(said)


def test_decay_without_intervals_or_bounds_still_draws():
    found = some_decay(0.9, low=None)
    open_end = replace(found, exponent=replace(found.exponent, interval=Interval(-math.inf, math.inf)))
    ax = figures.decay(open_end, ax=axes())
    assert not by_gid(ax, "interval")
    draw(ax)


# specification curve ------------------------------------------------------------------------------------------


def test_specification_curve_is_sorted_and_choices_stand_below_their_model():
    found = some_curve()
    ax = figures.specification_curve(found, ax=axes())
    points = ax.collections[1].get_offsets()
    assert np.allclose(points[:, 1], np.sort(found.value))
    below = ax.figure.axes[-1]
    assert [t.get_text() for t in below.get_yticklabels()] == [
        "definition: all",
        "definition: likes",
        "with spend",
    ]
    spend = below.collections[2].get_segments()
    # the three models with spend have the largest estimates, so they stand last
    assert [segment[0][0] for segment in spend] == [3, 4, 5]
    assert below.get_shared_x_axes().joined(ax, below)
    assert title(ax) == "80 % of 6 specifications agree in sign (joint p = 0.02)"
    assert "n = 900 rows" in by_gid(ax, "n")[0].get_text()


def test_specification_curve_shows_choices_and_stays_small_with_many_models():
    found = some_curve(1000)
    ax = figures.specification_curve(found, ax=axes())
    assert ax.collections[0].get_rasterized()
    assert "definition: likes" in [t.get_text() for t in ax.figure.axes[-1].get_yticklabels()]


def test_specification_curve_without_choices_and_in_free_axes():
    same = replace(some_curve(3), definition=("all",) * 3, controls=((),) * 3, pvalues={})
    ax = figures.specification_curve(same, ax=axes())
    assert len(ax.figure.axes) == 1
    assert "joint" not in title(ax)
    free = Figure().add_axes((0.1, 0.1, 0.8, 0.8))
    figures.specification_curve(some_curve(), ax=free)
    above, below = (a.get_position() for a in free.figure.axes)
    assert below.y1 < above.y0
    assert below.y0 == pytest.approx(0.1)


# doubts -------------------------------------------------------------------------------------------------------


def test_sensitivity_marks_estimate_benchmark_and_robustness_value():
    ax = figures.sensitivity(some_sensitivity(), ax=axes())
    assert by_gid(ax, "benchmark")[0].get_xydata().tolist() == [[5.0, 10.0]]
    assert by_gid(ax, "robustness value")[0].get_xydata().tolist() == [[pytest.approx(28), pytest.approx(28)]]
    assert title(ax) == "A hidden cause as strong as spend would leave 0.080 of 0.100"
    assert "%" in ax.get_xlabel()
    draw(ax)


def test_sensitivity_without_a_crossing_draws_no_line_of_nothing():
    found = some_sensitivity()
    strong = replace(found, contours=np.full_like(found.contours, 0.1))
    with_zero = figures.sensitivity(found, ax=axes())
    without = figures.sensitivity(strong, ax=axes())
    assert len(without.collections) < len(with_zero.collections)


@pytest.mark.parametrize(
    ("forward", "reverse", "lead", "said"),
    [
        (0.09, 0.0, 0.0, "talk goes with the next period's sales (0.090)"),
        (0.09, 0.05, 0.0, "talk before sales (0.090), but so does sales before talk"),
        (0.09, 0.05, 0.05, "talk before sales (0.090), but so do sales before talk and the placebo"),
        (0.0, 0.05, 0.0, "Only the reverse: sales comes before talk"),
        (0.0, 0.0, 0.0, "No order in time between talk and sales is settled"),
    ],
)
def test_precedence_title_follows_all_three_intervals(forward, reverse, lead, said):
    assert title(figures.precedence(some_precedence(forward, reverse, lead), ax=axes())) == said


def test_precedence_title_claims_no_order_that_the_lead_has_as_well():
    found = some_precedence(0.09, 0.0, 0.0)
    both = replace(found, over_lead=replace(found.forward, value=0.01, interval=Interval(-0.02, 0.04)))
    assert title(figures.precedence(both, ax=axes())) == (
        "talk moves with sales (0.090), no more clearly before it than after it"
    )
    first = replace(found, over_lead=replace(found.forward, value=0.08, interval=Interval(0.02, 0.14)))
    assert title(figures.precedence(first, ax=axes())).startswith("talk comes before sales (0.090)")


def test_precedence_ladder_stands_in_order_with_the_reverse_last():
    ax = figures.precedence(some_precedence(0.09, 0.01, 0.0, now=0.03), ax=axes())
    names = [tick.get_text() for tick in ax.get_xticklabels()]
    assert names == ["1 after\n(placebo)", "same period", "1 before", "2 before", "the reverse,\n1 before"]
    assert [line.get_ydata()[0] for line in by_gid(ax, "point")] == [0.0, 0.03, 0.09, 0.0, 0.01]
    assert "n = 4,000, 40 accounts" in ax.get_xlabel()


def test_calibration_marks_missed_promises_by_shape_and_title():
    cells = [
        Cell("false supported", 0.02, 2000, 0.025, "at most"),
        Cell("coverage", 0.90, 500, 0.93, "at least"),
    ]
    ax = figures.calibration(cells, ax=axes())
    assert [line.get_marker() for line in by_gid(ax, "missed")] == ["X"]
    assert by_gid(ax, "kept")[0].get_xdata()[0] == pytest.approx(2)
    assert by_gid(ax, "missed")[0].get_xdata()[0] == pytest.approx(90)
    z = norm.cdf(2) * 2 - 1
    wilson = binomtest(450, 500).proportion_ci(z, method="wilson")
    assert by_gid(ax, "interval")[1].get_xdata() == pytest.approx([100 * wilson.low, 100 * wilson.high])
    assert [mark.get_xdata()[0] for mark in by_gid(ax, "promise")] == pytest.approx([2.5, 93])
    assert title(ax) == "One of 2 promises is clearly missed: coverage"
    assert title(figures.calibration(cells[:1], ax=axes())) == "The promise is not clearly missed"
    assert title(figures.calibration([cells[0]] * 3, ax=axes())) == "None of 3 promises is clearly missed"
    assert title(figures.calibration([cells[1]] * 3, ax=axes())) == "3 of 3 promises are clearly missed"


def test_calibration_of_nothing_is_refused():
    with pytest.raises(DataError, match="a calibration needs a cell"):
        figures.calibration([])


def test_a_figure_of_its_own_where_no_axes_are_given():
    import matplotlib.pyplot as plt

    made = [
        figures.forest([estimate(0.3)]),
        figures.decay(some_decay(0.8)),
        figures.specification_curve(some_curve()),
        figures.sensitivity(some_sensitivity()),
        figures.precedence(some_precedence(0.1, 0, 0)),
        figures.calibration([Cell("a", 0.02, 100, 0.025, "at most")]),
    ]
    assert len({ax.figure for ax in made}) == len(made)
    for ax in made:
        draw(ax)
        plt.close(ax.figure)


def test_a_title_takes_the_first_text_that_one_line_holds():
    long, short = "talk lies above 0; " * 6, "2 of 3 lie above 0"
    names = {f"a name of some length, number {number}": estimate(0.3) for number in range(3)}
    for ax in (axes(), axes()):
        figures.style.titled(ax, long, short)
        assert ax.get_title(loc="left") == short
    wide = figures.forest(names, ax=axes()).get_title(loc="left")
    assert "\n" not in wide
    assert wide == "All 3 lie above 0"
