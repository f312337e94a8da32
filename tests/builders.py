"""Tables and values that several test files build; what one file alone needs stands there."""

from __future__ import annotations

import datetime as dt
import functools
import importlib.util
import math
import sys
from pathlib import Path
from types import ModuleType

import duckdb
import numpy as np
import pandas as pd
import polars as pl

from erresearch.datasets import load
from erresearch.errors import ErresearchError
from erresearch.exports import Export, read_export
from erresearch.results import Estimate, StudentT
from erresearch.worlds import simulate_panel

ENGINES = ["pandas", "polars", "arrow", "polars lazy", "duckdb"]
EAGER = ENGINES[:3]
MONDAY = dt.date(2025, 1, 6)
ROOT = Path(__file__).resolve().parents[1]
FILES = ROOT / "tests" / "exports" / "files"


@functools.cache
def export_of(name: str) -> Export | str:
    """A fixture as read without a word about it, or what is said where it asks for one; read once, and only looked at."""
    try:
        return read_export(FILES / name)
    except ErresearchError as error:
        return str(error)


@functools.cache
def loaded(name: str) -> pd.DataFrame:
    """A data set that ships, read once, and only looked at."""
    return load(name)


@functools.cache
def script(place: str) -> ModuleType:
    """A script of this checkout as a module, such as ``tools/workshop.py``; it runs once."""
    path = ROOT / place
    spec = importlib.util.spec_from_file_location(f"{path.parent.name}_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def on(engine: str, frame: pd.DataFrame) -> object:
    """The same table in one of :data:`ENGINES`."""
    table = pl.from_pandas(frame)
    return {
        "pandas": lambda: frame,
        "polars": lambda: table,
        "arrow": table.to_arrow,
        "polars lazy": table.lazy,
        "duckdb": lambda: duckdb.from_arrow(table.to_arrow()),
    }[engine]()


def in_engine(engine: str, tables: dict[str, pd.DataFrame | None]) -> dict[str, object]:
    """Several tables, lazily, in one engine: Polars, or one connection of DuckDB."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    made: dict[str, object] = {}
    for name, table in tables.items():
        if table is None:
            made[name] = None
        elif engine == "polars":
            made[name] = pl.from_pandas(table).lazy()
        else:
            connection.register(name, pl.from_pandas(table).to_arrow())
            made[name] = connection.table(name)
    return made


def few_posts(n: int = 4, **columns: object) -> pd.DataFrame:
    """Posts as the schema wants them, one a day, with columns of one's own."""
    base = {
        "platform": "vk",
        "account": "shop",
        "post_id": [f"p{i}" for i in range(n)],
        "published_at": pd.date_range("2024-01-01", periods=n),
        "reach": np.full(n, 100),
        "impressions": np.full(n, 120),
        "likes": np.arange(n),
        "comments": 1,
    }
    return pd.DataFrame(base | columns)


def weekly_posts(
    weeks: int = 20, per_week: int = 3, *, account: str = "shop", **columns: object
) -> pd.DataFrame:
    """Posts on Monday, Wednesday, Friday … at noon UTC; likes 10, 11, 12 …, reach 100."""
    rows = [(week, n) for week in range(weeks) for n in range(per_week)]
    when = [pd.Timestamp(MONDAY, tz="UTC") + pd.Timedelta(days=7 * w + 2 * n, hours=12) for w, n in rows]
    table = pd.DataFrame(
        {
            "platform": "instagram",
            "account": account,
            "post_id": [f"{account}-{k}" for k in range(len(rows))],
            "published_at": pd.to_datetime(when),
            "likes": 10.0 + np.arange(len(rows)),
            "comments": 1.0,
            "reach": 100.0,
        }
    )
    return table.assign(**columns)


def daily_sales(
    days: int = 140, *, entity: str = "shop", value: float = 10.0, **columns: object
) -> pd.DataFrame:
    """One reported revenue a day, from the same Monday on."""
    table = pd.DataFrame(
        {
            "date": pd.date_range(MONDAY, periods=days),
            "entity": entity,
            "outcome": "revenue",
            "value": value,
            "currency": "EUR",
        }
    )
    return table.assign(**columns)


def as_orders(table: pd.DataFrame, kind: str = "sale") -> pd.DataFrame:
    """Outcomes as single orders."""
    return table.assign(kind=kind, order_id=[f"#{n}" for n in range(len(table))])


def world(name: str = "effect", *, accounts: int = 12, weeks: int = 40, rng: int = 3) -> pd.DataFrame:
    """A simulated panel alone."""
    return simulate_panel(name, accounts=accounts, weeks=weeks, rng=rng)[0]


def estimate(
    value: float, se: float = 0.01, *, name: str = "θ", df: float = math.inf, **more: object
) -> Estimate:
    """An estimate with its 95 % interval; more says the number of rows, a unit or a method."""
    reference = StudentT(value, se, df)
    said = {"n_rows": 4160, "n_accounts": 40, "reference": reference} | more
    return Estimate(name, value=value, se=se, df=df, interval=reference.interval(0.95), **said)
