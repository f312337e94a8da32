"""A table as a claim sees it: which column plays which role and how it enters, and whether rows were simulated."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

import narwhals.stable.v2 as nw

from erresearch.claims.options import Options
from erresearch.claims.registry import Claim, Direction
from erresearch.datasets.entries import registered
from erresearch.engine.expressions import log
from erresearch.engine.moments import Moments
from erresearch.engine.sources import as_narwhals, column_names, in_the_index, open_rows
from erresearch.errors import ColumnError, DesignError, missing_columns, side_by_side
from erresearch.io import pl
from erresearch.panel.events import event_columns
from erresearch.schema.vocabulary import REACTIONS, SHOP_NAMES, TIME_NAMES

if TYPE_CHECKING:
    from erresearch.claims.decision_rule import Evidence

Arguments_co = TypeVar("Arguments_co", bound=Options, covariant=True)
#: Roles whose columns can be no control.
_ASKED_OF = ("x", "y", "rival", "by", "time")


class Rowless(ABC):
    """Evidence without rows in the place of a table, such as a pack."""

    __slots__ = ()
    columns: tuple[str, ...]
    digest: str

    @abstractmethod
    def evidence(self, claim: Claim, *, level: float = 0.95) -> Evidence:
        """What there is on a claim."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Declared:
    """What who brings a table says about it.

    Parameters
    ----------
    columns : mapping of str to str
        Canonical name to the table's own: ``{"engagement": "interactions"}``.
    controls : sequence of str
        Further columns to hold fixed, as log (1 + x).
    events : frame, "none" or None
        Declared events, read (:func:`erresearch.panel.events.read_events`); "none" says that there were none, None says
        nothing.
    options : mapping
        Options of the procedure in place of the claim's own, where it knows them.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    controls: Sequence[str] = ()
    events: Any = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Variables(Generic[Arguments_co]):
    """Rows with their columns cast in roles.

    Parameters
    ----------
    data : frame, path or Moments
        The rows.
    roles : mapping of str to str
        Column that plays each role.
    options : Options
        Of the procedure, with those of the data set.
    level : float
        Level at which estimates are first made.
    direction : {"greater", "less", "absent"}
        What the claim says of the effect.
    declared : Declared
        What is said about the table.
    events : mapping of str to {"pulse", "step"}
        Columns of declared events.
    completed : tuple of str
        What the table did not say and was taken, such as that all rows are one account's.
    cautions : tuple of str
        What is odd about the declared events.
    strata : str or None
        Column of groups of rows that stand for accounts and cluster the errors; set where evidence packs are made.
    """

    data: Any
    roles: Mapping[str, str]
    options: Arguments_co
    level: float = 0.95
    direction: Direction = "greater"
    declared: Declared = field(default_factory=Declared)
    events: Mapping[str, Literal["pulse", "step"]] = field(default_factory=dict)
    completed: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()
    strata: str | None = None

    @property
    def in_time(self) -> dict[str, Any]:
        """Which columns are the accounts and the time, as models over time are told."""
        return {"by": self.roles["by"], "time": self.roles["time"]}

    def column(self, role: str) -> str:
        """Name of the column that plays `role`."""
        return self.roles[role]

    def term(self, role: str) -> Any:
        """Column or expression that plays `role`, transformed as the options say."""
        column, value = self.roles[role], nw.col(self.roles[role]).cast(nw.Float64())
        if role in self.options.logs:
            return log(column)
        if role in self.options.log1p:
            return amount(column)
        if role in self.options.standardise:
            return ((value - value.mean()) / value.std()).alias(self.name(role))
        if role in self.options.log_standardise:
            logged = nw.when(value > 0).then(value).log()
            return ((logged - logged.mean()) / logged.std()).alias(self.name(role))
        return column

    def rows(self, numbers: Sequence[str], names: Sequence[str] = ()) -> pl.DataFrame:
        """Some columns in memory: numbers as floats, and what names a row as it is."""
        opened = open_rows(self.data, numbers, names, None)
        return opened.collect(*(nw.col(n).cast(nw.Float64()) for n in numbers), *names)

    def terms(self, roles: Iterable[str]) -> list[Any]:
        """Columns or expressions that play several roles, of those that the table has."""
        return [self.term(role) for role in roles if role in self.roles]

    def name(self, role: str) -> str:
        """Name of the column that :meth:`term` makes."""
        made = {
            "logs": "log {}",
            "log1p": "log (1 + {})",
            "standardise": "{} (sd)",
            "log_standardise": "log {} (sd)",
        }
        found = (pattern for option, pattern in made.items() if role in getattr(self.options, option))
        return next(found, "{}").replace("{}", self.roles[role])


def amount(column: str) -> nw.Expr:
    """Log (1 + x), of a control only: no elasticity is read from it, and rows without any must not be lost."""
    return (nw.col(column).cast(nw.Float64()) + 1.0).log().alias(f"log (1 + {column})")


def cast_roles(
    claim: Claim, data: Any, *, dataset: str, level: float = 0.95, declared: Declared | None = None
) -> Variables[Any]:
    """Cast a table's columns in the roles that a claim needs.

    Raises
    ------
    ColumnError
        Naming the roles that no column can play, and the columns that could; or declared columns that are not there.
    """
    said = declared or Declared()
    present = data.columns if isinstance(data, (Moments, Rowless)) else column_names(data)
    strange = [name for name in (*said.columns.values(), *said.controls) if name not in present]
    if strange:
        raise missing_columns(strange, present)
    roles: dict[str, str] = {}
    absent: dict[str, tuple[str, ...]] = {}
    asked = claim.cast(dataset)
    data, completed = _completed(data, asked, present, said.columns, dataset)
    if completed:
        present = column_names(data)
    for role, wanted in asked.items():
        names = _understood(role, wanted)
        own = (said.columns[name] for name in names if name in said.columns)
        found = next((name for name in (*own, *names) if name in present), None)
        if found is None and isinstance(data, Moments) and data.by in names:
            found = data.by
        if found is not None:
            roles[role] = found
        elif role not in claim.optional:
            absent[role] = names
    if absent:
        named = ", ".join(f"{role} ({' or '.join(columns)})" for role, columns in absent.items())
        least = f"least data for this claim: {claim.minimum or 'these columns'}"
        role, names = next(iter(absent.items()))
        way = "" if dataset in registered() else _where_it_may_be(data, role, names[0])
        if wide := side_by_side([columns[0] for columns in absent.values()], present):
            way = f"{wide}; "
        raise ColumnError(f"{claim.id} needs columns that are not there: {named}", fix=f"{way}{least}")
    if twice := [name for name in said.controls if name in map(roles.get, _ASKED_OF)]:
        wrong, named = "a control is what the claim itself is about", ", ".join(map(repr, twice))
        raise DesignError(wrong, got=named, fix="leave it out of `controls`")
    options = claim.arguments(dataset)
    known = {f.name for f in fields(options)} & set(said.options)
    options = replace(options, **{name: said.options[name] for name in known})
    note = claim.about(dataset)
    data = _last(data, note.last, roles) if note.last and not isinstance(data, (Moments, Rowless)) else data
    cast = Variables(data, roles, options, level, claim.direction, said, note.events, completed=completed)
    return _with_events(cast)


def _where_it_may_be(data: Any, role: str, name: str) -> str:
    """How to bring a column of one's own table that was not found."""
    if role == "by" and isinstance(data, (str, Path)):
        return "if it is one shop, read the file into a table first, which then needs no such column; "
    return in_the_index(data) or f"where it is called otherwise, pass columns={{{name!r}: 'its own name'}}; "


def _understood(role: str, names: Sequence[str]) -> tuple[str, ...]:
    """Names of the columns that may play a role: the claim's own, and those that every claim understands."""
    if role == "time":
        return (*names, *TIME_NAMES)
    return (*names, *SHOP_NAMES) if "entity" in names else tuple(names)


def _completed(
    data: Any,
    asked: Mapping[str, Sequence[str]],
    present: Sequence[str],
    mapped: Mapping[str, str],
    dataset: str,
) -> tuple[Any, tuple[str, ...]]:
    """A table that one would write by hand, with what goes without saying: one shop is one, reactions add up.

    A table without a column of accounts is that of one, if no day stands in it twice (which is refused later);
    engagement is the sum of the reactions that are there.
    """
    frame: Any = as_narwhals(data, pass_through=True)
    if not isinstance(frame, (nw.DataFrame, nw.LazyFrame)):
        return data, ()

    def open_to(role: str, name: str) -> bool:
        names = asked.get(role, ())
        return name in names and not {*_understood(role, names)} & {*present, *mapped}

    made, said = [], []
    if "time" in asked and open_to("by", "entity"):
        made.append(nw.lit(dataset).alias("entity"))
        said.append("no column of accounts: all rows are taken as those of one")
    reactions = [name for name in REACTIONS if name in present]
    if reactions and any(open_to(role, "engagement") for role in asked):
        early = [f"{name}_24h" for name in reactions]
        for name, parts in (("engagement", reactions), ("engagement_24h", early)):
            if set(parts) <= set(present):
                terms = (nw.col(part).cast(nw.Float64()) for part in parts)
                made.append(sum(terms, nw.lit(0.0)).alias(name))
        said.append(f"engagement is {' + '.join(reactions)}")
    if not made:
        return data, ()
    completed = frame.with_columns(*made).to_native()
    if hasattr(data, "attrs"):
        completed.attrs.update(data.attrs)
    return completed, tuple(said)


def _last(data: Any, time: str, roles: Mapping[str, str]) -> Any:
    """Rows of a panel's last period in which every number is known and above 0 (reactions: 0 or more)."""
    table = nw.from_native(data, eager_only=True)
    known = nw.col(time) == table[time].max()
    for role in ("followers", "reactions"):
        value = nw.col(roles[role]).cast(nw.Float64())
        known = known & ((value >= 0) if role == "reactions" else (value > 0)) & ~value.is_nan()
    return table.filter(known).to_native()


def _with_events(cast: Variables[Any]) -> Variables[Any]:
    """Lay declared events on the rows of a claim about periods; others are left as they are.

    Raises
    ------
    DesignError
        If the rows are not in memory.
    """
    events = cast.declared.events
    if events is None or isinstance(events, str) or not {"by", "time"} <= cast.roles.keys():
        return cast
    frame = as_narwhals(cast.data, pass_through=True)
    if not isinstance(frame, nw.DataFrame):
        raise DesignError(
            "events are laid on a table in memory",
            got=type(cast.data).__name__,
            fix="read the panel first, by .collect() or .df(): one row per account and period is small",
        )
    laid = event_columns(frame.to_pandas(), events, by=cast.column("by"), time=cast.column("time"))
    laid.rows.attrs.update(getattr(cast.data, "attrs", {}))
    return replace(cast, data=laid.rows, events=laid.kinds, cautions=laid.cautions)
