"""Arguments of the procedures: one frozen class for each, checked when a claim is read.

A claim writes its arguments as a table of TOML. What no procedure knows, what names no role, what has the wrong type
and what contradicts something else is refused by name, because an argument that is silently left out changes a word.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Annotated, Any, ClassVar, Final, Literal, get_args, get_type_hints

from erresearch.errors import DataError, UnknownNameError, check_name
from erresearch.io.files import UnfitError, read_value

#: How a list of accounts may have been chosen; only the first two do not look at reactions.
CHOICES: Final = ("all", "followers", "reactions", "mixed")


@dataclass(frozen=True, slots=True)
class _Rule:
    """What an option of a type may hold, in words; the roles that it then names, and what else must be so."""

    allowed: str
    roles: Callable[[Any], Iterable[str]] = lambda _: ()
    check: Callable[[Any], bool] = lambda _: True


def _finite(numbers: Iterable[float]) -> bool:
    return all(map(math.isfinite, numbers))


Roles = Annotated[tuple[str, ...], _Rule("a list of roles", iter)]
Role = Annotated[str, _Rule("a role", lambda role: (role,))]
Columns = Annotated[tuple[str, ...], _Rule("a list of column names")]
Weights = Annotated[
    Mapping[str, float],
    _Rule("a table of one number per role", iter, lambda table: bool(table) and _finite(table.values())),
]
Rates = Annotated[Mapping[str, Any], _Rule("a table of one rate per role", iter)]
Whole = Annotated[int, _Rule("a whole number from 1 on", check=lambda number: number >= 1)]
Number = Annotated[float, _Rule("a number", check=math.isfinite)]
Numbers = Annotated[tuple[float, ...], _Rule("a list of numbers", check=_finite)]
Flag = Annotated[bool, _Rule("true or false")]
Text = Annotated[str, _Rule("a text")]
Share = Annotated[float, _Rule("a share above 0, 1 at most", check=lambda share: 0 < share <= 1)]
Shares = Annotated[
    tuple[float, float],
    _Rule(
        "two shares above 0, the lower one first, 1 at most", check=lambda ends: 0 < ends[0] <= ends[1] <= 1
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What every procedure takes.

    Parameters
    ----------
    logs, log1p, standardise, log_standardise : tuple of str
        Roles that enter as log x, log(1 + x), (x − mean)/sd and the same of log x.
    formulas : mapping of str to str
        Declared formula of the rate that plays a role.

    See Also
    --------
    read_options : Makes one from a table, checked.
    """

    #: Roles that the procedure needs, and those that it may take besides what the options name.
    needs: ClassVar[tuple[str, ...]] = ()
    takes: ClassVar[tuple[str, ...]] = ()

    logs: Roles = ()
    log1p: Roles = ()
    standardise: Roles = ()
    log_standardise: Roles = ()
    formulas: Rates = field(default_factory=dict)

    @property
    def log_link(self) -> bool:
        """Whether the model itself takes the outcome's logarithm."""
        return False

    def needed(self) -> tuple[str, ...]:
        """Roles without which there is no estimate."""
        return self.needs

    def conflict(self) -> str:
        """What contradicts itself, in one sentence; empty if nothing does."""
        ways = ("logs", "log1p", "standardise", "log_standardise")
        taken = [(role, way) for way in ways for role in getattr(self, way)]
        for place, (role, way) in enumerate(taken):
            others = [other for again, other in taken[:place] if again == role]
            if others:
                return f"the role {role!r} stands in `{others[0]}` and in `{way}`"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LongRunOptions(Options):
    """Of "long run".

    Parameters
    ----------
    controls : tuple of str
        Roles that are held fixed now and at every lag.
    lags : int
        Lags of x, of y and of the controls.
    reliability : float, Reliability or None
        Reliability of x, declared or with its source; from its autocovariances where it is not declared.
    """

    needs: ClassVar[tuple[str, ...]] = ("by", "time", "x", "y")

    controls: Roles = ()
    lags: Whole = 4
    reliability: Share | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PrecedenceOptions(LongRunOptions):
    """Of "precedence": those of "long run", with one lag less, and its own.

    Parameters
    ----------
    definitions, extras : tuple of str
        Columns, where a table has them, that may stand for x and that may be added: the specification curve.
    days : bool
        Whether one shop by day is judged by :func:`erresearch.daily_response`: x are reactions to the day's posts, y is
        revenue.
    challenges : bool
        Whether that curve and the sensitivity to a confounder are looked at.
    """

    lags: Whole = 3
    definitions: Columns = ()
    extras: Columns = ()
    days: Flag = False
    challenges: Flag = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SlopeOptions(Options):
    """Of "slope".

    Parameters
    ----------
    weights : mapping of str to float
        The contrast of coefficients that is judged.
    on : tuple of str
        Regressors besides the standardised ones.
    estimator : {"ols", "poisson", "logit"}
        The model.
    ambiguous : tuple of str
        Regressors that may drive both sides or be on the way between them: judged with and without.
    """

    needs: ClassVar[tuple[str, ...]] = ("y",)
    takes: ClassVar[tuple[str, ...]] = ("by",)

    weights: Weights
    on: Roles = ()
    estimator: Literal["ols", "poisson", "logit"] = "ols"
    ambiguous: Roles = ()

    @property
    def log_link(self) -> bool:
        """Whether the model itself takes the outcome's logarithm."""
        return self.estimator == "poisson"

    @property
    def regressors(self) -> tuple[str, ...]:
        """Roles on the right-hand side, in the order in which they enter."""
        return (*self.standardise, *self.log_standardise, *self.on)

    def conflict(self) -> str:
        """What contradicts itself, in one sentence; empty if nothing does."""
        for name in ("weights", "ambiguous"):
            idle = [role for role in getattr(self, name) if role not in self.regressors]
            if idle:
                return f"`{name}` names {idle[0]!r}, which is no regressor"
        return Options.conflict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecayOptions(Options):
    """Of "decay".

    Parameters
    ----------
    reliability : (float, float)
        Range of the reliability of followers.
    choice : {"", "all", "followers", "reactions", "mixed"}
        How the list was chosen: all accounts or at random, by followers, by reactions, by several figures; not declared.
    spline : bool
        Whether the curve of the picture is computed too.
    """

    needs: ClassVar[tuple[str, ...]] = ("followers", "reactions")
    takes: ClassVar[tuple[str, ...]] = ("by",)

    reliability: Shares = (0.9, 1.0)
    choice: Literal["", "all", "followers", "reactions", "mixed"] = ""
    spline: Flag = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionOptions(Options):
    """Of "prediction".

    Parameters
    ----------
    baseline : tuple of str
        Roles that both forecasts know.
    """

    needs: ClassVar[tuple[str, ...]] = ("by", "time", "x", "rival", "y")

    baseline: Roles = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MixOptions(Options):
    """Of "mix".

    Parameters
    ----------
    actions : tuple of str
        Roles of all kinds of action.
    action : str
        The one that is judged.
    controls : tuple of str
        Roles that are held fixed.
    model : {"ols", "poisson"}
        The model.
    """

    needs: ClassVar[tuple[str, ...]] = ("y",)
    takes: ClassVar[tuple[str, ...]] = ("by",)

    actions: Roles
    action: Role
    controls: Roles = ()
    model: Literal["ols", "poisson"] = "ols"

    @property
    def log_link(self) -> bool:
        """Whether the model itself takes the outcome's logarithm."""
        return self.model == "poisson"

    def conflict(self) -> str:
        """What contradicts itself, in one sentence; empty if nothing does."""
        if self.action not in self.actions:
            return f"`action` names {self.action!r}, which is none of `actions`"
        return Options.conflict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class DistanceOptions(Options):
    """Of "distance".

    Parameters
    ----------
    steps : mapping of str to float
        Distance of each count from the purchase.
    """

    needs: ClassVar[tuple[str, ...]] = ("y",)

    steps: Weights


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupOptions(Options):
    """Of "groups".

    Parameters
    ----------
    reference : str or None
        Value of the group's column that marks the others.
    cut : float
        Without a reference: the smallest number that puts somebody into the group.
    scale : {"difference", "whether rather than how much"}
        What is compared.
    """

    needs: ClassVar[tuple[str, ...]] = ("group", "y")
    takes: ClassVar[tuple[str, ...]] = ("through", "money")

    reference: Text | None = None
    cut: Number = 1.0
    scale: Literal["difference", "whether rather than how much"] = "difference"

    def needed(self) -> tuple[str, ...]:
        """Roles without which there is no estimate."""
        return self.needs if self.scale == "difference" else (*self.needs, "money")


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdOptions(Options):
    """Of "threshold".

    Parameters
    ----------
    cut : float or None
        The number that the claim states; None where it states none.
    """

    needs: ClassVar[tuple[str, ...]] = ("x", "y")
    takes: ClassVar[tuple[str, ...]] = ("by",)

    cut: Number | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TierOptions(Options):
    """Of "tiers".

    Parameters
    ----------
    platform : str
        The one that is judged; what others give stands beside it.
    kinks : tuple of float
        Numbers of followers, fixed beforehand, below and above which the slope is shown too.
    """

    needs: ClassVar[tuple[str, ...]] = ("by", "series", "platform", "low", "high", "rate")

    platform: Text
    kinks: Numbers = ()


#: The options of each procedure that ``claims.toml`` may name.
OPTIONS: Final[Mapping[str, type[Options]]] = {
    "precedence": PrecedenceOptions,
    "slope": SlopeOptions,
    "decay": DecayOptions,
    "prediction": PredictionOptions,
    "long run": LongRunOptions,
    "mix": MixOptions,
    "distance": DistanceOptions,
    "groups": GroupOptions,
    "threshold": ThresholdOptions,
    "tiers": TierOptions,
}


def _types(kind: type[Options]) -> Mapping[str, tuple[Any, _Rule]]:
    """The type of each option and its rule, as its annotation has them."""
    bare, noted = get_type_hints(kind), get_type_hints(kind, include_extras=True)
    found = {}
    for name in (each.name for each in fields(kind)):
        parts = (noted[name], *get_args(noted[name]))
        rules = [part.__metadata__[0] for part in parts if hasattr(part, "__metadata__")]
        # several texts are their own rule
        found[name] = bare[name], rules[0] if rules else _Rule(", ".join(filter(None, parts[1:])))
    return found


_TYPES: Final = {kind: _types(kind) for kind in OPTIONS.values()}


def read_options(
    given: Mapping[str, Any], *, procedure: str, roles: Iterable[str], claim: str = "of your own"
) -> Options:
    """Read the options of a claim, each by its own type.

    Parameters
    ----------
    given : mapping
        As written in the registry.
    procedure : str
        Whose they are.
    roles : iterable of str
        Roles that the claim declares.
    claim : str
        Its id, for messages.

    Returns
    -------
    Options
        Of the procedure's own class.

    Raises
    ------
    UnknownNameError
        For a procedure, an option, a role or a choice that does not exist, with the nearest one that does.
    DataError
        If something is missing, has a wrong type or contradicts something else.

    See Also
    --------
    OPTIONS : The class of each procedure.

    Examples
    --------
    >>> read_options({"lags": 3, "logs": ["x"]}, procedure="long run", roles=["by", "time", "x", "y"]).lags
    3
    """
    check_name(f"procedure (claim {claim})", procedure, OPTIONS)
    kind, declared = OPTIONS[procedure], tuple(roles)
    known = _TYPES[kind]
    values: dict[str, Any] = {}
    for name, value in given.items():
        check_name(f"option of {procedure!r} (claim {claim})", name, known)
        values[name] = _read(name, value, *known[name], claim)
        for role in known[name][1].roles(values[name]):
            check_name(f"role for `{name}` (claim {claim})", role, declared)
    needed = [f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING]
    absent = [name for name in needed if name not in values]
    if absent:
        raise DataError(
            f"claim {claim} lacks the option `{absent[0]}`",
            allowed=f"{absent[0]} = {known[absent[0]][1].allowed}",
            fix="write it below [claim.options]",
        )
    options = kind(**values)
    missing = [role for role in options.needed() if role not in declared]
    if missing:
        near = difflib.get_close_matches(missing[0], declared, n=1, cutoff=0.5)
        raise DataError(
            f"claim {claim} lacks the role {missing[0]!r}",
            got=f"roles {', '.join(declared)}",
            allowed=f"{procedure!r} needs {', '.join(options.needed())}",
            fix=f"write it for {near[0]!r}" if near else "write it below [claim.roles]",
        )
    wrong = options.conflict()
    if wrong:
        raise DataError(f"claim {claim} contradicts itself: {wrong}", fix="change one of the two")
    return options


def without_challenges(given: Mapping[str, Any], *, procedure: str) -> dict[str, Any]:
    """The same options of a registry without what takes time and changes no word: pictures and further doubts.

    See Also
    --------
    read_options : Reads them.

    Examples
    --------
    >>> without_challenges({"lags": 2}, procedure="precedence")
    {'lags': 2, 'challenges': False}
    """
    quiet = {"challenges", "spline"} & _TYPES[OPTIONS[procedure]].keys()
    return {**given, **dict.fromkeys(sorted(quiet), False)}


def _read(name: str, value: Any, kind: Any, rule: _Rule, claim: str) -> Any:
    try:
        read = read_value(kind, value)
    except UnfitError as error:
        if error.choices and isinstance(value, str):
            raise UnknownNameError.of(
                f"`{name}` (claim {claim})", value, filter(None, error.choices)
            ) from error
        read = None
    if read is None or not rule.check(read):
        raise DataError(
            f"the option `{name}` of claim {claim} cannot be used",
            got=repr(value)[:80],
            allowed=rule.allowed,
            fix="correct the entry",
        )
    return read


def roles_in(options: Options) -> frozenset[str]:
    """Roles that the options name or the procedure can take: another role would be used by nothing.

    See Also
    --------
    without_role : Takes one out.
    """
    named = {*options.needs, *options.takes}
    for name, (_, rule) in _TYPES[type(options)].items():
        named.update(rule.roles(getattr(options, name)))
    return frozenset(named)


def without_role(given: Mapping[str, Any], role: str, *, procedure: str) -> dict[str, Any]:
    """The same options of a registry with one role taken out of every list and table of roles.

    See Also
    --------
    roles_in : The roles that options name.

    Examples
    --------
    >>> without_role({"logs": ["x", "y"], "controls": ["spend"]}, "spend", procedure="precedence")
    {'logs': ['x', 'y'], 'controls': []}
    """
    types = _TYPES[OPTIONS[procedure]]
    found = dict(given)
    for name, value in given.items():
        if types[name][1].roles is iter:
            kept = [each for each in value if each != role]
            found[name] = {each: value[each] for each in kept} if isinstance(value, Mapping) else kept
    return found
