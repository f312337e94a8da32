"""Personal columns."""

from __future__ import annotations

import functools
import hashlib
import re
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

__all__ = ["hashed", "is_personal"]

_PERSONAL = re.compile(
    r"e-?mail|phone|telefoon|teléfono|телефон|first name|last name|full name|recipient|surname|voornaam|achternaam|"
    r"address|street|billing (name|zip|city|company|province)|shipping (name|zip|city|company|province)|\bzip\b|"
    r"\bip\b|ipaddress|latitude|longitude|customer|card (id|name|last|holder|address)|cardholder|card.*(fingerprint|exp)|"
    r"deal owner|\bowner\b|associated (company|contact)|posted by|external ?(data)?reference|custom data|"
    r"notes?$|note attributes|payment (reference|id)s?|employee|device id|statement descriptor|network id|message$|"
    r"caption|description|beschrijving|omschrijving|descripción|title|título|titel|text|\bcookie|birth|password"
)


def is_personal(header: str) -> bool:
    """Whether a header names something personal: a name, an address, an id of a person, or what somebody wrote.

    Parameters
    ----------
    header : str
        As printed.

    Returns
    -------
    bool
        Such columns are not loaded unless a mapping asks for them.

    Examples
    --------
    >>> is_personal("Billing Name"), is_personal("Customer Email"), is_personal("Reach")
    (True, True, False)
    """
    return _PERSONAL.search(header.strip().casefold()) is not None


@functools.lru_cache(maxsize=1)
def _run_salt() -> bytes:
    """One salt per run, kept in memory only, so that hashes join within a run and mean nothing after it."""
    return secrets.token_bytes(32)


def hashed(values: pl.Series) -> pl.Series:
    """Replace text by a keyed hash that is the same within one run and cannot be undone after it.

    Parameters
    ----------
    values : polars.Series
        Text.

    Returns
    -------
    polars.Series
        16 hexadecimal digits each; what is missing stays missing.

    Examples
    --------
    >>> import polars as pl
    >>> out = hashed(pl.Series(["ann@example.org", "ann@example.org", "bo@example.org", None]))
    >>> out[0] == out[1], out[0] == out[2], out[3] is None, len(out[0])
    (True, False, True, 16)
    """
    import polars as pl

    salt = _run_salt()
    distinct = [value for value in values.unique().drop_nulls().to_list() if value]
    table = {
        v: hashlib.blake2b(v.encode("utf-8", "replace"), key=salt, digest_size=8).hexdigest()
        for v in distinct
    }
    if not table:
        return pl.Series(values.name, [None] * len(values), dtype=pl.String)
    return values.replace_strict(table, default=None, return_dtype=pl.String)
