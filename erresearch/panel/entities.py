"""Which accounts and which outcomes belong to one entity: a revenue line stands for one entity only."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from erresearch.errors import DataError, GuardError

__all__ = ["Belonging", "belong", "look_up", "plain_name"]

_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Belonging:
    """The entity of each account and of each name that outcomes use.

    Parameters
    ----------
    accounts, outcomes : mapping of str to str
        Name to entity.
    notes : tuple of str
        How it was decided.
    """

    accounts: Mapping[str, str]
    outcomes: Mapping[str, str]
    notes: tuple[str, ...] = ()


def plain_name(name: str) -> str:
    """A name for comparison: handles, display names and their spelling differ by little.

    Examples
    --------
    >>> plain_name(" @Maple Moss ") == plain_name("maple_moss")
    True
    """
    return "".join(character for character in str(name).casefold() if character not in " @_.-\u00a0")


def look_up(names: Iterable[str], mapping: Mapping[str, str], *, what: str) -> dict[str, str]:
    """Find every name in a mapping, whatever its spelling.

    Raises
    ------
    DataError
        If one is not there, with the nearest names.
    """
    spelt = {plain_name(name): entity for name, entity in mapping.items()}
    spelt |= {plain_name(entity): entity for entity in mapping.values() if plain_name(entity) not in spelt}
    found = {name: spelt[plain_name(name)] for name in names if plain_name(name) in spelt}
    absent = sorted(set(names) - set(found))
    if absent:
        near = difflib.get_close_matches(plain_name(absent[0]), list(spelt), n=1)
        original = [name for name in (*mapping, *mapping.values()) if near and plain_name(name) == near[0]]
        hint = f"; perhaps {original[0]!r} means {absent[0]!r}" if original else ""
        raise DataError(
            f"`entity` does not name the entity of {what} {', '.join(map(repr, absent[:_SHOWN]))}",
            got=f"names {', '.join(map(repr, list(mapping)[:_SHOWN]))}{hint}",
            fix=f"add a line for each, such as {{{absent[0]!r}: 'my shop'}}",
        )
    return found


def belong(
    accounts: Sequence[str],
    outcomes: Mapping[str, Sequence[str]],
    mapping: Mapping[str, str] | None,
) -> Belonging:
    """Decide what belongs together.

    Parameters
    ----------
    accounts : sequence of str
        Accounts that published.
    outcomes : mapping of str to sequence of str
        Names that outcomes use, each with the sources that use it.
    mapping : mapping of str to str, or None
        Account (or name in an outcome file) to entity, as the caller says.

    Returns
    -------
    Belonging

    Raises
    ------
    DataError
        If the mapping lacks a name.
    GuardError
        If several entities have outcomes and nothing says which account belongs to which.
    """
    if mapping is not None:
        entities = sorted(set(mapping.values()))
        mine = look_up(accounts, mapping, what="account")
        if len(entities) == 1:
            return Belonging(mine, dict.fromkeys(outcomes, entities[0]))
        return Belonging(mine, look_up(outcomes, mapping, what="outcome of"))
    if not outcomes:
        one = accounts[0] if len(accounts) == 1 else "all accounts"
        return Belonging(dict.fromkeys(accounts, one), {}, _summed(accounts))
    if _one_business(outcomes):
        name = min(
            outcomes, key=lambda each: (not any("order" in s or "pay" in s for s in outcomes[each]), each)
        )
        notes = _summed(accounts)
        if len(outcomes) > 1:
            notes = (
                *notes,
                f"outcomes of {', '.join(sorted(outcomes))} are taken as those of one business, {name}",
            )
        return Belonging(dict.fromkeys(accounts, name), dict.fromkeys(outcomes, name), notes)
    spelt = {plain_name(name): name for name in outcomes}
    unknown = sorted(account for account in accounts if plain_name(account) not in spelt)
    if unknown:
        raise GuardError(
            "several entities have outcomes, and it is not said which account belongs to which",
            got=f"accounts {_list(unknown)}; entities {_list(sorted(outcomes))}",
            allowed="one outcome series per entity: a revenue line is never repeated over several accounts",
            fix=f"pass entity={{{unknown[0]!r}: {sorted(outcomes)[0]!r}, …}}",
        )
    return Belonging(
        {account: spelt[plain_name(account)] for account in accounts},
        {name: name for name in outcomes},
        ("each account has outcomes of its own name",),
    )


def _list(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:_SHOWN])) + (" …" if len(names) > _SHOWN else "")


def _one_business(outcomes: Mapping[str, Sequence[str]]) -> bool:
    """Whether different names only come from different programs."""
    sources = [source for each in outcomes.values() for source in each]
    return len(outcomes) == 1 or (len(sources) == len(set(sources)) and all(sources))


def _summed(accounts: Sequence[str]) -> tuple[str, ...]:
    if len(accounts) < 2:
        return ()
    named = ", ".join(map(str, list(accounts)[:_SHOWN])) + (" …" if len(accounts) > _SHOWN else "")
    return (f"{len(accounts):,} accounts are summed to one entity: {named}",)
