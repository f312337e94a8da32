"""Tables of an audit: rates side by side, accounts as rows, scores of a survey by period, columns of the panel."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw

from erresearch.engine.expressions import Clock
from erresearch.engine.lazy_rows import gather
from erresearch.errors import Count, ErresearchError, own_warnings
from erresearch.exports.combine import combine_exports, plain_name
from erresearch.exports.lazy_tables import Lake, called_simulated, hold_posts
from erresearch.exports.log import Export
from erresearch.io import pd, pl
from erresearch.metrics.published_bands import band
from erresearch.metrics.rates import DEFINITIONS, Rates, engagement_rate
from erresearch.metrics.shares import nps
from erresearch.panel.records import Panel, RowAccounting
from erresearch.results import Estimate, Table
from erresearch.schema.vocabulary import PERIODS, REACTIONS

if TYPE_CHECKING:
    from erresearch.audits.arrivals import Files

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
    out = posts.copy()
    if not followers:
        return out
    counts = (combine_exports(followers) if len(followers) > 1 else followers[0]).rows
    counts = counts.dropna(subset=["followers"])
    counts = counts.assign(date=pd.to_datetime(counts["date"]).fillna(pd.Timestamp("1970-01-01")))
    own = own_posts(out)
    for platform, names in own.groupby("platform")["account"].unique().items():
        theirs = counts["platform"] == platform
        if len(names) == counts.loc[theirs, "account"].nunique(dropna=False) == 1:
            counts.loc[theirs, "account"] = names[0]
    keys = ["platform", "account"]
    wanted, known = (
        rows[[*keys, *more]].astype(dict.fromkeys(keys, object)).assign(date=pd.to_datetime(day, utc=True))
        for rows, more, day in ((own, [], own["published_at"]), (counts, ["followers"], counts["date"]))
    )
    wanted = wanted.dropna(subset="account").reset_index(names="row").sort_values("date")
    found = pd.merge_asof(wanted, known.sort_values("date"), on="date", by=keys).set_index("row")["followers"]
    if found.notna().any():
        out["followers"] = found.astype(float).reindex(out.index)
    return out


def own_posts(posts: pd.DataFrame) -> pd.DataFrame:
    """Without the posts of other accounts; a flag may be missing where one of several exports lacks it."""
    return posts[~posts["collaboration"].eq(True)] if "collaboration" in posts else posts


def side_by_side(posts: pd.DataFrame | Lake | None) -> pd.DataFrame:
    """Every definition of an engagement rate that the columns allow, by platform and by kind of post.

    Parameters
    ----------
    posts : pandas.DataFrame, Lake or None
        Canonical posts; those of a lake stay in their engine. Of None the table is empty.

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
    rows = []
    lake = posts if isinstance(posts, Lake) or posts is None else hold_posts(posts)
    for platform, kind, mine in () if lake is None else _kinds(lake):
        made: dict[str, Rates] = {}  # several sources print one formula under names of their own
        for definition in DEFINITIONS.values():
            row: dict[str, object] = {"platform": platform, "post_type": kind, "definition": definition.id}
            row |= {"formula": definition.formula, "unit": definition.per}
            try:
                with own_warnings():
                    same = made.get(definition.formula)
                    found = same or engagement_rate(mine, definition=definition.id, zero="drop")
                made |= dict.fromkeys((definition.formula, found.definition.formula), found)
                row |= {name: getattr(found, name) for name in ("mean", "median", "n")}
                row |= {"formula": found.definition.formula, "band": _bands(found)}
            except ErresearchError as error:
                if kind:
                    continue
                row["why_not"] = error.wrong
            rows.append(row)
    figures = ["formula", "mean", "median", "n", "unit", "band", "why_not"]
    columns = ["platform", "post_type", "definition", *figures]
    return pd.DataFrame(rows, columns=columns)


def _bands(found: Rates) -> str:
    """What each source calls this rate, with the source."""
    said = []
    for source in _SOURCES:
        with contextlib.suppress(ErresearchError):
            placed = band(found, source=source)
            said.append(f"{placed.label} ({placed.source.name.capitalize()}, {placed.date})")
    return "; ".join(said)


def account_table(posts: pd.DataFrame | Lake | None) -> pd.DataFrame | None:
    """One row per account: its last known followers and its mean reactions to a post.

    Parameters
    ----------
    posts : pandas.DataFrame, Lake or None
        Canonical posts with followers; those of a lake stay in their engine.

    Returns
    -------
    pandas.DataFrame
        account, platform, posts, followers, engagement; without accounts of which one of them is unknown.
    """
    if posts is None:
        return None
    lake = posts if isinstance(posts, Lake) else hold_posts(posts)
    names = ["account", "platform", "posts", "followers", "engagement"]
    there = [name for name in REACTIONS if name in lake.columns]
    if "followers" not in lake.columns or not there:
        return pl.DataFrame(schema=names).to_pandas()
    own, keys = _own(lake), ["account", "platform"]
    values = [nw.col(name).cast(nw.Float64()) for name in there]
    known = list(map(_known, values))
    total = nw.sum_horizontal(
        *(nw.when(ok).then(value).otherwise(0.0) for ok, value in zip(known, values, strict=True))
    )
    summed = own.select(
        *keys, engagement=nw.when(nw.any_horizontal(*known, ignore_nulls=True)).then(total)
    ).group_by(*keys)
    means = gather(summed.agg(nw.len().alias("posts"), nw.col("engagement").mean()))
    count = nw.col("followers").cast(nw.Float64())
    counted = own.filter(_known(count))
    last = counted.group_by(*keys).agg(nw.col("published_at").max())
    latest = counted.select(*keys, "published_at", followers=count).join(last, on=[*keys, "published_at"])
    followers = gather(latest.group_by(*keys).agg(nw.col("followers").max()))
    made = means.join(followers, on=keys, how="inner").drop_nulls(["followers", "engagement"])
    out = made.select(names).sort(keys).to_pandas()
    out.attrs = {"simulated": True} if lake.simulated or called_simulated(out["account"].unique()) else {}
    return out


def entity_table(panel: Panel) -> pd.DataFrame | None:
    """One row per entity: its last known followers, and its mean reactions and revenue of a period.

    Parameters
    ----------
    panel : Panel
        Reactions, followers and perhaps revenue on one calendar.

    Returns
    -------
    pandas.DataFrame or None
        entity, followers, and engagement and revenue where the panel has them; without entities of which one of them
        is unknown. None where no followers are known.

    See Also
    --------
    account_table : The same of posts, by account.
    """
    figures = [name for name in ("engagement", "revenue") if name in panel.columns]
    if "followers" not in panel.columns or not figures:
        return None
    rows = panel.rows.sort_values(["entity", "period"]).groupby("entity", as_index=False)
    how: dict[str, str] = {"followers": "last", **dict.fromkeys(figures, "mean")}
    made: pd.DataFrame = rows.agg(how).dropna()
    made.attrs = dict(panel.rows.attrs)
    return made


def described_posts(files: Files) -> pd.DataFrame | Lake | None:
    """Every post with its account's followers of its day; the posts of a lake as they are; None where there is none."""
    posts = files.source("posts")
    if isinstance(posts, Lake) or posts is None:
        return posts
    every = files.all_posts
    return with_followers(every.rows, files.followers) if every is not None else None


def rate_table(rates: pd.DataFrame) -> Table:
    """The rates of all posts of each platform, as people read them.

    Parameters
    ----------
    rates : pandas.DataFrame
        What :func:`side_by_side` gives; it has each kind of post, too, and why a rate could not be computed.

    Returns
    -------
    Table
    """
    known = rates[rates["mean"].notna() & (rates["post_type"] == "")]
    names = ["platform", "definition", "formula", "mean", "median", "n", "unit", "band"]
    rows = known[names].fillna({"band": ""}).itertuples(index=False, name=None)
    return Table.of(names, [(*row[:5], int(row[5]), *row[6:]) for row in rows])


def column_table(panel: Panel) -> Table:
    """What each column of a panel is, with its first and its last value.

    Parameters
    ----------
    panel : Panel
        As it was joined.

    Returns
    -------
    Table
    """
    shown = []
    for name in map(str, panel.rows.columns if len(panel.rows) else ()):
        if not name.startswith("lag1 "):
            ends = (_cell(panel.rows[name].iloc[at]) for at in (0, -1))
            shown.append((name, panel.definitions.get(name, ""), *ends))
    return Table.of(["column", "what it is", "first", "last"], shown)


def _cell(value: Any) -> str | float | None:
    if hasattr(value, "strftime"):
        return f"{value:%Y-%m-%d}"
    if isinstance(value, str):
        return value
    return None if value is None or math.isnan(value) else float(value)


def survey_scores(survey: Sequence[Export]) -> tuple[Estimate, ...]:
    """Net promoter scores of all answers of each file whose scale allows one."""
    return tuple(
        nps(export.rows, name=f"NPS of {export.name}") for export in survey if not _other_scale(export)
    )


def _other_scale(export: Export) -> bool:
    return any(caution.code == "other scale" for caution in export.warnings)


#: Answers that a period needs: with 100, sampling alone moves a score by up to 20 points either way.
FEWEST_ANSWERS = 100


def with_scores(panel: Panel, survey: Sequence[Export]) -> tuple[Panel, str]:
    """Lay the net promoter score of every period beside the figures of a panel.

    Parameters
    ----------
    panel : Panel
        Posts and outcomes; not changed. Weeks begin on the day on which the panel's do.
    survey : sequence of Export
        Answers with their dates.

    Returns
    -------
    panel, reason
        With columns ``nps`` and ``nps_answers`` (the number of answers), the account of every answer, and a note; and
        why a claim about the score cannot be judged, empty where nothing speaks against it. A score of fewer than 100
        answers is missing: its noise would pass for a change.

    Raises
    ------
    DataError
        If two files hold different answers of the same person.
    """
    usable = [one for one in survey if not _other_scale(one)]
    if not survey or not len(panel.rows):
        return panel, ""
    if not usable:
        scale = f"the answers of {survey[0].name} are on another scale than 0 to 10, so that there is no NPS"
        return panel, scale
    answers = (combine_exports(usable) if len(usable) > 1 else usable[0]).rows
    arrived, scaled = (sum(len(one.rows) for one in some) for some in (survey, usable))
    left = {
        "on another scale than 0 to 10": arrived - scaled,
        "answers that another file repeats": scaled - len(answers),
    }
    entities = sorted(panel.rows["entity"].unique())
    owner = _owners(answers["entity"], entities)
    left["of no entity here"] = int(owner.isna().sum())
    placed = answers.assign(entity=owner)[owner.notna().to_numpy()]
    clock = Clock(panel.freq, panel.tz, panel.rows["period"].iloc[0].day_name().lower())
    days = pd.to_datetime(placed["date"]).dt.tz_localize(None).dt.date
    begun = days.map(lambda day: clock.start(clock.number(day)), na_action="ignore")
    placed = placed.assign(period=pd.to_datetime(begun).astype(panel.rows["period"].dtype))
    inside = placed.merge(
        panel.rows[["entity", "period"]].astype({"entity": object}), on=["entity", "period"]
    )
    left["outside the panel's periods"] = len(placed) - len(inside)
    account = RowAccounting(arrived, len(inside), left)
    made, enough, median = _laid(panel, inside)
    reason = ""
    if left["of no entity here"] == len(answers):
        reason = (
            f"the answers do not say of which of {Count(len(entities)):entity} they are: give one survey file for "
            "each, with entity in the mapping file beside it"
        )
    elif enough < len(made):
        reason = (
            f"{enough:,} of {len(made):,} {PERIODS[panel.freq].many} have the {FEWEST_ANSWERS} answers that a score "
            f"needs (half of them have {median:,.0f} or fewer): ask more people"
            + (", or judge by month (--freq M)" if panel.freq != "M" else "")
        )
    one = PERIODS[panel.freq].one
    words = {
        "nps": f"net promoter score of the {one}'s answers; missing with fewer than {FEWEST_ANSWERS}",
        "nps_answers": f"answers of the {one}",
    }
    notes = (*panel.notes, f"net promoter score: {reason}") if reason else panel.notes
    accounting, definitions = {**panel.accounting, "survey": account}, {**panel.definitions, **words}
    return replace(panel, rows=made, accounting=accounting, notes=notes, definitions=definitions), reason


def _owners(named: pd.Series[str], entities: Sequence[str]) -> pd.Series[str]:
    """The entity of each answer: the only one, or the one of its name."""
    if len(entities) == 1:
        return named.map(lambda _: entities[0])
    spelt = {plain_name(entity): entity for entity in entities}
    return named.map(lambda name: spelt.get(plain_name(str(name))))


def _laid(panel: Panel, answers: pd.DataFrame) -> tuple[pd.DataFrame, int, float]:
    """The panel's rows with the score and its answers, periods with enough of them, and the median number."""
    rows = []
    for (entity, period), some in answers.groupby(["entity", "period"]) if len(answers) else ():
        score = float("nan")
        if len(some) >= FEWEST_ANSWERS:
            # said once of all answers together
            with own_warnings(), contextlib.suppress(ErresearchError):
                score = nps(some["score"]).value
        rows.append((entity, period, score, float(len(some))))
    table = pd.DataFrame(rows, columns=["entity", "period", "nps", "nps_answers"])
    table["period"] = table["period"].astype(panel.rows["period"].dtype)
    table["entity"] = table["entity"].astype(panel.rows["entity"].dtype)
    made = panel.rows.merge(table, on=["entity", "period"], how="left", validate="1:1")
    made["nps_answers"] = made["nps_answers"].fillna(0.0)
    made.attrs = dict(panel.rows.attrs)
    return made, int(made["nps"].notna().sum()), float(made["nps_answers"].median())


def _kinds(lake: Lake) -> Iterator[tuple[str, str, Any]]:
    """One's own posts of each platform: all of them, then each kind of five or more where there are several.

    Parameters
    ----------
    lake : Lake
        Posts.

    Yields
    ------
    platform, kind, posts : str, str, lazy frame
        Only columns that hold something there.
    """
    own = _own(lake)
    keys = [name for name in ("platform", "post_type") if name in lake.columns]
    text = [nw.col(name).cast(nw.String()).alias(f"key{i}") for i, name in enumerate(keys)]
    held = _held(own, lake.columns)
    groups = own.with_columns(*text).group_by(*(f"key{i}" for i in range(len(keys))))
    found = gather(groups.agg(nw.len().alias("posts"), *held))
    for platform in sorted(set(found["key0"].drop_nulls().to_list())):
        rows = found.filter(found["key0"] == platform)
        posts = own.filter(nw.col("platform").cast(nw.String()) == platform)
        yield platform, "", _only(posts, lake.columns, rows)
        kinds = sorted(set(rows["key1"].drop_nulls().to_list())) if "key1" in rows.columns else []
        for kind in kinds if len(kinds) > 1 else ():
            some = rows.filter(rows["key1"] == kind)
            if some["posts"].sum() >= _FEWEST_OF_A_KIND:
                of_kind = posts.filter(nw.col("post_type").cast(nw.String()) == kind)
                yield platform, kind, _only(of_kind, lake.columns, some)


def _own(lake: Lake) -> nw.LazyFrame[Any]:
    """Without the posts of other accounts; a flag may be missing."""
    frame: nw.LazyFrame[Any] = nw.from_native(lake.rows).lazy()
    if "collaboration" not in lake.columns:
        return frame
    other = nw.col("collaboration").cast(nw.Float64())
    return frame.filter((other != 1) | other.is_null())


def _known(number: nw.Expr) -> nw.Expr:
    return ~(number.is_null() | number.is_nan())


def _held(frame: nw.LazyFrame[Any], columns: Sequence[str]) -> list[nw.Expr]:
    """How many values each column holds."""
    schema = frame.collect_schema()
    values = {name: nw.col(name) for name in columns}
    there = [_known(it) if schema[name].is_float() else ~it.is_null() for name, it in values.items()]
    return [nw.when(ok).then(1).otherwise(0).sum().alias(f"held{i}") for i, ok in enumerate(there)]


def _only(posts: nw.LazyFrame[Any], columns: Sequence[str], counted: Any) -> Any:
    """Columns that hold something."""
    return posts.select(*(name for i, name in enumerate(columns) if counted[f"held{i}"].sum())).to_native()
