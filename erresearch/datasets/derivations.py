"""What is computed from the rows of a file before they are a table of accounts over time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from erresearch.io import pd


def project_months(frame: pd.DataFrame, excluded: dict[str, int], mended: dict[str, int]) -> pd.DataFrame:
    """One row per project and month, a renamed project under its last name, and what each month added.

    A project that is listed twice in a month keeps the row with more downloads. New stars, issues and watchers are
    differences to the calendar month before; where that month is not there they are missing, never spread over a gap.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns project, renamed_to, month (``2021-03``), stars, watchers, open_issues, closed_issues, downloads.
    excluded, mended : dict
        Accounts of rows left out and of cells changed; added to.

    Returns
    -------
    pandas.DataFrame
        Sorted by project and month, with issues, new_stars, new_issues and new_watchers.
    """
    told = frame[frame["renamed_to"].notna()].sort_values("month")
    later = dict(zip(told["project"], told["renamed_to"], strict=True))

    def last_name(name: str) -> str:
        met = {name}
        while later.get(name, name) not in met:
            name = later[name]
            met.add(name)
        return name

    names = {name: last_name(name) for name in frame["project"].unique()}
    mended["project: under its last name"] = int((frame["project"].map(names) != frame["project"]).sum())
    frame = frame.assign(project=frame["project"].map(names)).sort_values(
        ["project", "month", "downloads"], ascending=[True, True, False], kind="stable"
    )
    once = frame.drop_duplicates(["project", "month"])
    excluded["listed twice in a month"] = len(frame) - len(once)
    once = once.assign(issues=once["open_issues"] + once["closed_issues"])
    number = once["month"].str[:4].astype(int) * 12 + once["month"].str[5:7].astype(int)
    before = once.groupby("project")[["stars", "issues", "watchers"]].shift()
    next_door = number.groupby(once["project"]).diff() == 1
    for column in before:
        once[f"new_{column}"] = (once[column] - before[column]).where(next_door)
    return once


def retailer_weeks(frame: pd.DataFrame, excluded: dict[str, int], mended: dict[str, int]) -> pd.DataFrame:
    """Weeks of one retailer, with all spending on media and whether a holiday fell into the week.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns ``spend_…`` by channel and ``holiday_…`` by day.
    excluded, mended : dict
        Not changed.

    Returns
    -------
    pandas.DataFrame
        With account, spend and holiday.
    """
    return frame.assign(
        account="retailer",
        spend=frame.filter(regex="^spend_").sum(axis=1),
        holiday=frame.filter(regex="^holiday_").max(axis=1),
    )


def shop_weeks(frame: pd.DataFrame, excluded: dict[str, int], mended: dict[str, int]) -> pd.DataFrame:
    """Whole weeks of shops from days of shops and territories.

    A shop whose file has a row over all territories keeps that; the others' territories are summed. A channel without a
    figure was not used that day: 0. Weeks (from Monday) with fewer than 7 days are left out.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns account, territory, day, gross, discount, and spend, clicks and impressions by channel.
    excluded, mended : dict
        Accounts of rows left out and of cells changed; added to.

    Returns
    -------
    pandas.DataFrame
        One row per shop and week: engagement (clicks on social media), reach (impressions there), spend (all channels),
        revenue.
    """
    whole = frame["territory"] == "All Territories"
    part_of_sum = ~whole & frame["account"].isin(frame.loc[whole, "account"])
    excluded["in the row over all territories"] = int(part_of_sum.sum())
    frame = frame[~part_of_sum]
    channels = frame.filter(regex="_(spend|clicks|impressions)$")
    mended["no figure of a channel: 0"] = int(channels.isna().sum().sum())
    channels = channels.fillna(0.0)
    social = channels.filter(regex="^(meta|tiktok)_")
    days = frame[["account", "day"]].assign(
        engagement=social.filter(regex="_clicks$").sum(axis=1),
        reach=social.filter(regex="_impressions$").sum(axis=1),
        spend=channels.filter(regex="_spend$").sum(axis=1),
        revenue=frame["gross"] - frame["discount"].fillna(0.0),
        week=frame["day"].dt.to_period("W-SUN").dt.start_time.dt.strftime("%Y-%m-%d"),
    )
    weeks = days.groupby(["account", "week"], as_index=False).agg(
        engagement=("engagement", "sum"),
        reach=("reach", "sum"),
        spend=("spend", "sum"),
        revenue=("revenue", "sum"),
        days=("day", "nunique"),
    )
    excluded["week of fewer than 7 days"] = int((weeks["days"] < 7).sum())
    return weeks[weeks["days"] == 7]


#: What `derive` in the registry may name.
DERIVED: Final[Mapping[str, Callable[[pd.DataFrame, dict[str, int], dict[str, int]], pd.DataFrame]]] = {
    "project months": project_months,
    "retailer weeks": retailer_weeks,
    "shop weeks": shop_weeks,
}
