"""Verdicts on disk: what a spreadsheet sees, and which differences count."""

from __future__ import annotations

import csv
import io
import math

import pytest

from erresearch.errors import DataError
from erresearch.io.files import csv_text
from erresearch.report import run_record as ledger
from erresearch.results import Doubt, Estimate, Interval, Verdict

ESTIMATE = Estimate(
    "=HYPERLINK(0)",
    value=-0.1234567890123,
    se=0.02,
    df=39,
    interval=Interval(-0.16, -0.08),
    n_rows=4160,
    n_accounts=40,
)
JUDGED = Verdict(
    "C01",
    "shop, <b>\n2",
    "contradicted",
    size="at least δ",
    qualifiers=("simulated",),
    estimate=ESTIMATE,
    interval=Interval(-math.inf, -0.08, 0.99),
    sesoi=0.05,
    reason="-1 < 0",
    doubts=(Doubt("reverse", "as strong", 0.3, raised=True), Doubt("placebo", "weak", 0.01)),
)
OPEN = Verdict("C00", "movies", "not judged", reason="no panel")


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_rows_are_sorted_and_complete():
    first, second = read(csv_text(ledger.COLUMNS, ledger.verdict_rows([JUDGED, OPEN])))
    assert (first["claim"], first["value"], first["reason"]) == ("C00", "", "no panel")
    assert second["dataset"] == "shop, <b>\n2"
    assert second["words"] == "contradicted (at least δ), simulated"
    assert second["doubts_raised"] == "reverse"
    assert (second["low"], second["high"], second["level"]) == ("-inf", "-0.08", "0.99")


def test_text_is_defused_and_numbers_are_not():
    _, row = read(csv_text(ledger.COLUMNS, ledger.verdict_rows([JUDGED, OPEN])))
    assert row["estimate"] == "'=HYPERLINK(0)"
    assert row["reason"] == "'-1 < 0"
    assert row["value"] == "-0.123456789"


def written(path, *verdicts):
    path.write_text(csv_text(ledger.COLUMNS, ledger.verdict_rows(verdicts)), encoding="utf-8")
    return path


def changed(**values):
    from dataclasses import replace

    return replace(JUDGED, estimate=replace(ESTIMATE, **values))


def test_equal_tables_do_not_differ(tmp_path):
    a, b = (written(tmp_path / name, OPEN, JUDGED) for name in "ab")
    assert ledger.differences(a, b) == ()


def test_a_printed_digit_counts_and_the_twelfth_does_not(tmp_path):
    a = written(tmp_path / "a", JUDGED)
    assert ledger.differences(a, written(tmp_path / "b", changed(value=-0.12345678902))) == ()
    # on either side of where the fourth digit turns
    c, d = (
        written(tmp_path / "c", changed(value=0.123449999999)),
        written(tmp_path / "d", changed(value=0.12345)),
    )
    assert ledger.differences(c, d) == ()
    (said,) = ledger.differences(a, written(tmp_path / "b", changed(value=-0.1236)))
    assert said == "C01 on shop, <b>\n2: value is '-0.123456789', expected '-0.1236'"


def test_words_and_rows_count(tmp_path):
    a, b = written(tmp_path / "a", OPEN, JUDGED), written(tmp_path / "b", OPEN)
    assert ledger.differences(a, b) == ("C01 on shop, <b>\n2: is new",)
    assert ledger.differences(b, a) == ("C01 on shop, <b>\n2: is missing",)
    other = Verdict("C00", "movies", "inconclusive", reason="no panel")
    assert ledger.differences(b, written(tmp_path / "c", other)) == (
        "C00 on movies: words is 'not judged', expected 'inconclusive'",
    )


def test_infinity_is_not_a_number_like_others(tmp_path):
    from dataclasses import replace

    a = written(tmp_path / "a", JUDGED)
    b = written(tmp_path / "b", replace(JUDGED, interval=Interval(-9.0, -0.08, 0.99)))
    assert ledger.differences(a, b) == ("C01 on shop, <b>\n2: low is '-inf', expected '-9'",)


def test_refusals(tmp_path):
    good = written(tmp_path / "good", OPEN)
    with pytest.raises(DataError, match=r"the table of verdicts '.*none' cannot be read"):
        ledger.differences(good, tmp_path / "none")
    (tmp_path / "other").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"is not a table of verdicts: columns a, b"):
        ledger.differences(good, tmp_path / "other")
    (tmp_path / "empty").write_text("")
    with pytest.raises(DataError, match=r"columns \(none\)"):
        ledger.differences(tmp_path / "empty", good)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="cannot be read"):
        ledger.differences(tmp_path / "binary", good)


@pytest.mark.parametrize(
    ("found", "expected", "same"),
    [
        ("smallest eigenvalue −5.8e-16 of", "smallest eigenvalue 5.2e-16 of", True),
        ("a slope of −0.12345 [−1, 2]", "a slope of −0.123451 [−1, 2]", True),
        ("a slope of −0.1234 [−1, 2]", "a slope of −0.1235 [−1, 2]", False),
        ("12,345 of 20,000 rows", "12,346 of 20,000 rows", False),
        ("the week of 2024-07-29", "the week of 2024-07-22", False),
        ("only 3 accounts", "only 3 entities", False),
        ("1 and 2", "1 and", False),
    ],
)
def test_round_off_inside_a_sentence_is_no_difference(tmp_path, found: str, expected: str, same: bool):
    for name, text in (("a", found), ("b", expected)):
        rows = csv_text(("claim", "dataset", "reason"), [("C14", "movies", text)])
        (tmp_path / f"{name}.csv").write_text(rows, encoding="utf-8")
    assert (ledger.differences(tmp_path / "a.csv", tmp_path / "b.csv") == ()) == same
