"""From a platform's file to the panel: every export keeps the schema, and the panel takes what keeps it."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
from builders import export_of

from erresearch import build_panel
from erresearch.errors import ErresearchError
from erresearch.exports import Export
from erresearch.panel import Panel
from erresearch.schema import TABLES, validate

FILES = Path(__file__).parent / "exports" / "files"
# what a file may lack by its nature, however it is read
LACKS = (
    r"share too few days|whole range|one value per month|without a date|time zone of the posts is not known"
)


NAMES = sorted(path.name for path in FILES.iterdir() if path.suffix != ".toml")


@pytest.mark.parametrize("name", NAMES)
def test_an_export_keeps_the_schema_of_its_kind(name: str):
    export = export_of(name)
    if isinstance(export, str):
        pytest.skip("not read without a word about it")
    table = TABLES[export.kind]
    checked = validate(export.rows, table)
    assert checked.rows == len(export.rows)
    assert set(export.rows.columns) <= {column.name for column in table.declared}
    for column in table.declared:
        if column.name in export.rows:
            kinds = {"text": "OU", "number": "fiu", "time": "M", "flag": "bfi"}[column.dtype]
            assert export.rows[column.name].dtype.kind in kinds, column.name


def posts_over(days: pd.Series) -> pd.DataFrame:
    """A post a day, a week beyond the days on either side."""
    first, last = days.min() - pd.Timedelta(days=60), days.max() + pd.Timedelta(days=60)
    return pd.DataFrame(
        {"account": "shop", "published_at": pd.date_range(first, last, tz="UTC", unit="us"), "likes": 1.0}
    )


def panel_of(export: Export) -> Panel:
    """What the panel makes of an export, whatever its kind."""
    settings = {"freq": "D", "tz": "UTC", "min_age_days": 0}
    if export.kind == "posts":
        return build_panel(export, **settings)
    days = export.rows["date"].dropna()
    posts = posts_over(days if len(days) else pd.Series(pd.to_datetime(["2026-01-05"])))
    if export.kind == "outcomes":
        return build_panel(posts, export, **settings)
    posts = posts.assign(account=export.rows["account"].iloc[0], platform=export.rows["platform"].iloc[0])
    where = "spend" if export.kind == "ads" else "followers"
    return build_panel(posts, **{where: export}, **settings)


@pytest.mark.parametrize("name", NAMES)
def test_the_panel_takes_an_export_that_keeps_the_schema(name: str):
    export = export_of(name)
    if isinstance(export, str) or export.kind == "survey":
        pytest.skip("no rows for a panel")
    try:
        panel = panel_of(export)
    except ErresearchError as error:
        assert re.search(LACKS, str(error)), error  # noqa: PT017 - any other refusal breaks the contract
    else:
        figures = set(panel.columns) - {"entity", "period", "posts"}
        assert figures, "nothing of the export stands in the panel"


def test_a_history_of_gains_alone_is_figures_by_day():
    export = export_of("linkedin_followers.xls")
    assert not isinstance(export, str)
    assert "followers" not in export.rows
    panel = panel_of(export)
    (name,) = (name for name in panel.columns if name.startswith("daily_followers_gained"))
    assert panel.rows[name].sum() == export.rows["followers_gained"].sum()
    assert panel.accounting["daily"].used == len(export.rows)
