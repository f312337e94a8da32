"""Registered data: embedded sets, made-up files for every way in and every refusal, and published figures."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import runpy
import sqlite3
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from erresearch import datasets
from erresearch.datasets import entries, loading
from erresearch.errors import ColumnError, DataError, EngineError, UnknownNameError

ROOT = Path(__file__).resolve().parents[1]
COPIES = Path(os.environ.get("ERRESEARCH_DATA_DIR") or ROOT.parent / "shared" / "data")
EMBEDDED = ["movies", "published-effects", "er-benchmarks", "aggregation-levels", "project-groups"]
FOLDERS = ["best-of-ml-python", "best-of-web-python"]
DOWNLOADED = [
    *["csm-movies", "hillstrom", "online-shoppers", "facebook-metrics", "fandango"],
    *[*FOLDERS, "retailer-weeks", "conjura-shops"],
]
AT_HAND = [name for name in DOWNLOADED if name != "conjura-shops"]

needs_copies = pytest.mark.skipif(
    not (COPIES / "hillstrom_minethatdata.csv").is_file(),
    reason=f"no copies of the downloadable data in {COPIES}: set ERRESEARCH_DATA_DIR",
)


@pytest.fixture
def copies(monkeypatch, tmp_path):
    monkeypatch.setenv("ERRESEARCH_DATA_DIR", str(COPIES))
    monkeypatch.setenv("ERRESEARCH_CACHE_DIR", str(tmp_path / "cache"))
    return COPIES


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No copy anywhere, and a network that fails."""
    monkeypatch.delenv("ERRESEARCH_DATA_DIR", raising=False)
    monkeypatch.setenv("ERRESEARCH_CACHE_DIR", str(tmp_path / "cache"))

    def fail(url, target):
        raise ConnectionError("no route")

    monkeypatch.setattr(entries, "retrieve", fail)
    return tmp_path / "cache"


MADE_UP = b"Film,Votes,Sold\nA b,3,TRUE\n\"C, 'd'\",4,FALSE\n"


def made_up(content: bytes = MADE_UP, **changes) -> datasets.Dataset:
    """A small registry entry for made-up bytes."""
    column = entries.CodebookColumn
    entry = datasets.Dataset(
        name="made-up",
        title="Made up",
        unit="film",
        n=2,
        randomised=False,
        licence="none",
        citation="nobody",
        url="https://example.org/about",
        distance="none",
        columns=(
            column(name="title", source="Film", kind="text", unit="", meaning="title"),
            column(name="votes", source="Votes", kind="integer", unit="votes", meaning="votes"),
            column(name="sold", source="Sold", kind="flag", unit="", meaning="sold"),
        ),
        sources=(
            entries.Source(
                file="made_up.csv",
                format="csv",
                sha256=hashlib.sha256(content).hexdigest(),
                download="https://example.org/made_up.csv",
            ),
        ),
    )
    return replace(entry, **changes)


def load_made_up(monkeypatch, folder: Path, content: bytes, **changes) -> pd.DataFrame:
    """Load made-up bytes from a data folder, as `load` would."""
    entry = made_up(content, **changes)
    folder.mkdir(exist_ok=True)
    (folder / entry.sources[0].file).write_bytes(content)
    monkeypatch.setenv("ERRESEARCH_DATA_DIR", str(folder))
    monkeypatch.setattr(loading, "dataset_card", lambda name: entry)
    return datasets.load("made-up")


# ------------------------------------------------------------------------------------------------ registry
@pytest.mark.parametrize("name", EMBEDDED + DOWNLOADED)
def test_every_entry_says_what_a_user_needs(name):
    card = datasets.dataset_card(name)
    assert card.title
    assert card.unit
    assert card.licence
    assert card.citation
    assert card.distance
    assert card.quirks
    assert card.n > 0
    assert all(column.meaning for column in card.columns)
    assert {rule.column for rule in card.count + card.exclude} <= {column.name for column in card.columns}
    assert set(card.key) | set(card.sums) <= {column.name for column in card.columns}
    assert all(re.fullmatch("[0-9a-f]{64}", s.sha256) for s in card.sources if s.sha256)
    assert all(source.sha256 or source.parts or card.sums or card.pending for source in card.sources)
    assert card.embedded or any(source.download for source in card.sources)


def test_catalog_lists_all_sets_once_and_reads_nothing(offline):
    table = datasets.catalog()
    assert table["name"].tolist() == [*EMBEDDED, *DOWNLOADED, "charity"]
    assert table.loc[table["randomised"], "name"].tolist() == ["hillstrom"]
    assert table.set_index("name")["where"].drop("charity").to_dict() == dict.fromkeys(
        EMBEDDED, "embedded"
    ) | dict.fromkeys(DOWNLOADED, "to download")
    assert not offline.exists()


def test_catalog_says_where_a_copy_is(offline, monkeypatch, tmp_path):
    offline.mkdir()
    (offline / "fivethirtyeight_fandango.csv").touch()
    (tmp_path / "hillstrom_minethatdata.csv").touch()
    monkeypatch.setenv("ERRESEARCH_DATA_DIR", str(tmp_path))
    where = datasets.catalog().set_index("name")["where"]
    assert where[["hillstrom", "fandango", "csm-movies"]].tolist() == ["data dir", "cached", "to download"]


@pytest.mark.parametrize("ask", [datasets.load, datasets.dataset_card, datasets.verify])
def test_unknown_name_suggests_the_nearest(ask):
    with pytest.raises(UnknownNameError, match=r"no data set 'movie'.*Did you mean 'movies'"):
        ask("movie")


def test_card_prints_terms_and_shows_its_columns():
    card = datasets.dataset_card("online-shoppers")
    assert "12,330 rows, one per web session" in str(card)
    assert "Nothing was randomised" in str(card)
    shown = card._repr_markdown_()
    assert "`page_values`" in shown
    assert "(**leaks**)" in shown
    assert "A treatment was randomised" in str(datasets.dataset_card("hillstrom"))


def test_readme_of_the_data_is_current():
    make = runpy.run_path(str(ROOT / "data" / "make_readme.py"))
    text = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    assert make["dictionary"](text) == text
    with pytest.raises(SystemExit, match="lacks the line"):
        make["dictionary"]("no marker")


# ---------------------------------------------------------------------------------------------- embedded
@pytest.mark.parametrize("name", EMBEDDED)
def test_embedded_sets_load_offline_and_account_for_every_row(name, offline):
    frame = datasets.load(name)
    account = frame.attrs["erresearch"]
    assert json.loads(json.dumps(account)) == account
    assert account["rows"] == len(frame) == datasets.dataset_card(name).n
    assert account["rows_in_file"] - sum(account["excluded"].values()) == account["rows"]
    assert account["missing"] == {c: int(n) for c, n in frame.isna().sum().items() if n}
    assert (account["where"], account["checked_by"]) == ("embedded", "sha256")
    assert list(account["columns"]) == list(frame.columns)
    assert datasets.verify(name).sha256 == account["sha256"]


def test_films_are_those_with_a_plausible_figure():
    films = datasets.load("movies")
    account = films.attrs["erresearch"]
    assert account["rows_in_file"] == 17_472
    assert account["excluded"] == {"no box-office figure": 14_712, "box-office figure under 1,000 USD": 6}
    assert round(100 * 14_712 / 17_472) == 84
    assert films["film_id"].is_unique
    assert not films.duplicated(["title", "year"]).any()
    assert films["box_office"].min() >= 1000
    assert films["reviews"].min() >= 5
    assert films["meter"].dropna().between(0, 100).all()
    assert films["year"].between(1940, 2014).all()
    assert (films["released"].dt.year == films["year"]).all()
    # the quirk as registered: these two columns carry nothing new
    known = films.dropna(subset=["meter"])
    assert (known["fresh"] + known["rotten"] == known["reviews"]).all()
    assert (known["fresh"] / known["reviews"] - known["meter"] / 100).abs().max() < 0.02 + 0.5 / 5


def test_films_agree_with_a_query_of_the_database():
    path = entries.look(datasets.dataset_card("movies")).path
    before = (path.read_bytes(), sorted(path.parent.iterdir()))
    films = datasets.load("movies")
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    total, number, votes = connection.execute(
        "SELECT SUM(t.BoxOffice), COUNT(*), SUM(t.Reviews) FROM tomatoes t WHERE t.BoxOffice >= 1000"
    ).fetchone()
    connection.close()
    assert (films["box_office"].sum(), len(films), films["reviews"].sum()) == (total, number, votes)
    assert (path.read_bytes(), sorted(path.parent.iterdir())) == before


def test_published_effects_hold_only_what_was_seen():
    effects = datasets.load("published-effects")
    assert effects["id"].is_unique
    assert set(effects["status"]) == {
        "verified_numeric",
        "verified_direction",
        "secondary_numeric",
        "secondary_direction",
    }
    assert effects.loc[effects["status"].str.endswith("direction"), "effect"].isna().all()
    assert effects.loc[effects["status"].str.endswith("numeric"), "effect"].notna().all()
    assert effects["citation"].notna().all()
    assert effects["seen_at"].notna().all()
    by_id = effects.set_index("id")
    assert by_id.loc["babic2016", "effect"] == 0.091
    assert by_id.loc["seiler2017", "effect"] == 0.016
    # the only study with standard errors that were seen
    assert set(effects.loc[effects["se"].notna(), "study"]) == set(
        by_id.loc[["yang2025_engagement"], "study"]
    )
    assert by_id.loc["yang2025_product", ["effect", "se"]].tolist() == [68.27, 22.87]
    assert by_id.loc["john2017", ["direction", "randomised"]].tolist() == ["none", True]
    assert "imh_023" not in by_id.index
    signed = effects["effect_type"].isin(["r", "elasticity"]) & effects["direction"].isin(
        ["positive", "negative"]
    )
    signs = np.sign(effects.loc[signed, "effect"].dropna())
    words = effects.loc[signs.index, "direction"].map({"positive": 1, "negative": -1})
    assert (signs == words).all()


def test_benchmarks_carry_definition_date_and_bounds():
    levels = datasets.load("er-benchmarks")
    assert set(levels["status"]) == {"verified", "secondary"}
    assert levels["denominator"].isin(["followers", "impressions", "views", "not stated"]).all()
    assert levels[["source", "year", "platform", "er_definition", "seen_at"]].notna().all().all()
    assert (levels["tier_low"] < levels["tier_high"]).sum() == levels[["tier_low", "tier_high"]].notna().all(
        axis=1
    ).sum()
    bands = levels[levels["scope"] == "band"]
    assert bands["low_percent"].tolist() == [0, 1, 3.5, 6]
    assert bands["high_percent"].tolist()[:3] == [1, 3.5, 6]
    assert np.isnan(bands["high_percent"].iloc[3])
    ranges = levels[levels["low_percent"].notna() & levels["er_percent"].notna()]
    assert np.allclose((ranges["low_percent"] + ranges["high_percent"]) / 2, ranges["er_percent"])
    hype = levels[
        levels["source"].str.startswith("HypeAuditor benchmark")
        & levels["er_definition"].str.contains("Average")
    ]
    assert hype["er_percent"].is_monotonic_decreasing


# ------------------------------------------------------------------------------- places, with made-up bytes
def test_a_copy_in_the_data_folder_comes_before_the_cache(monkeypatch, tmp_path, offline):
    offline.mkdir()
    (offline / "made_up.csv").write_bytes(b"not read")
    frame = load_made_up(monkeypatch, tmp_path / "data", MADE_UP)
    assert frame.to_dict("list") == {"title": ["A b", "C, 'd'"], "votes": [3, 4], "sold": [True, False]}
    assert [str(kind) for kind in frame.dtypes[1:]] == ["int64", "bool"]
    assert frame.attrs["erresearch"]["where"] == "data dir"


def test_a_fetched_file_is_checked_kept_and_used_again(monkeypatch, tmp_path, offline):
    entry = made_up()
    asked = []

    def fetch(url, target):
        asked.append(url)
        target.write_bytes(MADE_UP)

    monkeypatch.setattr(entries, "retrieve", fetch)
    monkeypatch.setattr(loading, "dataset_card", lambda name: entry)
    assert datasets.load("made-up").attrs["erresearch"]["where"] == "downloaded"
    assert datasets.load("made-up").attrs["erresearch"]["where"] == "cached"
    assert asked == ["https://example.org/made_up.csv"]
    assert [path.name for path in offline.iterdir()] == ["made_up.csv"]
    assert datasets.verify("made-up").rows == 2


def test_offline_the_error_says_which_file_to_put_where(offline):
    with pytest.raises(
        EngineError, match=r"'hillstrom' is not on this machine.*www\.minethatdata\.com"
    ) as caught:
        datasets.load("hillstrom")
    message = str(caught.value)
    assert "ConnectionError: no route" in message
    assert "save it as 'hillstrom_minethatdata.csv' in a folder, and set ERRESEARCH_DATA_DIR" in message
    assert str(offline) in message
    assert list(offline.iterdir()) == []


@pytest.mark.parametrize("name", DOWNLOADED)
def test_offline_every_set_names_its_files(name, offline):
    with pytest.raises(EngineError, match="could not be fetched") as caught:
        datasets.load(name)
    assert all(repr(source.file) in str(caught.value) for source in datasets.dataset_card(name).sources)
    with pytest.raises(EngineError, match=f"no copy of data set '{name}' on this machine to verify"):
        datasets.verify(name)


@pytest.mark.parametrize("served", [MADE_UP[:-5], b"", b"<html>moved</html>"])
def test_a_changed_or_truncated_download_leaves_nothing_behind(served, monkeypatch, offline):
    monkeypatch.setattr(entries, "retrieve", lambda url, target: target.write_bytes(served))
    monkeypatch.setattr(loading, "dataset_card", lambda name: made_up())
    with pytest.raises(
        EngineError, match=r"not the file registered for data set 'made-up'.*SHA-256.*new edition"
    ):
        datasets.load("made-up")
    assert list(offline.iterdir()) == []


def test_a_download_that_stops_half_way_leaves_nothing_behind(monkeypatch, offline):
    def stop(url, target):
        target.write_bytes(MADE_UP[:10])
        raise TimeoutError("read timed out")

    monkeypatch.setattr(entries, "retrieve", stop)
    monkeypatch.setattr(loading, "dataset_card", lambda name: made_up())
    with pytest.raises(EngineError, match="TimeoutError: read timed out"):
        datasets.load("made-up")
    assert list(offline.iterdir()) == []


def test_a_spoilt_copy_in_the_cache_is_named(monkeypatch, offline):
    offline.mkdir()
    (offline / "made_up.csv").write_bytes(MADE_UP + b"E,5,TRUE\n")
    monkeypatch.setattr(loading, "dataset_card", lambda name: made_up())
    for ask in (datasets.load, datasets.verify):
        with pytest.raises(
            EngineError, match=r"made_up\.csv.*is not the file registered.*Delete it and load again"
        ):
            ask("made-up")


def test_a_cache_that_cannot_be_written_is_named(monkeypatch, tmp_path, offline):
    (tmp_path / "file").touch()
    monkeypatch.setenv("ERRESEARCH_CACHE_DIR", str(tmp_path / "file" / "cache"))
    with pytest.raises(
        EngineError, match=r"cache for downloaded data cannot be written.*ERRESEARCH_CACHE_DIR"
    ):
        datasets.load("fandango")


def test_a_folder_that_several_fetch_at_once_is_kept_once(monkeypatch, offline):
    card, both = datasets.dataset_card("best-of-ml-python"), threading.Barrier(2)
    monkeypatch.setattr(entries, "retrieve", lambda url, target: target.write_text(url))
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: entries.find(card, check=lambda _: both.wait(60)), range(2)))
    assert found[0] == found[1]
    assert [path.name for path in offline.iterdir()] == [card.sources[0].file]


@pytest.mark.parametrize("ask", [datasets.catalog, lambda: datasets.load("fandango")])
def test_a_data_folder_that_is_none_is_refused(ask, monkeypatch, tmp_path):
    monkeypatch.setenv("ERRESEARCH_DATA_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(EngineError, match="ERRESEARCH_DATA_DIR names no folder"):
        ask()


def test_the_cache_is_the_systems_unless_named(monkeypatch):
    monkeypatch.delenv("ERRESEARCH_CACHE_DIR", raising=False)
    assert "erresearch" in entries.cache_folder().parts


def test_the_fetch_goes_through_pooch(monkeypatch, tmp_path):
    import pooch

    class Recorded:
        def __init__(self, **options):
            self.options = options

        def __call__(self, url, target, _):
            assert self.options["timeout"] > 0
            target.write_text(url)

    monkeypatch.setattr(pooch, "HTTPDownloader", Recorded)
    entries.retrieve("https://example.org/x", tmp_path / "x")
    assert (tmp_path / "x").read_text() == "https://example.org/x"


def test_a_missing_package_or_file_is_named():
    card = datasets.dataset_card("movies")
    gone = replace(card, sources=(replace(card.sources[0], package="no_such_package"),))
    with pytest.raises(EngineError, match=r"comes with the package no_such_package, which is not installed"):
        entries.look(gone)
    lost = replace(card, sources=(replace(card.sources[0], path="_data/no.db"),))
    with pytest.raises(EngineError, match="the file of data set 'movies' cannot be read"):
        entries.look(lost)
    other = replace(card, sources=(replace(card.sources[0], sha256="0" * 64),))
    with pytest.raises(
        EngineError, match=r"not the file registered for data set 'movies'.*bokeh_sampledata again"
    ):
        entries.look(other)


# ------------------------------------------------------------------------------ reading, with made-up bytes
def test_verify_compares_the_number_of_rows(monkeypatch, tmp_path):
    load_made_up(monkeypatch, tmp_path / "data", MADE_UP, n=3)
    with pytest.raises(EngineError, match=r"another number of rows than registered: 2\. Allowed: 3"):
        datasets.verify("made-up")


def test_missing_moved_and_doubled_columns_are_named(monkeypatch, tmp_path):
    with pytest.raises(
        ColumnError, match=r"No column 'Votes' in 'made_up.csv'.*Did you mean 'Vote' for 'Votes'"
    ):
        load_made_up(monkeypatch, tmp_path / "a", MADE_UP.replace(b"Votes", b"Vote"))
    with pytest.raises(
        ColumnError, match=r"is another file.*Allowed: Film, Votes, Sold\. Use the file from http"
    ):
        load_made_up(monkeypatch, tmp_path / "z", b"<html>moved</html>")
    extra = b"Film,Votes,Sold,<script>\nA,1,TRUE,x\n"
    with pytest.raises(ColumnError, match=r"does not have: '<script>'\. Allowed: Film, Votes, Sold"):
        load_made_up(monkeypatch, tmp_path / "b", extra)
    moved = b"Sold,Votes,Film\nTRUE,1,A\nFALSE,2,B\n"
    frame = load_made_up(monkeypatch, tmp_path / "c", moved)
    assert frame.columns.tolist() == ["title", "votes", "sold"]


def test_a_column_named_twice_is_refused(monkeypatch, tmp_path):
    book = pd.DataFrame([["A", "1", "TRUE", "2"]], columns=["Film", "Votes", "Sold", "Votes"])
    content = workbook(book)
    entry = made_up()
    source = replace(entry.sources[0], format="xlsx", sha256=hashlib.sha256(content).hexdigest())
    with pytest.raises(ColumnError, match="'Votes' more than once"):
        load_made_up(monkeypatch, tmp_path / "a", content, sources=(source,))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"A b,3", b"A b,many", r"column 'Votes'.*1 of 2 rows, first in row 1: 'many'\. Allowed: numbers"),
        (b",4,", b",4.5,", r"column 'Votes'.*1 of 2 rows, first in row 2: '4.5'\. Allowed: whole numbers"),
        (b"FALSE", b"perhaps", r"column 'Sold'.*first in row 2: 'perhaps'\. Allowed: TRUE, FALSE"),
    ],
)
def test_values_that_do_not_fit_are_named_with_their_row(old, new, message, monkeypatch, tmp_path):
    with pytest.raises(DataError, match=message):
        load_made_up(monkeypatch, tmp_path / "data", MADE_UP.replace(old, new))


def test_dates_and_patterns_that_do_not_fit_are_named(monkeypatch, tmp_path):
    column = entries.CodebookColumn
    dates = (*made_up().columns[:2], column(name="sold", source="Sold", kind="date", unit="", meaning="day"))
    frame = load_made_up(
        monkeypatch, tmp_path / "a", b"Film,Votes,Sold\nA,1,2014-12-31\nB,2,\n", columns=dates
    )
    assert frame["sold"].tolist() == [pd.Timestamp("2014-12-31"), pd.NaT]
    with pytest.raises(DataError, match="dates like 2014-12-31"):
        load_made_up(monkeypatch, tmp_path / "b", MADE_UP, columns=dates)
    pattern = (
        column(name="title", source="Film", kind="text", unit="", meaning="t", take=r"^(.*) b$"),
        *made_up().columns[1:],
    )
    with pytest.raises(DataError, match=r"first in row 2: \"C, 'd'\".*Allowed: text like"):
        load_made_up(monkeypatch, tmp_path / "c", MADE_UP, columns=pattern)


def test_mending_excluding_and_counting_are_accounted_for(monkeypatch, tmp_path):
    column = entries.CodebookColumn
    columns = (
        column(
            name="title", source="Film", kind="text", unit="", meaning="t", mend={"~": "-"}, recode={"x": "y"}
        ),
        column(name="votes", source="Votes", kind="integer", unit="votes", meaning="v"),
        column(name="sold", source="Sold", kind="flag", unit="", meaning="s"),
    )
    rows = ["a~b,1,1", "c,2,0", "x,3,1", "x,,1", ",,", "c,2,0", "d,9,"]
    content = ("Film,Votes,Sold\n" + "\n".join(rows) + "\n").encode()
    frame = load_made_up(
        monkeypatch,
        tmp_path / "data",
        content,
        columns=columns,
        exclude=(entries.Condition("no votes", "votes"), entries.Condition("under 2", "votes", below=2)),
        count=(
            entries.Condition("nine", "votes", equals=9),
            entries.Condition("with y", "title", matches="y"),
        ),
    )
    assert frame["title"].tolist() == ["c", "y", "c", "d"]
    account = frame.attrs["erresearch"]
    assert account["excluded"] == {"empty row": 1, "no votes": 1, "under 2": 1}
    assert account["mended"] == {"title: '~' to '-'": 1, "title: 'x' to 'y'": 2}
    assert account["counted"] == {"nine": 1, "with y": 1}
    assert (account["rows_in_file"], account["rows"], account["complete_rows"]) == (7, 4, 3)
    assert account["duplicates"] == 1
    assert account["missing"] == {"sold": 1}
    assert [str(kind) for kind in frame.dtypes[1:]] == ["int64", "float64"]


def workbook(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_excel(buffer, index=False)
    return buffer.getvalue()


def test_a_copy_saved_anew_passes_by_its_sums_only(monkeypatch, tmp_path):
    content = workbook(
        pd.DataFrame({"Film ": ["A", "B", None], "Votes": [3, 4.0, None], "Sold": [1, 0, None]})
    )
    anew = {"sources": (replace(made_up().sources[0], format="xlsx", sha256=""),), "sums": {"votes": 7}}
    frame = load_made_up(monkeypatch, tmp_path / "a", content, **anew)
    assert frame["votes"].tolist() == [3, 4]
    assert frame.attrs["erresearch"]["checked_by"] == "column sums"
    assert frame.attrs["erresearch"]["excluded"] == {}  # what a workbook keeps below its last cell is no row
    with pytest.raises(
        EngineError, match=r"does not hold the rows.*2 rows, votes adds to 7\. Allowed: 2 rows, votes 8"
    ):
        load_made_up(monkeypatch, tmp_path / "b", content, **(anew | {"sums": {"votes": 8}}))
    with pytest.raises(EngineError, match=r"does not hold the rows.*Allowed: 3 rows"):
        load_made_up(monkeypatch, tmp_path / "c", content, **(anew | {"n": 3}))


@pytest.mark.parametrize(
    ("form", "content"), [("xlsx", MADE_UP), ("zip", MADE_UP), ("sqlite", MADE_UP), ("csv", b"")]
)
def test_a_file_of_another_kind_is_refused(form, content, monkeypatch, tmp_path):
    source = replace(
        made_up().sources[0],
        format=form,
        sha256=hashlib.sha256(content).hexdigest(),
        query="SELECT * FROM films",
    )
    with pytest.raises(EngineError, match=r"'made_up.csv' cannot be read as data set 'made-up'.*cut short"):
        load_made_up(monkeypatch, tmp_path / "data", content, sources=(source,))


@pytest.mark.parametrize("members", [(), ("a.csv", "b.csv")])
def test_a_zip_must_hold_exactly_the_one_file(members, monkeypatch, tmp_path):
    content = zipped(members)
    source = replace(
        made_up().sources[0], format="zip", member="*.csv", sha256=hashlib.sha256(content).hexdigest()
    )
    with pytest.raises(
        EngineError, match=r"should hold one file like '\*\.csv': " + (", ".join(members) or "nothing")
    ):
        load_made_up(monkeypatch, tmp_path / "data", content, sources=(source,))


def zipped(members: tuple[str, ...]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for member in members:
            archive.writestr(member, MADE_UP)
    return buffer.getvalue()


def test_a_zip_is_read_without_unpacking(monkeypatch, tmp_path):
    content = zipped(("folder/a.csv", "notes.txt"))
    source = replace(
        made_up().sources[0], format="zip", member="*.csv", sha256=hashlib.sha256(content).hexdigest()
    )
    frame = load_made_up(monkeypatch, tmp_path / "data", content, sources=(source,))
    assert len(frame) == 2
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["made_up.csv"]


words = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=20).filter(str.strip)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(words, st.integers(0, 2**53), st.booleans()), min_size=1, max_size=8))
def test_any_text_comes_through_unchanged(tmp_path_factory, rows):
    frame = pd.DataFrame(rows, columns=["Film", "Votes", "Sold"])
    path = tmp_path_factory.mktemp("any") / "made_up.csv"
    content = frame.to_csv(index=False).encode()
    path.write_bytes(content)
    entry = made_up(content)
    found = entries.Found(
        path, entry.sources[0], "data dir", hashlib.sha256(content).hexdigest(), pinned=True
    )
    read, account = loading.read(entry, found)
    assert list(read.itertuples(index=False, name=None)) == rows
    assert account["rows"] == len(rows)


# -------------------------------------------------------------------------- real data: counts and figures
@needs_copies
@pytest.mark.parametrize("name", AT_HAND)
def test_real_copies_are_what_was_registered(name, copies):
    frame = datasets.load(name)
    account = frame.attrs["erresearch"]
    assert account["where"] == "data dir"
    assert account["rows"] == len(frame) == datasets.dataset_card(name).n
    assert account["rows_in_file"] - sum(account["excluded"].values()) == len(frame)
    assert json.loads(json.dumps(account)) == account
    assert datasets.verify(name).checked_by == ("column sums" if name in FOLDERS else "sha256")


@needs_copies
def test_hillstrom_gives_the_published_uplifts(copies):
    arms = datasets.load("hillstrom").groupby("segment")[["visit", "conversion", "spend"]].mean()
    uplift = arms - arms.loc["No E-Mail"]
    assert (100 * uplift.loc["Mens E-Mail", ["visit", "conversion"]]).round(2).tolist() == [7.66, 0.68]
    assert (100 * uplift.loc["Womens E-Mail", ["visit", "conversion"]]).round(2).tolist() == [4.52, 0.31]
    assert uplift["spend"].round(2)[["Mens E-Mail", "Womens E-Mail"]].tolist() == [0.77, 0.42]


@needs_copies
def test_hillstrom_quirks_are_counted(copies):
    frame = datasets.load("hillstrom")
    account = frame.attrs["erresearch"]
    assert account["duplicates"] == 6_562
    assert account["mended"] == {"zip_code: 'Surburban' to 'Suburban'": 28_776}
    assert sorted(frame["zip_code"].unique()) == ["Rural", "Suburban", "Urban"]
    assert account["counted"] == {"spend at the cap of 499": int((frame["spend"] == 499).sum())}
    assert frame["spend"].max() == 499
    assert ((frame["spend"] > 0) == (frame["conversion"] == 1)).all()
    assert (frame["conversion"] <= frame["visit"]).all()


@needs_copies
def test_online_shoppers_gives_the_published_counts(copies):
    frame = datasets.load("online-shoppers")
    account = frame.attrs["erresearch"]
    assert frame["purchase"].value_counts().to_dict() == {False: 10_422, True: 1_908}
    assert account["duplicates"] == 125
    assert account["mended"] == {"month: 'June' to 'Jun'": 288}
    assert (frame["month"].str.len() == 3).all()
    assert [c for c, about in account["columns"].items() if about["leaks"]] == ["page_values"]
    # why it is flagged: most sessions with a value end in a purchase, hardly any without
    assert (
        frame.loc[frame["page_values"] > 0, "purchase"].mean()
        > 10 * frame.loc[frame["page_values"] == 0, "purchase"].mean()
    )


@needs_copies
def test_csm_gives_the_same_rows_from_both_copies(copies, monkeypatch, tmp_path):
    from_sheet = datasets.load("csm-movies")
    account = from_sheet.attrs["erresearch"]
    assert from_sheet[["gross", "likes", "cast_followers"]].sum().tolist() == [
        15_723_253_670,
        2_941_216,
        595_485_916,
    ]
    assert account["missing"] == {"budget": 1, "screens": 10, "cast_followers": 35}
    assert account["complete_rows"] == 187
    text = (COPIES / "uci_csm_movies.csv").read_bytes()
    monkeypatch.setenv("ERRESEARCH_DATA_DIR", str(tmp_path))
    (tmp_path / "uci_csm_movies.csv").write_bytes(text)
    from_text = datasets.load("csm-movies")
    assert from_text.attrs["erresearch"]["checked_by"] == "sha256"
    pd.testing.assert_frame_equal(from_text, from_sheet)
    (tmp_path / "uci_csm_movies.csv").write_bytes(text.replace(b"\n", b"\r\n") + b",,,,,,,,,,,,,\r\n")
    anew = datasets.load("csm-movies")
    assert anew.attrs["erresearch"]["checked_by"] == "column sums"
    assert anew.attrs["erresearch"]["excluded"] == {"empty row": 1}
    pd.testing.assert_frame_equal(anew, from_sheet)
    (tmp_path / "uci_csm_movies.csv").write_bytes(text[: len(text) * 3 // 4].rpartition(b"\n")[0])
    with pytest.raises(EngineError, match=r"does not hold the rows registered.*Allowed: 231 rows"):
        datasets.load("csm-movies")


@needs_copies
def test_csm_published_fit_lies_among_those_of_random_splits(copies):
    """The published test R² of .542 (220 films, 70/30) came from one split that is not stated."""
    films = datasets.load("csm-movies").drop(columns=["title", "year", "cast_followers"]).dropna()
    assert len(films) == 220
    y = films.pop("gross").to_numpy() / 1e6
    x = np.column_stack([np.ones(len(films)), films / films.std()])
    scores = []
    for seed in range(200):
        order = np.random.default_rng(seed).permutation(len(y))
        train, test = order[:154], order[154:]
        beta = np.linalg.lstsq(x[train], y[train], rcond=None)[0]
        scores.append(1 - ((y[test] - x[test] @ beta) ** 2).sum() / ((y[test] - y[test].mean()) ** 2).sum())
    low, high = np.quantile(scores, [0.25, 0.75])
    assert low < 0.542 < high


@needs_copies
def test_facebook_posts_go_the_published_way(copies):
    """Status posts drew about twice the clicks of the other types (Moro et al. 2016)."""
    frame = datasets.load("facebook-metrics")
    clicks = frame.groupby("post_type")["consumers"].mean()
    assert clicks.idxmax() == "Status"
    assert clicks["Status"] > 2 * frame.loc[frame["post_type"] != "Status", "consumers"].mean()
    assert frame.attrs["erresearch"]["missing"] == {"is_paid": 1, "likes": 1, "shares": 4}
    parts = frame["comments"] + frame["likes"].fillna(0) + frame["shares"].fillna(0)
    assert (parts == frame["interactions"]).all()


@needs_copies
def test_films_of_two_sets_join_and_nearness_to_the_till_orders_them(copies):
    films = datasets.join_films()
    account = films.attrs["erresearch"]
    assert len(films) == account["rows"] == 84
    assert account["not_joined"] == {"csm-movies": 147, "fandango": 62}
    assert account["another_year"] == 12
    assert json.loads(json.dumps(account)) == account
    assert films["title"].is_unique
    assert set(films.columns) - set(account["columns"]) == {"fandango_year"}
    logs = np.log(films[["gross", "fandango_votes", "imdb_votes", "likes"]])
    r = logs.corr()["gross"]
    assert round(r["fandango_votes"], 2) == 0.96
    assert r["fandango_votes"] > r["imdb_votes"] > films["rotten_tomatoes"].corr(logs["gross"])


@needs_copies
def test_fandango_titles_are_split_and_mended(copies):
    frame = datasets.load("fandango")
    assert frame.attrs["erresearch"]["mended"] == {"title: 'â€“' to '–'": 1}
    assert frame["year"].value_counts().to_dict() == {2015: 129, 2014: 17}
    assert not frame["title"].str.contains(r"\(\d{4}\)|â").any()
    assert (frame["fandango_votes"] >= 30).all()
    difference = frame["fandango_stars"] - frame["fandango_rating"]
    assert np.allclose(difference, frame["fandango_difference"], atol=0.05)
