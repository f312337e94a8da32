"""Write sensitivity.json with PySensemakr 0.0.8 (MIT), which needs pandas < 3 and is no dependency of this project.

Run ``python tests/oracle/make_sensitivity.py`` in an environment that has it. The first part are statistics of the
example that comes with it (Darfur; no row is stored); the second is a table simulated from a seed.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd


def simulated() -> pd.DataFrame:
    """A table of 60 shops with one strong and two weaker controls."""
    rng = np.random.default_rng(20)
    table = pd.DataFrame(rng.normal(size=(600, 3)), columns=["spend", "price", "posts"])
    table["shop"] = np.repeat(np.arange(60), 10)
    own = rng.normal(size=60)[table["shop"]]
    table["talk"] = 0.4 * table["spend"] - 0.2 * table["price"] + own + rng.normal(size=600)
    table["sales"] = (
        0.25 * table["talk"] + 0.5 * table["spend"] + 0.3 * table["posts"] + own + rng.normal(size=600)
    )
    return table


def described(outcome: object, treatment: object, name: str, benchmarks: list[str]) -> dict[str, object]:
    """What PySensemakr says about one coefficient.

    Partial R² are taken from both regressions and passed on: left to itself, version 0.0.8 regresses the treatment on
    the controls with a second constant and was up to 18 % off on the simulated table.
    """
    import sensemakr as smkr

    value, se, df = float(outcome.params[name]), float(outcome.bse[name]), int(outcome.df_resid)
    bounds = []
    for control in benchmarks:
        r2_x, r2_y = float(smkr.partial_r2(treatment, control)), float(smkr.partial_r2(outcome, control))
        for k in (1, 2, 3):
            found = smkr.ovb_partial_r2_bound(
                benchmark_covariates=[control], r2dxj_x=[r2_x], r2yxj_dx=[r2_y], kd=[k], ky=[k]
            )
            x, y = float(found["r2dz_x"].iloc[0]), float(found["r2yz_dx"].iloc[0])
            adjusted = smkr.adjusted_estimate(x, y, estimate=value, se=se, dof=df)
            bounds.append(
                {
                    "benchmark": control,
                    "strength": k,
                    "partial_r2_x": r2_x,
                    "partial_r2_y": r2_y,
                    "r2dz_x": x,
                    "r2yz_dx": y,
                    "adjusted_estimate": float(adjusted),
                    "adjusted_se": float(smkr.adjusted_se(x, y, se=se, dof=df)),
                }
            )
    return {
        "estimate": value,
        "se": se,
        "df": df,
        "partial_r2": float(smkr.partial_r2(outcome, name)),
        "robustness_value": float(smkr.robustness_value(t_statistic=value / se, dof=df).iloc[0]),
        "robustness_value_alpha": float(
            smkr.robustness_value(t_statistic=value / se, dof=df, alpha=0.05).iloc[0]
        ),
        "bounds": bounds,
    }


def main() -> None:
    """Fit both and store the answers."""
    import sensemakr as smkr
    import statsmodels.formula.api as smf

    def pair(outcome: str, treatment: str, controls: str, table: pd.DataFrame) -> tuple[object, object]:
        return (
            smf.ols(f"{outcome} ~ {treatment} + {controls}", table).fit(),
            smf.ols(f"{treatment} ~ {controls}", table).fit(),
        )

    village = "age + farmer_dar + herder_dar + pastvoted + hhsize_darfur + female + village"
    darfur = pair("peacefactor", "directlyharmed", village, smkr.load_darfur())
    table = simulated()
    shops = pair("sales", "talk", "spend + price + posts", table)
    within = pair("sales", "talk", "spend + price + posts + C(shop)", table)
    controls = ["spend", "price", "posts"]
    answers = {
        "darfur": described(*darfur, "directlyharmed", ["female"]),
        "simulated": described(*shops, "talk", controls),
        "simulated, within": described(*within, "talk", controls),
    }
    (Path(__file__).parent / "sensitivity.json").write_text(json.dumps(answers, indent=1) + "\n")


if __name__ == "__main__":
    main()
