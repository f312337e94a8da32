"""What the figures and ids of posts give away: impossible values, bought reach, cut tables, the time in an id."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from erresearch.errors import Count, DataError, in_mapping
from erresearch.exports.layouts import Format
from erresearch.exports.log import ReadLog, places
from erresearch.exports.privacy import show_name
from erresearch.io import pl
from erresearch.schema.vocabulary import AUDIENCES, REACTIONS

_ORDER = (("reach", "impressions"), ("reach", "views"), ("likes", "views"))
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
_TOO_MANY = 0.2
# times the median of an account from which a value is looked at, and how many values tell the median
_FAR, _MANY = 100, 20
_ENOUGH = 10
_GROWN = 7
_X_EPOCH = 1_288_834_974_657
_INSTAGRAM_EPOCH = 1_314_220_021_721
# before these moments a platform did not yet write the time into its ids (milliseconds since 1970)
_EARLIEST = {"x": 1_288_834_974_657, "instagram": 1_314_220_021_721, "tiktok": 1_396_310_400_000}
_LATEST = 4_070_908_800_000
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
# letters of a code, and of an address that has p, tv, reel or reels before it
_START, _CODE, _USUAL = "https://www.instagram.com/", 11, (40, 44)
_DAMAGED = r"^\d+([.,]\d+)?[eE]\+?\d+$"
_CUT = r"^\d{15}(0+)$"
_DIGITS, _ENOUGH = 15, 6


def check_posts(frame: pl.DataFrame, layout: Format, log: ReadLog) -> pl.DataFrame:
    """Look at the figures of posts; nothing but a reach of 0 that was watched is changed.

    Parameters
    ----------
    frame : polars.DataFrame
        Posts with typed columns and ``source_row``.
    layout : Format
        Their layout.
    log : ReadLog
        Takes cautions.

    Returns
    -------
    polars.DataFrame
        The same, where such a reach is missing.

    Raises
    ------
    DataError
        If more than a fifth of the rows have more reactions than people reached.
    """
    rows = frame["source_row"]
    for name in _numbers(frame):
        text = f"column {name!r}: {{count:value is}} negative and were kept"
        log.count("negative", text, frame[name] < 0, rows)
    frame = _watched_by_nobody(frame, rows, log)
    _warn_order(frame, rows, log)
    _warn_rate(frame, rows, log)
    _warn_reported(frame, rows, layout, log)
    check_spikes(frame, [name for name in REACTIONS if name in frame.columns], log)
    for flag, (code, text) in _FLAGGED.items():
        if flag in frame.columns:
            log.count(code, text, frame[flag], rows)
    if "post_type" in frame.columns:
        types = sorted(
            {str(t) for t in frame["post_type"].drop_nulls().to_list() if t} if frame.height < 100_000 else ()
        )
        if len(types) > 1:
            log.note(
                f"{Count(len(types)):kind} of post ({', '.join(map(show_name, types[:6]))}): "
                "rates of different kinds are not alike"
            )
    _warn_constant(frame, log)
    return frame


def _numbers(frame: pl.DataFrame) -> list[str]:
    return [name for name, dtype in frame.schema.items() if dtype == pl.Float64]


def _watched_by_nobody(frame: pl.DataFrame, rows: pl.Series, log: ReadLog) -> pl.DataFrame:
    """A reach of 0 with views is no reach of 0: it is not known."""
    if not {"reach", "views"} <= set(frame.columns):
        return frame
    odd = ((frame["reach"] == 0) & (frame["views"] > 0)).fill_null(False)
    text = "{count:post has} views and a reach of 0, which counts as missing"
    if log.count("reach of 0", text, odd, rows):
        frame = frame.with_columns(frame["reach"].set(odd, None))
    return frame


def _warn_order(frame: pl.DataFrame, rows: pl.Series, log: ReadLog) -> None:
    for small, large in _ORDER:
        if {small, large} <= set(frame.columns) and not (large == "views" and "impressions" in frame.columns):
            text = f"{{count:row has}} more {small} than {large}; both were kept"
            over = (frame[small] > frame[large]) & (frame[large] > 0)
            log.count("order", text, over, rows)


def _warn_rate(frame: pl.DataFrame, rows: pl.Series, log: ReadLog) -> None:
    """More reactions than people reached."""
    there = [name for name in REACTIONS if name in frame.columns]
    if "reach" not in frame.columns or not there:
        return
    total = frame.select(there).sum_horizontal()
    unseen = (total > 0) & (frame["reach"] == 0)
    log.count("reactions without reach", "{count:post has} reactions and a reach of 0", unseen, rows)
    over = ((total > frame["reach"]) & (frame["reach"] > 0)).fill_null(False)
    count = log.count("rate above 1", "{count:row has} more reactions than people reached", over, rows)
    if count > max(1, _TOO_MANY * frame.height):
        raise DataError(
            f"{log.name}: {Count(count, of=frame.height):row has} more reactions than people reached",
            got=places(tuple(rows.filter(over).head(3)), count),
            allowed=f"at most {_TOO_MANY:.0%} of the rows",
            fix=f"the columns are likely mixed up: compare inspect_export with the file, and say them {in_mapping()}",
        )


def _warn_reported(frame: pl.DataFrame, rows: pl.Series, layout: Format, log: ReadLog) -> None:
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


def _warn_constant(frame: pl.DataFrame, log: ReadLog) -> None:
    """A figure that never moves cannot be related to anything."""
    if frame.height < _ENOUGH:
        return
    for name in (*REACTIONS, *AUDIENCES, "clicks"):
        values = frame[name].drop_nulls() if name in frame.columns else frame["source_row"].head(0)
        if len(values) >= _ENOUGH and values.min() == values.max():
            text = f"column {name!r} is the same in all {Count(len(values)):row}: without variation it cannot be used"
            if name == "followers":
                text = (
                    "one follower count stands for the whole period: a rate by followers then equals the reactions up to "
                    "a constant within the account"
                )
            log.caution("no variation", text, count=len(values))


def check_spikes(frame: pl.DataFrame, names: Sequence[str], log: ReadLog) -> None:
    """Count values of a hundred times the account's median: somebody may have bought them, or counted wrongly.

    Nothing is changed: what went viral looks alike.

    Parameters
    ----------
    frame : polars.DataFrame
        Rows with ``account`` and ``source_row``.
    names : sequence of str
        Figures to look at.
    log : ReadLog
        Takes the cautions.
    """
    # a median lies between the least and the most, so most columns are done with at one look
    wide = frame.select(
        (pl.col(name).max() > _FAR * pl.when(pl.col(name) > 0).then(pl.col(name)).min()).alias(name)
        for name in names
    )
    names = [name for name in names if wide[name].any()]
    if not names:
        return
    some = {name: pl.col(name).filter(pl.col(name) > 0) for name in names}
    usual = frame.group_by("account").agg(
        *(positive.median().alias(f"usual {name}") for name, positive in some.items()),
        *(positive.count().alias(f"count {name}") for name, positive in some.items()),
        *(pl.col(name).max().alias(f"most {name}") for name in names),
    )
    for name in names:
        bound = pl.when(pl.col(f"count {name}") >= _MANY).then(_FAR * pl.col(f"usual {name}"))
        if not usual.select((pl.col(f"most {name}") > bound).any()).item():
            continue
        bounds = dict(usual.select("account", bound.alias("bound")).iter_rows())
        beyond = frame["account"].replace_strict(bounds, return_dtype=pl.Float64)
        text = f"column {name!r}: {{count:value is}} over {_FAR} times the usual one of their account; they were kept, "
        log.count("spikes", text + "and should be looked at", frame[name] > beyond, frame["source_row"])


def check_age(frame: pl.DataFrame, exported_at: dt.date | None, log: ReadLog) -> None:
    """Young posts have not had their time yet."""
    log.note("an export lists the posts that still exist: what was deleted is not in it")
    if exported_at is None or "published_at" not in frame.columns:
        return
    end = dt.datetime.combine(exported_at, dt.time())
    young = frame["published_at"] > end - dt.timedelta(days=_GROWN)
    text = f"{{count:post was}} younger than {_GROWN} days when they were exported: their figures still grow"
    log.count("young posts", text, young, frame["source_row"])


def check_stock(frame: pl.DataFrame, log: ReadLog) -> None:
    """Refuse a column of new followers that was given as the number of followers.

    Raises
    ------
    DataError
        If its values are not of the size of a stock: a median below 1 % of the largest reach, and many zeros.
    """
    exposure = next((name for name in ("reach", "views", "impressions") if name in frame.columns), None)
    if "followers" not in frame.columns or exposure is None or frame.height == 0:
        return
    followers, largest = frame["followers"].drop_nulls(), frame[exposure].max()
    if followers.is_empty() or not isinstance(largest, float):
        return
    zeros = int((followers == 0).sum()) / len(followers)
    median = followers.median()
    if isinstance(median, float) and median < 0.01 * largest and zeros > 0.1:
        raise DataError(
            f"{log.name}: the column given as followers counts new followers, not followers",
            got=f"{zeros:.0%} zeros and a median below 1 % of the largest {exposure}",
            fix="map it to followers_gained, and take followers from a follower history",
        )


def check_limit(rows: int, layout: Format, log: ReadLog) -> None:
    """A table of exactly the platform's limit is likely a selection of the best, whatever becomes of its rows."""
    if layout.limit and rows == layout.limit:
        warn_cut(f"the table has exactly {Count(rows):row}, the platform's limit: it looks cut", log, rows)


def warn_cut(text: str, log: ReadLog, rows: int) -> None:
    """Say that a table is a selection."""
    log.caution("cut table", f"{text}, so the posts are selected on their success", count=rows)


def _moments(milliseconds: pl.Series, platform: str) -> pl.Series:
    inside = (milliseconds >= _EARLIEST[platform]) & (milliseconds < _LATEST)
    return milliseconds.set(~inside.fill_null(False), None).cast(pl.Datetime("ms")).cast(pl.Datetime("us"))


def x_time(ids: pl.Series) -> pl.Series:
    """Time of X posts by their ids: (id >> 22) + 1288834974657 milliseconds.

    Parameters
    ----------
    ids : polars.Series
        Text: ids, or addresses that hold ``/status/<id>``.

    Returns
    -------
    polars.Series
        UTC without zone; null where there is no such id.

    Examples
    --------
    >>> import polars as pl
    >>> str(x_time(pl.Series(["1068645534976499712"]))[0])
    '2018-11-30 23:18:44.669000'
    """
    number = ids.str.extract(r"(?:^|/status(?:es)?/)(\d{14,19})(?:\D|$)", 1).cast(pl.Int64, strict=False)
    return _moments(number // (1 << 22) + _X_EPOCH, "x")


def tiktok_time(links: pl.Series) -> pl.Series:
    """Time of TikTok videos by their ids: id >> 32 seconds.

    Parameters
    ----------
    links : polars.Series
        Text: ids, or addresses that hold ``/video/<id>`` or ``/photo/<id>``.

    Returns
    -------
    polars.Series
        UTC without zone; null where there is no such id.
    """
    number = links.str.extract(r"(?:^|/(?:video|photo)/)(\d{18,19})(?:\D|$)", 1).cast(pl.Int64, strict=False)
    return _moments(number // (1 << 32) * 1000, "tiktok")


def instagram_time(links: pl.Series) -> pl.Series:
    """Time of Instagram posts by their addresses: (id >> 23) + 1314220021721 milliseconds.

    The short code of an address is the id in base 64. The number that Meta prints as "Post ID" is another one and
    carries no time.

    Parameters
    ----------
    links : polars.Series
        Text: addresses.

    Returns
    -------
    polars.Series
        UTC without zone; null where there is no such id.
    """
    # of the usual address the code is cut out by its place, in a fifth of the time that a pattern takes
    code, stories = links.str.slice(-1 - _CODE, _CODE), None
    usual = links.str.starts_with(_START) & links.str.ends_with("/") & (links.str.slice(-2 - _CODE, 1) == "/")
    usual &= links.str.len_bytes().is_between(*_USUAL) & (code.str.len_bytes() == _CODE)
    if not usual.fill_null(False).all():
        stories = links.str.extract(r"/stories/[^/]+/(\d{17,19})", 1).cast(pl.Int64, strict=False)
        code = links.str.extract(r"instagram\.com/(?:[^/]+/)?(?:p|reel|reels|tv)/([A-Za-z0-9_-]{11})", 1)
    number = (
        _from_base64(code) if code.null_count() < len(code) else pl.Series([None] * len(code), dtype=pl.Int64)
    )
    number = number if stories is None else stories.fill_null(number)
    return _moments(number // (1 << 23) + _INSTAGRAM_EPOCH, "instagram")


def _from_base64(codes: pl.Series) -> pl.Series:
    """Eleven letters of base 64 as one number, a column at a time."""
    place = np.full(256, -1, dtype=np.int64)
    place[np.frombuffer(_ALPHABET, dtype=np.uint8)] = np.arange(64)
    letters = np.frombuffer(codes.fill_null("A" * _CODE).str.join("")[0].encode(), dtype=np.uint8)
    number = np.zeros(len(codes), dtype=np.int64)
    valid = np.ones(len(codes), dtype=bool)
    for column in letters.reshape(-1, _CODE).T:
        number = (number << 6) | place[column]
        valid &= place[column] >= 0
    # eleven letters hold 66 bits, an id 63
    valid &= place[letters[::_CODE]] < 8
    return pl.Series(np.where(valid, number, -1)).set(codes.is_null(), None)


DECODERS: Final[Mapping[str, Callable[[pl.Series], pl.Series]]] = {
    "x": x_time, "tiktok": tiktok_time, "instagram": instagram_time
}  # fmt: skip
"""How each platform's ids are read, by the name that ``platforms.toml`` uses."""


def damaged_ids(ids: pl.Series) -> pl.Series:
    """Tell ids that a spreadsheet turned into rounded numbers, written 6.49E+17 or with zeros after 15 digits.

    Parameters
    ----------
    ids : polars.Series
        Text.

    Returns
    -------
    polars.Series
        Booleans.

    Examples
    --------
    >>> import polars as pl
    >>> damaged_ids(pl.Series(["6.49E+17", "649000000000000123"])).to_list()
    [True, False]
    >>> damaged_ids(pl.Series(["649012345678901000", "649012345678902000"])).to_list()
    [True, True]
    """
    long = ids.filter(ids.str.len_bytes() > _DIGITS).unique()
    zeros = long.str.extract(_CUT, 1).str.len_bytes()
    # that all of them end so by chance has a probability of one in a million
    if len(long) and not zeros.null_count() and int(zeros.sum()) >= _ENOUGH:
        return (ids.str.len_bytes() > _DIGITS).fill_null(False)
    return ids.str.contains(_DAMAGED).fill_null(False)
