# ruff: noqa: E501
"""Damaged files end in a result or in an error of this package, never in another exception and never in other figures."""

from __future__ import annotations

import csv
import io
import random
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from erresearch.errors import ErresearchError
from erresearch.exports import Export, delimited, read_export
from erresearch.exports.layouts import vocabulary

FILES = sorted((Path(__file__).resolve().parent / "exports" / "files").iterdir())
PLAIN = [path for path in FILES if path.suffix == ".csv"]
TOKENS = [
    b'"', b",", b";", b"\t", b"\n", b"\r", b"\x00", b"\xff", b"0", b"-", b"=", b"%", b"NaN", b"inf", b"1e999", b"9" * 400,
    b"\xef\xbb\xbf", b"sep=;\n", b"# Start date: 2026\n", b"Total", b"", b"  ", b"\xe2\x80\x8f", b"PK\x03\x04", b"1,5",
    b"\xd0\xcf\x11\xe0", b"<table>", b"'", b"undefined", b"2026-02-31", b"99999999999999999999", b"1.234", b"5 K", b'""',
]  # fmt: skip
PATIENCE = 120


def mutated(content: bytes, rng: random.Random) -> bytes:
    """Some bytes changed, cut, doubled or put in."""
    data = bytearray(content)
    for _ in range(rng.choice([1, 1, 1, 2, 3, 8])):
        if not data:
            break
        at = rng.randrange(len(data))
        kind = rng.randrange(7)
        if kind == 0:
            data[at] = rng.randrange(256)
        elif kind == 1:
            del data[at : at + rng.choice([1, 1, 5, 50, 500])]
        elif kind == 2:
            data[at:at] = rng.choice(TOKENS)
        elif kind == 3:
            start = rng.randrange(len(data))
            data[at:at] = data[start : start + rng.choice([1, 10, 100])]
        elif kind == 4:
            data[at : at + rng.choice([1, 4, 12])] = rng.choice(TOKENS)
        elif kind == 5:
            data = data[: max(1, at)]
        else:  # a digit for a digit: the file stays well formed
            digits = [i for i, byte in enumerate(data[:20_000]) if 48 <= byte <= 57]
            if digits:
                data[rng.choice(digits)] = rng.randrange(48, 58)
    return bytes(data)


def outcome(path: Path, fast: int) -> Export | str:
    """The result, or the message of an error of this package; anything else goes through."""
    before = delimited.FAST
    delimited.FAST = fast
    try:
        return read_export(path)
    except ErresearchError as error:
        return str(error)
    finally:
        delimited.FAST = before


def check_figures(export: Export, content: bytes) -> int:
    """Compare every plain number with the cell that it was read from, by another parser."""
    try:
        text = content.decode("utf-8-sig")
        records = list(csv.reader(io.StringIO(text, newline="")))
    except (UnicodeDecodeError, csv.Error):
        return 0
    told = {caution.code for caution in export.warnings}
    if export.kind == "outcomes" or not records or "repaired" in told:
        return 0
    checked = 0
    for target, header in export.columns.items():
        if target not in export.rows.columns or export.rows[target].dtype.kind != "f":
            continue
        where = [row.index(header) for row in records[:12] if row.count(header) == 1]
        if len(where) != 1:
            continue
        for number, value in zip(export.rows["source_row"], export.rows[target], strict=True):
            row = records[int(number) - 1]
            cell = row[where[0]].strip() if len(row) > where[0] else ""
            if target == "reach" and cell == "0" and "reach of 0" in told:
                assert np.isnan(value)  # a post that was watched has reached somebody: counted, and said
            elif cell.isascii() and cell.isdigit() and len(cell) < 16 and "(%)" not in header:
                assert value == float(cell), (target, number, cell)
                checked += 1
            elif not cell and target not in ("likes", "is_paid"):
                assert np.isnan(value), (target, number)
    return checked


@pytest.fixture(autouse=True)
def guard() -> Iterator[None]:
    """A hang ends in a failure."""

    def stop(number: int, frame: FrameType | None) -> None:
        pytest.fail("one file took minutes")

    before = signal.signal(signal.SIGALRM, stop)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def fuzz(count: int, seed: int, folder: Path) -> tuple[int, int]:
    """Read so many damaged files, both ways; return how many gave a result, and how many figures were compared."""
    rng = random.Random(seed)
    results = compared = 0
    for _ in range(count):
        source = rng.choice(FILES)
        content = mutated(source.read_bytes(), rng)
        path = folder / source.name
        path.write_bytes(content)
        signal.alarm(PATIENCE)
        slow = outcome(path, 1 << 40)
        if source.suffix == ".csv":
            fast = outcome(path, 0)
            if isinstance(slow, Export):
                assert isinstance(fast, Export), (source.name, fast)
                assert fast.accounting == slow.accounting
                numbers = [n for n in slow.rows.columns if slow.rows[n].dtype.kind == "f"]
                assert fast.rows[numbers].equals(slow.rows[numbers])
                compared += check_figures(slow, content)
            else:
                assert isinstance(fast, str), (source.name, slow)
        results += isinstance(slow, Export)
    signal.alarm(0)
    return results, compared


def test_damaged_files_end_in_a_result_or_a_named_error(tmp_path: Path):
    results, compared = fuzz(120, 20260301, tmp_path)
    assert results > 15
    assert compared > 250


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_many_damaged_files_end_in_a_result_or_a_named_error(seed: int, tmp_path: Path):
    results, compared = fuzz(2200, seed, tmp_path)
    assert results > 200
    assert compared > 5000


CELLS = st.one_of(
    st.sampled_from(sorted(vocabulary())),
    st.sampled_from(
        [
            "2026-01-05",
            "01/02/2026",
            "1,234",
            "1.234",
            "5%",
            "-",
            "",
            "=1+1",
            "Total",
            "USD 5",
            "3K",
            "0:12",
            "Lifetime",
        ]
    ),
    st.integers(-5, 10**20).map(str),
    st.text(max_size=8),
)


@given(
    table=st.lists(st.lists(CELLS, min_size=1, max_size=7), min_size=1, max_size=8),
    delimiter=st.sampled_from(",;\t|"),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_tables_of_anything(table: list[list[str]], delimiter: str, tmp_path: Path):
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows(table)
    path = tmp_path / "any.csv"
    path.write_bytes(out.getvalue().encode("utf-8", "replace"))
    found = outcome(path, 1 << 40)
    if isinstance(found, Export):
        assert found.accounting.rows_in <= len(table)


@given(head=st.sampled_from([b"", b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"\xff\xfe", b"\xef\xbb\xbf", b"<html>", b"sep=;\n"]),
       body=st.binary(max_size=400))  # fmt: skip
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_bytes_of_anything(head: bytes, body: bytes, tmp_path: Path):
    path = tmp_path / "any.bin"
    path.write_bytes(head + body)
    found = outcome(path, 1 << 40)
    assert isinstance(found, Export | str)
