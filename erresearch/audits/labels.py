"""Labels of the caller's files as they are shown: short and on one line, or replaced by pseudonyms."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from erresearch.exports.combine import plain_name
from erresearch.exports.layouts import platforms
from erresearch.exports.log import Export
from erresearch.io import pd

#: Characters of a label that are shown.
LONGEST: Final = 60
#: Columns whose cells may be shown, and what their pseudonyms are called. One name is one pseudonym, whether it stands
#: for an account or for the shop that the account belongs to.
_COLUMNS: Final[Mapping[str, str]] = {
    "account": "account",
    "entity": "entity",
    "platform": "platform",
    "post_type": "format",
    "currency": "currency",
    "segment": "event",
}
_KINDS: Final = (
    "", "image", "video", "reel", "carousel", "story", "text", "link", "live", "poll", "article", "document", "event",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Labels:
    """What is shown for each label.

    Parameters
    ----------
    shown : mapping of str to str
        For the labels that are not shown as they are.
    hidden : bool
        Whether a name that stands in no file is replaced, too.

    Examples
    --------
    >>> Labels({"Maple & Moss": "account 1"}).text("2 posts of 'Maple & Moss'")
    "2 posts of 'account 1'"
    """

    shown: Mapping[str, str] = field(default_factory=dict)
    hidden: bool = False

    @classmethod
    def of(cls, exports: Iterable[Export], *, pseudonyms: bool) -> Labels:
        """Look through every label column.

        Parameters
        ----------
        exports : iterable of Export
            What was read.
        pseudonyms : bool
            Whether every label is replaced. Words of this package (platforms and kinds of post that it knows) stay.

        Returns
        -------
        Labels
        """
        found: dict[str, str] = {}
        every = list(exports)
        for column, called in _COLUMNS.items():
            for export in every:
                if column in export.rows.columns:
                    values = export.rows[column].dropna().astype(str).unique()
                    found |= {value: called for value in sorted(values) if value and value not in found}
        return cls(_pseudonyms(found), hidden=True) if pseudonyms else cls(_short(found))

    def text(self, text: str) -> str:
        """A text with every label in it as it is shown."""
        if not self.shown:
            return text
        every = sorted(self.shown, key=len, reverse=True)
        # a quote inside a label is printed with a backslash before it
        spelt = {spelling: label for label in every for spelling in (label, repr(label)[1:-1])}
        pattern = "|".join(map(re.escape, sorted(spelt, key=len, reverse=True)))
        return re.sub(rf"(?<!\w)(?:{pattern})(?!\w)", lambda match: self.shown[spelt[match[0]]], text)

    def mapping(self, entity: Mapping[str, str] | None) -> dict[str, str] | None:
        """Accounts and their entities, as the caller gave them, with what is shown for both."""
        if entity is None:
            return None
        spelt: dict[str, str] = {}
        for label, shown in self.shown.items():
            spelt.setdefault(plain_name(label), shown)  # accounts and entities come first
        if self.hidden:
            new = dict.fromkeys(shop for shop in entity.values() if plain_name(shop) not in spelt)
            spelt |= {plain_name(shop): f"group {number}" for number, shop in enumerate(new, start=1)}
        else:
            spelt |= {plain_name(shop): _short([shop]).get(shop, shop) for shop in entity.values()}
        return {
            spelt.get(plain_name(account), account): spelt.get(plain_name(shop), shop)
            for account, shop in entity.items()
        }

    def export(self, export: Export) -> Export:
        """Rows and words of a file with labels as they are shown; the one given is not changed."""
        if not self.shown:
            return export
        rows = export.rows.copy()
        for column in _COLUMNS.keys() & set(rows.columns):
            rows[column] = self._column(rows[column])
        rows.attrs = dict(export.rows.attrs)
        return replace(
            export,
            rows=rows,
            guesses=tuple(self._told(one, "value", "reason", "override") for one in export.guesses),
            warnings=tuple(self._told(one, "text") for one in export.warnings),
            notes=tuple(map(self.text, export.notes)),
        )

    def _told(self, one: Any, *names: str) -> Any:
        return replace(one, **{name: self.text(getattr(one, name)) for name in names})

    def _column(self, column: pd.Series[str]) -> pd.Series[str]:
        known = {value: self.shown.get(str(value), value) for value in column.dropna().unique()}
        return column.map(known).astype(column.dtype if column.dtype.name != "category" else object)


def _pseudonyms(found: Mapping[str, str]) -> dict[str, str]:
    ours = {*platforms()["platform"], *_KINDS}
    shown: dict[str, str] = {}
    counts: dict[str, int] = {}
    names: dict[tuple[bool, str], str] = {}
    for value, called in found.items():
        named = called in ("account", "entity")
        if value in ours and not named:
            continue
        # an account and its shop may be spelt differently, and are one
        key = (named, plain_name(value) if named else value)
        if key not in names:
            counts[called] = counts.get(called, 0) + 1
            names[key] = f"{called} {counts[called]}"
        shown[value] = names[key]
    return shown


def _short(found: Iterable[str]) -> dict[str, str]:
    """Labels that are too long or hold what no line can show."""
    shown: dict[str, str] = {}
    for value in found:
        line = " ".join("".join(c if c.isprintable() else " " for c in value).split())
        if line == value and len(line) <= LONGEST:
            continue
        short = line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
        taken, number = {*shown.values(), *found}, 2
        name = short or "(blank)"
        while name in taken:
            name, number = f"{short[: LONGEST - 6]} ({number})", number + 1
        shown[value] = name
    return shown
