"""NIST's reference data sets for linear least squares, with their certified values."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from erresearch.engine.moments import Moments
from erresearch.errors import DesignError
from erresearch.relate import regress

STRD = json.loads((Path(__file__).parent / "oracle" / "nist_strd.json").read_text())["sets"]
# digits asked for: coefficients, standard errors
DIGITS = {
    "Norris": (13, 13),
    "Longley": (13, 12),
    "Wampler1": (13, 13),
    "Wampler2": (12, 13),
    "Wampler3": (13, 10),
    "Wampler4": (13, 10),
    "Wampler5": (13, 10),
}


def table(name: str) -> pd.DataFrame:
    given = STRD[name]
    columns = list(zip(*[[float(value) for value in row] for row in given["x"]], strict=True))
    if given["power"] > 1:
        columns = [np.array(columns[0]) ** power for power in range(1, given["power"] + 1)]
    out = pd.DataFrame({f"x{i}": column for i, column in enumerate(columns, 1)})
    out["y"] = [float(value) for value in given["y"]]
    return out


def digits(value: float, certified: str) -> float:
    """Correct significant digits; 15 where the certified value is hit, absolute where it is 0."""
    truth = float(certified)
    miss = abs(value - truth) / (abs(truth) or 1.0)
    return 15.0 if miss == 0 else min(15.0, -math.log10(miss))


def solve(matrix: list[list[Fraction]], right: list[Fraction]) -> list[Fraction]:
    """Gauss-Jordan in rational numbers."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for i in range(len(rows)):
        pivot = next(r for r in range(i, len(rows)) if rows[r][i])
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [value / rows[i][i] for value in rows[i]]
        for r, row in enumerate(rows):
            if r != i and row[i]:
                rows[r] = [a - row[i] * b for a, b in zip(row, rows[i], strict=True)]
    return [row[-1] for row in rows]


@pytest.mark.parametrize("name", STRD)
def test_certified_values_solve_the_normal_equations_exactly(name: str):
    """Checks the stored data, not the package: rational arithmetic has no rounding."""
    given = STRD[name]
    raw = [[Fraction(value) for value in row] for row in given["x"]]
    powers = range(1, given["power"] + 1)
    design = [
        [Fraction(1), *(row if given["power"] == 1 else [row[0] ** power for power in powers])] for row in raw
    ]
    y = [Fraction(value) for value in given["y"]]
    k = len(design[0])
    gram = [[sum(row[i] * row[j] for row in design) for j in range(k)] for i in range(k)]
    beta = solve(gram, [sum(row[i] * value for row, value in zip(design, y, strict=True)) for i in range(k)])
    for exact, certified in zip(beta, given["estimate"], strict=True):
        assert abs(exact / Fraction(certified) - 1) < Fraction(1, 10**14)
    rss = sum(
        (value - sum(b * x for b, x in zip(beta, row, strict=True))) ** 2
        for row, value in zip(design, y, strict=True)
    )
    variance = rss / (len(y) - k)
    assert math.sqrt(variance) == pytest.approx(float(given["residual_sd"]), rel=1e-14)
    for j, certified in enumerate(given["sd"]):
        own = solve(gram, [Fraction(int(i == j)) for i in range(k)])[j]
        assert math.sqrt(own * variance) == pytest.approx(float(certified), rel=1e-14)


@pytest.mark.parametrize("seed", [None, 0, 1, 2])
@pytest.mark.parametrize("name", DIGITS)
def test_certified_digits_in_any_row_order(name: str, seed: int | None):
    rows, given = table(name), STRD[name]
    if seed is not None:
        rows = rows.sample(frac=1, random_state=seed)
    fit = regress(rows, "y", on=list(rows.columns[:-1]), cov="iid")
    asked, asked_se = DIGITS[name]
    for estimate, value, sd in zip(fit.values(), given["estimate"], given["sd"], strict=True):
        assert digits(estimate.value, value) >= asked, estimate.name
        assert digits(estimate.se, sd) >= asked_se, estimate.name
    assert digits(math.sqrt(fit.residual_variance), given["residual_sd"]) >= 13
    assert digits(fit.r2, given["r2"]) >= 13


@pytest.mark.parametrize("name", ["Longley", "Wampler5"])
def test_digits_do_not_depend_on_the_engine(name: str):
    duckdb = pytest.importorskip("duckdb")
    rows = table(name)
    relation = duckdb.from_df(rows)
    fit = regress(relation, "y", on=list(rows.columns[:-1]), cov="iid")
    for estimate, value in zip(fit.values(), STRD[name]["estimate"], strict=True):
        assert digits(estimate.value, value) >= 13


@pytest.mark.parametrize("name", ["Norris", "Longley", "Wampler4"])
def test_without_rows_fewer_digits_remain(name: str):
    """Moments alone cannot be refined; what is lost is bounded."""
    rows, given = table(name), STRD[name]
    moments = Moments.from_frame(rows, list(rows.columns))
    alone = moments + Moments.from_frame(rows, list(rows.columns))  # twice the rows, the same coefficients
    fit = regress(alone, "y", on=list(rows.columns[:-1]), cov="iid")
    for estimate, value in zip(fit.values(), given["estimate"], strict=True):
        assert digits(estimate.value, value) >= {"Norris": 11, "Longley": 10, "Wampler4": 4}[name]


def test_filip_is_refused_by_name():
    rows = table("Filip")
    with pytest.raises(DesignError, match=r"columns 'x\d.*are collinear or nearly so: .* hardly varies"):
        regress(rows, "y", on=list(rows.columns[:-1]))


def many(rows: int, accounts: int, offset: float) -> pd.DataFrame:
    """Nearly collinear columns in many accounts, the truth a short binary fraction."""
    rng = np.random.default_rng(5)
    grid = 2.0**-20
    x = np.round(rng.normal(size=rows) / grid) * grid
    near = x + np.round(rng.normal(size=rows) * 1e-4 / grid) * grid
    account = rng.integers(accounts, size=rows)
    return pd.DataFrame(
        {"g": account, "x": x + offset, "near": near, "y": 0.5 * x + 0.25 * near + account / 8}
    )


@pytest.mark.parametrize("offset", [0.0, 2.0**30])
@pytest.mark.parametrize("within", [False, True])
def test_refinement_restores_digits_of_nearly_collinear_columns(within: bool, offset: float):
    rows = many(5_000, 20, offset)
    if not within:
        rows["y"] -= rows["g"] / 8
    how: dict[str, Any] = {"by": "g", "within": True, "cov": "CRV1"} if within else {"cov": "iid"}
    fit = regress(rows, "y", on=["x", "near"], **how)
    assert fit.condition_number > 1e4
    assert fit["x"].value == pytest.approx(0.5, rel=1e-11)
    assert fit["near"].value == pytest.approx(0.25, rel=1e-11)
