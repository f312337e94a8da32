"""The arguments of a claim: what nothing knows, names no role, has a wrong type or contradicts itself is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from erresearch.claims import claim_named, read_claims
from erresearch.claims.options import OPTIONS, SlopeOptions, read_options, roles_in, without_challenges
from erresearch.claims.procedures import PROCEDURES
from erresearch.errors import DataError, ErresearchError, UnknownNameError

ENTRY = """[[claim]]
id = "X1"
short = "x → y"
text = "t"
source = "s"
estimand = {{ unit = "a" }}
direction = "greater"
design = "ordered"
arrow = {arrow}
sesoi = 0.05
unit = "{unit}"
sesoi_reason = "r"
procedure = "{procedure}"
worlds = {worlds}
{more}
[claim.roles]
{roles}
[claim.options]
{options}
"""
PANEL = 'by = ["account"]\ntime = ["week"]\nx = ["likes"]\ny = ["revenue"]\nspend = ["spend"]'
FILMS = 'y = ["gross"]\nx = ["likes"]\nbudget = ["budget"]'
GROUPS = 'group = ["segment"]\ny = ["bought"]'
GOOD = 'logs = ["x", "y"]\nlog1p = ["spend"]\ncontrols = ["spend"]'


def read(tmp_path, options=GOOD, *, procedure="precedence", roles=PANEL, **changes):
    words = {"arrow": "true", "unit": "elasticity", "worlds": '["nil"]', "more": ""} | changes
    path = tmp_path / "mine.toml"
    path.write_text(
        ENTRY.format(options=options, procedure=procedure, roles=roles, **words), encoding="utf-8"
    )
    (claim,) = read_claims(path)
    return claim


def test_a_good_entry_is_read_by_type(tmp_path):
    options = read(tmp_path, GOOD + "\nlags = 3\nchallenges = false").arguments()
    assert (options.lags, options.challenges, options.logs, options.controls) == (
        3,
        False,
        ("x", "y"),
        ("spend",),
    )


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        (GOOD + "\nlag = 2", UnknownNameError, r"no option of 'precedence' .*'lag'.*Did you mean 'lags'"),
        ('logs = ["x", "z"]', UnknownNameError, r"no role for `logs` \(claim X1\) 'z'.*Allowed: by, spend"),
        ('controls = ["spent"]', UnknownNameError, r"`controls`.*'spent'.*Did you mean 'spend'"),
        ('logs = "xy"', DataError, r"option `logs` of claim X1 cannot be used: 'xy'.*a list of roles"),
        ("logs = [1]", DataError, "option `logs`.*a list of roles"),
        ("logs = 3", DataError, "option `logs`.*a list of roles"),
        (GOOD + "\nlags = 2.0", DataError, "option `lags`.*2.0.*a whole number from 1 on"),
        (GOOD + "\nlags = 0", DataError, "option `lags`.*a whole number from 1 on"),
        (GOOD + "\nlags = true", DataError, "option `lags`.*a whole number from 1 on"),
        (GOOD + '\nchallenges = "no"', DataError, "option `challenges`.*true or false"),
        (GOOD + '\nextras = "posts"', DataError, "option `extras`.*a list of column names"),
        (GOOD + '\nstandardise = ["x"]', DataError, "'x' stands in `logs` and in `standardise`"),
        (
            'logs = ["x"]\ncontrols = ["spend"]',
            DataError,
            "speaks of an elasticity, but 'y' has no logarithm",
        ),
        (
            'logs = ["y"]\ncontrols = ["spend"]',
            DataError,
            r"'x' has no logarithm: logs = \['y'\].*Add 'x' to",
        ),
        ('logs = ["x", "y"]', DataError, "a role that nothing uses: 'spend'"),
    ],
)
def test_wrong_options_are_refused_by_name(tmp_path, options, kind, message):
    with pytest.raises(kind, match=message):
        read(tmp_path, options)


@pytest.mark.parametrize(
    ("procedure", "roles", "options", "message"),
    [
        ("precedence", PANEL.replace("x =", "xx ="), "lags = 1", "lacks the role 'x'.*Write it for 'xx'"),
        (
            "slope",
            FILMS,
            'on = ["x", "budget"]',
            "lacks the option `weights`.*a table of one number per role",
        ),
        ("slope", FILMS, "weights = {}", "option `weights`.*one number per role"),
        ("slope", FILMS, 'weights = { x = "1" }', "option `weights`.*one number per role"),
        ("slope", FILMS, "weights = { x = inf }", "option `weights`.*one number per role"),
        (
            "slope",
            FILMS,
            'on = ["budget"]\nweights = { x = 1 }',
            "`weights` names 'x', which is no regressor",
        ),
        ("slope", FILMS, 'on = ["x"]\nweights = { x = 1 }\nestimator = "osl"', "'osl'.*Did you mean 'ols'"),
        (
            "slope",
            FILMS,
            'on = ["x"]\nweights = { x = 1 }\nestimator = 1',
            "`estimator`.*ols, poisson, logit",
        ),
        ("slope", FILMS, 'on = ["x"]\nweights = { x = 1 }\nstrata = "x"', "no option of 'slope'.*'strata'"),
        ("mix", FILMS, 'actions = ["x", "budget"]\naction = "y"', "`action` names 'y'.*none of `actions`"),
        ("mix", FILMS, 'actions = ["x", "budget"]\naction = "z"', r"no role for `action` \(claim X1\) 'z'"),
        ("groups", GROUPS, 'scale = "odds"', "no `scale` .*'odds'.*difference, whether"),
        (
            "groups",
            GROUPS,
            'scale = "whether rather than how much"',
            "lacks the role 'money'.*needs group, y, money",
        ),
        ("groups", GROUPS, "reference = 1", "option `reference`.*a text"),
        ("groups", GROUPS, 'cut = "1"', "option `cut`.*a number"),
        ("decay", 'followers = ["f"]\nreactions = ["r"]', "reliability = [1.0, 0.9]", "two shares above 0"),
        ("decay", 'followers = ["f"]\nreactions = ["r"]', "reliability = 0.9", "two shares above 0"),
        ("magic", FILMS, "", "no procedure .*'magic'.*Allowed: decay, distance"),
    ],
)
def test_each_procedure_knows_its_own(tmp_path, procedure, roles, options, message):
    with pytest.raises(ErresearchError, match=message):
        read(tmp_path, options, procedure=procedure, roles=roles, unit="log points", arrow="false")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"worlds": '["nill"]'}, "no world .*'nill'.*Did you mean 'nil'"),
        ({"worlds": "[1]"}, r"wrong worlds: \[1\].*a list of texts"),
        ({"arrow": '"no"'}, "wrong arrow: 'no'"),
        ({"more": 'optional = ["bye"]'}, "no role for `optional` .*'bye'.*Did you mean 'by'"),
        ({"roles": PANEL.replace('["likes"]', '"likes"')}, r"wrong roles\.x: 'likes'.*a list of texts"),
        (
            {"more": 'sets.shop = { qualifier = ["proxy"] }'},
            r"no field of sets\.shop .*Did you mean 'qualifiers'",
        ),
        ({"more": "sets.shop = { options = { lag = 1 } }"}, "no option of 'precedence'.*Did you mean 'lags'"),
    ],
)
def test_wrong_fields_are_refused_by_name(tmp_path, changes, message):
    with pytest.raises(ErresearchError, match=message):
        read(tmp_path, **changes)


def test_a_claim_changed_in_a_program_is_checked_alike():
    with pytest.raises(UnknownNameError, match="Did you mean 'lags'"):
        replace(claim_named("C01"), options={**claim_named("C01").options, "lag": 2})


def test_every_procedure_has_its_options():
    assert OPTIONS.keys() == PROCEDURES.keys()


def test_strata_of_a_pack_are_no_option_of_a_registry():
    options = read_options({"on": ["x"], "weights": {"x": 1}}, procedure="slope", roles=["y", "x"])
    assert isinstance(options, SlopeOptions)
    assert roles_in(options) == {"y", "by", "x"}


@pytest.mark.parametrize("claim", read_claims(), ids=lambda claim: claim.id)
def test_a_role_can_be_taken_out_everywhere(claim):
    spare = [role for role in claim.roles if role not in claim.arguments().needed()]
    for role in spare:
        if role in (*getattr(claim.arguments(), "weights", ()), getattr(claim.arguments(), "action", "")):
            continue
        assert role not in roles_in(claim.without(role).arguments()) - set(claim.arguments().takes)
    quick = replace(claim, options=without_challenges(claim.options, procedure=claim.procedure))
    assert not getattr(quick.arguments(), "challenges", False)
