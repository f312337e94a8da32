"""One job per process: ``python -m tests.benchmarks.contenders JOB FILE`` prints its numbers as JSON.

Each job imports what it needs and nothing else, so that its process costs what a user's would.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

Answer = dict[str, Any]


def _columns(path: str) -> list[str]:
    import polars as pl

    return [name for name in pl.scan_parquet(path).collect_schema() if name.startswith("x")]


# ------------------------------------------------------------------ regression with account effects


def group_by_sum(path: str) -> Answer:
    """The yardstick: sums of the same columns by account in the same engine."""
    import polars as pl

    columns = [f"x{i}" for i in range(6)] + ["y"]
    start = time.perf_counter()
    sums = [pl.col(name).sum() for name in columns]
    table = pl.scan_parquet(path).group_by("account").agg(sums).collect(engine="streaming")
    return {"seconds": time.perf_counter() - start, "groups": table.height}


def erresearch_moments(path: str) -> Answer:
    """One pass and nothing else."""
    from erresearch.engine.moments import Moments

    columns = [*_columns(path), "y"]
    start = time.perf_counter()
    moments = Moments.from_frame(path, columns, by="account")
    return {"seconds": time.perf_counter() - start, "groups": moments.accounts, "rows": moments.rows}


def erresearch_regress(path: str) -> Answer:
    """The product."""
    from erresearch import regress

    start = time.perf_counter()
    fit = regress(path, "y", on=_columns(path), by="account", within=True, cov="CRV1")
    values = {name: (e.value, e.se) for name, e in fit.items()}
    return {"seconds": time.perf_counter() - start, "estimates": values}


def statsmodels_ols(path: str) -> Answer:
    """Demeaned by pandas, clustered covariance by statsmodels."""
    import pandas as pd
    import statsmodels.api as sm

    names = _columns(path)
    table = pd.read_parquet(path, columns=["account", "y", *names])
    groups = table.pop("account")
    table -= table.groupby(groups).transform("mean")
    fit = sm.OLS(table["y"], table[names]).fit(cov_type="cluster", cov_kwds={"groups": groups})
    return {"estimates": {name: (fit.params[name], fit.bse[name]) for name in names}}


def pyfixest_feols(path: str) -> Answer:
    """High-dimensional fixed effects."""
    import pandas as pd
    import pyfixest as pf

    names = _columns(path)
    table = pd.read_parquet(path, columns=["account", "y", *names])
    fit = pf.feols(f"y ~ {' + '.join(names)} | account", data=table, vcov={"CRV1": "account"})
    return {"estimates": {name: (fit.coef()[name], fit.se()[name]) for name in names}}


def linearmodels_panel(path: str) -> Answer:
    """Panel estimator; wants entity and time as an index."""
    import pandas as pd
    from linearmodels.panel import PanelOLS

    names = _columns(path)
    table = pd.read_parquet(path, columns=["account", "y", *names])
    table["row"] = table.groupby("account").cumcount()
    table = table.set_index(["account", "row"])
    fit = PanelOLS(table["y"], table[names], entity_effects=True).fit(
        cov_type="clustered", cluster_entity=True
    )
    return {"estimates": {name: (fit.params[name], fit.std_errors[name]) for name in names}}


def duckreg_mundlak(path: str) -> Answer:
    """Mundlak's regression in DuckDB: the same slopes; its clustered errors are a bootstrap, left out here."""
    from duckreg import DuckMundlak

    names = _columns(path)
    table = f"read_parquet('{path}')"
    fit = DuckMundlak(":memory:", table, "y", names, 1, "account", n_bootstraps=0)
    fit.fit()
    slopes = fit.point_estimate.ravel()[1:]
    return {"estimates": {name: (float(b), float("nan")) for name, b in zip(names, slopes, strict=False)}}


# ------------------------------------------------------------------ Poisson with account effects


def erresearch_poisson(path: str) -> Answer:
    """The product."""
    from erresearch import poisson

    fit = poisson(path, "n", on=_columns(path), by="account", cov="CRV1")
    return {"estimates": {name: (e.value, e.se) for name, e in fit.items()}}


def pyfixest_fepois(path: str) -> Answer:
    """Iterated weighted least squares."""
    import pandas as pd
    import pyfixest as pf

    names = _columns(path)
    table = pd.read_parquet(path, columns=["account", "n", *names])
    fit = pf.fepois(f"n ~ {' + '.join(names)} | account", data=table, vcov={"CRV1": "account"})
    return {"estimates": {name: (fit.coef()[name], fit.se()[name]) for name in names}}


# ------------------------------------------------------------------ many models


def erresearch_curve(path: str) -> Answer:
    """4,096 models out of one pass."""
    from erresearch.engine.moments import Moments
    from erresearch.robustness import CurveInference, specification_curve

    controls = [f"c{i}" for i in range(12)]
    moments = Moments.from_frame(path, ["y", "x", *controls], by="account")
    how = CurveInference(cov="CRV1", draws=499)
    curve = specification_curve(moments, "y", "x", minimal=[], controls=controls, inference=how)
    return {"models": len(curve)}


def statsmodels_refits(path: str) -> Answer:
    """Eight refits spread over the curve, demeaned once; the table scales the part that repeats to all models."""
    import pandas as pd
    import statsmodels.api as sm

    controls = [f"c{i}" for i in range(12)]
    table = pd.read_parquet(path)
    groups = table.pop("account")
    table -= table.groupby(groups).transform("mean")
    start = time.perf_counter()
    for size in (2, 4, 5, 6, 6, 7, 8, 10):
        design = table[["x", *controls[:size]]]
        sm.OLS(table["y"], design).fit(cov_type="cluster", cov_kwds={"groups": groups})
    return {"seconds": time.perf_counter() - start, "models": 8}


def specification_curve_fit(path: str) -> Answer:
    """Eight models of three controls by the package of that name: no clusters, demeaned by us."""
    import pandas as pd
    import specification_curve as sc

    controls = [f"c{i}" for i in range(3)]
    table = pd.read_parquet(path, columns=["account", "y", "x", *controls])
    groups = table.pop("account")
    table -= table.groupby(groups).transform("mean")
    start = time.perf_counter()
    curve = sc.SpecificationCurve(table, y_endog="y", x_exog="x", controls=controls)
    curve.fit()
    return {"seconds": time.perf_counter() - start, "models": len(curve.df_r)}


def erresearch_bootstrap(path: str) -> Answer:
    """1,000 restricted wild cluster bootstraps after the fit."""
    import numpy as np

    from erresearch.engine.moments import Moments
    from erresearch.relate.inference import wild_bootstrap
    from erresearch.relate.regressions import solve

    names = _columns(path)
    start = time.perf_counter()
    moments = Moments.from_frame(path, [*names, "y"], by="account")
    one_pass = time.perf_counter() - start
    start = time.perf_counter()
    model = solve(moments, ("account",)).model
    wild_bootstrap(model, np.eye(len(names))[0], draws=999)
    return {"seconds": time.perf_counter() - start, "pass": one_pass}


# ------------------------------------------------------------------ imports and engines


def import_erresearch(path: str) -> Answer:
    """What a user pays before the first call."""
    import erresearch

    return {"name": erresearch.__name__}


def import_pandas(path: str) -> Answer:
    """The yardstick."""
    import pandas as pd

    return {"name": pd.__name__}


def erresearch_duckdb(path: str) -> Answer:
    """The same regression, computed by DuckDB."""
    import duckdb

    from erresearch import regress

    rows = duckdb.connect().read_parquet(path)
    fit = regress(rows, "y", on=_columns(path), by="account", within=True, cov="CRV1")
    return {"estimates": {name: (e.value, e.se) for name, e in fit.items()}}


def erresearch_spark(path: str) -> Answer:
    """The same regression, computed by a local Spark of two workers; start-up apart."""
    from pyspark.sql import SparkSession

    from erresearch import regress

    start = time.perf_counter()
    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    spark = (
        builder.config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.shuffle.partitions", "2")
        .getOrCreate()
    )
    started = time.perf_counter() - start
    start = time.perf_counter()
    fit = regress(spark.read.parquet(path), "y", on=_columns(path), by="account", within=True, cov="CRV1")
    values = {name: (e.value, e.se) for name, e in fit.items()}
    answer = {"estimates": values, "seconds": time.perf_counter() - start, "start": started}
    spark.stop()
    return answer


JOBS: dict[str, Callable[[str], Answer]] = {
    job.__name__: job
    for job in (
        group_by_sum,
        erresearch_moments,
        erresearch_regress,
        statsmodels_ols,
        pyfixest_feols,
        linearmodels_panel,
        duckreg_mundlak,
        erresearch_poisson,
        pyfixest_fepois,
        erresearch_curve,
        statsmodels_refits,
        specification_curve_fit,
        erresearch_bootstrap,
        import_erresearch,
        import_pandas,
        erresearch_duckdb,
        erresearch_spark,
    )
}


if __name__ == "__main__":
    answer = json.dumps(JOBS[sys.argv[1]](sys.argv[2]))
    # libraries may print to standard output: the answer is the last line
    sys.stdout.write(f"\n{answer}\n")
    sys.stdout.flush()
    os._exit(0)  # what interpreters do when they leave is nobody's work
