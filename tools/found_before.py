"""Reproduce figures that were found on the same files before this package read them: ``python tools/found_before.py``.

Each is computed again as it was then, from the rows, and written into docs/BOARD.md beside what was found. It needs the
rows (a copy in ``ERRESEARCH_DATA_DIR``, or the network).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

import erresearch as er
from erresearch.claims import claim_named
from erresearch.claims.procedures import published_tiers
from erresearch.claims.variables import cast_roles
from erresearch.results import rounded

PAGE = Path(__file__).resolve().parent.parent / "docs" / "BOARD.md"
START, END = "<!-- found-before -->\n\n", "\n<!-- /found-before -->"
PANELS = {"best-of-ml-python": 0, "best-of-web-python": 1}
#: Found in the two lists: value and ends of its interval, or a value.
FOUND: tuple[tuple[str, tuple[float, ...], tuple[float, ...]], ...] = (
    ("naive r of new stars and downloads (logs)", (0.473,), (0.273,)),
    ("log downloads on log stars, last month", (1.423, 1.277, 1.569), (0.732, 0.501, 0.964)),
    ("their rank correlation", (0.498,), ()),
    ("new stars last month, no lags", (0.205, 0.165, 0.245), (0.125, 0.078, 0.173)),
    ("C01: with two lags of both", (0.0302, 0.0204, 0.0399), (0.0139, 0.0070, 0.0209)),
    ("lead: new stars of the next month", (0.0204, 0.0116, 0.0292), (0.0058, -0.0006, 0.0122)),
    ("reverse: new stars on last month's downloads", (0.0393, 0.0226, 0.0559), (0.0306, 0.0005, 0.0607)),
    ("C02: new issues last month", (0.0065, 0.0010, 0.0120), (0.0007, -0.0044, 0.0058)),
    ("out of sample, 12 months: saved by new stars", (0.0209,), (-0.0035,)),
    ("out of sample, 12 months: saved by the stock of stars", (0.0011,), (-0.0006,)),
    ("C07: new stars on stars, PPML, β", (0.946, 0.846, 1.047), (1.141, 0.997, 1.284)),
    ("C07: new stars on watchers, PPML, β", (0.754, 0.647, 0.860), (1.131, 0.798, 1.464)),
    ("C08: downloads on stars, PPML, β", (0.919, 0.769, 1.069), (0.334, 0.023, 0.644)),
)
#: How much was counted then in the two lists.
COUNTED: tuple[tuple[str, tuple[float, ...], tuple[float, ...]], ...] = (
    ("months", (51,), (51,)),
    ("projects with downloads", (1086,), (568,)),
    ("their months", (43207,), (27586,)),
    ("rows of the naive r", (39555,), (25403,)),
    ("rows of C01", (32493,), (21070,)),
)
#: What makes a difference where there is one.
RENAMED = (
    "names were counted then; a renamed project is one now, and one whose downloads are another's is left out"
)
FEWER = "the same, and a project listed twice in a month counts once; which other rows entered then is not recorded"
CHOICES = (
    "which rows entered then is not recorded; without falls, without projects that have no downloads, or on the stars at "
    "the month's start it lies between {} and {}"
)
SEASON = "months stand for the season here; which terms stood for it then is not recorded"
#: Differences below this share of the interval found, or of the figure, need no word; of its ends below twice that.
SAME = 0.05
WITHIN: dict[str, Any] = {"by": "project", "period": "month", "effects": ("account", "period"), "cov": "CRV1"}


class Figure(NamedTuple):
    """One figure: where, what, what was found (value, then the ends of its interval), and what is found now."""

    data: str
    what: str
    found: tuple[float, ...]
    now: tuple[float, ...]
    why: str = ""
    counted: bool = False

    @property
    def same(self) -> bool:
        """Whether the two differ by less than anybody would read from them."""
        if self.counted:
            return self.found == self.now
        size = self.found[2] - self.found[1] if len(self.found) > 1 else abs(self.found[0])
        off = [abs(then - now) for then, now in zip(self.found, self.now, strict=True)]
        return off[0] <= max(SAME * size, 0.0006) and max(off) <= max(2 * SAME * size, 0.0006)


def of(estimate: er.Estimate) -> tuple[float, ...]:
    """An estimate with the ends of its interval."""
    return estimate.value, estimate.interval.low, estimate.interval.high


def lagged(table: pd.DataFrame, columns: dict[str, tuple[int, ...]]) -> pd.DataFrame:
    """Columns of the calendar months before (or after: below 0), missing where the month is not there."""
    number = table["month"].str[:4].astype(int) * 12 + table["month"].str[5:].astype(int)
    made = {}
    for column, lags in columns.items():
        for lag in lags:
            near = number - number.groupby(table["project"]).shift(lag) == lag
            made[f"{column}{lag}"] = table.groupby("project")[column].shift(lag).where(near)
    return table.assign(**made)


def saved(table: pd.DataFrame, own: list[str], more: list[str]) -> float:
    """Share of the squared error of the last twelve months that further columns save; estimated on those before."""
    rows = table.dropna(subset=["downloads", *own, "gained1", "gained2"])
    late = rows["month"].isin(sorted(rows["month"].unique())[-12:])
    lost = []
    for names in (own, [*own, *more]):
        design = np.column_stack([np.ones(len(rows)), rows[names]])
        slopes = np.linalg.lstsq(design[~late], rows["log downloads"][~late], rcond=None)[0]
        lost.append(float(((rows["log downloads"] - design @ slopes)[late] ** 2).sum()))
    return 1 - lost[1] / lost[0]


def panels() -> Iterator[Figure]:
    """The two lists of projects by month."""
    listed = []
    for name, at in PANELS.items():
        raw = er.load(name)
        counted = {"gained": "new_stars", "asked": "new_issues"}
        table = raw.assign(**{new: np.log1p(raw[old].clip(lower=0)) for new, old in counted.items()})
        table["log downloads"] = np.log(table["downloads"])
        table["log stars"] = np.log(table["stars"].where(table["stars"] > 0))
        wanted = {"gained": (1, 2, -1), "asked": (1, 2), "log downloads": (1, 2), "log stars": (1,)}
        table = lagged(table, wanted)
        own = ["log downloads1", "log downloads2"]
        past = ["gained1", "gained2", *own]

        def slope(y: str, on: list[str], table: pd.DataFrame = table) -> tuple[float, ...]:
            return of(er.regress(table, y, on=on, **WITHIN)[on[0]])

        def growth(y: str, x: str, table: pd.DataFrame = table) -> tuple[float, ...]:
            rows = table.assign(**{y: table[y].clip(lower=0)})
            fit = er.poisson(rows, y, on=[er.log(x)], by="project", effects=(), cov="CRV1")
            return of(fit[f"log {x}"])

        seen = table[table["downloads"] > 0]
        listed.append(set(seen["project"]))
        of_c01 = er.regress(table, "log downloads", on=past, **WITHIN)[past[0]]
        counts = (
            (table["month"].nunique(),),
            (len(listed[-1]),),
            (len(seen),),
            (len(seen["gained"].dropna()),),
            (of_c01.n_rows,),
        )
        last = table[table["month"] == table["month"].max()]
        across = er.regress(last, er.log("downloads"), on=[er.log("stars")])["log stars"]
        rank = last[["stars", "downloads"]].dropna().corr(method="spearman").iloc[0, 1]
        begun = table.assign(**{"at start": table["stars"] - table["new_stars"]})
        parts = (begun, begun[begun["downloads"] > 0], begun[begun["new_stars"] >= 0])
        others = [growth("new_stars", x, rows)[0] for rows in parts for x in ("stars", "at start")]
        now = (
            (table["gained"].corr(table["log downloads"]),),
            of(across),
            (rank,),
            slope("log downloads", ["gained1"]),
            of(of_c01),
            slope("log downloads", ["gained-1", "gained", *past]),
            slope("gained", [*own, *past[:2]]),
            slope("log downloads", ["asked1", "asked2", *own]),
            (saved(table, own, ["gained1", "gained2"]),),
            (saved(table, own, ["log stars1"]),),
            growth("new_stars", "stars"),
            growth("new_stars", "watchers"),
            growth("downloads", "stars"),
        )
        for (what, *found), again in zip(COUNTED, counts, strict=True):
            yield Figure(name, what, found[at], again, RENAMED if "project" in what else FEWER, counted=True)
        why = CHOICES.format(*(rounded(end, like=0.02) for end in (min(others), max(others))))
        for (what, *found), again in zip(FOUND, now, strict=True):
            if found[at]:
                yield Figure(name, what, found[at], again, why)
    twice = len(set.intersection(*listed))
    yield Figure(name, "projects with downloads in both lists", (23,), (twice,), RENAMED, counted=True)


def retailer() -> Iterator[Figure]:
    """One retailer's weeks."""
    import statsmodels.api as sm

    rows = er.load("retailer-weeks")
    y = np.log(rows["sales"]).rename("y")
    social = np.log1p(rows["shown_social_media"]).rename("x")
    month = pd.to_datetime(rows["week"]).dt.month
    held = rows[["stores", "markdown", "markdown_value"]].assign(trend=np.arange(len(rows)))
    season = pd.get_dummies(month, drop_first=True, dtype=float).add_prefix("month ")
    holidays = rows.filter(regex="^holiday_")
    # two holidays of the same weeks are one
    held = pd.concat([held, season, holidays.loc[:, holidays.max() > 0].T.drop_duplicates().T], axis=1)

    def fit(columns: list[Any]) -> tuple[float, ...]:
        table = pd.concat([y, *columns], axis=1).dropna()
        found = sm.OLS(table["y"], sm.add_constant(table.drop(columns="y"))).fit(
            cov_type="HAC", cov_kwds={"maxlags": 4}
        )
        return found.params.iloc[1], *found.conf_int().iloc[1]

    shown = rows["shown_social_media"]
    yield Figure(
        "retailer-weeks", "weeks without social media", (52,), (int((shown == 0).sum()),), counted=True
    )
    yield Figure(
        "retailer-weeks", "impressions on social media a week, millions", (13.8,), (shown.mean() / 1e6,)
    )
    yield Figure(
        "retailer-weeks", "r of impressions on social media and sales (logs)", (0.005,), (social.corr(y),)
    )
    yield Figure("retailer-weeks", "slope, nothing held", (0.0003, -0.0124, 0.0129), fit([social]))
    now = fit([social, held])
    told = "with stores, markdowns, holidays, season and trend"
    yield Figure("retailer-weeks", told, (0.0051, -0.0011, 0.0114), now, SEASON)
    last = fit([social.shift(1), y.shift(1).rename("before"), held])
    yield Figure(
        "retailer-weeks", "last week's, given last week's sales", (0.0045, -0.0021, 0.0111), last, SEASON
    )


def donors() -> Iterator[Figure]:
    """A charity's mailing."""
    rows = er.load("charity")
    answers = er.regress(rows, "respond", on=["share_answered"])["share_answered"]
    yield Figure("charity", "answer on past share of answers", (0.857, 0.809, 0.905), of(answers))
    gifts = er.regress(rows[rows["gift"] > 0], er.log("gift"), on=["share_answered"])["share_answered"]
    mailed = er.regress(rows, "gift", on=["mailings", "share_answered", "last_gift"], cov="HC1")["mailings"]
    yield Figure("charity", "gift on mailings a year, guilders", (2.17, 1.40, 2.93), of(mailed))
    yield Figure("charity", "log gift on it, among givers", (-0.028, -0.169, 0.112), of(gifts))


def tiers() -> Iterator[Figure]:
    """Published rates by tier of followers, each source compared with itself."""
    told = published_tiers(cast_roles(claim_named("C07b"), er.load("er-benchmarks"), dataset="er-benchmarks"))
    logs = {"rate": np.log(told.rate), "followers": np.log(told.middle)}
    table = pd.DataFrame({**logs, "source": told.source + " / " + told.series, "middle": told.middle})
    parts: dict[str, tuple[tuple[float, ...], Any]] = {
        "Instagram": ((-0.192, -0.216, -0.168), told.judged),
        "Instagram, below 100,000 followers": ((-0.383, -0.441, -0.325), told.judged & (told.middle < 1e5)),
        "Instagram, from 10,000 followers": ((-0.080, -0.119, -0.041), told.judged & (told.middle >= 1e4)),
    }
    for part, (found, rows) in parts.items():
        slope = er.regress(
            table[rows], "rate", on=["followers"], by="source", effects=("account",), cov="CRV1"
        )
        what = f"log rate on log followers, published tiers, {part}"
        yield Figure("er-benchmarks", what, found, of(slope["followers"]))
    tiktok = table[told.used & (told.platform == "TikTok")]
    tiktok = tiktok[tiktok["source"].str.startswith("Influencer Hero")]
    alone = er.regress(tiktok, "rate", on=["followers"])["followers"]
    yield Figure(
        "er-benchmarks",
        "the same on TikTok, in its only source with several tiers",
        (-0.059,),
        (alone.value,),
    )


def figures() -> list[Figure]:
    """Every figure that is used, again."""
    makers: tuple[Callable[[], Iterator[Figure]], ...] = (panels, retailer, donors, tiers)
    return [figure for maker in makers for figure in maker()]


def _shown(numbers: tuple[float, ...]) -> str:
    if len(numbers) == 1:
        return f"{numbers[0]:,}" if isinstance(numbers[0], int) else rounded(numbers[0])
    value, low, high = (rounded(one, like=(numbers[2] - numbers[1]) / 2) for one in numbers)
    return f"{value} [{low}, {high}]"


def table(found: list[Figure]) -> str:
    """Lay the figures out as a Markdown table."""
    lines = ["| data | figure | found before | now | difference |", "|---|---|--:|--:|---|"]
    before = ""
    for one in found:
        name = "" if one.data == before else f"**{one.data}**"
        before = one.data
        why = "none to speak of" if one.same else one.why
        lines.append(f"| {name} | {one.what} | {_shown(one.found)} | {_shown(one.now)} | {why} |")
    return "\n".join(lines) + "\n"


def with_figures(page: str) -> str:
    """Return a page with the table put between its marks."""
    before, rest = page.split(START)
    return before + START + table(figures()) + END + rest.split(END)[1]


if __name__ == "__main__":
    PAGE.write_text(with_figures(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(PAGE.read_text(encoding="utf-8").split(START)[1].split(END)[0])
