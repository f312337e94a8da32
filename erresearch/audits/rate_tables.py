"""Every engagement rate side by side, and accounts as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from erresearch.audits.lazy_summaries import accounts_afar, kinds_afar
from erresearch.errors import ErresearchError, ErresearchWarning
from erresearch.exports import Export, combine_exports
from erresearch.exports.lazy_tables import Lake, hold_posts
from erresearch.metrics import DEFINITIONS, band, engagement_rate
from erresearch.schema.vocabulary import REACTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

__all__ = ["account_table", "own_posts", "side_by_side", "with_followers"]

_SOURCES = ("scrunch", "oberlo-da", "russian-compilation")
_FEWEST_OF_A_KIND = 5


def with_followers(posts: pd.DataFrame, followers: Sequence[Export]) -> pd.DataFrame:
    """Give every post its account's last follower count on or before its day.

    Parameters
    ----------
    posts : pandas.DataFrame
        Canonical posts; not changed.
    followers : sequence of Export
        Counts by day. Of a platform with one account they are that account's, whatever name the file uses.

    Returns
    -------
    pandas.DataFrame
        With a column ``followers`` where any is known; posts of other accounts have none.
    """
    import pandas as pd

    out = posts.copy()
    if not followers:
        return out
    counts = combine_exports(followers).rows if len(followers) > 1 else followers[0].rows
    counts = counts.dropna(subset=["followers"]).copy()
    counts["date"] = pd.to_datetime(counts["date"]).fillna(pd.Timestamp("1970-01-01"))
    day = (
        out["published_at"].dt.tz_convert(None)
        if out["published_at"].dt.tz is not None
        else out["published_at"]
    )
    known = pd.Series(float("nan"), index=out.index)
    for platform, mine in out.groupby("platform"):
        own = own_posts(mine)
        theirs = counts[counts["platform"] == platform]
        for account, rows in own.groupby("account"):
            some = theirs[theirs["account"] == account]
            if some.empty and len(own["account"].unique()) == len(theirs["account"].unique()) == 1:
                some = theirs
            if some.empty:
                continue
            some = some.sort_values("date")
            at = some["date"].to_numpy().searchsorted(day.loc[rows.index].to_numpy(), side="right") - 1
            values = some["followers"].to_numpy(dtype=float)[at.clip(0)]
            values[at < 0] = float("nan")
            known.loc[rows.index] = values
    if known.notna().any():
        out["followers"] = known
    return out


def own_posts(posts: pd.DataFrame) -> pd.DataFrame:
    """Without the posts of other accounts; a flag may be missing where one of several exports lacks it."""
    return posts[~posts["collaboration"].eq(True)] if "collaboration" in posts else posts


def side_by_side(posts: pd.DataFrame | Lake) -> pd.DataFrame:
    """Every definition of an engagement rate that the columns allow, by platform and by kind of post.

    Parameters
    ----------
    posts : pandas.DataFrame or Lake
        Canonical posts; those of a lake stay in their engine.

    Returns
    -------
    pandas.DataFrame
        platform, post_type, definition, formula, mean, median, n, unit, band, why_not. Means are of posts, days or
        periods, each counted once; where a rate cannot be computed, `why_not` says so. A band carries its source. Rates
        of different kinds of post differ by their nature: where a platform has several, each stands below the rate of
        all of them (whose `post_type` is empty), for the definitions that it allows.

    Examples
    --------
    >>> from erresearch.worlds import simulate
    >>> posts = simulate("effect", accounts=3, weeks=60, rng=1).posts
    >>> table = side_by_side(posts[posts["platform"] == "instagram"])
    >>> whole = table[table["post_type"] == ""].set_index("definition")
    >>> whole.loc["M01", ["formula", "band"]].tolist()
    ['(likes + comments) / followers, per post', 'average or good (Scrunch...)']
    """
    import warnings

    import pandas as pd

    rows = []
    lake = posts if isinstance(posts, Lake) else hold_posts(posts)
    for platform, kind, mine in kinds_afar(lake, fewest=_FEWEST_OF_A_KIND):
        for definition in DEFINITIONS.values():
            row: dict[str, object] = {
                "platform": platform,
                "post_type": kind,
                "definition": definition.id,
                "formula": definition.formula,
                "unit": definition.per,
            }
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", ErresearchWarning)
                    found = engagement_rate(mine, definition=definition.id, zero="drop")
                row |= {
                    "formula": found.definition.formula,
                    "mean": found.mean,
                    "median": found.median,
                    "n": found.n,
                }
                row["band"] = _bands(found)
            except ErresearchError as error:
                if kind:
                    continue
                row["why_not"] = error.wrong
            rows.append(row)
    columns = [
        "platform",
        "post_type",
        "definition",
        "formula",
        "mean",
        "median",
        "n",
        "unit",
        "band",
        "why_not",
    ]
    return pd.DataFrame(rows, columns=columns)


def _bands(found: object) -> str:
    """What each source calls this rate, with the source."""
    said = []
    for source in _SOURCES:
        try:
            placed = band(found, source=source)  # type: ignore[arg-type]
        except ErresearchError:
            continue
        name = placed.source.name.capitalize()
        said.append(f"{placed.label} ({name}, {placed.date})")
    return "; ".join(said)


def account_table(posts: pd.DataFrame | Lake) -> pd.DataFrame:
    """One row per account: its last known followers and its mean reactions to a post.

    Parameters
    ----------
    posts : pandas.DataFrame or Lake
        Canonical posts with followers; those of a lake stay in their engine.

    Returns
    -------
    pandas.DataFrame
        account, platform, posts, followers, engagement; without accounts of which one of them is unknown.
    """
    return accounts_afar(posts if isinstance(posts, Lake) else hold_posts(posts), REACTIONS)
