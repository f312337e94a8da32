"""Files of a plan that anybody may have touched: read as they were written, or refused in one sentence."""

from __future__ import annotations

import random

import numpy as np
import pandas as pd
import pytest

import erresearch as er
from erresearch.errors import ErresearchError

NAMES = ("plan.toml", "schedule.csv", "history.csv")
VALUES = (
    '"x"',
    '"\\u0000"',
    "nan",
    "-inf",
    "-1",
    "1e308",
    "9" * 20,
    "true",
    "[]",
    "2024-01-01",
    "[[1, 2]]",
    "= =",
)
CELLS = ("", "x", "inf", "-1", "1e999", "2024-13-01", "9999999-01-01", "9" * 20, "é\x00", '"')


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    rng = np.random.default_rng(1)
    rows = pd.DataFrame(
        {
            "period": pd.date_range("2024-01-01", periods=60, freq="7D"),
            "revenue": 1000 * np.exp(0.1 * rng.standard_normal(60)),
            "engagement": 100.0,
            "posts": 3,
        }
    )
    plan = er.plan_experiment(rows, block=1, lags=(1, 1), weeks=12)
    plan = er.wager(plan, "x", forecast=0.1, date="2024-12-01")
    made = tmp_path_factory.mktemp("plans") / "plan"
    er.write_plan(plan, made)
    return made


def damaged(folder):
    """Every name of plan.toml with every value, every cell with every text, and bytes at random."""
    texts = {name: (folder / name).read_text(encoding="utf-8") for name in NAMES}
    lines = texts["plan.toml"].splitlines()
    for at, line in enumerate(lines):
        without = [*lines[:at], *lines[at + 1 :]]
        yield "plan.toml", "\n".join(without).encode()
        name, equals, _ = line.partition(" = ")
        for value in VALUES if equals else ():
            yield "plan.toml", "\n".join([*lines[:at], f"{name} = {value}", *lines[at + 1 :]]).encode()
    for name in NAMES[1:]:
        lines = texts[name].splitlines()
        head, *rows = lines
        for place in range(head.count(",") + 1):
            for cell in CELLS:
                at = len(rows) // 2
                cells = rows[at].split(",")
                cells[place] = cell
                yield name, "\n".join([head, *rows[:at], ",".join(cells), *rows[at + 1 :]]).encode()
        for whole in ("", head, "\n".join(rows), "\n".join([*lines, *rows]), "\n".join(lines[:4])):
            yield name, whole.encode()
        yield name, "\n".join([head, *rows[::-1]]).encode()  # another order says the same
        yield name, texts[name].encode("utf-16")
    rng = random.Random(1)
    for _ in range(60):
        name = rng.choice(NAMES)
        content = bytearray(texts[name].encode())
        at = rng.randrange(len(content))
        content[at : at + rng.randrange(4)] = rng.randbytes(rng.randrange(4))
        yield name, bytes(content)


def test_a_damaged_plan_is_refused_in_one_sentence_or_reads_as_a_plan(folder):
    whole = {name: (folder / name).read_bytes() for name in NAMES}
    said, read, before = [], [], "plan.toml"
    for name, content in damaged(folder):
        if name != before:  # one file is damaged at a time
            (folder / before).write_bytes(whole[before])
        (folder / name).write_bytes(content)
        before = name
        try:
            read.append(str(er.read_plan(folder)))
        except ErresearchError as error:
            said.append(str(error))
    assert len(said) > 300
    assert max(map(len, said)) < 400
    assert read
