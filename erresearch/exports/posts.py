"""Posts: one row per post, or one row per post and day, with what their identities and clocks allow."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace

from erresearch.errors import ColumnError, Count, DataError, in_mapping
from erresearch.exports.columns import (
    Built,
    Draft,
    account_of,
    check_spikes,
    compare_totals,
    flags,
    further,
    numeric_targets,
    typed,
    warn_cut,
    without_gaps,
)
from erresearch.exports.combine import mark_others
from erresearch.exports.layouts import MAPPED, Settings, load_registry, normalise
from erresearch.exports.log import ReadLog, places
from erresearch.exports.privacy import first_shape, show_name
from erresearch.exports.timestamps import DECODERS, publication, times_of
from erresearch.io import pl
from erresearch.io.resources import by_morsels
from erresearch.schema.vocabulary import AUDIENCES, REACTIONS

_FIRST = (
    "platform", "account", "post_id", "date", "published_at", "time_source", "time_precision", "post_type", "is_paid",
    *AUDIENCES, *REACTIONS, "clicks", "collaboration",
)  # fmt: skip
LIFETIME = ("lifetime", "total", "gesamte laufzeit")
#: Columns of times and of errors.
_READ = ("published_at", "metric_date", "exported_on", "data_comment")
# ages differ enough to matter
_AGES = 2
_SHOWN = 4
_SAMPLE = 100
_FLOAT, _DIGITS = r"^\d+\.0+$", 15
_DAMAGED = r"^\d+([.,]\d+)?[eE]\+?\d+$"
_CUT, _CUT_IDS = r"^\d{15}(0+)$", 6
_ORDER = (("reach", "impressions"), ("reach", "views"), ("likes", "views"))
_TOO_MANY, _ENOUGH, _GROWN = 0.2, 6, 7
# what is said of posts with a mark
_FLAGGED = {
    "is_paid": (
        "paid",
        "{count:post was} advertised: spending confounds reactions; give it as a control or leave these posts out",
    ),
    "is_crosspost": (
        "crosspost",
        "{count:post was} also published on the sister network and may be counted there again",
    ),
}
_PAID = ("reach_paid", "views_paid", "impressions_paid")
_IDS = {"tiktok": r"/(?:video|photo)/(\d+)", "x": r"/status(?:es)?/(\d+)"}
_NETWORK = r"\b(facebook|instagram|linkedin|tiktok|youtube|pinterest|threads|twitter)\b"
_NETWORKS = {"twitter": "x", "ig": "instagram", "fb": "facebook"}


def read_posts(drafts: Sequence[Draft]) -> Built:
    """Turn drafts into canonical posts.

    Parameters
    ----------
    drafts : sequence of Draft
        One table, or the halves of a table of best posts.

    Returns
    -------
    Built
        ``posts``; or ``daily`` where the file has one row per post and day, which are no posts.

    See Also
    --------
    erresearch.exports.orders.read_orders : Orders and payments.
    erresearch.exports.daily.read_series : Figures by day.

    Raises
    ------
    ColumnError
        If a column that every post needs is missing.
    DataError
        If ids, times or figures cannot be used.
    """
    drafted = _merged(drafts)
    del drafts
    if drafted.layout.limit and drafted.frame.height == drafted.layout.limit:
        rows = drafted.frame.height
        warn_cut(
            f"the table has exactly {Count(rows):row}, the platform's limit: it looks cut", drafted.log, rows
        )
    drafted = _with_export_day(_identified(drafted))
    days = _days(drafted)
    moment = publication(drafted)
    told = bool(drafted.layout.lifelong) or "metric_date" in drafted.frame.columns
    # the columns of which all is known go, and with them the text of a large file
    table = replace(drafted.table, cells=drafted.table.cells.clear())
    drafted = replace(drafted, frame=drafted.frame.drop(_READ, strict=False), table=table)
    columns, _ = typed(drafted, numeric_targets(drafted))
    frame = _described(drafted, columns).hstack(moment.drop("born"))
    compare_totals(drafted, frame)
    layout, settings, log = drafted.layout, drafted.settings, drafted.log
    del drafted
    if days is not None:
        frame = frame.with_columns(days.alias("date"), moment["born"])
    frame = without_gaps(frame, "published_at", "no usable time of publication", log)
    if days is not None:
        frame = _without_unborn(frame, log)
        used = frame.height
        frame = _per_post(frame, log) if settings.per_post else frame
        return Built(_ordered(frame), used, "posts" if settings.per_post else "daily", settings.exported_at)
    frame = _without_copies(frame, log)
    frame = _in_window(frame, settings, log, told=told)
    if layout.evidence == MAPPED:
        _refuse_new_followers(frame, log)
    frame = _screened(frame, log)
    frame = _aged(frame, settings.exported_at, log)
    return Built(_ordered(frame), frame.height, "posts", settings.exported_at)


def _aged(frame: pl.DataFrame, exported_at: dt.date | None, log: ReadLog) -> pl.DataFrame:
    """How old each post was when it was exported: older posts had more time to be seen."""
    log.note("an export lists the posts that still exist: what was deleted is not in it")
    if exported_at is None or not frame.height:
        return frame
    end = dt.datetime.combine(exported_at, dt.time())
    young = frame["published_at"] > end - dt.timedelta(days=_GROWN)
    text = f"{{count:post was}} younger than {_GROWN} days when they were exported: their figures still grow"
    log.count("young posts", text, young, frame["source_row"])
    days = (pl.lit(end) - pl.col("published_at")).dt.total_hours() / 24
    frame = frame.with_columns(days.alias("age_days"))
    oldest, newest = frame["age_days"].max(), frame["age_days"].min()
    if isinstance(oldest, float) and isinstance(newest, float) and oldest > _AGES * max(newest, 1.0):
        log.note(
            f"posts were {max(newest, 0.0):,.0f} to {Count(round(oldest)):day} old at the export, and figures of a "
            "whole life grow with time: age_days is a control for it, and min_age_days leaves the youngest out"
        )
    return frame


def _merged(drafts: Sequence[Draft]) -> Draft:
    """Put lists side by side together, so that a post that stands in both is one."""
    first = drafts[0]
    if len(drafts) == 1:
        return first
    both = pl.concat([drafted.frame for drafted in drafts], how="diagonal")
    key = next(name for name in first.layout.key.split("|") if name in both.columns)
    both = both.with_columns(pl.col(pl.String).replace("", None))
    again = both.filter(pl.col(key).is_duplicated() & ~pl.col(key).is_first_distinct())
    first.log.remove("out_of_scope", "the same post in the second list", again["row"])
    merged = both.group_by(key, maintain_order=True).agg(pl.all().drop_nulls().first())
    return first.with_frame(merged.with_columns(pl.col(pl.String).fill_null("")))


def _identified(drafted: Draft) -> Draft:
    """Give every post its id as text; ids that a spreadsheet rounded are not believed."""
    frame, platform, log = drafted.frame, drafted.layout.platform, drafted.log
    if "post_id" in frame.columns and not _whole_numbers(frame["post_id"]).null_count():
        first = frame["post_id"].head(_SAMPLE).str.strip_chars()
        if not _damaged_ids(first).any():
            return drafted  # whole numbers in every row: nothing to mend
    links = drafted.said("permalink").replace("", None)
    from_links = links.str.extract(_IDS[platform], 1) if platform in _IDS else links
    if "post_id" not in frame.columns:
        if "permalink" not in frame.columns:
            return _named(drafted)
        return _with_ids(drafted, from_links.fill_null(links))
    named = f"column {drafted.header('post_id')!r}"
    ids = drafted.said("post_id").str.strip_prefix("'").replace("", None)
    floats = ids.str.contains(_FLOAT).fill_null(False)
    if floats.any():
        ids = ids.zip_with(~floats, ids.str.extract(r"^(\d+)", 1))
        ids = ids.zip_with(~floats | from_links.is_null(), from_links)
        about = f"{named}: {{count:id}} went through a decimal number (they end in .0), and their last digits are not to "
        about += "be trusted" + ": the addresses stand in for them" * ("permalink" in frame.columns)
        log.count("ids through a float", about, floats & (ids.str.len_bytes() > _DIGITS), drafted.rows)
    damaged = _damaged_ids(ids)
    count = int(damaged.sum())
    if count:
        distinct = ids.filter(damaged).n_unique()
        if not from_links.filter(damaged).is_not_null().any():
            raise DataError(
                f"{log.name}, {named}: a spreadsheet rounded the ids",
                got=f"{Count(distinct):different id} in {Count(count):row}, such as {first_shape(ids, damaged)}",
                fix="export the file again and do not open it in a spreadsheet before reading it",
            )
        about = f"{named}: a spreadsheet rounded {{count:id}} to {Count(distinct):different one}; the addresses stand "
        log.count("ids rounded", about + "in for them", damaged, drafted.rows)
        ids = ids.zip_with(~damaged, from_links)
    else:
        ids = ids.fill_null(from_links)
    return _with_ids(drafted, ids.cast(pl.String))


def _damaged_ids(ids: pl.Series) -> pl.Series:
    """Tell ids that a spreadsheet turned into rounded numbers, written 6.49E+17 or with zeros after 15 digits.

    Examples
    --------
    >>> import polars as pl
    >>> _damaged_ids(pl.Series(["6.49E+17", "649000000000000123"])).to_list()
    [True, False]
    >>> _damaged_ids(pl.Series(["649012345678901000", "649012345678902000"])).to_list()
    [True, True]
    """
    long = ids.filter(ids.str.len_bytes() > _DIGITS).unique()
    zeros = long.str.extract(_CUT, 1).str.len_bytes()
    # that all of them end so by chance has a probability of one in a million
    if len(long) and not zeros.null_count() and int(zeros.sum()) >= _CUT_IDS:
        return (ids.str.len_bytes() > _DIGITS).fill_null(False)
    return ids.str.contains(_DAMAGED).fill_null(False)


def _whole_numbers(ids: pl.Series) -> pl.Series:
    return by_morsels(ids, pl.col("").cast(pl.Int64, strict=False))


def _with_ids(drafted: Draft, ids: pl.Series) -> Draft:
    frame = drafted.frame.with_columns(ids.alias("post_id"))
    return drafted.with_frame(without_gaps(frame, "post_id", "no id and no address", drafted.log))


def _named(drafted: Draft) -> Draft:
    """Posts of a file without ids and addresses are named by their moment, and by their number where it has several.

    So the same post has one name in two exports, and two posts of one file never have.
    """
    frame = drafted.frame
    if "metric_date" in frame.columns:
        raise ColumnError(
            f"{drafted.table.part} has one row per post and day and nothing that says which post",
            got=drafted.table.shown(),
            fix=f"name the column of ids or addresses {in_mapping()}: post_id or permalink",
        )
    moment = pl.col("published_at").str.strip_chars()
    number = pl.lit(" no. ") + pl.int_range(1, pl.len() + 1).over(moment).cast(pl.String)
    names = moment + pl.when(pl.len().over(moment) > 1).then(number).otherwise(pl.lit(""))
    alike = frame.height - frame.drop("row").n_unique()
    drafted.log.caution(
        "no ids",
        "no column has ids or addresses of posts: each row is taken for a post and named by column "
        f"{drafted.header('published_at')!r}; copies cannot be told from posts that are alike "
        f"({Count(alike):row equals} an earlier one)",
        count=alike,
    )
    return drafted.with_frame(frame.with_columns(names.alias("post_id")))


def _with_export_day(drafted: Draft) -> Draft:
    """The day of the export, where a column states it; its year is that in which no post is younger."""
    settings, clock = drafted.settings, drafted.layout.id_clock
    if settings.exported_at is not None or "exported_on" not in drafted.frame.columns:
        return drafted
    times = times_of(drafted.unheard(), "exported_on", refuse=False)
    last = times.local.max()
    if isinstance(last, dt.datetime):
        return replace(drafted, settings=replace(settings, exported_at=last.date()))
    if times.month_day is None or not times.month_day.count() or not clock:
        return drafted
    newest = DECODERS[clock[0]](drafted.frame["permalink"]).max()
    if not isinstance(newest, dt.datetime):
        return drafted
    number = int(times.month_day.drop_nulls()[0])
    year = newest.year + (number < newest.month * 100 + newest.day - 1)
    try:
        day = dt.date(year, number // 100, number % 100)
    except ValueError:
        return drafted
    reason = "its year is the first in which no post is younger"
    drafted.log.guess("day of the export", day, reason, f"exported_at {in_mapping()}")
    return replace(drafted, settings=replace(settings, exported_at=day))


def _days(drafted: Draft) -> pl.Series | None:
    """The day that each row's figures are of; None where they are of the whole life of the post."""
    if "metric_date" not in drafted.frame.columns:
        return None
    log, named = drafted.log, f"column {drafted.header('metric_date')!r}"
    distinct = drafted.frame["metric_date"].unique().str.strip_chars().str.to_lowercase()
    if distinct.is_in([*LIFETIME, ""]).all():
        return None
    word = str(distinct[0])
    if len(distinct) == 1 and word not in load_registry().missing and not any(map(str.isdigit, word)):
        reason = f"{named} says one word in every row"
        log.guess("figures of", "the whole life of each post", reason, "a column of days")
        return None
    lifelong = drafted.said("metric_date").str.to_lowercase().is_in([*LIFETIME, ""])
    if lifelong.any():
        raise DataError(
            f"{log.name}, {named} mixes days with figures of the whole life",
            got=f"{Count(int(lifelong.sum()), of=len(lifelong)):row is} of the whole life",
            fix="export the two one at a time",
        )
    days = times_of(drafted, "metric_date", refuse=False).local
    if days.is_null().any():
        raise DataError(
            f"{log.name}, {named} holds neither days nor Lifetime",
            got=f"{Count(days.null_count()):cell} such as {first_shape(drafted.frame['metric_date'], days.is_null())}",
            fix="export it again",
        )
    posts = drafted.frame["post_id"].n_unique()
    log.caution(
        "one row per post and day",
        f"the file has {Count(len(days)):row} of {Count(posts):post}, one per post and day: rows are not counted as "
        f"posts (per_post = true {in_mapping()} adds them up)",
        count=len(days),
    )
    return days


def _in_window(frame: pl.DataFrame, settings: Settings, log: ReadLog, *, told: bool) -> pl.DataFrame:
    """Leave out posts from before the range of dates that the figures are of.

    Whatever happened to a post since it was published cannot be below zero: a negative count proves that figures are of
    a range, and that the post is older than it.
    """
    since, until, moment = settings.since, settings.until, frame["published_at"]
    before, after = (
        f"posts from {side} the range of dates that the figures are of" for side in ("before", "after")
    )
    if until is not None:
        late = moment >= dt.datetime.combine(until + dt.timedelta(days=1), dt.time())
        frame = log.set_aside(frame, late, "out_of_scope", after, warn=True)
        moment = frame["published_at"]
    if since == LIFETIME[0]:
        return frame
    if isinstance(since, dt.date):
        early = moment < dt.datetime.combine(since, dt.time())
        return log.set_aside(frame, early, "out_of_scope", before, warn=True)
    counts = [name for name in (*REACTIONS, *AUDIENCES, "clicks") if name in frame.columns]
    taken = frame.select(pl.any_horizontal(pl.col(counts) < 0, False)).to_series().fill_null(False)
    last = moment.filter(taken).max()
    if isinstance(last, dt.datetime):
        reason = "a count below zero is of a post from before the range"
        log.guess(
            "figures of", f"a range of dates from after {last:%Y-%m-%d}", reason, f"since {in_mapping()}"
        )
        about = "{count:post has} counts below zero, so the figures are of a range of dates and not of the whole life of "
        about += f"a post; say its first day with since = 2025-01-31 {in_mapping()}, or export the table for the whole "
        about += 'life (and since = "lifetime" says so)'
        log.count("figures of a range", about, taken, frame["source_row"])
        return log.set_aside(frame, moment <= last, "out_of_scope", before, warn=True)
    if not told:
        reason = "the file does not say, and no count is below zero as those of a range of dates may be"
        log.guess("figures of", "the whole life of each post", reason, f"since {in_mapping()}")
    return frame


def _described(drafted: Draft, columns: Mapping[str, pl.Series]) -> pl.DataFrame:
    """Everything but the time."""
    text, log, columns = drafted.frame, drafted.log, dict(columns)
    for target, parts in drafted.layout.sums.items():
        there = [columns.pop(part) for part in parts if part in columns]
        if there:
            known = pl.any_horizontal(pl.all().is_not_null())
            summed = pl.DataFrame(there).select(pl.when(known).then(pl.sum_horizontal(pl.all())))
            columns[target] = summed.to_series().alias(target)
    platform: pl.Series | pl.Expr = pl.lit(drafted.layout.platform)
    if "network" in text.columns:
        network = drafted.said("network").str.to_lowercase()
        # "Facebook Page" and "Instagram Business" are Facebook and Instagram
        network = network.str.extract(_NETWORK, 1).fill_null(network)
        platform = network.replace(_NETWORKS).replace("", drafted.layout.platform)
    out = {"platform": platform, "account": account_of(drafted), "post_id": text["post_id"]}
    if "post_type" in text.columns:
        out["post_type"] = _kinds(drafted.said("post_type").replace("", None), log)
    paid = [columns[name] > 0 for name in _PAID if name in columns]
    if "campaign" in text.columns:
        # only advertising has a campaign
        paid.append(~drafted.said("campaign").str.to_lowercase().is_in(sorted(load_registry().missing)))
    if paid:
        known = pl.any_horizontal(pl.all())
        out["is_paid"] = pl.DataFrame({str(i): mask for i, mask in enumerate(paid)}).select(known).to_series()
    if "is_crosspost" in text.columns:
        out["is_crosspost"] = flags(text["is_crosspost"])
    frame = pl.DataFrame({"source_row": drafted.rows}).with_columns(**out, **columns)
    frame = frame.select(*out, *columns, "source_row")
    if drafted.layout.collaborations:
        others = mark_others(frame, drafted.settings.own, log)
        frame = frame.with_columns(others.alias("collaboration"))
    return frame.with_columns(further(drafted).values())


def _kinds(printed: pl.Series, log: ReadLog) -> pl.Series:
    """One name for each kind of post, whatever its number, language or case."""
    known = dict(load_registry().kinds)
    named: dict[str, str] = {}
    spelt: dict[str, list[str]] = {}
    for text in printed.unique(maintain_order=True).drop_nulls().to_list():
        # of a kind that nobody registered the first spelling stands
        named[text] = known.setdefault(normalise(text), text)
        spelt.setdefault(named[text], []).append(text)
    several = [
        f"{show_name(kind)} ({', '.join(map(show_name, texts))})"
        for kind, texts in spelt.items()
        if len(texts) > 1
    ]
    if several:
        more = " …" if len(several) > _SHOWN else ""
        log.note(f"kinds of post with more than one name: {'; '.join(several[:_SHOWN])}{more}")
    return printed.replace_strict(named, default=None, return_dtype=pl.String)


def _without_unborn(frame: pl.DataFrame, log: ReadLog) -> pl.DataFrame:
    """Days before a post existed are zeros by structure."""
    numbers = [name for name, dtype in frame.schema.items() if dtype == pl.Float64 and name != "duration_s"]
    early = (frame["date"] < frame["born"]).fill_null(False)
    frame = frame.drop("born")
    if not numbers:
        return frame
    nothing = frame.select(pl.all_horizontal((pl.col(numbers) == 0) | pl.col(numbers).is_null())).to_series()
    return log.set_aside(frame, early & nothing, "out_of_scope", "days before the post existed")


def _per_post(frame: pl.DataFrame, log: ReadLog) -> pl.DataFrame:
    """Add figures by post and day up to posts; people are not added up."""
    registry = load_registry()
    numbers = [name for name, dtype in frame.schema.items() if dtype == pl.Float64]
    people = [name for name in numbers if registry.field(name).people or registry.field(name).stock]
    if people:
        log.note(f"{', '.join(people)} counts people by day and was left out of the sums by post")
    sums = [pl.col(name).sum() for name in numbers if name not in people]
    keys = ["platform", "account", "post_id"]
    rest = [name for name in frame.columns if name not in (*numbers, *keys, "date")]
    return frame.group_by(keys, maintain_order=True).agg(pl.col(rest).first(), *sums)


def _without_copies(frame: pl.DataFrame, log: ReadLog) -> pl.DataFrame:
    """A post that stands twice with the same figures is one; with different figures it is an error."""
    keys = ["platform", "account", "post_id"]
    numbers = _whole_numbers(frame["post_id"])
    ids = frame["post_id"] if numbers.null_count() else numbers
    if ids.n_unique() == frame.height or (posts := frame.select(keys).n_unique()) == frame.height:
        return frame
    more = frame.drop("source_row").n_unique() - posts
    if more:
        rows = tuple(frame.filter(pl.struct(keys).is_duplicated())["source_row"].head(3))
        raise DataError(
            f"{log.name}: the same post stands in several rows with different figures",
            got=f"{Count(more):row} too many, {places(rows, len(rows))}",
            fix="read exports of different days one by one and put them together with combine_exports",
        )
    again = frame.select(~pl.struct(keys).is_first_distinct()).to_series()
    return log.set_aside(frame, again, "rejected", "copies of an earlier row", warn=True)


def _screened(frame: pl.DataFrame, log: ReadLog) -> pl.DataFrame:
    """Look at the figures of posts; nothing is changed but a reach of 0 that was watched, which is not known."""
    there, rows = set(frame.columns), frame["source_row"]

    def tell(code: str, text: str, where: pl.Expr) -> pl.Series:
        found = frame.select(where.fill_null(value=False)).to_series()
        log.count(code, text, found, rows)
        return found

    for name in (name for name, dtype in frame.schema.items() if dtype == pl.Float64):
        tell("negative", f"column {name!r}: {{count:value is}} negative and were kept", pl.col(name) < 0)
    if {"reach", "views"} <= there:
        text = "{count:post has} views and a reach of 0, which counts as missing"
        odd = tell("reach of 0", text, (pl.col("reach") == 0) & (pl.col("views") > 0))
        frame = frame.with_columns(frame["reach"].set(odd, None)) if odd.any() else frame
    for small, large in _ORDER:
        if {small, large} <= there and not (large == "views" and "impressions" in there):
            text = f"{{count:row has}} more {small} than {large}; both were kept"
            tell("order", text, (pl.col(small) > pl.col(large)) & (pl.col(large) > 0))
    reactions = [name for name in REACTIONS if name in there]
    if "reach" in there and reactions:
        total = pl.sum_horizontal(reactions)
        unseen = (total > 0) & (pl.col("reach") == 0)
        tell("reactions without reach", "{count:post has} reactions and a reach of 0", unseen)
        above = (total > pl.col("reach")) & (pl.col("reach") > 0)
        over = tell("rate above 1", "{count:row has} more reactions than people reached", above)
        count = int(over.sum())
        if count > max(1, _TOO_MANY * frame.height):
            raise DataError(
                f"{log.name}: {Count(count, of=frame.height):row has} more reactions than people reached",
                got=places(tuple(rows.filter(over).head(3)), count),
                allowed=f"at most {_TOO_MANY:.0%} of the rows",
                fix="the columns are likely mixed up: compare inspect_export with the file, and say them "
                f"{in_mapping()}",
            )
    _note_reported(frame, log)
    check_spikes(frame, reactions, log)
    for flag, (code, text) in _FLAGGED.items():
        if flag in there:
            tell(code, text, pl.col(flag))
    types = frame["post_type"].unique() if "post_type" in there and frame.height < 100_000 else ()
    named = sorted({str(kind) for kind in types if kind})
    if len(named) > 1:
        some = ", ".join(map(show_name, named[:6]))
        log.note(f"{Count(len(named)):kind} of post ({some}): rates of different kinds are not alike")
    for name in (name for name in (*REACTIONS, *AUDIENCES, "clicks") if name in there):
        values = frame[name].drop_nulls()
        if len(values) < _ENOUGH or values.min() != values.max():
            continue
        # what never moves cannot be related to anything
        text = f"column {name!r} is the same in all {Count(len(values)):row}: without variation it cannot be used"
        if name == "followers":
            text = "one follower count stands for the whole period: a rate by followers then equals the reactions up to "
            text += "a constant within the account"
        log.caution("no variation", text, count=len(values))
    return frame


def _note_reported(frame: pl.DataFrame, log: ReadLog) -> None:
    """What the platform worked out itself."""
    if "er_reported" in frame.columns:
        log.note(
            "the engagement rate in the file is kept as er_reported; its formula is not stated, so it is not used"
        )
    there = [name for name in ("likes", "comments", "shares") if name in frame.columns]
    if "engagements_reported" not in frame.columns or len(there) < 2:
        return
    known = frame.select([*there, "engagements_reported"]).drop_nulls()
    gap = known.select(there).sum_horizontal() - known["engagements_reported"]
    differ = int((gap != 0).sum())
    if differ:
        apart = f"{Count(differ, of=known.height):row}, by {gap.abs().sum() / known.height:,.1f} on average"
        log.note(
            f"the platform's own sum of reactions differs from {' + '.join(there)} in {apart}; both are kept"
        )


def _refuse_new_followers(frame: pl.DataFrame, log: ReadLog) -> None:
    """A stock of followers has no median below 1 % of the largest reach, and not many zeros."""
    exposure = next((name for name in ("reach", "views", "impressions") if name in frame.columns), None)
    if "followers" not in frame.columns or exposure is None:
        return
    followers = frame["followers"].drop_nulls()
    largest, median, zeros = frame[exposure].max(), followers.median(), (followers == 0).mean()
    if not (isinstance(largest, float) and isinstance(median, float) and isinstance(zeros, float)):
        return
    if median < 0.01 * largest and zeros > 0.1:
        raise DataError(
            f"{log.name}: the column given as followers counts new followers, not followers",
            got=f"{zeros:.0%} zeros and a median below 1 % of the largest {exposure}",
            fix="map it to followers_gained, and take followers from a follower history",
        )


def _ordered(frame: pl.DataFrame) -> pl.DataFrame:
    first = [name for name in _FIRST if name in frame.columns]
    return frame.select([*first, *(name for name in frame.columns if name not in first)])
