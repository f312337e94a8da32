"""Claims on one's own panel: which can be judged, which cannot, and what would help."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from erresearch.audits.rate_tables import entity_table
from erresearch.claims.board import examine
from erresearch.claims.decision_rule import COSTLY, DETECTABLE, SHOWN, not_judged
from erresearch.claims.registry import Claim, read_claims
from erresearch.errors import Count, DesignError
from erresearch.io import pd
from erresearch.panel.activity import BOOSTED
from erresearch.panel.records import Choice, Panel
from erresearch.relate.distributed_lags import SHORTEST
from erresearch.relate.inference import FEWEST_CLUSTERS
from erresearch.relate.shop_days import FEW_SHOPS
from erresearch.results import Doubt, Verdict, plain, rounded
from erresearch.results.verdicts import ReasonCode
from erresearch.robustness.guards import boosts_in
from erresearch.schema.vocabulary import PERIODS, Freq

_HINTS: Mapping[str, str] = MappingProxyType(
    {
        "revenue": "add a file of orders, payments or revenue by day as outcomes",
        "spend": "add the advertising export by day",
        "followers": "add the follower history of each account",
        "er_by_followers": "add the follower history of each account",
        "conversion_rate": "add visits and orders by day, such as GA4's report by date",
        "reach": "add an export of posts with reach",
        "engagement": "add an export of posts with reactions",
        "nps": "add a survey of customers with an answer from 0 to 10 and its date (--survey), with 100 or more answers "
        "a period",
    }
)
_CHOSEN = "(--choice says how they were chosen)"
_NOTHING_SPENT = "where nothing was spent, say so (--nothing-spent, or Rules(nothing_spent=True))"
_ALONE = (
    "it takes out what all shops share in a period, and with one shop nothing is left to compare: add "
    "shops, not time"
)
_ARROW_PROCEDURES = ("precedence", "long run")
# rows of one entity follow each other: only these know it
_IN_TIME = ("precedence", "prediction", "long run")
#: Periods with both x and y of one entity, below which nothing is estimated.
FEWEST_PERIODS = 20
# z of a two-sided test at 5 % and of 80 % power
_POWER = 1.96 + 0.8416
_YEARS = 10
_LONGER = {"D": "judge by week (--freq W)", "W": "judge by month (--freq M)", "M": ""}
#: Codes of errors that say that rows were wanting.
_TOO_FEW = (ReasonCode.TOO_FEW_ROWS, ReasonCode.NO_COMPLETE_ROW)


@dataclass(frozen=True, slots=True)
class Wanting:
    """Why a claim cannot be judged.

    Parameters
    ----------
    reason : str
        The sentence; empty where nothing is wanting.
    needs : frozenset of str
        Columns that it waits for.
    code : str
        One of :class:`~erresearch.results.ReasonCode`.

    See Also
    --------
    judge_panel : Takes them by column.
    """

    reason: str
    needs: frozenset[str] = frozenset()
    code: str = ReasonCode.COLUMNS_MISSING


def judge_panel(
    panel: Panel | None,
    accounts: pd.DataFrame | None = None,
    *,
    name: str = "your data",
    sesoi: float | None = None,
    wanting: Mapping[str, Wanting] = MappingProxyType({}),
    events: Any = None,
    choice: Choice = "",
) -> tuple[Verdict, ...]:
    """Judge every claim that a panel has columns for.

    Where posts were boosted and what was spent is not in the panel, nothing about outcomes is judged: money moves
    reactions and sales alike. With spending in the panel, every claim about outcomes holds it fixed; where nothing says
    that anything was spent, the verdict says "advertising not declared".

    Parameters
    ----------
    panel : Panel or None
        What :func:`erresearch.build_panel` made.
    accounts : pandas.DataFrame, optional
        One row per account, for claims about accounts.
    name : str
        What the data are called.
    sesoi : float, optional
        Another smallest effect of interest for the claims that are elasticities.
    wanting : mapping of str to Wanting
        Why there is no outcome ("revenue"), no spending by day ("spend") or no score of a survey ("nps"), where there
        is none.
    events : pandas.DataFrame, "none" or None
        Declared events, as :func:`erresearch.examine` takes them.
    choice : {"", "all", "followers", "reactions", "mixed"}
        How the accounts were chosen; empty where it is not known.

    Returns
    -------
    tuple of Verdict
        One per claim that a table of posts and outcomes can be asked at all. What lacks a column is *not judged*, with
        what to add; what is inconclusive carries the effect that could have been found and what would help.

    Raises
    ------
    DesignError
        If `sesoi` is not positive.
    """
    if sesoi is not None and not (isinstance(sesoi, (int, float)) and 0 < sesoi < math.inf):
        wrong = "`sesoi` must be a positive number"
        raise DesignError(wrong, got=repr(sesoi), fix="declare it before seeing results")
    wanting = {"revenue": Wanting(""), "nps": Wanting(""), "spend": Wanting(""), **wanting}
    wanting["spend"] = _about_spending(panel, wanting["spend"])
    asked = _Asked(panel=panel, accounts=accounts, name=name, wanting=wanting, events=events, choice=choice)
    verdicts = []
    for claim in read_claims():
        unit = claim.estimand.get("unit", "")
        # of accounts, or of entities over time; others need other tables
        if not (unit == "account" or (unit.startswith("entity") and claim.procedure in _IN_TIME)):
            continue
        if sesoi is not None and claim.procedure in _ARROW_PROCEDURES:
            claim = replace(claim, sesoi=sesoi, sesoi_reason="declared by who asked for the audit")  # noqa: PLW2901
        verdicts.append(asked.verdict(claim))
    return tuple(verdicts)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Asked:
    """What every claim is asked of: the panel, its accounts, what is wanting by column, and what was declared."""

    panel: Panel | None
    accounts: pd.DataFrame | None
    name: str
    wanting: Mapping[str, Wanting]
    events: Any
    choice: Choice

    def verdict(self, claim: Claim) -> Verdict:
        """Judge one claim, or say what it waits for."""
        about_accounts = claim.estimand.get("unit") == "account"
        table = _accounts_for(claim, self.accounts, self.panel) if about_accounts else self._rows()
        wanting = self._without_columns(claim, table)
        if wanting is not None:
            return _not_judged(claim, self.name, wanting)
        assert table is not None
        if self.panel is None or about_accounts:
            if (known := len(table)) < FEWEST_CLUSTERS:
                few = f"the claim compares accounts, and followers are known for {known}: {claim.minimum}"
                return _not_judged(claim, self.name, Wanting(few, code=ReasonCode.FEW_CLUSTERS))
            (verdict,) = examine(claim, {self.name: table}, choice=self.choice or None)
            return _helped(verdict, self.panel, about_accounts)
        idle = _unusable(claim, table, self.panel.freq)
        if idle:
            if self.wanting["nps"].reason and _played(claim, "x", table) == "nps":
                idle = f"{idle}; {self.wanting['nps'].reason}"
            at_rest = Wanting(idle, code=ReasonCode.OTHER)
            return _not_judged(claim, self.name, at_rest, simulated=bool(table.attrs.get("simulated")))
        return _helped(self._over_time(claim, table, self.panel), self.panel, about_accounts)

    def _rows(self) -> pd.DataFrame | None:
        if self.panel is None:
            return None
        rows: pd.DataFrame = self.panel.rows.copy(deep=False)
        rows.attrs["currency"] = self.panel.currency  # what an action is worth is told in it
        return rows

    def _without_columns(self, claim: Claim, table: pd.DataFrame | None) -> Wanting | None:
        """What a claim waits for, where the table lacks columns for it."""
        if table is None or not len(table):
            if self.panel is None and self.accounts is None and self.wanting["revenue"].reason:
                # an audit without posts waits for posts before anything else
                return replace(self.wanting["revenue"], needs=frozenset({"engagement"}))
            return _missing(claim, (), self.wanting)
        columns = [str(column) for column in table.columns]
        absent = _absent(claim, columns)
        if absent:
            return _missing(claim, absent, self.wanting)
        spend = self.wanting["spend"]
        return spend if spend.reason and "spend" in claim.roles and "spend" not in columns else None

    def _over_time(self, claim: Claim, table: pd.DataFrame, panel: Panel) -> Verdict:
        """Judge a claim on the panel, with what boosted posts put in doubt."""
        asked, constant = _without_constants(claim, table)
        (verdict,) = examine(asked, {self.name: table}, events=self.events)
        verdict = _explained(verdict, claim, table, panel.freq)
        bought = _boost_doubts(panel) if verdict.estimate is not None else ()
        return replace(verdict, doubts=(*verdict.doubts, *constant, *bought))


def judged_by_day(panel: Panel | None) -> bool:
    """Whether days can be judged one by one: of one to five shops, 180 or more of each, most of them with revenue."""
    if panel is None or "revenue" not in panel.columns:
        return False
    known = panel.rows.dropna(subset=["revenue"])
    each = known["revenue"].gt(0).groupby(known["entity"]).agg(["size", "mean"])
    return 0 < len(each) <= FEW_SHOPS and bool(((each["size"] >= SHORTEST) & (each["mean"] > 0.5)).all())


def _about_spending(panel: Panel | None, unpriced: Wanting) -> Wanting:
    """Why what was spent must be known here; an empty sentence where nothing says that anything was."""
    if panel is None:
        return Wanting("")
    needs = frozenset({"spend"})
    found = boosts_in(panel.rows)
    if found.boosted > 0:
        text = (
            f"{found}, which moves reactions and sales alike, and what was spent is not known: {_HINTS['spend']}; or "
            "leave the boosted posts out (--leave-out-boosted, or Rules(paid='left out')) and, where nothing else was "
            "spent, say that too (--nothing-spent, or nothing_spent=True)"
        )
        return Wanting(text, needs, ReasonCode.BOOSTED_UNPRICED)
    if unpriced.reason:
        text = f"there was advertising, but not what was spent by day ({unpriced.reason}): {_HINTS['spend']}"
        return Wanting(text, needs)
    return Wanting("")


def _boost_doubts(panel: Panel) -> tuple[Doubt, ...]:
    """What boosted posts still put in doubt where spending is held fixed, or where they were left out."""
    said = []
    posts = panel.accounting.get("posts")  # none where reactions came by day
    left = posts.reasons.get(BOOSTED, 0) if posts is not None else 0
    if left:
        text = f"{Count(left):boosted post is} left out; people whom they brought may have bought anyway"
        said.append(Doubt("boosted posts", text, float(left), raised=True))
    if {"paid_posts", "spend"} <= set(panel.columns):
        bought = panel.rows.loc[panel.rows["paid_posts"] > 0, "spend"].dropna()
        free = int((bought == 0).sum())
        if free:
            text = (
                f"{free:,} of {len(bought):,} {PERIODS[panel.freq].many} with boosted posts have a spending of 0: "
                "the files of advertising may not hold what the boosts cost"
            )
            said.append(Doubt("boosts without a price", text, free / len(bought), raised=True))
    return tuple(said)


def _unusable(claim: Claim, table: pd.DataFrame, freq: Freq) -> str:
    """Why x and y of these rows cannot be related at all: too few of them, or one that never moves."""
    chosen = {role: _played(claim, role, table) for role in ("x", "y")}
    both = table[[name for name in chosen.values() if name is not None]].dropna()
    entities = table["entity"].nunique()
    for name in both.columns:
        if len(both) and bool((both[name] == both[name].iloc[0]).all()):
            value = plain(float(both[name].iloc[0]))
            return f"{name} is {value} in all {Count(len(both)):row}: what never moves cannot be related to anything"
    rival = _played(claim, "rival", table)
    if rival is not None and _stands_still(table, rival):
        return f"{rival} is the same in every period, so that it can predict no change and be no rival here"
    if entities == 1 and claim.procedure == "long run":
        return _ALONE
    if entities == 1 and len(both) < FEWEST_PERIODS and len(both.columns) == 2:
        period, needed = PERIODS[freq], _periods_needed(claim, both, chosen)
        wanted = f"; about {needed:,} {period.many} like these would find {plain(claim.sesoi)}"
        return (
            f"not enough data: {Count(len(both)):{period.one} has} both {chosen['x']} and {chosen['y']}, and "
            f"{FEWEST_PERIODS} are the least{wanted if needed > FEWEST_PERIODS else ''}"
        )
    return ""


def _stands_still(table: pd.DataFrame, name: str) -> bool:
    """Whether a column has values, and never another one within an entity."""
    return bool(table[name].notna().any() and table.groupby("entity")[name].nunique().max() <= 1)


def _periods_needed(claim: Claim, both: pd.DataFrame, chosen: Mapping[str, str | None]) -> int:
    """Periods of one entity with which δ would be found at 80 % power; 0 where it cannot be said.

    The slope's standard error is about s_y / (s_x √n), with logs where the claim takes them.
    """
    import numpy as np

    spread = {}
    for role, name in chosen.items():
        values = both[str(name)].to_numpy(dtype=float)
        if role in claim.arguments().logs:
            values = np.log(values[values > 0])
        spread[role] = float(values.std(ddof=1)) if len(values) > 2 else 0.0
    if not all(spread.values()) or not claim.sesoi > 0:
        return 0
    return math.ceil((_POWER * spread["y"] / (claim.sesoi * spread["x"])) ** 2)


def _without_constants(claim: Claim, table: pd.DataFrame) -> tuple[Claim, tuple[Doubt, ...]]:
    """A control that never moves within an entity explains nothing there and is left out, with a word."""
    doubts = []
    for role in [each for each in claim.roles if each not in ("x", "y", "rival", "by", "time")]:
        name = _played(claim, role, table)
        if name is None or not _stands_still(table, name):
            continue
        claim = claim.without(role)
        text = f"{name} is the same in every period, so that it can explain no change and is no control here"
        doubts.append(Doubt("constant control", text))
    return claim, tuple(doubts)


def what_would_help(
    verdicts: Sequence[Verdict], *, plan: str = "", settles: Sequence[str] = (), freq: Freq | None = None
) -> tuple[str, ...]:
    """What claims wait for, that which most answers depend on first.

    Each line is worth the claims that it may give another word: those that wait for a file, those that the plan may
    settle, those that are open and within reach of more rows like these. Claims that posts bring revenue go
    first, as an audit asks about them, then others about revenue; what may settle none comes last.

    Parameters
    ----------
    verdicts : sequence of Verdict
        What :func:`judge_panel` found.
    plan : str
        What is said of a plan of pauses; empty where nothing is.
    settles : sequence of str
        Claims that it may settle.
    freq : {"D", "W", "M"}, optional
        Periods of the panel, where more of them may help.

    Returns
    -------
    tuple of str
        One line each, with the claims.
    """
    about_money = [claim for claim in read_claims() if "revenue" in claim.roles.get("y", ())]
    asked = ({claim.id for claim in about_money if claim.arrow}, {claim.id for claim in about_money})
    boosted = any(verdict.reason_code == ReasonCode.BOOSTED_UNPRICED for verdict in verdicts)
    more = {} if boosted else {_HINTS["spend"]: f"; {_NOTHING_SPENT}"}
    worth: dict[str, list[str]] = {plan: list(settles)} if plan else {}
    # what compares accounts cannot use one more history of the same few
    compared = {claim.id: claim.minimum for claim in read_claims() if claim.estimand.get("unit") == "account"}
    for hint in dict.fromkeys(_HINTS.values()):
        waiting: dict[str, list[str]] = {}
        for verdict in verdicts:
            if verdict.word == "not judged" and hint in {_HINTS.get(name) for name in verdict.needs}:
                few = verdict.claim in compared and "followers" in verdict.needs
                of = f", of {compared[verdict.claim]} {_CHOSEN}" if few else ""
                waiting.setdefault(hint + of, []).append(verdict.claim)
        for said, names in waiting.items():
            worth[f"{said}{more.get(said, '')} ({', '.join(names)})"] = names
    lacking = {v.claim: _more(v, freq) for v in verdicts} if freq else {}
    reach = {claim: one for claim, one in lacking.items() if one is not None and one.near}
    if reach:
        most = max(reach.values(), key=lambda one: one.wanted)
        chosen = f" {_CHOSEN}" if compared.keys() & reach.keys() else ""
        worth[f"up to {most.text}{chosen} ({', '.join(reach)})"] = list(reach)
    return tuple(
        sorted(worth, key=lambda text: (*(-len(ids & {*worth[text]}) for ids in asked), -len(worth[text])))
    )


def _accounts_for(claim: Claim, accounts: pd.DataFrame | None, panel: Panel | None) -> pd.DataFrame | None:
    """Accounts of the posts; entities of the panel where only these have what the claim is about, such as revenue."""
    lacks = accounts is None or not len(accounts) or bool(_absent(claim, list(accounts.columns)))
    entities = entity_table(panel) if lacks and panel is not None else None
    if entities is None or _absent(claim, list(entities.columns)):
        return accounts
    return entities


def _absent(claim: Claim, columns: list[str]) -> tuple[str, ...]:
    return tuple(
        names[0]
        for role, names in claim.roles.items()
        if role not in claim.optional and not set(names) & set(columns)
    )


def _missing(claim: Claim, absent: tuple[str, ...], wanting: Mapping[str, Wanting]) -> Wanting:
    asked = {name for names in claim.roles.values() for name in names}
    if wanting["revenue"].reason and ("revenue" in absent or (not absent and "revenue" in asked)):
        return wanting["revenue"]
    if wanting["spend"].reason and absent == ("spend",):
        return wanting["spend"]
    if wanting["nps"].reason and absent[:1] == ("nps",):
        return Wanting(f"no {', no '.join(absent)}: {wanting['nps'].reason}")
    about_accounts = claim.estimand.get("unit") == "account"
    waited: tuple[str, ...] = ("followers" if "followers" in claim.roles else "revenue",)
    if absent:
        waited = () if about_accounts else tuple(name for name in absent if name in _HINTS)
    hints = [_HINTS[name] for name in waited]
    if "spend" in absent and not about_accounts:
        hints.append(_NOTHING_SPENT)
    said = f"no {', no '.join(absent)}" if absent else "nothing to judge it on"
    return Wanting(f"{said}: {'; '.join(hints) or claim.minimum}", frozenset(waited))


def _not_judged(claim: Claim, name: str, wanting: Wanting, *, simulated: bool = False) -> Verdict:
    verdict = not_judged(claim, dataset=name, reason=wanting.reason, code=wanting.code, simulated=simulated)
    return replace(verdict, needs=wanting.needs)


def _helped(verdict: Verdict, panel: Panel | None, about_accounts: bool) -> Verdict:
    """The verdict with what would help where the answer is inconclusive."""
    text = _help(verdict, panel, about_accounts)
    return replace(verdict, doubts=(*verdict.doubts, Doubt("what would help", text))) if text else verdict


def _help(verdict: Verdict, panel: Panel | None, about_accounts: bool) -> str:
    if verdict.word != "inconclusive" or verdict.estimate is None or verdict.sesoi is None:
        return ""
    codes = {doubt.code for doubt in verdict.doubts}
    if SHOWN in codes:
        return ""  # it says already what more days would show
    if about_accounts or panel is None:
        return "more accounts, chosen without looking at their reactions; more posts of the same ones hardly help"
    if panel.freq == "D" and COSTLY in codes:
        return f"{_LONGER['D']}: figures of 0 took most of these rows"
    more = _more(verdict, panel.freq)
    if more is None:
        return ""
    text = f"about {more.text} to find {plain(verdict.sesoi)}"
    if more.there == verdict.estimate.n_accounts > 1:
        text += "; more time helps less"
    elif not more.near:
        text += "; no shop has them, so only many shops together could tell"
    return f"{text}; these would catch an effect of {plain(more.can)} four times in five"


@dataclass(frozen=True, slots=True)
class _More:
    """The effect that these can show, how many shops or periods would do, how many there are, and whether it may be."""

    can: float
    wanted: int
    there: int
    what: str
    near: bool

    @property
    def text(self) -> str:
        return f"{rounded(self.wanted, like=self.wanted)} {self.what} like these (there are {self.there:,})"


def _more(verdict: Verdict, freq: Freq) -> _More | None:
    """What an inconclusive verdict lacks; None where that is not known."""
    can = next((doubt.value for doubt in verdict.doubts if doubt.code == DETECTABLE), math.inf)
    found = verdict.estimate if verdict.word == "inconclusive" else None
    factor = (can / verdict.sesoi) ** 2 if verdict.sesoi else 0.0
    if found is None or not 1.0 < factor < math.inf:  # or more of the same would not help
        return None
    entities, rows = found.n_accounts, found.n_rows
    if entities > 1:
        return _More(can, math.ceil(entities * factor), entities, "shops", factor <= _YEARS)
    wanted = math.ceil(rows * factor)
    return _More(can, wanted, rows, PERIODS[freq].many, wanted <= _YEARS * PERIODS[freq].per_year)


def _played(claim: Claim, role: str, table: pd.DataFrame) -> str | None:
    """The column of a table that plays a role in a claim; None where none does."""
    return next((name for name in claim.roles.get(role, ()) if name in table.columns), None)


def _explained(verdict: Verdict, claim: Claim, table: pd.DataFrame, freq: Freq) -> Verdict:
    """Say which figures of 0 leave too few rows, where a model of logarithms could not be fitted for that.

    Parameters
    ----------
    verdict : Verdict
        What came of it.
    claim : Claim
        The claim.
    table : pandas.DataFrame
        The panel's rows.
    freq : {"D", "W", "M"}
        Length of a period.

    Returns
    -------
    Verdict
        With a longer reason; as it was where rows were not what was wanting, or where nothing is 0.
    """
    if verdict.word != "not judged" or verdict.reason_code not in _TOO_FEW:
        return verdict
    names = [_played(claim, role, table) for role in claim.arguments().logs]
    zeros = {name: int((table[name] <= 0).sum()) for name in names if name is not None}
    said = [f"{name} is 0 in {n:,} of {len(table):,} {PERIODS[freq].one}s" for name, n in zeros.items() if n]
    if not said:
        return verdict
    hint = f"; {_LONGER[freq]}" if _LONGER[freq] else ""
    text = f"{', '.join(said)}, where there is no logarithm, and neighbours in time are needed too: {verdict.reason}"
    return replace(verdict, reason=text.rstrip(".") + hint)
