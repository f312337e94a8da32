"""`build_panel` against a second computation that shares no code with it: plain Python over the rows, one by one.

Random tables hold what exports hold: clocks that change, several platforms and accounts of one entity, posts of other
accounts, copies, posts that are too young or have no time, missing and zero reach, refunds, failed payments, gaps,
partial ends, follower histories with gaps, several campaigns a day. The same tables then go through pandas, Polars
and DuckDB.
"""

from __future__ import annotations

import datetime as dt
import functools
import math
import zoneinfo
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from erresearch.errors import DataError
from erresearch.panel import Panel, Rules, build_panel

ZONES = (
    "UTC", "Europe/Amsterdam", "America/New_York", "Pacific/Auckland", "Pacific/Kiritimati", "Asia/Kathmandu",
    "Australia/Lord_Howe", "Pacific/Pago_Pago",
)  # fmt: skip
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
PLATFORM_SETS = {
    "instagram": ("likes", "comments", "shares", "saves"),
    "facebook": ("likes", "comments", "shares"),
    "youtube": ("likes", "comments"),
    "Somewhere": ("likes", "comments", "shares", "saves"),
}
FIGURES = ("likes", "comments", "shares", "saves", "reach", "views", "love", "clicks")
EXPOSURES = ("reach", "views")
LEFT = ("failed", "pending", "cancelled")
Rate = tuple[float, float]


@dataclass
class Case:
    """One random set of tables with the arguments of the joining."""

    posts: pd.DataFrame
    outcomes: pd.DataFrame | None
    followers: pd.DataFrame | None
    spend: pd.DataFrame | None
    freq: str
    tz: str
    week_start: str
    min_age_days: float
    entity: dict[str, str] | None
    rules: Rules = field(default_factory=Rules)


def tables(seed: int) -> Case:
    random = np.random.default_rng(seed)
    pick = lambda values: values[int(random.integers(len(values)))]  # noqa: E731
    tz, freq, week_start = pick(ZONES), pick("DWM"), pick(DAYS)
    entities = [f"shop {n}" for n in range(int(random.integers(1, 4)))]
    length = int(random.integers(150, 420))
    first = dt.datetime(2024, int(random.integers(1, 13)), int(random.integers(1, 29)), tzinfo=dt.UTC)
    owners: dict[str, str] = {}
    rows: list[dict[str, Any]] = []
    for owner in entities:
        for platform in random.choice(list(PLATFORM_SETS), int(random.integers(1, 4)), replace=False):
            for k in range(int(random.integers(1, 3))):
                account = f"{owner} {platform} {k}"
                owners[account] = owner
                rows += _posts(random, account, str(platform), first, length)
    if random.random() < 0.4:  # a collaboration: another account's posts in one's own export
        rows += [
            row | {"collaboration": True}
            for row in _posts(random, "a friend", "instagram", first + dt.timedelta(days=30), 60)
        ]
    posts = pd.DataFrame(rows).sample(frac=1.0, random_state=seed, ignore_index=True)
    posts["published_at"] = pd.to_datetime(posts["published_at"], utc=True).astype("datetime64[us, UTC]")
    for name in ("saves", "views", "love", "collaboration", "is_paid"):
        if random.random() < 0.3:
            # without the flag a friend's posts would be those of an account that nobody named
            posts = posts[posts["account"] != "a friend"] if name == "collaboration" else posts
            posts = posts.drop(columns=name)
    posts = pd.concat([posts, posts.iloc[: int(random.integers(0, 4))]], ignore_index=True)
    mapping = owners if len(entities) > 1 else None
    outcomes = (
        None
        if random.random() < 0.15
        else _outcomes(random, entities, first, length=length, tz=tz, freq=freq)
    )
    return Case(
        posts,
        outcomes,
        _followers(random, list(owners), first, length) if random.random() < 0.7 else None,
        _spend(random, entities, first, length) if random.random() < 0.6 else None,
        freq, tz, week_start, pick((0, 7, 30)), mapping,
        Rules(lags=int(random.integers(0, 4)), paid=pick(("kept", "left out"))),
    )  # fmt: skip


def _posts(
    random: np.random.Generator, account: str, platform: str, first: dt.datetime, length: int
) -> list[dict[str, Any]]:
    out = []
    for k in range(int(random.integers(8, 90))):
        at = first + dt.timedelta(minutes=int(random.integers(0, length * 1440)))
        row: dict[str, Any] = {
            "platform": platform, "account": account, "post_id": f"{account}/{k}",
            "published_at": None if random.random() < 0.03 else at,
            "time_source": "stated", "time_precision": "day" if random.random() < 0.05 else "minute",
            "collaboration": False, "is_paid": bool(random.random() < 0.1),
        }  # fmt: skip
        if row["published_at"] is not None and row["time_precision"] == "day":
            row["published_at"] = at.replace(hour=0, minute=0)
        row["collaboration"] = bool(random.random() < 0.05)
        for name in FIGURES:
            row[name] = math.nan if random.random() < 0.1 else float(random.poisson(20))
        if random.random() < 0.1:
            row["reach"] = 0.0
        out.append(row)
    return out


def _outcomes(
    random: np.random.Generator, entities: list[str], first: dt.datetime, *, length: int, tz: str, freq: str
) -> pd.DataFrame:
    zone = zoneinfo.ZoneInfo(tz)
    rows: list[dict[str, Any]] = []
    by_month = freq == "M" and random.random() < 0.3
    for owner in entities:
        start = first + dt.timedelta(days=int(random.integers(-20, 40)))
        for n in range(int(random.integers(60, 400))):
            at = start + dt.timedelta(minutes=int(random.integers(0, length * 1440)))
            kind = str(random.choice(["sale", "sale", "sale", "sale", "refund", *LEFT]))
            value = round(float(random.gamma(2.0, 30.0)), 2) * (-1 if kind == "refund" else 1)
            local = at.astimezone(dt.timezone(dt.timedelta(hours=-7)))
            both = {"date": local.replace(tzinfo=None), "at": at, "entity": owner, "kind": kind}
            rows.append(
                both | {"outcome": "revenue", "value": value, "order_id": f"{owner}#{n}", "currency": "EUR"}
            )
            if kind == "sale":
                rows.append(
                    both | {"outcome": "orders", "value": 1.0, "order_id": f"{owner}#{n}", "currency": ""}
                )
        day = start.astimezone(zone).replace(tzinfo=None, hour=0, minute=0)
        if by_month:
            months = pd.date_range(day + pd.offsets.MonthBegin(1), periods=length // 30, freq="MS")
            both = {"entity": owner, "kind": "reported", "outcome": "sessions", "currency": ""}
            rows += [both | {"date": each, "value": float(random.poisson(900))} for each in months]
            continue
        for n in range(length):
            if random.random() < 0.01:
                continue
            value = math.nan if random.random() < 0.005 else float(random.poisson(200))
            both = {"date": day + dt.timedelta(days=n), "entity": owner, "kind": "reported", "currency": ""}
            rows.append(both | {"outcome": "sessions", "value": value})
            rows.append(both | {"outcome": "conversions", "value": float(random.poisson(5))})
    table = pd.DataFrame(rows)
    table["date"] = pd.to_datetime(table["date"]).astype("datetime64[us]").dt.normalize()
    table["at"] = pd.to_datetime(table["at"], utc=True).astype("datetime64[us, UTC]")
    return table.sample(frac=1.0, random_state=1, ignore_index=True)


def _followers(
    random: np.random.Generator, accounts: list[str], first: dt.datetime, length: int
) -> pd.DataFrame:
    rows = []
    for account in accounts:
        if random.random() < 0.15:
            continue
        start = first.replace(tzinfo=None) + dt.timedelta(days=int(random.integers(-30, 60)))
        count = float(random.integers(100, 5000))
        for n in range(0, length, int(random.integers(1, 9))):
            count += float(random.integers(-3, 12))
            if random.random() < 0.8:
                value = math.nan if random.random() < 0.03 else count
                rows.append((start + dt.timedelta(days=n), account.rsplit(" ", 2)[1], account, value))
    # of two strangers nobody knows whose they are; one alone would be the platform's only account
    rows += [
        (first.replace(tzinfo=None), "instagram", name, 7.0) for name in ("nobody at all", "somebody else")
    ]
    table = pd.DataFrame(rows, columns=["date", "platform", "account", "followers"])
    return table.assign(date=table["date"].astype("datetime64[us]"))


def _spend(random: np.random.Generator, entities: list[str], first: dt.datetime, length: int) -> pd.DataFrame:
    rows = []
    for owner in entities:
        for n in range(length):
            for campaign in range(int(random.integers(0, 4))):
                day = first.replace(tzinfo=None) + dt.timedelta(days=n)
                cost = math.nan if random.random() < 0.01 else round(float(random.gamma(2.0, 5.0)), 2)
                rows.append((day, owner, f"campaign {campaign}", cost))
    table = pd.DataFrame(rows, columns=["date", "entity", "account", "spend"])
    return table.assign(date=table["date"].astype("datetime64[us]"))


class Oracle:
    """The panel again, row by row."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.zone = zoneinfo.ZoneInfo(case.tz)
        self.left: dict[str, int] = defaultdict(int)
        self.cells: dict[tuple[str, dt.date], dict[str, float]] = {}
        self.starts: dict[dt.date, dt.date] = {}
        self._split_posts()
        self._split_outcomes()
        self._lay_out()

    def start(self, day: dt.date) -> dt.date:
        if day not in self.starts:
            self.starts[day] = self._start(day)
        return self.starts[day]

    def _start(self, day: dt.date) -> dt.date:
        if self.case.freq == "D":
            return day
        if self.case.freq == "M":
            return day.replace(day=1)
        while DAYS[day.weekday()] != self.case.week_start:
            day -= dt.timedelta(days=1)
        return day

    def after(self, start: dt.date) -> dt.date:
        """First day of the next period."""
        return self.start(start + dt.timedelta(days={"D": 1, "W": 7, "M": 31}[self.case.freq]))

    def _split_posts(self) -> None:
        case = self.case
        rows = list(case.posts.to_dict("records"))
        seen, once = set(), []
        for row in rows:
            if row["post_id"] in seen:
                self.left["copies of an earlier row"] += 1
                continue
            seen.add(row["post_id"])
            once.append(row)
        own = {row["account"] for row in once if not row.get("collaboration", False)}
        own = {row["account"] for row in once if row["account"] in own and not pd.isna(row["published_at"])}
        # without outcomes nothing names the business
        self.only = "shop 0" if case.outcomes is not None else own.pop() if len(own) == 1 else "all accounts"
        newest = max(row["published_at"] for row in once if not pd.isna(row["published_at"])).to_pydatetime()
        cutoff = newest - dt.timedelta(days=case.min_age_days) if case.min_age_days else None
        self.last = cutoff.astimezone(self.zone).date() - dt.timedelta(days=1) if cutoff else dt.date.max
        self.posts: list[dict[str, Any]] = []
        self.timed: list[dict[str, Any]] = []
        owner = case.entity or {}
        for row in once:
            if pd.isna(row["published_at"]):
                self.left["without a time"] += 1
                continue
            at = row["published_at"].to_pydatetime()
            local = at if row["time_precision"] == "day" else at.astimezone(self.zone)
            row["day"], row["other"] = local.date(), bool(row.get("collaboration", False))
            row["entity"] = owner.get(row["account"]) if owner else self.only
            self.timed.append(row)
            if cutoff and at > cutoff:
                self.left[f"younger than {case.min_age_days:g} days at the export"] += 1
            elif case.rules.paid == "left out" and row.get("is_paid", False):
                self.left["boosted (advertised)"] += 1
            elif row["entity"] is None:
                self.left["of accounts without an entity"] += 1
            else:
                self.posts.append(row)
        self.rows_in = len(rows)

    def _split_outcomes(self) -> None:
        self.sold: list[dict[str, Any]] = []
        if self.case.outcomes is None:
            return
        for row in self.case.outcomes.to_dict("records"):
            if pd.isna(row["value"]) or row["kind"] in LEFT:
                continue
            row["single"] = row["kind"] in ("sale", "refund")
            moved = row["at"].to_pydatetime().astimezone(self.zone) if not pd.isna(row["at"]) else row["date"]
            row["day"] = moved.date()
            self.sold.append(row)
        self.by_month = all(
            row["day"].day == 1 for row in self.sold if row["outcome"] == "sessions"
        ) and not any(row["outcome"] == "conversions" for row in self.sold)

    def _lay_out(self) -> None:
        self.periods: dict[str, list[dt.date]] = {}
        self.spans: dict[tuple[str, str], tuple[dt.date, dt.date]] = {}
        for entity in sorted({row["entity"] for row in self.timed if row["entity"] is not None}):
            ends: dict[str, list[dt.date]] = defaultdict(list)
            for row in self.timed:
                if row["entity"] == entity and not row["other"]:
                    ends[row["platform"]].append(row["day"])
            low = max(min(days) for days in ends.values())
            high = min(min(max(days), self.last) for days in ends.values())
            mine = [row for row in self.sold if row["entity"] == entity]
            if self.case.outcomes is not None:
                single = [row["day"] for row in mine if row["single"]]
                for name in {row["outcome"] for row in mine}:
                    days = [row["day"] for row in mine if row["outcome"] == name]
                    end = max(days)
                    if name == "sessions" and self.by_month:
                        end = self.after(self.start(end)) - dt.timedelta(days=1)
                    self.spans[entity, name] = (min(days), end)
                    if name in ("revenue", "orders"):
                        self.spans[entity, name] = (min(single), max(single))
                own = [span for (who, _), span in self.spans.items() if who == entity]
                low, high = max(low, min(a for a, _ in own)), min(high, max(b for _, b in own))
                if (high - low).days + 1 < 56:
                    continue
            self.periods[entity] = self.whole(low, high)

    @functools.cache  # noqa: B019 - an oracle lives as long as its test
    def whole(self, low: dt.date, high: dt.date) -> list[dt.date]:
        out, start = [], self.start(low)
        if start < low:
            start = self.after(start)
        while self.after(start) - dt.timedelta(days=1) <= high:
            out.append(start)
            start = self.after(start)
        return out

    def panel(self) -> dict[tuple[str, dt.date], dict[str, float]]:
        self.here: dict[tuple[str, dt.date], list[dict[str, Any]]] = defaultdict(list)
        for row in (*self.posts, *self.sold):
            self.here[row["entity"], self.start(row["day"])].append(row)
        self.costs: dict[tuple[str, dt.date], float] = defaultdict(float)
        self.counts: dict[str, pd.DataFrame] = {}
        self.published: dict[str, set[str]] = defaultdict(set)
        for row in self.posts:
            if not row["other"]:
                self.published[row["entity"]].add(row["account"])
        if self.case.spend is not None:
            table = self.case.spend.dropna(subset=["spend"])
            self.days = table["date"].min().date(), table["date"].max().date()
            for day, who, cost in zip(table["date"], table["entity"], table["spend"], strict=True):
                whose = who if len(self.periods) > 1 else next(iter(self.periods))
                self.costs[whose, self.start(day.date())] += cost
        if self.case.followers is not None:
            known = self.case.followers.dropna(subset=["followers"]).sort_values("date", kind="stable")
            self.counts = {str(who): rows for who, rows in known.groupby("account")}
        for entity, starts in self.periods.items():
            for start in starts:
                cell = self._activity(entity, start)
                cell |= self._audience(entity, start, cell)
                if self.case.spend is not None:
                    cell["spend"] = self._spent(entity, start)
                if self.case.outcomes is not None:
                    cell |= self._booked(entity, start)
                self.cells[entity, start] = cell
        self._lagged()
        return self.cells

    def _activity(self, entity: str, start: dt.date) -> dict[str, float]:
        mine = [row for row in self.here[entity, start] if "post_id" in row]
        cell: dict[str, float] = {"posts": float(len(mine))}
        for row in mine:
            known = [row[n] for n in PLATFORM_SETS[row["platform"]] if n in row and not math.isnan(row[n])]
            row["engagement"] = sum(known) if known else math.nan
        for name in (*FIGURES, "engagement"):
            values = [row[name] for row in mine if name in row and not math.isnan(row[name])]
            cell[name] = sum(values) if values else (0.0 if not mine else math.nan)
        if "is_paid" in self.case.posts:
            cell["paid_posts"] = float(sum(row["is_paid"] for row in mine))
        for name in EXPOSURES:
            both = [
                (row["engagement"], row[name])
                for row in mine
                if name in row and row[name] > 0 and not math.isnan(row["engagement"])
            ]
            total = sum(b for _, b in both)
            cell[f"er_by_{name}"] = sum(a for a, _ in both) / total if total else math.nan
        cell["engagement_per_post"] = cell["engagement"] / len(mine) if mine else math.nan
        return cell

    def _audience(self, entity: str, start: dt.date, cell: dict[str, float]) -> dict[str, float]:
        if self.case.followers is None:
            return {}
        published = self.published[entity]
        counts, own, number = [], 0.0, 0
        for account in sorted(published):
            if account not in self.counts:
                continue
            mine = self.counts[account]
            until = mine[mine["date"] < pd.Timestamp(self.after(start))]
            counts.append(until["followers"].iloc[-1] if len(until) else math.nan)
            for row in self.here[entity, start]:
                if row.get("account") == account and not row["other"]:
                    number += 1
                    own += 0.0 if math.isnan(row["engagement"]) else row["engagement"]
        total = math.fsum(counts) if counts else math.nan
        rate = own / total if number and total > 0 else math.nan
        return {
            "followers": total,
            "er_by_followers": rate,
            "er_by_followers_post": rate / number if number else math.nan,
        }

    def _spent(self, entity: str, start: dt.date) -> float:
        return self.costs[entity, start] if start in self.whole(*self.days) else math.nan

    def _booked(self, entity: str, start: dt.date) -> dict[str, float]:
        cell = {}
        for name in ("revenue", "orders", "sessions", "conversions"):
            cell[name] = math.nan
            if (entity, name) not in self.spans or start not in self.whole(*self.spans[entity, name]):
                continue
            here = [row for row in self.here[entity, start] if row.get("outcome") == name]
            whole = (self.after(start) - start).days
            covered = whole if name == "sessions" and self.by_month else len({row["day"] for row in here})
            if name in ("revenue", "orders") or (here and covered == whole):
                cell[name] = sum(row["value"] for row in here)
        above = (
            cell["conversions"] if any(r["outcome"] == "conversions" for r in self.sold) else cell["orders"]
        )
        cell["conversion_rate"] = above / cell["sessions"] if cell["sessions"] > 0 else math.nan
        return cell

    def _lagged(self) -> None:
        for (entity, start), cell in self.cells.items():
            for n in range(1, self.case.rules.lags + 1):
                before = start
                for _ in range(n):
                    before = self.start(before - dt.timedelta(days=1))
                earlier = self.cells.get((entity, before), {})
                for name in ("posts", "engagement", "spend", "revenue", "orders", "sessions", "conversions"):
                    if name in cell:
                        cell[f"lag{n} {name}"] = earlier.get(name, math.nan)


def built(case: Case, give: Any = None) -> Panel:
    give = give or (lambda _, table: table)
    named = {"posts": case.posts, "outcomes": case.outcomes, "followers": case.followers, "spend": case.spend}
    made = {name: give(name, table) if table is not None else None for name, table in named.items()}
    return build_panel(
        made.pop("posts"), made.pop("outcomes"), freq=case.freq, tz=case.tz, week_start=case.week_start,
        min_age_days=case.min_age_days, entity=case.entity, rules=case.rules, **made,
    )  # fmt: skip


def compare(case: Case) -> int:
    """Compare every cell of the two panels; how many were compared."""
    oracle = Oracle(case)
    expected = oracle.panel()
    if not expected:
        with pytest.raises(DataError, match=r"share too few days|cover no whole|share no day|is old enough"):
            built(case)
        return 0
    made = built(case)
    rows = made.rows
    assert {(e, p.date()) for e, p in zip(rows["entity"], rows["period"], strict=True)} == set(expected)
    empty = {
        name for name in (*FIGURES, "engagement")
        if name not in rows and all(math.isnan(c[name]) or c[name] == 0 for c in expected.values())
    }  # fmt: skip
    compared = 0
    for row in rows.to_dict("records"):
        cell = expected[row["entity"], row["period"].date()]
        for name, value in cell.items():
            if name in empty or (name not in row and math.isnan(value)):
                continue
            assert row[name] == pytest.approx(value, rel=1e-9, abs=1e-9, nan_ok=True), (
                name,
                row["entity"],
                row["period"],
            )
            compared += 1
    known = {name for cell in expected.values() for name in cell}
    assert set(rows.columns) - {"entity", "period"} <= known
    account = made.accounting["posts"]
    assert account.rows_in == len(case.posts)
    assert account.used == sum(cell["posts"] for cell in expected.values())
    for reason, count in oracle.left.items():
        assert account.reasons.get(reason, 0) == count, reason
    for name, table in (("outcomes", case.outcomes), ("followers", case.followers), ("spend", case.spend)):
        if table is not None:
            assert made.accounting[name].rows_in == len(table)
    return compared


@pytest.mark.parametrize("start", range(0, 8, 4))
def test_every_cell_is_that_of_a_second_computation(start: int):
    compared = sum(compare(tables(seed)) for seed in range(start, start + 4))
    assert compared > 1_000


@pytest.mark.slow
@pytest.mark.parametrize("start", range(8, 208, 20))
def test_every_cell_is_that_of_a_second_computation_at_length(start: int):
    assert sum(compare(tables(seed)) for seed in range(start, start + 20)) > 10_000


def lazily(engine: str) -> Any:
    """A function that hands a table over lazily, all of them in one engine."""
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")

    def give(name: str, table: pd.DataFrame) -> Any:
        table = pl.from_pandas(table)
        if engine == "polars":
            return table
        if engine == "polars lazy":
            return table.lazy()
        connection.register(name, table.to_arrow())
        return connection.table(name)

    return give


def in_pandas(made: Panel) -> pd.DataFrame:
    import duckdb

    rows = made.rows
    if isinstance(rows, duckdb.DuckDBPyRelation):
        rows = rows.pl()
    rows = rows.lazy().collect().to_pandas()
    return rows.sort_values(["entity", "period"], ignore_index=True)


@pytest.mark.parametrize("engine", ["polars", "polars lazy", "duckdb"])
@pytest.mark.parametrize("seed", [1, 9, 17])
def test_every_engine_gives_the_same_cells_notes_and_account(seed: int, engine: str):
    case = tables(seed)
    whole = built(case)
    made = built(case, lazily(engine))
    pd.testing.assert_frame_equal(in_pandas(made), whole.rows, check_dtype=False, rtol=1e-9)
    assert (made.accounting, made.notes, made.definitions) == (
        whole.accounting,
        whole.notes,
        whole.definitions,
    )
