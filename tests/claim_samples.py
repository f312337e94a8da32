"""Simulated tables that several tests of claims need."""

from __future__ import annotations

import numpy as np
import pandas as pd

ARMS = ["Mens E-Mail", "Womens E-Mail", "No E-Mail"]


def shop(rows: int = 3000, seed: int = 0, lift: float = 0.05) -> pd.DataFrame:
    """A simulated experiment with the columns of the real one."""
    rng = np.random.default_rng(seed)
    arm = rng.choice(ARMS, rows)
    visit = rng.random(rows) < 0.2 + lift * (arm != "No E-Mail")
    bought = visit & (rng.random(rows) < 0.3)
    return pd.DataFrame(
        {
            "segment": arm,
            "visit": visit.astype(int),
            "conversion": bought.astype(int),
            "spend": bought * rng.lognormal(4, 0.5, rows),
        }
    )
