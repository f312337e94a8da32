"""What several exports say together: overlaps are found by identity, and whose posts are whose by evidence."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import numpy as np

from erresearch.errors import Count, DataError, in_mapping
from erresearch.exports.layouts import load_registry, normalise
from erresearch.exports.log import Accounting, Caution, Export, Guess, ReadLog
from erresearch.exports.privacy import show_name
from erresearch.io import pd, pl

_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "posts": ("platform", "account", "post_id"),
    "daily": ("platform", "account", "post_id", "date"),
    "followers": ("platform", "account", "date"),
    "ads": ("platform", "account", "entity", "date", "date_end", "currency"),
    "survey": ("entity", "respondent", "date"),
    "outcomes": ("entity", "outcome", "kind", "date", "order_id", "segment", "currency"),
}
_ABOUT_THE_FILE = frozenset({"source_row", "part", "exported", "age_days"})
_SHOWN = 6
#: Share of the figures that changed from which larger ones are the newer.
_GROWN = 0.9


@dataclass(frozen=True, slots=True)
class Change:
    """A figure that a platform calls otherwise in one export than in another.

    Parameters
    ----------
    name : str
        Canonical column or outcome.
    before, after : str
        Its headers.
    day : datetime.date or None
        First day of the newer word.
    """

    name: str
    before: str
    after: str
    day: dt.date | None


def definition_changes(exports: Sequence[Export]) -> tuple[Change, ...]:
    """Find figures that the platform renamed between these exports, by the registry's own list.

    Parameters
    ----------
    exports : sequence of Export
        Of any kinds.

    Returns
    -------
    tuple of Change
        In the order of the figures' names. A header in another language is no other word.

    See Also
    --------
    combine_exports : Cautions about the same.
    """
    found = []
    for name, called in sorted(load_registry().renamed.items()):
        old, new = (
            [e for e in exports if normalise(e.columns.get(name, "")) in map(normalise, words)]
            for words in called
        )
        if any(a.format == b.format for a in old for b in new):
            days = [day for export in new if (day := _first_day(export)) is not None]
            found.append(Change(name, old[0].columns[name], new[0].columns[name], min(days, default=None)))
    return tuple(found)


def _first_day(export: Export) -> dt.date | None:
    name = next((n for n in ("published_at", "date") if n in export.rows.columns), None)
    first = export.rows[name].min() if name else pd.NaT
    return None if pd.isna(first) else first.date()


def combine_exports(exports: Sequence[Export], *, tables: bool = False) -> Export:
    r"""Put exports of one kind together and count what they share.

    A row that stands in several exports with the same figures is kept once. Where its figures differ, because the
    exports were taken on different days, those of the newest export stay; where it is not known which that is, this
    is an error. Columns are matched by name: one that an export lacks is missing in its rows.

    Parameters
    ----------
    exports : sequence of Export
        Of one kind.
    tables : bool
        Whether they are the tables of one file, for messages.

    Returns
    -------
    Export
        With the accounts of all of them added up; repeated rows count as rejected.

    See Also
    --------
    read_export : Where exports come from.
    definition_changes : Figures that a platform renamed between them.

    Raises
    ------
    DataError
        If there is none, if their kinds differ, or if figures differ and the day of an export is not known.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from erresearch.exports import combine_exports, read_export
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder) / "Totals.csv"
    ...     _ = file.write_text("Date,Views\n2026-01-01,10\n2026-01-02,12\n")
    ...     twice = combine_exports([read_export(file), read_export(file)])
    >>> len(twice.rows), twice.accounting.rejected
    (2, 2)
    """
    if not exports:
        raise DataError("there is nothing to combine", got="no export", fix="read some files first")
    kinds = sorted({export.kind for export in exports})
    if len(kinds) > 1:
        raise DataError(
            "exports of different kinds cannot be one table",
            got=", ".join(f"{export.name}: {export.kind}" for export in exports),
            fix="combine those of each kind",
        )
    days = [pd.Timestamp(one.exported_at) if one.exported_at else pd.NaT for one in exports]
    parts = [export.rows.assign(part=number) for number, export in enumerate(exports)]
    together = pd.concat(parts, ignore_index=True, sort=False)
    together["exported"] = together["part"].map(pd.Series(days, dtype="datetime64[us]"))
    together["figures"] = together["part"].map(_alike(exports, kinds[0]))
    keys = ["figures", *(name for name in _KEYS[kinds[0]] if name in together.columns)]
    kept, cautions = _newest(together, keys, exports, tables=tables, growing=kinds[0] == "posts")
    cautions += _changed_definition(kept, exports)
    for one in definition_changes(exports):
        text = (
            f"the definition of {one.name} changes on {one.day}: {one.before!r} before, {one.after!r} after"
        )
        cautions.append(Caution("changed definition", text))
    every = list(dict.fromkeys(name for export in exports for name in export.rows.columns))
    absent = [(export.name, [n for n in every if n not in export.rows.columns]) for export in exports]
    notes = [f"{name} has no {', '.join(names)}: missing in its rows" for name, names in absent if names]
    # rows of the files of which nothing was kept
    among, left = (len(rows[["part", "source_row"]].drop_duplicates()) for rows in (together, kept))
    again = among - left
    reasons = {f"rows that another {'table' if tables else 'export'} repeats": again} if again else {}
    # they were used, and are rejected now
    repeated = Accounting(0, -again, rejected=again, reasons=reasons)
    first, *accounts = (export.accounting for export in exports)
    accounting = sum(accounts, first) + repeated
    rows = kept.drop(columns=["part", "exported", "figures"]).reset_index(drop=True)
    return Export(
        rows=rows,
        kind=exports[0].kind,
        format=" + ".join(dict.fromkeys(export.format for export in exports)),
        guesses=tuple(
            dict.fromkeys(replace(g, name=f"{e.name}: {g.name}", code="") for e in exports for g in e.guesses)
        ),
        accounting=accounting,
        warnings=tuple(dict.fromkeys([*(c for export in exports for c in export.warnings), *cautions])),
        name=" + ".join(dict.fromkeys(export.name for export in exports)),
        notes=tuple(dict.fromkeys([*(n for export in exports for n in export.notes), *notes])),
        columns=MappingProxyType({k: v for export in exports for k, v in export.columns.items()}),
        dropped_columns=tuple(
            dict.fromkeys(header for export in exports for header in export.dropped_columns)
        ),
        exported_at=max((export.exported_at for export in exports if export.exported_at), default=None),
    )


def _alike(exports: Sequence[Export], kind: str) -> dict[int, int]:
    """Which exports can repeat each other: those of one day's figures only if they have a figure in common."""
    if kind not in ("daily", "followers"):
        return dict.fromkeys(range(len(exports)), 0)
    groups: list[tuple[set[str], list[int]]] = []
    for number, export in enumerate(exports):
        names = {n for n in export.rows.columns if n not in {*_KEYS[kind], *_ABOUT_THE_FILE}}
        touched = [group for group in groups if group[0] & names]
        groups = [group for group in groups if not group[0] & names]
        together = names.union(*(group[0] for group in touched))
        groups.append((together, [*(n for group in touched for n in group[1]), number]))
    return {number: place for place, (_, numbers) in enumerate(groups) for number in numbers}


def _newest(
    together: pd.DataFrame, keys: list[str], exports: Sequence[Export], *, tables: bool, growing: bool
) -> tuple[pd.DataFrame, list[Caution]]:
    """One row per identity."""
    # one order may have several refunds on one day: only rows of different exports repeat each other
    shared = together.groupby(keys, dropna=False, sort=False)["part"].transform("nunique") > 1
    if not shared.any():
        return together, []
    about = {*keys, *_ABOUT_THE_FILE} & {*together}
    figures = list(map(str, together.drop(columns=about).select_dtypes("float")))
    overlap = together[shared]
    changed, size = _change(overlap, keys, figures)
    parts, undated_parts = (
        sorted({exports[number].name for number in rows["part"].unique()})
        for rows in (overlap, overlap[overlap["exported"].isna()])
    )
    if changed and tables:
        raise DataError(
            f"{Count(changed):row stands} in several tables of one file with different figures",
            got=", ".join(parts),
            fix="take the older table out of the file, or save each as a file of its own and say the day of each with "
            f"exported_at {in_mapping()}",
        )
    undated = changed and (undated_parts or overlap["exported"].nunique() < overlap["part"].nunique())
    age = _by_growth(overlap, keys, figures) if undated and growing else {}
    if undated and not age:
        raise DataError(
            f"{Count(changed):row stands} in several exports with different figures, and it is not known which is newer",
            got=", ".join(undated_parts) or "exports of the same day",
            fix=f"say the day of each export with exported_at {in_mapping()}",
        )
    age = age or {number: number for number in range(len(exports))}
    together = together.assign(age=together["part"].map(age).fillna(-1))
    order = ["age"] if undated else ["exported", "age"]
    ordered = together.sort_values(order, kind="stable", na_position="first")
    newest = ordered.groupby(keys, dropna=False, sort=False)["part"].transform("last").reindex(together.index)
    kept = together[(~shared) | (together["part"] == newest)].drop(columns="age")
    count = len(together) - len(kept)
    text = f"{Count(count):row stands} in several {'tables' if tables else 'exports'}, kept once"
    if changed:
        text += f"; {changed:,} of them had changed, by {size:.0%} in the median, and the newest figures stay"
    if undated:
        last = show_name(exports[max(age, key=age.__getitem__)].name)
        text += f": those of {last}, since figures of posts grow and most of its are larger; exported_at {in_mapping()} "
        text += "says of which day an export is"
    return kept, [Caution("overlap", text, count)]


def _by_growth(overlap: pd.DataFrame, keys: list[str], figures: list[str]) -> dict[int, int]:
    """The order of exports by their figures, which grow with the life of a post; empty where they do not tell it."""
    parts = sorted(overlap["part"].unique())
    tables = {part: overlap[overlap["part"] == part].set_index(keys)[figures] for part in parts}
    older = dict.fromkeys(parts, 0)
    for first, second in itertools.combinations(parts, 2):
        a, b = tables[first].align(tables[second], join="inner")
        more, less = int((b > a).to_numpy().sum()), int((b < a).to_numpy().sum())
        if more + less and max(more, less) < _GROWN * (more + less):
            return {}
        older[second if more > less else first] += bool(more + less)
    return older if len(set(older.values())) == len(parts) else {}


def _change(overlap: pd.DataFrame, keys: list[str], figures: list[str]) -> tuple[int, float]:
    """How many shared rows have different figures, and by how much in the median."""
    if not figures:
        return 0, 0.0
    groups = overlap.groupby(keys, dropna=False, sort=False)[figures]
    low, high = groups.min().to_numpy(dtype=float), groups.max().to_numpy(dtype=float)
    differs = (high != low) & ~np.isnan(high)
    sizes = (high - low)[differs & (low != 0)] / np.abs(low)[differs & (low != 0)]
    return int(differs.any(axis=1).sum()), float(np.median(sizes)) if sizes.size else 0.0


def _changed_definition(rows: pd.DataFrame, exports: Sequence[Export]) -> list[Caution]:
    """Impressions in older posts of a platform and views in newer ones are two figures, never one."""
    moment = next((name for name in ("published_at", "date") if name in rows.columns), None)
    there = [name for name in ("impressions", "views") if name in rows.columns]
    if moment is None or len(there) < 2 or all(set(there) <= set(e.rows.columns) for e in exports):
        return []
    found = []
    for _, own in rows.groupby("platform") if "platform" in rows.columns else [("", rows)]:
        pairs = (there, reversed(there))
        only = {name: own[own[name].notna() & own[other].isna()] for name, other in pairs}
        if any(part.empty for part in only.values()):
            continue
        later = max(there, key=lambda name: only[name][moment].min())
        day: dt.date = only[later][moment].min().date()
        text = f"the definition of exposure changes on {day}: {' and '.join(there)} are different figures and must "
        text += "not be spliced"
        found.append(Caution("changed definition", text, len(only[later])))
    return found


OWNERS: Final = "own accounts"
SHOPS: Final = "shops"
OTHERS: Final = "other accounts"
#: Posts, and share of the posts of the largest account, from which an account is taken for one's own.
_FEW, _SHARE = 5, 0.1
#: Figures that a platform shows to the owner of a post only: of somebody else's they are 0 or blank.
_PRIVATE: Final = ("saves", "followers_gained")
#: Letters from which a shop's name is looked for inside the name of an account.
_LETTERS = 4
_BETWEEN_LETTERS: Final = str.maketrans("", "", " @_.-\u00a0")


def plain_name(name: object) -> str:
    """A name for comparison: handles, display names and their spelling differ by little.

    Examples
    --------
    >>> plain_name(" @Maple Moss ") == plain_name("maple_moss")
    True
    """
    return str(name).casefold().translate(_BETWEEN_LETTERS)


def mark_others(posts: pl.DataFrame, own: Sequence[str], log: ReadLog) -> pl.Series:
    """Mark the posts of other accounts in an export of one's own.

    An account is one's own where the caller says so, where it has most posts, or where it has five posts and a tenth
    of what the largest has, unless all of its posts lack what a platform shows to the owner only.
    """
    if not own and posts.height and (posts["account"] == posts["account"][0]).all():
        return pl.repeat(False, posts.height, eager=True)
    shown = [pl.col(name).fill_null(0).max().alias(name) for name in _PRIVATE if name in posts.columns]
    seen = posts.group_by("account").agg(pl.len().alias("posts"), *shown).sort("posts", "account")
    if own:
        said = {plain_name(name) for name in own}
        mine = [name for name in seen["account"] if plain_name(name) in said]
    else:
        most = seen["posts"].max()
        many = (pl.col("posts") >= _FEW) & (pl.col("posts") >= _SHARE * pl.lit(most))
        owner = pl.any_horizontal(pl.col(name) > 0 for name in _PRIVATE if name in posts.columns)
        open_ = owner | ~owner.any() if shown else pl.lit(value=True)
        mine = seen.filter((many & open_) | (pl.col("posts") == most))["account"].to_list()
    alone = len(mine) == seen.height
    others = pl.repeat(False, posts.height, eager=True) if alone else ~posts["account"].is_in(mine)
    if seen.height > 1 and not own:
        reason = f"each has {_FEW} posts and a tenth of the largest account's, or as many"
        if others.any():
            reason = (
                f"the others have fewer than {_FEW} posts, less than a tenth of the largest account's, or no "
            )
            reason += "figures that only their owner sees"
        log.guess(OWNERS, _listed(mine), reason, f"own {in_mapping()}", code=OWNERS)
    log.count(OTHERS, _about(len(others)), others, posts["source_row"])
    return others


def _about(posts: int) -> str:
    return (
        f"{{count}} of {Count(posts):post} by other accounts (collaborations): marked, and not to be "
        "divided by one's own followers"
    )


def settle_owners(exports: Sequence[Export], entity: Mapping[str, str] | None = None) -> tuple[Export, ...]:
    """Say whose posts are whose by what all files together know.

    An account that one file takes for somebody else's is one's own where it has followers, outcomes or advertising under
    its name, is named by the caller, or is one's own in another file. Where one file has outcomes of several shops, each
    account belongs to the shop of its name, or to the only one whose name stands within its own.

    Parameters
    ----------
    exports : sequence of Export
        All that was read.
    entity : mapping of str to str, optional
        Account to shop, as the caller says; then no shop is guessed.

    Returns
    -------
    tuple of Export
        The same, where a post changes hands with its guess and its count; nothing that was given is changed.

    See Also
    --------
    erresearch.build_panel : Takes ``entity`` of the posts.
    """
    known = _known(exports, entity or {})
    settled = [_mended(export, known) if export.kind == "posts" else export for export in exports]
    sold = [set(map(str, one.rows["entity"].dropna().unique())) for one in settled if one.kind == "outcomes"]
    shops = sorted({name for names in sold if len(names) > 1 for name in names})
    if entity or len(shops) < 2 or any(one.kind == "posts" and "entity" in one.rows for one in settled):
        return tuple(settled)
    accounts = sorted({name for one in settled if one.kind == "posts" for name in _own(one)})
    belongs = {name: _shop_of(name, shops) for name in accounts}
    guessed = [name for name, shop in belongs.items() if shop is None or plain_name(name) != plain_name(shop)]
    alone = [name for name in guessed if belongs[name] is None]
    if not guessed or len(alone) > len(accounts) / 2:
        return tuple(settled)  # each by its own name, or by nothing that can be guessed: the panel says so
    return tuple(_placed(one, belongs, guessed) if one.kind == "posts" else one for one in settled)


def _own(export: Export) -> Iterable[str]:
    rows = export.rows
    own = rows[~rows["collaboration"].eq(True)] if "collaboration" in rows else rows
    return own["account"].dropna().unique()


def _known(exports: Sequence[Export], entity: Mapping[str, str]) -> dict[str, str]:
    """Why accounts are one's own, by their plain names."""
    found: dict[str, str] = {}
    for export in exports:
        rows = export.rows
        if export.kind == "posts":
            names, why = set(_own(export)), "is of it"
        elif {"followers", "account"} <= set(rows):
            names, why = set(rows["account"].unique()), "counts its followers"
        else:
            names, why = set(rows["entity"].unique() if "entity" in rows else ()), f"has its {export.kind}"
        found |= {plain_name(name): f"{export.name} {why}" for name in names}
    return found | {plain_name(name): "entity names it" for name in entity}


def _mended(export: Export, known: Mapping[str, str]) -> Export:
    """The export without marks on posts of accounts that are one's own after all."""
    rows = export.rows
    guess = next((one for one in export.guesses if one.code == OWNERS), None)
    if guess is None:
        return export  # one account, or the caller said whose they are
    others = rows["collaboration"].eq(True)
    plain = rows["account"].map(plain_name)
    mine = others & plain.isin(set(known))
    if not mine.any():
        return export
    names = sorted(rows.loc[mine, "account"].unique())
    reason = "; ".join(f"{show_name(name)}: {known[plain_name(name)]}" for name in names[:_SHOWN])
    left = others & ~mine
    cautions = [one for one in export.warnings if one.code != OTHERS]
    if left.any():
        numbers = tuple(int(number) for number in rows.loc[left, "source_row"].head(3))
        count = int(left.sum())
        cautions.append(Caution(OTHERS, _about(len(rows)).format(count=f"{count:,}"), count, numbers))
    made = replace(guess, value=_listed(sorted({*_own(export), *names})), reason=reason)
    guesses = tuple(made if one is guess else one for one in export.guesses)
    return replace(export, rows=rows.assign(collaboration=left), guesses=guesses, warnings=tuple(cautions))


def _shop_of(account: str, shops: Sequence[str]) -> str | None:
    """The shop of an account's name, or the only one whose name stands in it, or the longest of those."""
    name, plain = plain_name(account), {shop: plain_name(shop) for shop in shops}
    within = [shop for shop in shops if len(plain[shop]) >= _LETTERS and plain[shop] in name]
    longer = [s for s in within if not any(s != one and plain[s] in plain[one] for one in within)]
    found = [shop for shop in shops if plain[shop] == name] or longer
    return found[0] if len(found) == 1 else None


def _placed(export: Export, belongs: Mapping[str, str | None], guessed: Sequence[str]) -> Export:
    """The export with the shop of each post."""
    rows = export.rows
    changed = rows.assign(entity=rows["account"].map(belongs.get).astype(rows["account"].dtype))
    here = [name for name in guessed if name in set(rows["account"])]
    placed = [
        f"{show_name(name)} to {show_name(shop)}" for name in here if (shop := belongs[name]) is not None
    ]
    alone = [name for name in here if belongs[name] is None]
    guesses, cautions = list(export.guesses), list(export.warnings)
    if placed:
        value = "; ".join(placed[:_SHOWN]) + " …" * (len(placed) > _SHOWN)
        reason = "the name of the shop stands in the name of the account"
        guesses.append(Guess(SHOPS, value, reason, "--entity (entity=)", SHOPS))
    if alone:
        count = int(changed["entity"].isna().sum())
        text = (
            f"{Count(count):post is} of accounts that no shop has the name of ({_listed(alone)}): left out of "
            "what is joined with outcomes: --entity (entity=) says whose they are"
        )
        cautions.append(Caution(SHOPS, text, count))
    return replace(export, rows=changed, guesses=tuple(guesses), warnings=tuple(cautions))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(show_name, names[:_SHOWN])) + " …" * (len(names) > _SHOWN)
