"""Registered panels: folders of months, what is computed from their rows, and the figures they give."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from erresearch import datasets, examine
from erresearch.claims import packing, read_claims, real_rows
from erresearch.claims.packing import read_pack, shipped
from erresearch.datasets import entries, loading
from erresearch.errors import EngineError

ROOT = Path(__file__).resolve().parents[1]
COPIES = Path(
    os.environ.get("ERRESEARCH_DATA_DIR") or Path(__file__).resolve().parents[2] / "shared" / "data"
)
HEAD = "github_id,updated_github_id,category,star_count,watchers_count,open_issue_count,closed_issue_count,"
MONTHS = {
    "2021-01-28_projects.csv": ["a/old,a/new,x,10,,3,1,100,0", "b/b,,x,50,,1,0,70,0", ",,x,1,,0,0,5,0"],
    "2021-02-25_projects.csv": ["a/old,a/new,x,14,,4,1,120,0", "b/b,,x,49,,1,1,80,0", "b/b,,x,49,,1,1,9,0"],
    "2021-04-29_projects.csv": ["a/new,,x,30,7,4,2,150,0", "b/b,,x,60,8,2,2,,0"],
}


def file_of(lines: list[str]) -> bytes:
    return "\n".join([HEAD + "pypi_monthly_downloads,show", *lines, ""]).encode()


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """A registered folder of three made-up months; nothing is on this machine yet."""
    files = {name: file_of(lines) for name, lines in MONTHS.items()}
    parts = tuple(
        entries.Part(
            name,
            len(MONTHS[name]),
            hashlib.sha256(content).hexdigest(),
            hashlib.sha256(
                "\n".join(sorted(line.split(",")[0] for line in MONTHS[name])).encode()
            ).hexdigest()[:16],
            {"star_count": float(sum(int(line.split(",")[3]) for line in MONTHS[name]))},
        )
        for name, content in files.items()
    )
    card = replace(datasets.dataset_card("best-of-web-python"), n=5)
    for module in (entries, loading):
        monkeypatch.setattr(module, "parts_of", lambda source: parts)
    monkeypatch.setattr(loading, "dataset_card", lambda name: card)
    monkeypatch.setenv("ERRESEARCH_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("ERRESEARCH_DATA_DIR", raising=False)
    monkeypatch.setattr(
        entries, "retrieve", lambda url, target: target.write_bytes(files[url.rsplit("/", 1)[1]])
    )
    return tmp_path / "cache" / "best_of_web_python"


def test_a_folder_is_fetched_file_by_file_and_renamed_projects_are_one(folder):
    table = datasets.load("best-of-web-python")
    account = table.attrs["erresearch"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(MONTHS)
    assert account["excluded"] == {"no name": 1, "listed twice in a month": 1}
    assert account["mended"] == {"project: under its last name": 2}
    assert table["project"].tolist() == ["a/new"] * 3 + ["b/b"] * 3
    assert table["downloads"].iloc[4] == 80
    assert table["new_issues"].iloc[[1, 4]].tolist() == [1, 1]
    # a fall is kept, and nothing is spread over March
    np.testing.assert_array_equal(table["new_stars"], [np.nan, 4, np.nan, np.nan, -1, np.nan])
    assert account["where"] == "downloaded"
    assert datasets.load("best-of-web-python").attrs["erresearch"]["checked_by"] == "sha256"


def test_a_missing_month_is_named(folder):
    datasets.load("best-of-web-python")
    (folder / "2021-02-25_projects.csv").unlink()
    message = (
        r"lacks files.*2 of 3, without 2021-02-25_projects\.csv.*remove the folder and load again; the board"
    )
    with pytest.raises(EngineError, match=message):
        datasets.load("best-of-web-python")


def test_a_month_saved_anew_passes_by_its_sums_and_a_changed_one_is_named(folder):
    datasets.load("best-of-web-python")
    month = folder / "2021-04-29_projects.csv"
    month.write_bytes(month.read_bytes().replace(b",30,", b",30.0,"))
    assert datasets.load("best-of-web-python").attrs["erresearch"]["checked_by"] == "column sums"
    month.write_bytes(month.read_bytes().replace(b",30.0,", b",31.0,"))
    message = r"'2021-04-29_projects\.csv' is not the file registered.*star_count adds to 91.*star_count 90"
    with pytest.raises(EngineError, match=message):
        datasets.load("best-of-web-python")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (lambda month: b"", "EmptyDataError: No columns to parse"),
        (lambda month: b"<html>moved</html>", "0 rows without 'github_id', 'star_count'"),
        (lambda month: month[:150], "1 row, star_count adds to 30"),
        (lambda month: month.replace(b"star_count", b"stars"), "2 rows without 'star_count'"),
        (lambda month: month.replace(b"b/b", b"b/c"), "other names in 'github_id': one renamed would be two"),
    ],
)
def test_a_month_that_is_another_file_is_named_with_what_is_wrong(folder, changed, said):
    datasets.load("best-of-web-python")
    month = folder / "2021-04-29_projects.csv"
    month.write_bytes(changed(month.read_bytes()))
    message = rf"'2021-04-29_projects\.csv' is not the file registered.*{said}.*get it again from http"
    with pytest.raises(EngineError, match=f"(?i){message}"):
        datasets.load("best-of-web-python")


def test_half_a_download_leaves_nothing_behind(folder, monkeypatch):
    def stop(url, target):
        if "2021-02" in url:
            raise TimeoutError("read timed out")
        target.write_bytes(file_of([]))

    monkeypatch.setattr(entries, "retrieve", stop)
    with pytest.raises(EngineError, match=r"2021-02-25_projects\.csv.*TimeoutError: read timed out"):
        datasets.load("best-of-web-python")
    assert list(folder.parent.iterdir()) == []


def test_a_set_of_another_package_says_what_to_install(monkeypatch):
    card = datasets.dataset_card("charity")
    absent = replace(card, sources=(replace(card.sources[0], package="no_such_package"),))
    monkeypatch.setattr(loading, "dataset_card", lambda name: absent)
    with pytest.raises(EngineError, match=r"comes with the package no_such_package.*[Ii]nstall"):
        datasets.load("charity")
    assert not entries.installed(absent)


def test_charity_is_read_from_its_package():
    givers = datasets.load("charity")
    assert givers.attrs["erresearch"]["where"] == "installed"
    # Franses & Paap: 1,707 of 4,268 answered
    assert (len(givers), int(givers["respond"].sum())) == (4268, 1707)
    assert ((givers["gift"] > 0) == (givers["respond"] == 1)).all()


def test_retailer_weeks_add_spending_and_mark_holidays():
    rows = pd.DataFrame(
        {"spend_a": [1.0, 2.0], "spend_b": [3.0, 0.0], "holiday_x": [0, 0], "holiday_y": [1, 0]}
    )
    made = loading.retailer_weeks(rows, {}, {})
    assert made[["account", "spend", "holiday"]].to_dict("list") == {
        "account": ["retailer"] * 2,
        "spend": [4.0, 2.0],
        "holiday": [1, 0],
    }


def shop_days() -> pd.DataFrame:
    """Two shops over eight days from a Monday on; one has a row over all territories."""
    days = pd.date_range("2024-01-01", periods=8)
    parts = [("a", "All Territories", 10.0), ("a", "Spain", 4.0), ("b", "Spain", 3.0), ("b", "Italy", 2.0)]
    return pd.DataFrame(
        [
            {
                "account": shop,
                "territory": where,
                "day": day,
                "gross": gross,
                "discount": None if where == "Italy" else 1.0,
                "google_pmax_spend": 1.0,
                "meta_instagram_spend": 2.0,
                "meta_instagram_clicks": 5.0,
                "meta_instagram_impressions": 50.0,
                "tiktok_clicks": np.nan if where == "Italy" else 1.0,
            }
            for shop, where, gross in parts
            for day in days
        ]
    )


def test_shop_weeks_count_no_territory_twice_and_no_part_of_a_week():
    excluded, mended = {}, {}
    made = loading.shop_weeks(shop_days(), excluded, mended)
    assert excluded == {"in the row over all territories": 8, "week of fewer than 7 days": 2}
    assert mended == {"no figure of a channel: 0": 8}
    expected = {
        "account": ["a", "b"],
        "week": ["2024-01-01"] * 2,
        "engagement": [42.0, 77.0],
        "reach": [350.0, 700.0],
        "spend": [21.0, 42.0],
        "revenue": [63.0, 28.0],
    }
    assert made[list(expected)].to_dict("list") == expected


def shop_file(shops: int = 9, weeks: int = 70) -> pd.DataFrame:
    """Simulated days of shops with the columns of the file, empty cells where a channel was not used."""
    card, rng = datasets.dataset_card("conjura-shops"), np.random.default_rng(4)
    days = pd.date_range("2022-01-03", periods=7 * weeks).strftime("%Y-%m-%d")
    parts = []
    for shop in range(shops):
        for where in ("All Territories", "Spain") if shop == 0 else ("Spain", "Italy")[: 1 + shop % 2]:
            rows = pd.DataFrame({"DATE_DAY": days, "ORGANISATION_ID": f"s{shop}", "TERRITORY_NAME": where})
            talk = np.repeat(rng.lognormal(4, 0.5, weeks), 7)
            sold = rng.lognormal(7, 0.3, len(rows)) * (talk**0.1)
            for column in card.columns:
                if column.source.endswith(("_SPEND", "_CLICKS", "_IMPRESSIONS")):
                    meta = column.source.startswith("META")
                    rows[column.source] = (
                        np.round(rng.lognormal(3, 0.4, len(rows)) * (talk / 50)) if meta else ""
                    )
            money = {"ALL_PURCHASES_ORIGINAL_PRICE": sold.round(2), "ALL_PURCHASES_GROSS_DISCOUNT": ""}
            parts.append(rows.assign(**money, **dict.fromkeys(card.unused, "x")))
    return pd.concat(parts, ignore_index=True)


def test_shops_that_nobody_has_run_yet_run_on_a_file_of_their_layout(monkeypatch, tmp_path, capsys):
    card = datasets.dataset_card("conjura-shops")
    assert card.pending
    assert "Not yet run" in str(card)
    table = shop_file()
    table.to_csv(tmp_path / card.sources[0].file, index=False)
    monkeypatch.setenv("ERRESEARCH_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("ERRESEARCH_CACHE_DIR", str(tmp_path / "cache"))
    with pytest.raises(
        EngineError, match=rf"does not hold the rows.*{len(table):,} rows.*Allowed: 132,759 rows"
    ):
        datasets.load("conjura-shops")
    monkeypatch.setattr(loading, "dataset_card", lambda name: replace(card, n=len(table)))
    weeks = datasets.load("conjura-shops")
    assert weeks.groupby("account").size().eq(70).all()
    assert weeks.attrs["erresearch"]["excluded"]["in the row over all territories"] == 490
    table.rename(columns=str.lower).to_csv(tmp_path / card.sources[0].file, index=False)
    pd.testing.assert_frame_equal(datasets.load("conjura-shops"), weeks)
    tool = runpy.run_path(str(ROOT / "data" / "make_evidence.py"))
    tool["main"](["conjura-shops"], tmp_path)
    said = capsys.readouterr().out
    assert re.findall(r"^  (C\d+) on conjura-shops: (?!not judged)", said, re.MULTILINE) == [
        "C01",
        "C09",
        "C18",
    ]
    assert "take `pending` of conjura-shops out of datasets.toml" in said
    pack = read_pack(tmp_path / "conjura-shops.npz")
    assert {claim: entry.kind for claim, entry in pack.entries.items()} == dict.fromkeys(
        ["C01", "C09", "C18"], "stored"
    )
    table = real_rows(examine(["C01", "C09", "C18"], {"conjura-shops": pack}))
    assert all(all(row) for row in table.rows)


# ------------------------------------------------------------------------------------ rows of unproven origin
def test_what_cannot_be_proven_real_says_so_wherever_it_appears():
    claims = [claim for claim in read_claims() if "retailer-weeks" in claim.family]
    assert {claim.id for claim in claims} >= {"C01", "C18"}
    verdicts = [v for v in examine(claims, shipped()) if v.dataset == "retailer-weeks"]
    for verdict in verdicts:
        assert "origin unproven" in verdict.words
        assert "whether the rows are real cannot be proven" in str(verdict.certainty)
    assert all("origin unproven" in row[-1] for row in real_rows(verdicts).rows)
    for page in [*ROOT.glob("docs/**/*.md"), *ROOT.glob("notebooks/*.ipynb"), ROOT / "README.md"]:
        # lines of a notebook are strings of their own
        text = re.sub(r'(\\n",)?\s+"?', " ", page.read_text(encoding="utf-8"))
        if "retailer" in text:
            assert re.search("origin unproven|real or not|can(not)? (be )?prove", text), page.name


# ------------------------------------------------------------------------------------------ figures found before
@pytest.mark.skipif(not (COPIES / "best_of_ml_python").is_dir(), reason="no copies of the panels here")
def test_figures_found_before_are_found_again_or_explained(monkeypatch):
    monkeypatch.setenv("ERRESEARCH_DATA_DIR", str(COPIES))
    tool = runpy.run_path(str(ROOT / "tools" / "found_before.py"))
    found = tool["figures"]()
    assert len(found) > 45
    assert sum(not (figure.same or figure.counted) for figure in found) <= 1
    assert all(figure.same or figure.why for figure in found)
    page = (ROOT / "docs" / "BOARD.md").read_text(encoding="utf-8")
    assert tool["table"](found) in page, "run: python tools/found_before.py"


# --------------------------------------------------------------------------------------- groups that ship
def sums_of(groups: pd.DataFrame) -> tuple[np.ndarray, float]:
    """Covariance of all rows from the counts, means, standard deviations and correlations of their groups, and rows."""
    n = groups["rows"].to_numpy(dtype=float)
    means, spread = (groups[[f"new_stars{s}", f"downloads{s}"]].to_numpy() for s in ("", "_sd"))
    within = np.einsum("g,gi,gj->gij", n - 1, spread, spread)
    within[:, [0, 1], [1, 0]] *= groups["r"].to_numpy()[:, None]
    off = means - n @ means / n.sum()
    return (within.sum(axis=0) + np.einsum("g,gi,gj->ij", n, off, off)) / (n.sum() - 1), n.sum()


@pytest.mark.parametrize("name", ["best-of-ml-python", "best-of-web-python"])
def test_the_groups_that_ship_give_the_figures_of_the_pack(name):
    """Correlation over all rows and slope of what is left, as in the estimates stored beside them."""
    groups = datasets.load("project-groups").query("data == @name")
    assert groups["projects"].min() >= 20
    (verdict,) = examine("C01", {name: read_pack(ROOT / "data" / "evidence" / f"{name}.npz")})
    between, _ = sums_of(groups.query("compared == 'projects with each other'"))
    r = between[0, 1] / np.sqrt(between[0, 0] * between[1, 1])
    (naive,) = [doubt.value for doubt in verdict.doubts if doubt.name.startswith("naive")]
    assert r == pytest.approx(naive, abs=1e-4)
    left, rows = sums_of(groups.query("compared == 'a project with itself'"))
    if name == "best-of-ml-python":  # projects that stand in both lists are judged there
        assert rows == verdict.estimate.n_rows
        assert left[0, 1] / left[0, 0] == pytest.approx(verdict.estimate.value, abs=1e-5)


@pytest.mark.skipif(not (COPIES / "best_of_ml_python").is_dir(), reason=f"no copies of the lists in {COPIES}")
def test_the_groups_and_levels_that_ship_are_those_of_the_rows(monkeypatch):
    monkeypatch.setenv("ERRESEARCH_DATA_DIR", str(COPIES))
    monkeypatch.setattr(packing, "rows_of", functools.cache(packing.rows_of))
    tool = runpy.run_path(str(ROOT / "data" / "make_evidence.py"))
    for name, maker in (("project-groups", "groups"), ("aggregation-levels", "levels")):
        stored = datasets.load(name).query("data == 'best-of-web-python'").reset_index(drop=True)
        made = pd.DataFrame(tool[maker]("best-of-web-python"))
        made.columns = stored.columns
        pd.testing.assert_frame_equal(made, stored, atol=2e-6, check_dtype=False)
