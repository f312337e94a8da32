"""What is written of a plan: the wager before its start; files, a calendar and a page; and the way back."""

from __future__ import annotations

import base64
import csv
import datetime as dt
import io
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, get_type_hints

import numpy as np
import numpy.typing as npt

from erresearch.errors import Count, DataError, DesignError, ErresearchError, is_number, said_by
from erresearch.experiments.designs import LOOK, PauseDesign, PausePlan, Schedule, share_lost
from erresearch.experiments.history import DAYS, Series, day_of, read_series
from erresearch.experiments.holdout import Holdout
from erresearch.experiments.planning import wrong_blocks
from erresearch.io import pd
from erresearch.io.files import UnfitError, atomic_write, csv_text, from_toml, read_value, resource, toml_text
from erresearch.io.outputs import output_folder
from erresearch.schema.vocabulary import PERIODS

if TYPE_CHECKING:
    from matplotlib.figure import Figure


#: A plan of pauses, or of people held out (:class:`~erresearch.experiments.Holdout`).
Planned = TypeVar("Planned", bound=Any)


def wager(plan: Planned, claim: str, *, forecast: float, date: dt.date | str) -> Planned:
    """Write down before the start what is claimed and expected; the plan's digest then covers it.

    Parameters
    ----------
    plan : PausePlan or Holdout
        As planned.
    claim : str
        What is claimed, in one sentence.
    forecast : float
        Expected effect of posting on the outcome, as a share: 0.1 for 10 %; of letters, in the outcome's unit by person.
    date : datetime.date or str
        Today, as 2026-01-31.

    Returns
    -------
    PausePlan or Holdout
        The same with the wager; publish its ``digest`` (of people held out, its ``deposit``).

    Raises
    ------
    DesignError
        If it has no claim or no number, or a share beyond 1, if there is one already, or if the plan has begun.

    See Also
    --------
    plan_experiment : Makes the plan.
    judge_experiment : Judges what came of it.

    Examples
    --------
    >>> from erresearch.experiments import plan_experiment
    >>> from erresearch.worlds import simulate_shop
    >>> plan = plan_experiment(simulate_shop("nothing", days=728, rng=1), weeks=12, block=7, lags=(1, 7))
    >>> told = wager(plan, "Posting brings revenue", forecast=0.1, date="2024-12-01")
    >>> told.claim, told.digest != plan.digest
    ('Posting brings revenue', True)
    """
    if plan.wagered:
        raise DesignError("this plan has a wager", got=f"of {plan.wagered}", fix="plan anew for another one")
    if not (isinstance(claim, str) and claim.strip() and is_number(forecast, -1e300, 1e300)):
        raise DesignError(
            "a wager needs a claim and a forecast",
            got=f"{len(str(claim).strip())} characters and {forecast!r}"[:60],
            fix="write one sentence and a share such as forecast=0.1",
        )
    if isinstance(plan, PausePlan) and abs(forecast) > 1:
        raise DesignError(
            "a forecast is a share of the outcome", got=f"{forecast:g}, which is {100 * forecast:,.0f} %",
            allowed="-1 to 1", fix="0.1 stands for 10 %",
        )  # fmt: skip
    day = day_of(date, "date")
    if isinstance(plan, PausePlan) and not day < plan.start:
        raise DesignError(
            "a wager comes before the start",
            got=f"{day}, the start is {plan.start}",
            fix="plan again with a later start (start=, --start)",
        )
    return replace(plan, claim=" ".join(claim.split()), forecast=float(forecast), wagered=str(day))


FORMAT: Final = 1
FILES: Final = ("plan.toml", "schedule.csv", "history.csv", "schedule.ics", "plan.html")
_FIXED: Final = "Nothing in here may change after the start."
DOING: Final = {True: "post", False: "pause"}


def write_plan(plan: PausePlan, folder: str | Path, *, inputs: Iterable[str | Path] = ()) -> tuple[Path, ...]:
    """Write a plan: plan.toml, schedule.csv, history.csv, schedule.ics and plan.html.

    Parameters
    ----------
    plan : PausePlan
        With or without a wager.
    folder : path
        Made if it is not there. One that is there is replaced whole, and only if this package wrote it and nobody
        changed it since (:func:`erresearch.io.outputs.output_folder`).
    inputs : iterable of path
        What the plan was made from; none of it may lie in `folder`.

    Returns
    -------
    tuple of Path
        What was written.

    Raises
    ------
    DataError
        If the folder holds a file that this package did not write, one that was changed since, or an input.
    EngineError
        If the folder cannot be written.

    See Also
    --------
    read_plan : Reads it again.

    Examples
    --------
    >>> from erresearch.experiments import plan_experiment
    >>> import tempfile
    >>> from erresearch.worlds import simulate_shop
    >>> plan = plan_experiment(simulate_shop("nothing", days=728, rng=1), weeks=12, block=7, lags=(1, 7))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     files = write_plan(plan, f"{folder}/plan")
    ...     read_plan(f"{folder}/plan").digest == plan.digest
    True
    >>> [file.name for file in files]
    ['plan.toml', 'schedule.csv', 'history.csv', 'schedule.ics', 'plan.html']
    """
    folder, picture = Path(folder), io.BytesIO()
    draw_plan(plan).savefig(picture, format="png", dpi=120, metadata={"Software": None})
    step = np.timedelta64(DAYS[plan.design.every] - 1, "D")
    schedule = [
        (at, entity, str(date), str(date + step), DOING[bool(posts)])
        for at, (entity, row) in enumerate(zip(plan.schedule.entities, plan.schedule.posting, strict=True), 1)
        for date, posts in zip(plan.schedule.dates, row, strict=True)
    ]
    history: list[tuple[object, ...]] = []
    for number, shop in enumerate(plan.history, start=1):
        columns = [shop.on(shop.dates, name) for name in _HISTORY[2:]]
        history += zip(itertools.repeat(number), map(str, shop.dates), *columns, strict=False)
    made: dict[str, str | bytes] = {
        "plan.toml": _toml(plan),
        "schedule.csv": csv_text(_SCHEDULE, schedule),
        "history.csv": csv_text(_HISTORY, history, digits=None),
        "schedule.ics": calendar_text(plan),
        "plan.html": page(plan, picture=picture.getvalue()),
    }
    with output_folder(folder, inputs=inputs) as new:
        for name, content in made.items():
            atomic_write(new / name, content)
    return tuple(folder / name for name in made)


def _toml(plan: PausePlan) -> str:
    told = {
        "format": FORMAT,
        **{name: getattr(plan, name) for name in _HEAD},
        "shops": [shop.entity for shop in plan.history],
        "start": str(plan.start),
        "end": str(plan.end),
        "estimand": "posting throughout against not at all, difference of log outcomes, as assigned",
        "analysis": "least squares with calendar terms, filtered by the past; lot drawn again",
        "seed": str(plan.seed),
        "digest": plan.digest,
        "design": asdict(plan.design),
        "power": [asdict(row) for row in plan.power],
    }
    return f"# A plan of pauses drawn at random. {_FIXED}\n{toml_text(told)}"


def read_plan(folder: str | Path) -> PausePlan:
    """Read a plan that :func:`write_plan` wrote.

    Parameters
    ----------
    folder : path
        With plan.toml, schedule.csv and history.csv.

    Returns
    -------
    PausePlan

    Raises
    ------
    DataError
        If a file is missing, damaged, or of another version.

    See Also
    --------
    plan_experiment : Makes the plan.
    judge_experiment : Judges what came of it.

    Examples
    --------
    >>> read_plan("no such folder")
    Traceback (most recent call last):
    erresearch.errors.DataError: ...
    """
    folder, kinds = Path(folder), get_type_hints(PausePlan)
    with _damage_named("plan.toml", folder=True):
        told = from_toml((folder / "plan.toml").read_text(encoding="utf-8"))
        if told.get("format") != FORMAT:
            raise DataError(
                "this plan is of another version", got=f"format {told.get('format')!r}"[:40],
                fix="plan anew with this version",
            )  # fmt: skip
        told = {"zone": "", "power": []} | told  # older plans do not say them
        shops = read_value(tuple[str, ...], told["shops"], "shops")
        head = {name: read_value(kinds[name], told[name], name) for name in (*_HEAD, "design", "power")}
        cost = head["cost"]
        if not shops or not 0 < head["delta"] < 1 or not (0 <= cost < math.inf or math.isnan(cost)):
            raise _damaged("`shops`, `delta` or `cost` of plan.toml")
        schedule = _schedule(folder / "schedule.csv", shops, head["design"])
        return PausePlan(schedule=schedule, history=_history(folder / "history.csv", shops), **head)


@contextmanager
def _damage_named(name: str, *, folder: bool = False) -> Iterator[None]:
    """Let what is missing or unfit in the files of a plan be said of them."""
    try:
        yield
    except ErresearchError:
        raise
    except UnfitError as error:
        where = f"`{error.at}` of {name}" if error.at else name
        raise _damaged(f"{where} is not {error.wanted}") from error
    except OSError as error:
        if not folder:
            raise _damaged(type(error).__name__) from error
        raise DataError(
            "this folder holds no whole plan", got=f"{said_by(error)}: {Path(str(error.filename)).name}",
            allowed=", ".join(FILES[:3]), fix="name the folder that `erresearch plan --out` wrote",
        ) from error  # fmt: skip
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, OverflowError, csv.Error) as error:
        raise _damaged(type(error).__name__) from None


def _damaged(what: str) -> DataError:
    return DataError("a file of this plan is damaged", got=what, fix="take the files as they were written")


#: What stands in plan.toml before the design.
_HEAD: Final = (
    *("outcome", "claim", "wagered", "currency", "zone"),
    *("delta", "cost", "forecast", "reasons", "blocks"),
)
_SCHEDULE: Final = ("number", "shop", "first_day", "last_day", "do")
_HISTORY: Final = ("number", "first_day", "outcome", "engagement", "posts")


def _table(path: Path, columns: Sequence[str]) -> tuple[list[dict[str, Any]], npt.NDArray[np.datetime64]]:
    """Rows, and their days; a spreadsheet saves other signs between columns, and other dates."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file, strict=True))
    if not rows or not set(columns) <= rows[0].keys():
        raise _altered(path, "lacks columns", "", ", ".join(columns))
    try:
        days = [dt.date.fromisoformat(row["first_day"]) for row in rows]
    except ValueError:
        raise _altered(path, "holds days that are no dates", "", "dates such as 2026-01-31") from None
    return rows, np.array(days, dtype="datetime64[D]")


def _schedule(path: Path, shops: Sequence[str], design: PauseDesign) -> Schedule:
    rows, days = _table(path, _SCHEDULE)
    dates = np.unique(days)
    if len(dates) != design.length or (np.diff(dates).astype(int) != DAYS[design.every]).any():
        allowed = f"{Count(design.length):period} one after the other"
        raise _altered(path, "lacks periods, or holds others", f"{Count(len(dates)):date}", allowed)
    posting = np.ones((len(shops), len(dates)), dtype=bool)
    seen = np.zeros_like(posting)
    said = {text: posts for posts, text in DOING.items()}
    for row, place in zip(rows, np.searchsorted(dates, days), strict=True):
        shop = int(row["number"]) - 1
        if not 0 <= shop < len(shops) or seen[shop, place]:
            raise _altered(path, "holds a period twice or another shop", f"{dates[place]}")
        if (doing := row["do"].strip().lower()) not in said:
            raise _altered(path, f"says something else than {' or '.join(said)}", f"{dates[place]}")
        posting[shop, place], seen[shop, place] = said[doing], True
    if not seen.all():
        raise _altered(path, "lacks periods", f"{int((~seen).sum())}")
    return Schedule(entities=tuple(shops), dates=dates, posting=posting)


def _altered(path: Path, how: str, got: str, allowed: str = "") -> DataError:
    return DataError(
        f"{path.name} {how}", got=got, allowed=allowed,
        fix="take the file as it was written, not as a spreadsheet saved it",
    )  # fmt: skip


def _history(path: Path, shops: Sequence[str]) -> tuple[Series, ...]:
    rows, days = _table(path, _HISTORY)
    values = {name: [float(row[name]) if row[name] else math.nan for row in rows] for name in _HISTORY[2:]}
    known = {name: column for name, column in values.items() if not np.isnan(column).all()}
    numbers = [int(row["number"]) for row in rows]
    if set(numbers) != set(range(1, len(shops) + 1)):
        raise _damaged("history.csv holds other shops than plan.toml")
    made = read_series(pd.DataFrame({"entity": numbers, "period": days, **known}), outcome="outcome")
    by_number = {int(series.entity): series for series in made}
    return tuple(replace(by_number[at + 1], entity=name) for at, name in enumerate(shops))


def write_holdout(plan: Holdout, path: str | Path) -> Path:
    """Write whom to hold out as a small file; it names nobody.

    Raises
    ------
    EngineError
        If the file cannot be written.

    See Also
    --------
    read_holdout : Reads it again.
    """
    text = toml_text({"format": FORMAT, **asdict(plan)})
    atomic_write(Path(path), f"# People held out, drawn at random. {_FIXED}\n{text}")
    return Path(path)


def read_holdout(path: str | Path) -> Holdout:
    """Read what :func:`write_holdout` wrote.

    Raises
    ------
    DataError
        If the file is missing, damaged, or of another version.

    See Also
    --------
    write_holdout : Writes it.
    """
    with _damage_named(Path(path).name):
        told = from_toml(Path(path).read_text(encoding="utf-8"))
        version = told.pop("format", None)
        made: Holdout = read_value(Holdout, told)
    if version != FORMAT or not (0 < made.share < 1 and 0 < made.delta < math.inf):
        raise _damaged("another version, or a share or delta that is none")
    return made


def calendar_text(plan: PausePlan) -> str:
    r"""Lay a plan's runs out as a calendar (RFC 5545) of whole days, one event for each run.

    Examples
    --------
    >>> from erresearch.experiments import plan_experiment
    >>> from erresearch.worlds import simulate_shop
    >>> plan = plan_experiment(simulate_shop("nothing", days=728, rng=1), weeks=12, block=7, lags=(1, 7))
    >>> calendar_text(plan).splitlines()[6:9]
    ['DTSTART;VALUE=DATE:20241230', 'DTEND;VALUE=DATE:20250106', 'SUMMARY:Post as usual']
    """
    step = DAYS[plan.design.every]
    stamp = f"{np.datetime_as_string(plan.start).replace('-', '')}T000000Z"
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//erresearch//plan//EN"]
    for at, (entity, date, length, posts) in enumerate(plan.schedule.runs()):
        end = date + np.timedelta64(length * step, "D")
        doing = "Post as usual" if posts else "Pause: no posts"
        what = f"{doing} ({entity})" if len(plan.schedule.entities) > 1 else doing
        lines += [
            "BEGIN:VEVENT",
            f"UID:{plan.seed:016x}-{at}@erresearch",
            f"DTSTAMP:{stamp}",
            f"DTSTART;VALUE=DATE:{str(date).replace('-', '')}",
            f"DTEND;VALUE=DATE:{str(end).replace('-', '')}",
            f"SUMMARY:{_escaped(what)}",
            "TRANSP:TRANSPARENT",
            "END:VEVENT",
        ]
    return "".join(f"{_folded(line)}\r\n" for line in [*lines, "END:VCALENDAR"])


def _escaped(text: str) -> str:
    for plain_text, written in (("\\", "\\\\"), (";", "\\;"), (",", "\\,"), ("\r", " "), ("\n", "\\n")):
        text = text.replace(plain_text, written)
    return "".join(character for character in text if character.isprintable())


def _folded(line: str) -> str:
    """No line above 75 bytes; a fold never splits a character."""
    parts: list[str] = []
    held = ""
    for character in line:
        # the blank that begins a folded line counts
        if len((held + character).encode()) > (75 if not parts else 74):
            parts.append(held)
            held = ""
        held += character
    return "\r\n ".join([*parts, held])


def page(plan: PausePlan, *, picture: bytes = b"") -> str:
    """One page for people, in HTML that asks nothing of the network.

    Parameters
    ----------
    plan : PausePlan
        What stands on it: what it can find, what it costs, how it is judged, the checklist and the schedule.
    picture : bytes
        A PNG to show; none where it is empty.

    Returns
    -------
    str

    See Also
    --------
    write_plan : Writes it beside the plan.

    Examples
    --------
    >>> from erresearch.experiments import plan_experiment
    >>> from erresearch.worlds import simulate_shop
    >>> plan = plan_experiment(simulate_shop("nothing", days=728, rng=1), weeks=12, block=7, lags=(1, 7))
    >>> "12 weeks to find out what posting brings" in page(plan)
    True
    """
    import jinja2

    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(resource("data") / "report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    return made.get_template("plan.html.j2").render(
        plan=plan,
        how=plan.design.how,
        last=plan.end - np.timedelta64(1, "D"),
        periods=PERIODS[plan.design.every].many,
        blocks=wrong_blocks(plan) if plan.blocks else None,
        look=LOOK if plan.may_look else None,
        picture=base64.b64encode(picture).decode("ascii"),
    )


INK, PAUSE, POSTS = "#1c1b19", "#a63c06", "#dcd8d0"


def draw_plan(plan: PausePlan) -> Figure:
    """Draw who pauses when, and the effect that plans of several lengths find four times in five.

    Parameters
    ----------
    plan : PausePlan
        Its schedule and its power.

    Returns
    -------
    matplotlib.figure.Figure
        Not registered with pyplot; save it or show it in a notebook.

    See Also
    --------
    write_plan : Writes the same picture to a file.

    Examples
    --------
    >>> from erresearch.experiments import plan_experiment
    >>> from erresearch.worlds import simulate_shop
    >>> plan = plan_experiment(simulate_shop("nothing", days=728, rng=1), weeks=12, block=7, lags=(1, 7))
    >>> who, power = draw_plan(plan).axes
    >>> power.get_xlabel().splitlines()
    ['weeks of the plan', '(dashed: smallest effect that matters)']
    """
    from matplotlib.dates import ConciseDateFormatter
    from matplotlib.figure import Figure

    names = plan.schedule.entities
    figure = Figure(figsize=(9, 2.8 + 0.25 * len(names)), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(5, 4))
    step = np.timedelta64(DAYS[plan.design.every], "D")
    for entity, date, length, posts in plan.schedule.runs():
        row = plan.schedule.entities.index(entity)
        colour = POSTS if posts else PAUSE
        left.barh(row, length * step, left=date, color=colour, edgecolor="white", height=0.6)
    several = names if len(names) > 1 else ()
    left.set_yticks(range(len(several)), [name[:20] for name in several])
    left.set_ylim(-0.8, len(names) - 0.2)
    left.set_title("Pauses (dark) are drawn at random", loc="left", color=INK, weight="bold", size=11)
    left.xaxis.set_major_formatter(ConciseDateFormatter(left.xaxis.get_major_locator()))
    rows = [row for row in plan.power if math.isfinite(row.detectable)]
    weeks, shares = [row.weeks for row in rows], [-100 * math.expm1(-row.detectable) for row in rows]
    right.plot(weeks, shares, "o-", color=INK)
    for at, share in zip(weeks, shares, strict=True):
        right.annotate(f"{share:.0f} %", (at, share), (0, 7), textcoords="offset points", ha="center")
    right.axhline(100 * plan.delta, color=PAUSE, linestyle="--")
    right.margins(x=0.12)
    right.set_ylim(0, 1.2 * max([*shares, 100 * plan.delta]))
    right.set_xlabel("weeks of the plan\n(dashed: smallest effect that matters)", size=9)
    right.set_ylabel(f"effect, % of {plan.outcome}")
    found = (
        f"{Count(plan.weeks):week finds} {share_lost(own.detectable)} four times in five"
        if (own := plan.own_power) is not None and math.isfinite(own.detectable)
        else "No effect is found four times in five"
    )
    right.set_title(found, loc="left", color=INK, weight="bold", size=10)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    return figure
