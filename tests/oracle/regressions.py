"""Regressions of other software on a small unbalanced panel, stored for machines without that software.

``python tests/oracle/regressions.py`` writes ``regressions.json`` beside this file; the versions used stand in it.
``python tests/oracle/regressions.py --tables FOLDER`` writes the tables that ``other_software.R`` reads.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

STORED = Path(__file__).with_suffix(".json")
EFFECTS = {"none": "", "account": " | account", "account and period": " | account + week"}


def panel() -> pd.DataFrame:
    """An unbalanced panel of 11 accounts and 14 weeks with a linear and a count outcome; simulated."""
    rng = np.random.default_rng(20)
    account, week = (values.ravel() for values in np.meshgrid(np.arange(11), np.arange(14), indexing="ij"))
    x, z = rng.normal(size=154) + account / 5, rng.normal(size=154) + week / 9
    level = rng.normal(size=11)[account]
    y = 1 + 0.5 * x - 0.3 * z + level + rng.normal(size=154) * (1 + account / 8)
    count = rng.poisson(np.exp(0.3 * x - 0.2 * z + level / 2))
    table = pd.DataFrame({"account": account, "week": week, "x": x, "z": z, "y": y, "count": count})
    return table[rng.uniform(size=154) < 0.85].reset_index(drop=True)


def survey() -> pd.DataFrame:
    """Answers on 0 to 10 over five months, with a month that differs from the rest; simulated."""
    rng = np.random.default_rng(21)
    month = np.repeat(pd.date_range("2024-01-15", periods=5, freq="MS") + pd.Timedelta(days=14), 60)
    score = np.clip(np.rint(rng.normal(7.5, 2, 300)), 0, 10).astype(int)
    score[240:] = np.clip(score[240:] - 2, 0, 10)
    return pd.DataFrame({"date": month, "score": score})


def _pack(names: list[str], values: Any, errors: Any) -> dict[str, list[float]]:
    return {name: [float(values[name]), float(errors[name])] for name in names}


def main() -> None:
    """Fit and store coefficients with standard errors."""
    import pyfixest
    import statsmodels
    import statsmodels.api as sm

    table = panel()
    design = sm.add_constant(table[["x", "z"]]).rename(columns={"const": "Intercept"})
    out: dict[str, Any] = {
        "versions": {"pyfixest": pyfixest.__version__, "statsmodels": statsmodels.__version__}
    }
    for words, effects in EFFECTS.items():
        names = ["x", "z"] if effects else ["Intercept", "x", "z"]
        for cov in ("CRV1", "CRV3"):
            fit = pyfixest.feols(
                f"y ~ x + z{effects}",
                data=table,
                vcov={cov: "account"},
                fixef_rm="none",
                demeaner=pyfixest.MapDemeaner(fixef_tol=1e-13),
            )
            out[f"ols, {words}, {cov}"] = _pack(names, fit.coef(), fit.se())
    fit = pyfixest.fepois(
        "count ~ x + z | account",
        data=table,
        vcov={"CRV1": "account"},
        iwls_tol=1e-13,
        fixef_rm="none",
        demeaner=pyfixest.MapDemeaner(fixef_tol=1e-13),
    )
    out["ppml, account, CRV1"] = _pack(["x", "z"], fit.coef(), fit.se())
    for cov in ("HC1", "HC3"):
        fit = sm.OLS(table["y"], design).fit(cov_type=cov)
        out[f"ols, none, {cov}"] = _pack(list(design), fit.params, fit.bse)
    fit = sm.GLM(table["count"], design, family=sm.families.Poisson()).fit(tol=1e-14, maxiter=200)
    out["ppml, none, iid"] = _pack(list(design), fit.params, fit.bse)
    STORED.write_text(json.dumps(out, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__" and sys.argv[1:2] == ["--tables"]:
    folder = Path(sys.argv[2])
    panel().to_csv(folder / "panel.csv", index=False, float_format="%.17g")
    survey().to_csv(folder / "survey.csv", index=False)
elif __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the oracles' own dependencies
        main()
