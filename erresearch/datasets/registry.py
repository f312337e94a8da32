"""What `data/datasets.toml` says about each data set, as values."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from erresearch.errors import UnknownNameError
from erresearch.io.files import resource

__all__ = ["Column", "Count", "Dataset", "Exclusion", "Source", "dataset_card", "registered"]

Format = Literal["csv", "xlsx", "zip", "sqlite"]
Kind = Literal["integer", "number", "text", "flag", "date"]


@dataclass(frozen=True, slots=True)
class Source:
    """One file that holds the data set.

    Attributes
    ----------
    file : str
        Name under which a copy is looked for in the data folder and kept in the cache.
    format : {"csv", "xlsx", "zip", "sqlite"}
        How the bytes are read.
    sha256 : str
        Hash of the file; empty where no file is pinned and the column sums are compared.
    download : str
        Address of the file; empty where it is not fetched.
    package, path : str
        Installed package, and the path in it, that carry the file.
    member, inner : str
        For a zip: pattern of the one file in it, and that file's format.
    sep : str
        Separator of a text table.
    query : str
        For a database: what is read.
    """

    file: str
    format: Format
    sha256: str = ""
    download: str = ""
    package: str = ""
    path: str = ""
    member: str = ""
    inner: Format = "csv"
    sep: str = ","
    query: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: where it comes from, what it means and how it is cleaned."""

    name: str
    source: str
    kind: Kind
    unit: str
    meaning: str
    take: str = ""
    recode: Mapping[str, str] = field(default_factory=dict)
    mend: Mapping[str, str] = field(default_factory=dict)
    leaks: bool = False
    distance: int | None = None


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Rows left out: those where the column is missing, or lies below a value."""

    reason: str
    column: str
    below: float | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """Rows kept but counted, because their reader should know of them."""

    label: str
    column: str
    equals: float | None = None
    matches: str = ""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A registered data set: the card that comes with its rows.

    Attributes
    ----------
    name, title, unit : str
        Registered name, one line, and what a row is.
    n : int
        Rows after the exclusions.
    randomised : bool
        Whether a treatment was randomised. Only then may a result be read as a cause.
    embedded : bool
        Whether it comes with the package or with a dependency.
    licence, citation, url : str
        Terms, whom to name, where it is described.
    distance : str
        How far the engagement counted lies from the purchase, in words.
    quirks : tuple of str
        What a user has to know.
    """

    name: str
    title: str
    unit: str
    n: int
    randomised: bool
    licence: str
    citation: str
    url: str
    distance: str
    columns: tuple[Column, ...]
    sources: tuple[Source, ...]
    quirks: tuple[str, ...] = ()
    exclude: tuple[Exclusion, ...] = ()
    count: tuple[Count, ...] = ()
    sums: Mapping[str, float] = field(default_factory=dict)
    key: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    embedded: bool = False

    def __str__(self) -> str:
        """Name, size, terms and quirks as plain text."""
        head = f"{self.name}: {self.title}. {self.n:,} rows, one per {self.unit}."
        lines = [head, f"Licence: {self.licence}.", f"Cite: {self.citation}."]
        lines.append("A treatment was randomised." if self.randomised else "Nothing was randomised.")
        return "\n".join(
            [*lines, f"Distance to purchase: {self.distance}.", *(f"- {q}" for q in self.quirks)]
        )

    def _repr_markdown_(self) -> str:
        """The card with its columns, for notebooks."""
        rows = [
            f"| `{column.name}` | {column.unit or '–'} | {column.meaning}{' (**leaks**)' if column.leaks else ''} |"
            for column in self.columns
        ]
        facts = [
            f"**{self.title}** (`{self.name}`)",
            "",
            f"{self.n:,} rows, one per {self.unit} · licence: {self.licence} · "
            + ("a treatment was randomised" if self.randomised else "nothing was randomised"),
            "",
            f"Distance to purchase: {self.distance}.",
            "",
            *(f"- {quirk}" for quirk in self.quirks),
            "",
            "| column | unit | meaning |",
            "|---|---|---|",
            *rows,
            "",
            f"{self.citation}. {self.url}".rstrip(),
        ]
        return "\n".join(facts)


def registered() -> dict[str, Dataset]:
    """Every registered data set by name, in the order of the registry.

    Examples
    --------
    >>> "movies" in registered()
    True
    """
    entries = tomllib.loads((resource("data") / "datasets.toml").read_text(encoding="utf-8"))
    return {name: _dataset(name, entry) for name, entry in entries.items()}


def dataset_card(name: str) -> Dataset:
    """What is known about a data set, without reading it.

    Parameters
    ----------
    name : str
        A name of `catalog`.

    Returns
    -------
    Dataset
        Prints as text, shows as a table of its columns in a notebook.

    Raises
    ------
    UnknownNameError
        If there is no such data set.

    Examples
    --------
    >>> card = dataset_card("hillstrom")
    >>> card.randomised, card.n
    (True, 64000)
    >>> [column.name for column in dataset_card("online-shoppers").columns if column.leaks]
    ['page_values']
    """
    sets = registered()
    if name not in sets:
        raise UnknownNameError.of("data set", name, sets)
    return sets[name]


def _dataset(name: str, entry: Mapping[str, Any]) -> Dataset:
    plain: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()
    }
    columns = tuple(
        Column(name=column, source=spec.get("from", column), **{k: v for k, v in spec.items() if k != "from"})
        for column, spec in entry["columns"].items()
    )
    plain |= {
        "columns": columns,
        "sources": tuple(Source(**source) for source in entry["sources"]),
        "exclude": tuple(Exclusion(**rule) for rule in entry.get("exclude", ())),
        "count": tuple(Count(**rule) for rule in entry.get("count", ())),
    }
    return Dataset(name=name, **plain)
