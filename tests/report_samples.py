"""Made-up verdicts for the tests of the report: every word, every qualifier, and names that mean harm."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from erresearch.results import Doubt, Estimate, Interval, StudentT, Verdict

HOSTILE = (
    "<script>window.harmed = 1</script>",
    '"><img src=x onerror="window.harmed = 2">',
    "</style></title><b onmouseover='harm()'>quotes \"'` & ampersands</b>",
    "{{ 7 * 7 }} {% raw %} ${window.harmed}",
    "شركة الاختبار \u202e reversed \u2066 isolate",
    "👩‍👩‍👧‍👦 emoji 🎬 and a\x00 control \x1b[31m\ud800 half",
    "long " + "name" * 2_500,
)
SIMULATED = ("simulated",)


@dataclass(frozen=True)
class Claim:
    """A claim record as the report reads it."""

    id: str
    text: str = "Weeks with more engagement bring more revenue."
    source: str = "A source, 2014"
    estimand: Any = field(default_factory=lambda: {"unit": "entity × week", "order": "x in t − 1, y in t"})
    sesoi: float = 0.05
    sesoi_reason: str = "Below that nobody would notice."
    notebook: str = "03-does-talk-sell"
    direction: str = "greater"
    unit: str = "elasticity"


def estimate(value: float, half: float, *, n: int = 4160, accounts: int = 40) -> Estimate:
    reference = StudentT(value, half / 1.96, math.inf)
    return Estimate(
        "talk",
        value=value,
        se=half / 1.96,
        df=math.inf,
        interval=reference.interval(0.95),
        n_rows=n,
        n_accounts=accounts,
        unit="",
        method="OLS, CRV3",
        reference=reference,
    )


def verdict(
    claim: str, dataset: str, word: Any, at: tuple[float, float] | None = None, **more: Any
) -> Verdict:
    """A verdict with value and half-width `at`."""
    made = None if at is None else estimate(*at)
    return Verdict(claim, dataset, word, estimate=made, interval=made and made.interval, sesoi=0.05, **more)


def board() -> list[Verdict]:
    """Every word and qualifier, on real and on simulated data."""
    doubts = (
        Doubt("declarable nil", "The least δ for which nil could be declared.", 0.097, raised=True),
        Doubt("lead placebo", "Only words.", math.nan),
    )
    open_end = Estimate(
        "talk", value=0.1, se=math.nan, df=3, interval=Interval(-0.2, math.inf), n_rows=60, n_accounts=4
    )
    return [
        verdict(
            "C1", "shops", "supported", (0.31, 0.09), size="at least δ", qualifiers=("proxy",), doubts=doubts
        ),
        verdict("C1", "films", "supported", (0.09, 0.06), size="size not settled", qualifiers=("fragile",)),
        verdict(
            "C1", "effect", "supported", (0.1, 0.03), size="at least δ", qualifiers=SIMULATED, doubts=doubts
        ),
        verdict("C2", "shops", "contradicted", (-0.4, 0.1), reason="The interval lies below 0."),
        verdict("C3", "shops", "practically nil", (0.01, 0.02)),
        verdict("C3", "nil", "practically nil", (0.0, 0.02), qualifiers=SIMULATED),
        verdict("C4", "shops", "inconclusive", (0.08, 0.12)),
        Verdict("C4", "tiers", "inconclusive", estimate=open_end, interval=open_end.interval, sesoi=0.05),
        verdict("C5", "shops", "association only", (0.2, 0.05), doubts=doubts),
        verdict("C6", "shops", "not judged", reason="Fewer than 6 clusters."),
    ]


def claims() -> list[Claim]:
    """A record for each claim of :func:`board` but C6, and one that no verdict names."""
    return [Claim(f"C{i}") for i in range(1, 6)] + [Claim("C7", direction="absent")]


def hostile() -> dict[str, Any]:
    """Arguments of write_report in which every name means harm."""
    names = list(HOSTILE)
    judged = [
        verdict(
            name,
            other,
            "supported",
            (0.3, 0.1),
            qualifiers=("proxy",),
            reason=name,
            doubts=(Doubt(name, name),),
        )
        for name, other in zip(names, names[1:] + names[:1], strict=True)
    ]
    return {
        "verdicts": judged,
        "question": names[1],
        "claims": [Claim(n, n, n, {n: n}, 0.05, n, n, unit=n) for n in names],
        "provenance": {n: {n: [n, 1, None]} for n in names},
        "accounting": {n: {n: 3} for n in names},
        "warnings": names,
    }
