"""A mapping suggested for a table that no layout knows: what its columns look like, and what a row would be."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from erresearch.exports.containers import Bundle
from erresearch.exports.dates import orders_of, share_of_times
from erresearch.exports.delimited import Text, read_records
from erresearch.exports.layouts import load_registry, normalise, registered_headers
from erresearch.exports.log import ReadLog
from erresearch.exports.mapping import FIGURES, MOMENTS, columns_of
from erresearch.exports.numbers import are_numbers, currency_in
from erresearch.exports.privacy import holds_people, names_people
from erresearch.io import pl
from erresearch.io.files import registry

_MONEY: Final = ("revenue", "amount", "spend")
#: Rows of which the headers are one, and rows that are looked at.
_HEAD, _MOST_ROWS = 200, 100_000
#: Sales that may stand beside the reactions of a day, and what else days have.
SOLD: Final = ("revenue", "orders", "conversions", "sessions", "spend")
OF_DAYS: Final = ("engagements_reported", "posts")
_MOST: Final = 0.8
#: A word of letters and digits, as ids are.
_CODE: Final = r"^[A-Za-z_-]*(?:[A-Za-z]\d|\d[A-Za-z])[\w-]{5,}$"
#: Where the words of a program's name meet, as in likeCount and like_count; and the end of more than one.
_JOINED: Final = re.compile(r"(?<=[a-z])(?=[A-Z])|_")
_SINGULAR: Final = re.compile(r"ies$|s$")
#: Rows for each of one's own accounts, at least.
_SELDOM: Final = 5
#: Rows that an order may have on average, of an item each.
_ITEMS: Final = 20
_NUMBERED: Final = re.compile(r"(?i)#|(?:\b|_)(?:id|no|nr|num[eé]ro)(?:\b|_)|n[úu]mero|number|nummer")
#: Words of pieces, which are no money.
_PIECES: Final = re.compile(r"(?i)quantit|qty|cantidad|menge|anzahl|aantal")
#: Words beside followers that were won or lost, which are no stock of them.
_GAINED: Final = re.compile(
    r"\b(?:new|neu|nieuw|nuev|nouve|nov|nuov|gained|lost|net|unfollow|growth|zuwachs|change)"
)
#: Words that say of how much, and not of what.
_SUMS: Final = frozenset(("total", "totals", "gesamt", "totaal", "totale", "sum", "summe"))
#: Words that may stand beside them in the header of an amount.
_OF_MONEY: Final = ("amount", "revenue", "price", "order_id", "beside", "less")
#: States that a column may have, at most.
_STATES: Final = 20
#: Sites by whose addresses a network is known.
_SITES: Final = {
    "instagram.com": "instagram", "facebook.com": "facebook", "tiktok.com": "tiktok", "linkedin.com": "linkedin",
    "youtube.com": "youtube", "x.com": "x", "twitter.com": "x", "pinterest.com": "pinterest",
}  # fmt: skip
#: Letters from which a word is looked for at the end of a compound.
_LONG: Final = 5
#: Seconds or thousandths since 1970, or a day without signs: moments under a header that says so.
_BARE: Final = r"^1\d{9}(\d{3})?$|^20\d{6}$"
_BARE_CLOCK: Final = r"^\d{1,2}:\d{2}(:\d{2})?(\s?[AaPp][Mm])?$"


@dataclass(frozen=True, slots=True, eq=False)
class _Column:
    """A column by its header and by what its cells look like: time, number, code, state or text."""

    header: str
    looks: frozenset[str]
    cells: pl.Series
    states: int = 0


def suggested_mappings(bundle: Bundle) -> Iterator[list[str]]:
    """Lines of mappings that may fit a file, the likeliest first, with what was guessed as comments."""
    columns, twins = _columns(bundle)
    several = f"# not read, since several columns are called so: {', '.join(map(_quoted, twins))}"
    for kind, chosen in [*_of_one_figure(columns), *_candidates(columns)]:
        for lines in _lines(kind, chosen, columns):
            yield [*lines, several] if twins else lines


def _columns(bundle: Bundle) -> tuple[list[_Column], list[str]]:
    """Columns below the row that is likeliest the headers, the first of the usual width; and headers of several."""
    part = bundle.parts[0]
    part = read_records(part, ReadLog(""), fast=False) if isinstance(part, Text) else part
    rows = [row for row in part.rows[:_MOST_ROWS] if any(cell.strip() for cell in row)]
    # lines above the headers may be as wide, of blank cells
    filled = [sum(bool(cell.strip()) for cell in row) for row in rows[:_HEAD]]
    at = next((i for i, count in enumerate(filled) if count >= sorted(filled)[len(filled) // 2]), 0)
    found = []
    sums = load_registry().sums
    first = [normalise(next(cell for cell in row if cell.strip())) for row in rows[at + 1 :]]
    body = [row for row, word in zip(rows[at + 1 :], first, strict=True) if word not in sums]
    headers = rows[at] if rows else []
    twins = [header for header in dict.fromkeys(headers) if header.strip() and headers.count(header) > 1]
    for place, header in enumerate(headers):
        if header in twins:
            continue
        cells = pl.Series([row[place] if place < len(row) else "" for row in body], dtype=pl.String)
        # a few handles again and again, under a header that says so, are one's own accounts
        own = _SELDOM * cells.n_unique() <= len(cells) and means(header, "account")
        if header.strip() and not names_people(header) and (own or not holds_people(cells)):
            found.append(_looked_at(header.strip(), cells))
    return found, [header for header in twins if not names_people(header)]


def _looked_at(header: str, cells: pl.Series) -> _Column:
    said = cells.str.strip_chars().replace("", None).drop_nulls()
    states = said.str.to_lowercase().replace_strict(dict(load_registry().states), default=None)
    enough = max(1.0, _MOST * len(said))
    tests = {
        "address": int(said.str.contains(r"^[a-z][a-z0-9+.-]*://").sum()),
        "id": int(said.str.contains(_CODE).sum()) if said.n_unique() == len(said) else 0,
        "clock": int(said.str.contains(_BARE_CLOCK).sum()),
        "time": share_of_times(said) * len(said)
        or int(said.str.contains(_BARE).sum()) * means(header, "date"),
        "number": len(said) * are_numbers(said),
        "code": int(said.str.to_uppercase().is_in(sorted(load_registry().currencies)).sum()),
        "state": int(states.is_not_null().sum()) / 0.6,
    }
    looks = frozenset(name for name, count in tests.items() if count >= enough) or frozenset({"text"})
    return _Column(header, looks, cells, states.drop_nulls().n_unique())


def means(header: str, *targets: str, within: bool = False) -> bool:
    """Whether the words of a header are those of one of these figures, or end so where they may be compounds."""
    return any(
        _says(header, word, within=within) for target in targets for word in load_registry().hints[target]
    )


#: What a row would be, beside what the registry says of each kind.
_ROWS: Final[Mapping[str, str]] = {
    "days": "each row is what was sold on a day; amount in place of revenue where it is one sale",
    "figures": "each row gives one figure of a day",
}
#: What the cells of a column must look like; any looks will do for the others.
_LOOKS: Final[Mapping[str, str]] = {
    "date": "time", "published_at": "time", "day": "time", "time": "clock", "currency": "code", "status": "state",
    **dict.fromkeys(("account", "entity", "network"), "text"),
    **dict.fromkeys(("amount", "value", "followers", "score", *SOLD, *FIGURES, *OF_DAYS), "number"),
}  # fmt: skip


def _candidates(columns: list[_Column]) -> Iterator[tuple[str, dict[str, _Column]]]:
    """Kinds that the columns allow, with a column for each canonical one, no column twice."""
    for kind in registry("platforms.toml")["tables"]:
        chosen: dict[str, _Column] = {}
        for target in columns_of(kind, "usual"):
            found = _best(target, [column for column in columns if column not in chosen.values()])
            chosen |= {target: found} if found is not None else {}
        if not (set(MOMENTS) & set(chosen) and set(columns_of(kind, "known_by")) & set(chosen)):
            continue
        # what was spent stands beside a campaign
        of_campaigns = _best("spend", columns) is not None and any(
            means(c.header, "campaign") for c in columns
        )
        if kind in ("posts", "daily") and "post_id" not in chosen and of_campaigns:
            continue
        # figures of which each day has one row are of days, unless the rows have ids or states of their own
        of_things = {"post_id", "order_id", "status"} & set(chosen)
        if kind in ("posts", "daily") and not of_things:
            chosen |= _whose(chosen, columns)
        # a second copy of a row is no other sale
        by_day = not of_things and _one_a_day(chosen, columns if kind == "outcomes" else ())
        if kind == "posts" and by_day:
            continue
        left = [column for column in columns if column not in chosen.values()]
        orders = _best("orders", left) if kind == "outcomes" else None
        # a row of several orders is no sale, whatever else it has
        several = orders is not None and (orders.cells.cast(pl.Float64, strict=False) > 1).any()
        if kind == "outcomes" and (by_day or several):
            chosen = {"revenue" if name == "amount" else name: column for name, column in chosen.items()}
            chosen.pop("order_id", None)
            chosen |= {"orders": orders} if orders is not None else {}
        yield kind, chosen


def _of_one_figure(columns: list[_Column]) -> Iterator[tuple[str, dict[str, _Column]]]:
    """Columns of a table of one figure a row, where the words of one of them are names of figures."""
    moment, figure = _best("date", columns), _best("value", columns)
    words = [column for column in columns if column.looks == {"text"} and _words_of(column)]
    if moment is None or figure is None or not words or _one_a_day({"date": moment}):
        return
    chosen = {"date": moment, "metric": words[0], "value": figure}
    whose = _best("account", columns) or _best("entity", columns)
    sold = not set(_words_of(words[0])) - {*SOLD}
    if whose is not None:
        chosen["entity" if sold else "account"] = whose
    yield "outcomes" if sold else "daily", chosen


def _words_of(column: _Column) -> dict[str, str]:
    """The words of a column that are names of figures, by the figure."""
    found: dict[str, str] = {}
    for word in column.cells.unique().sort().head(_HEAD):
        said = [_Column(word, frozenset({"number"}), column.cells)]
        targets = [name for name in (*FIGURES, *OF_DAYS, "followers", *SOLD) if _best(name, said)]
        found |= {target: word for target in targets[:1] if target not in found}
    return found


def _one_a_day(chosen: Mapping[str, _Column], apart: Iterable[_Column] = ()) -> bool:
    """Whether no day stands twice for an account, but in rows that are alike in all of `apart`, and none has a clock."""
    days = next(chosen[name].cells for name in MOMENTS if name in chosen)
    whose = chosen.get("account", chosen.get("entity"))
    keys = [days, *([whose.cells] if whose is not None else [])]
    others = [column.cells for column in apart] or [pl.int_range(len(days), eager=True)]
    clocks = "time" in chosen or days.str.contains(r"\d:\d\d").any()
    rows = pl.DataFrame({str(i): cells for i, cells in enumerate([*keys, *others])}).unique()
    return len(days) > 1 and not clocks and not rows[:, : len(keys)].is_duplicated().any()


def _whose(chosen: Mapping[str, _Column], columns: list[_Column]) -> dict[str, _Column]:
    """The shop of each row of a table with money: a text column that has each day once, and few words beside the days."""
    if "account" in chosen or all(_best(name, columns) is None for name in _MONEY):
        return {}
    left = [column for column in columns if column not in chosen.values() and "text" in column.looks]
    named = _best("entity", left)
    days = next(chosen[name].cells.n_unique() for name in MOMENTS if name in chosen)
    for column in [named] if named is not None else [] if _one_a_day(chosen) else left:
        few = days * column.cells.n_unique() <= 2 * len(column.cells)
        if few and _one_a_day({**chosen, "account": column}):
            return {"account": column}
    return {}


def _best(target: str, columns: list[_Column]) -> _Column | None:
    """The column whose header means it most; of several states the one that has most of them."""
    hints = load_registry().hints[target]
    looks = _LOOKS.get(target)
    # a header that says so and two states that are known make states of a column
    said = [c for c in columns if target == "status" and c.states > 1 and means(c.header, target)]
    fitting = [c for c in columns if looks is None or looks in c.looks or c in said]
    if target == "order_id":
        fitting = [
            c for c in fitting if not (means(c.header, "orders") or c.looks & {"time", "clock", "state"})
        ]
    if target == "followers":
        fitting = [c for c in fitting if not _GAINED.search(normalise(c.header))]
    if target == "engagements_reported":
        fitting = [c for c in fitting if c.cells.str.contains(r"^\s*$|^[\d.,'\s]*\d{3}$|^\d{1,3}$").all()]
    if target in ("amount", "spend"):
        fitting = [c for c in fitting if not _taken_off(c.header) and not _counts_others(c)]
    known = registered_headers(target)
    ranks = {}
    for column in fitting:
        said_at = (rank for rank, word in enumerate(hints) if _says(column.header, word))
        ranks[column] = -1 if normalise(column.header) in known else next(said_at, len(hints))
    named = [column for column in fitting if ranks[column] < len(hints)]
    if target in ("date", "published_at", "day") and not named:
        named = fitting[:1]
    named = named or [c for c in fitting if any(_says(c.header, word, within=True) for word in hints)]
    named = named or [c for c in columns if target == "post_id" and c.looks & {"address", "id"}]
    if target in ("order_id", "post_id"):
        several = _ITEMS if target == "order_id" else 2
        numbered = [several if _NUMBERED.search(column.header) else 2 for column in named]
        named = [
            c for c, rows in zip(named, numbered, strict=True) if c.cells.n_unique() > len(c.cells) / rows
        ]
    if target == "order_id" and any(0 <= rank < len(hints) for rank in ranks.values()):
        # one shop calls the id of an order a name; beside a column that says so it is a name
        ranks = {column: rank if rank >= 0 else len(hints) for column, rank in ranks.items()}

    def worth(column: _Column) -> tuple[int, bool, int]:
        # the words of a header may be those of another figure, although some platform has it for this one
        others = [name for name in (*FIGURES, *OF_DAYS) if name != target]
        another = not means(column.header, target) and means(column.header, *others)
        return -column.states * (target == "status"), another, ranks[column]

    return min(named, key=worth, default=None)


def _counts_others(column: _Column) -> bool:
    """Whether a column of whole numbers is the total of something that is no money, such as opens or clicks."""
    words = re.findall(r"[^\W\d_]+", normalise(column.header))
    others = [word for word in words if word not in _SUMS]
    if len(others) == len(words) or not others or not column.cells.str.contains(r"^\s*\d*\s*$").all():
        return False
    return means(column.header, "orders") or not any(means(word, *_OF_MONEY) for word in others)


def _says(header: str, word: str, *, within: bool = False) -> bool:
    """Whether a word of a header begins so, or ends so as compounds do (Gesamtbetrag); likeCount is likes."""
    if within and len(word) < _LONG:
        return False
    return _pattern(word, within).search(normalise(_JOINED.sub(" ", header))) is not None


@cache  # there are more words than the expressions that `re` keeps
def _pattern(word: str, within: bool) -> re.Pattern[str]:
    words = rf"{re.escape(word)}|{re.escape(_SINGULAR.sub(lambda end: 'y' if end[0] == 'ies' else '', word))} count"
    return re.compile(rf"(?:{words})(?![^\W\d_])" if within else rf"(?<![^\W\d_])(?:{words})")


def _lines(kind: str, chosen: Mapping[str, _Column], columns: list[_Column]) -> Iterator[list[str]]:
    """Lines of a mapping, the fullest first; without the column of states where none of them counts as sold."""
    row = "figures" if "metric" in chosen else "days" if kind == "outcomes" and "revenue" in chosen else kind
    about = f"  # guess: {_ROWS.get(row) or registry('platforms.toml')['tables'][row]['row']}"
    # new followers of each post are often called followers
    doubted = [name for name in ("status", "followers") if name in chosen and kind in ("outcomes", "posts")]
    for left_out in ({""}, *({name} for name in doubted)):
        named = {target: column for target, column in chosen.items() if target not in left_out}
        body = ", ".join(f"{target} = {_quoted(column.header)}" for target, column in named.items())
        lines = [f'kind = "{kind}"{about}', f"columns = {{ {body} }}"]
        site = _site(named) if kind == "posts" else ""
        lines += [f'platform = "{site}"  # guess: the addresses are of it'] if site else []
        if "metric" in named:
            words = _words_of(named["metric"]).items()
            lines.append(f"figures = {{ {', '.join(f'{name} = {_quoted(word)}' for name, word in words)} }}")
        moment = next(column for column in named.values() if "time" in column.looks)
        if not orders_of(moment.cells) and moment.cells.str.contains(r"^\s*\d{1,2}[-/.]\d{1,2}[-/.]").any():
            lines.append('dates = "DMY"  # guess: no day is above 12; "MDY" where the month stands first')
        money = named.get("amount") or named.get("revenue") or named.get("spend")
        signed = (
            money is None or currency_in(money.header) or money.cells.str.contains(r"[\p{Sc}]|\p{L}{2}").any()
        )
        if not signed and "currency" not in named:
            lines.append('currency = "EUR"  # guess: the file names none')
        numbers = [c.header for c in columns if "number" in c.looks and c not in named.values()]
        less = [header for header in numbers if _taken_off(header)]
        unread = [header for header in numbers if header not in less]
        if unread:
            lines.append(f"# not read: {', '.join(map(_quoted, unread))}")
        if kind == "followers":
            lines.append('# platform = "instagram"  # where these followers are, as the posts have it')
            lines += [] if "account" in named else ['# account = "…"  # whose they are, as the posts have it']
        if "amount" in named and less:
            lines.append(f"# less = [{', '.join(map(_quoted, less[:3]))}]  # takes them off the amounts")
        states = [c.header for c in columns if c not in named.values() and _may_be_states(c)]
        back = [header for header in unread if means(header, "refunded") and not _PIECES.search(header)]
        if "amount" in named and back:
            lines.append(f"# refunded = {_quoted(back[0])} among the columns gives back what was refunded")
        if "amount" in named and states:
            about = "as status, with won for those that count as sold"
            lines.append(f"# not read: {', '.join(map(_quoted, states))}, which may hold states: {about}")
        if "status" in named and "state" not in named["status"].looks:
            lines += [
                '# won = ["…"]  # names the states that count as sold, in place of those that are known'
            ]
        yield lines
        yield [*lines, _decimal(named.values())]


def _may_be_states(column: _Column) -> bool:
    """Whether a column is called so or holds one, and has few words again and again."""
    some = column.states > 0 or (column.looks == {"text"} and means(column.header, "status"))
    return some and 1 < column.cells.n_unique() <= min(_STATES, len(column.cells) / 2)


def _site(named: Mapping[str, _Column]) -> str:
    """The network whose addresses the posts have, where no column names it."""
    cells = named["post_id"].cells if "post_id" in named and "network" not in named else pl.Series([""])
    first = cells.head(_HEAD).str.extract(r"^https?://(?:[\w-]+\.)*?([\w-]+\.com)/", 1)
    found = {_SITES.get(site or "", "") for site in first}
    return found.pop() if len(found) == 1 else ""


def _taken_off(header: str) -> bool:
    """Whether a column is tax or shipping, and no amount with or without them."""
    return means(header, "less") and not means(header, "beside")


def _quoted(text: str) -> str:
    """A text as TOML writes it."""
    return (
        '"' + "".join({'"': '\\"', "\\": "\\\\", "\n": " ", "\r": " "}.get(sign, sign) for sign in text) + '"'
    )


def _decimal(columns: Iterable[_Column]) -> str:
    """A guess of the decimal sign: points that part three digits everywhere, as in 1.240, part thousands."""
    cells = pl.concat([column.cells for column in columns if column.looks & {"number", "time"} == {"number"}])
    pointed = cells.filter(cells.str.contains(".", literal=True))
    if len(pointed) and pointed.str.contains(r"^[^.\d]*\d{1,3}(\.\d{3})+([^.\d].*)?$").all():
        return 'decimal = ","  # guess: points part thousands; "." where they part decimals'
    return 'decimal = "."  # guess: "," where commas part decimals'
