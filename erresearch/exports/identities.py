"""Ids that carry the time: Instagram, TikTok and X write the moment of creation into the id of a post."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

__all__ = ["DECODERS", "damaged_ids", "instagram_time", "tiktok_time", "x_time"]

_X_EPOCH = 1_288_834_974_657
_INSTAGRAM_EPOCH = 1_314_220_021_721
# before these moments a platform did not yet write the time into its ids (milliseconds since 1970)
_EARLIEST = {"x": 1_288_834_974_657, "instagram": 1_314_220_021_721, "tiktok": 1_396_310_400_000}
_LATEST = 4_070_908_800_000
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_START, _CODE = "https://www.instagram.com/", 11
_DAMAGED = r"^\d+([.,]\d+)?[eE]\+?\d+$"
_CUT = r"^\d{15}(0+)$"
_DIGITS, _ENOUGH = 15, 6


def _moments(milliseconds: pl.Series, platform: str) -> pl.Series:
    import polars as pl

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
    import polars as pl

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
    import polars as pl

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
    import polars as pl

    usual = _usual_codes(links)
    if usual is not None:
        return _moments(usual // (1 << 23) + _INSTAGRAM_EPOCH, "instagram")
    number = links.str.extract(r"/stories/[^/]+/(\d{17,19})", 1).cast(pl.Int64, strict=False)
    code = links.str.extract(r"instagram\.com/(?:[^/]+/)?(?:p|reel|reels|tv)/([A-Za-z0-9_-]{11})", 1)
    if code.null_count() < len(code):
        number = number.fill_null(_from_base64(code))
    return _moments(number // (1 << 23) + _INSTAGRAM_EPOCH, "instagram")


def _usual_codes(links: pl.Series) -> pl.Series | None:
    """Ids where every address is of the usual shape, cut by position: a fifth of the time that a pattern takes."""
    import numpy as np
    import polars as pl

    if not len(links) or not links.str.starts_with(_START).fill_null(False).all():
        return None
    arrow = links.to_arrow(compat_level=pl.CompatLevel.oldest())
    _, ends, letters = arrow.buffers()
    bounds = np.frombuffer(ends, dtype=np.int64)[arrow.offset : arrow.offset + len(arrow) + 1]
    text = np.frombuffer(letters, dtype=np.uint8)
    last = bounds[1:]
    middle = last - bounds[:-1] - len(_START) - _CODE - 2
    if (
        not np.isin(middle, (1, 2, 4)).all()
        or not ((text[last - 1] == 47) & (text[last - _CODE - 2] == 47)).all()
    ):
        return None
    place = _places()
    number = np.zeros(len(links), dtype=np.int64)
    valid = np.ones(len(links), dtype=bool)
    for column in range(_CODE):
        digit = place[text[last - 1 - _CODE + column]]
        valid &= (digit >= 0) & (digit < (8 if column == 0 else 64))  # eleven letters hold 66 bits, an id 63
        number = (number << 6) | digit
    return pl.Series(np.where(valid, number, -1))


def _places() -> np.ndarray:
    """Value of each letter in base 64; −1 for any other."""
    import numpy as np

    place = np.full(256, -1, dtype=np.int64)
    place[np.frombuffer(_ALPHABET, dtype=np.uint8)] = np.arange(64)
    return place


def _from_base64(codes: pl.Series) -> pl.Series:
    """Eleven letters of base 64 as one number, a column at a time."""
    import numpy as np
    import polars as pl

    place = _places()
    letters = np.frombuffer(codes.fill_null("A" * 11).str.join("")[0].encode(), dtype=np.uint8).reshape(
        -1, 11
    )
    number = np.zeros(len(codes), dtype=np.int64)
    for column in range(11):
        number = (number << 6) | place[letters[:, column]]
    fits = place[letters[:, 0]] < 8  # eleven letters hold 66 bits, an id 63
    return pl.Series(np.where(fits, number, -1)).set(codes.is_null(), None)


DECODERS: Mapping[str, Callable[[pl.Series], pl.Series]] = MappingProxyType(
    {"x": x_time, "tiktok": tiktok_time, "instagram": instagram_time}
)
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
