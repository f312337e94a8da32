"""What files from the field taught: whose posts, which window, a cut, a total beside the table, another language, ids."""

from __future__ import annotations

import datetime as dt
import re
import runpy
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import erresearch as er
from erresearch.audits import audit
from erresearch.audits.arrivals import read_files
from erresearch.cli import commands
from erresearch.errors import ErresearchError, GuardError
from erresearch.exports import Export, combine_exports, inspect_export, read_export, read_exports

AGENCY = SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "exports" / "agency.py")))
Write = Callable[..., Export]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes lines to a file and reads it."""

    def written(lines: list[str], name: str = "a.csv", **mapping: Any) -> Export:
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return read_export(path, mapping=mapping or None)

    return written


def codes(export: Export) -> set[str]:
    return {caution.code for caution in export.warnings}


def guesses(export: Export) -> dict[str, str]:
    return {guess.name: guess.value for guess in export.guesses}


# ── whose posts ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def agency(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Twelve brands on three platforms, a dozen posts of somebody else, followers, one file of orders."""
    return AGENCY.write_agency(tmp_path_factory.mktemp("agency"), weeks=40, guests=6)  # type: ignore[no-any-return]


@pytest.mark.parametrize("pseudonyms", [False, True])
def test_an_agency_simply_works(agency: list[Path], pseudonyms: bool):
    rules = er.Rules(allow_break=True, nothing_spent=True)
    found = audit(agency, tz="Europe/Amsterdam", rules=rules, pseudonyms=pseudonyms)
    assert found.panel is not None
    assert found.refused == ()
    rows = found.panel.rows
    assert rows["entity"].nunique() == len(AGENCY.BRANDS)
    assert rows["posts"].eq(9).all()  # three a week on each of three platforms, none of somebody else
    assert rows["revenue"].notna().all()
    judged = {verdict.claim for verdict in found.verdicts if verdict.word != "not judged"}
    assert {"C01", "C02", "C07", "C09", "C10", "C13", "C18"} <= judged
    instagram = found.files.posts[0]
    assert instagram.rows["collaboration"].sum() == 6
    added = "account 2 to account 2" if pseudonyms else "simulatedbirch_official to Simulated Birch"
    assert pseudonyms or added in guesses(instagram)["shops"]
    if pseudonyms:
        assert "Birch" not in str(found)


def instagram(counts: dict[str, int], *, saves: int = 1) -> list[str]:
    """An export with so many posts of each account; of the accounts after the first no saves are told."""
    lines = [AGENCY._INSTAGRAM]
    for place, (account, count) in enumerate(counts.items()):
        for number in range(count):
            mine = 1 if place == 0 else saves
            key = len(lines)
            lines.append(
                f"17{key:015d},{place},{account},X,t,0,03/{number % 28 + 1:02d}/2025 14:{number % 60:02d},"
                f"https://www.instagram.com/p/Q{key}/,IG image,,Lifetime,500,400,{20 + number},1,{mine},2,{mine}"
            )
    return lines


@pytest.mark.parametrize(
    ("counts", "saves", "others"),
    [
        ({"teashop": 30, "coffeeshop": 20}, 1, set()),
        ({"teashop": 30, "coffeeshop": 30}, 1, set()),
        ({"teashop": 30, "guest": 2}, 1, {"guest"}),
        ({"teashop": 90, "guest": 6}, 1, {"guest"}),
        ({"teashop": 30, "often": 20}, 0, {"often"}),
        ({"teashop": 2, "coffeeshop": 2}, 1, set()),
    ],
)
def test_an_account_with_posts_of_its_own_is_own(
    write: Write, counts: dict[str, int], saves: int, others: set[str]
):
    export = write(instagram(counts, saves=saves))
    rows = export.rows
    assert set(rows.loc[rows["collaboration"], "account"]) == others
    assert ("other accounts" in codes(export)) == bool(others)
    assert guesses(export)["own accounts"]


def test_the_caller_says_which_accounts_are_own(write: Write):
    export = write(instagram({"teashop": 30, "coffeeshop": 20}), own=["@TeaShop"])
    assert set(export.rows.loc[export.rows["collaboration"], "account"]) == {"coffeeshop"}
    assert "own accounts" not in guesses(export)


FOLLOWERS = ["Day,Account,Followers", "2025-03-01,teashop,1000", "2025-03-01,guest,900"]
SALES = [
    "Day,Shop,Turnover",
    *(f"2025-03-{day:02d},{shop},{day}" for day in range(1, 29) for shop in ("teashop", "guest")),
]


def _beside(folder: Path, name: str, lines: list[str], toml: str) -> Path:
    (folder / f"{name}.toml").write_text(toml)
    (folder / name).write_text("\n".join(lines) + "\n")
    return folder / name


@pytest.mark.parametrize("evidence", ["followers", "outcomes", "entity", "other file"])
def test_what_other_files_know_of_an_account_makes_it_own(tmp_path: Path, evidence: str):
    posts = tmp_path / "posts.csv"
    posts.write_text("\n".join(instagram({"teashop": 40, "guest": 3})) + "\n")
    files, entity = [posts], None
    assert "guest" not in read_files(files, tz="UTC").accounts
    if evidence == "followers":
        toml = 'kind = "followers"\nplatform = "instagram"\n[columns]\ndate = "Day"\n'
        toml += 'account = "Account"\nfollowers = "Followers"\n'
        files.append(_beside(tmp_path, "f.csv", FOLLOWERS, toml))
    elif evidence == "outcomes":
        toml = 'kind = "outcomes"\ncurrency = "EUR"\n[columns]\ndate = "Day"\nentity = "Shop"\nrevenue = "Turnover"\n'
        files.append(_beside(tmp_path, "s.csv", SALES, toml))
    elif evidence == "entity":
        entity = {"teashop": "a", "guest": "b"}
    else:
        other = tmp_path / "other.csv"
        other.write_text("\n".join(instagram({"guest": 9})) + "\n")
        files.append(other)
    read = read_files(files, tz="UTC", entity=entity)
    assert read.accounts == ("guest", "teashop")
    export = read.posts[0]
    assert not export.rows["collaboration"].any()
    assert "other accounts" not in codes(export)
    assert "guest" in next(guess for guess in export.guesses if guess.name == "own accounts").reason


def test_posts_that_no_shop_has_the_name_of_are_counted(tmp_path: Path):
    posts = tmp_path / "posts.csv"
    posts.write_text("\n".join(instagram({"teashop.nl": 20, "coffeeshop": 20, "lonely": 20})) + "\n")
    sales = [line.replace("guest", "Coffee Shop") for line in SALES]
    toml = 'kind = "outcomes"\ncurrency = "EUR"\n[columns]\ndate = "Day"\nentity = "Shop"\nrevenue = "Turnover"\n'
    read = read_files([posts, _beside(tmp_path, "s.csv", sales, toml)], tz="UTC")
    export = read.posts[0]
    assert export.rows.groupby("account")["entity"].first().dropna().to_dict() == {
        "teashop.nl": "teashop",
        "coffeeshop": "Coffee Shop",
    }
    assert "20 posts are of accounts that no shop has the name of (lonely)" in " ".join(
        map(str, export.warnings)
    )


# ── which window ─────────────────────────────────────────────────────────────────────────────────────────────────────

VIDEOS = [
    "Content,Video title,Video publish time,Views,Likes,Impressions",
    "Total,,,285,20,2700",
    'aaaaaaaaaaa,One,"Jun 12, 2023",100,-3,900',
    'bbbbbbbbbbb,Two,"Jan 13, 2025",95,13,900',
    'ccccccccccc,Three,"Jun 13, 2025",90,10,900',
]


def test_a_count_below_zero_proves_a_range(write: Write):
    export = write(VIDEOS)
    assert export.rows["post_id"].tolist() == ["bbbbbbbbbbb", "ccccccccccc"]
    assert export.accounting.out_of_scope == 1
    assert "figures of a range" in codes(export)
    assert guesses(export)["figures of"] == "a range of dates from after 2023-06-12"


def test_the_first_day_of_a_range_or_the_whole_life_can_be_said(write: Write):
    ranged = write(VIDEOS, since=dt.date(2025, 2, 1))
    assert ranged.rows["post_id"].tolist() == ["ccccccccccc"]
    assert ranged.accounting.reasons["posts from before the range of dates that the figures are of"] == 2
    whole = write(VIDEOS, since="lifetime")
    assert len(whole.rows) == 3
    assert "figures of" not in guesses(ranged) | guesses(whole)
    with pytest.raises(ErresearchError, match="`since` is no day"):
        write(VIDEOS, since="spring")


def test_every_layout_of_posts_knows_its_window_or_says_that_it_was_guessed(write: Write):
    assert guesses(write([VIDEOS[0], *VIDEOS[3:]]))["figures of"] == "the whole life of each post"
    own = write(["Toot,Posted on,Favourites", "1,2025-03-01,4"], kind="posts", platform="mastodon",
                columns={"post_id": "Toot", "published_at": "Posted on", "likes": "Favourites"})  # fmt: skip
    assert guesses(own)["figures of"] == "the whole life of each post"
    assert "figures of" not in guesses(write(instagram({"teashop": 3})))  # the column Date says so


# ── a cut, a total ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "sentence", ["Showing top 500 results", "Showing first 50 rows", "Die ersten 500 Ergebnisse"]
)
def test_the_sentence_of_the_platform_about_a_cut_is_believed(write: Write, sentence: str):
    assert "cut table" in codes(write([VIDEOS[0], *VIDEOS[3:], f"{sentence},,,,,"]))


def test_rows_that_came_in_are_compared_with_the_limit(write: Write):
    rows = [
        f'{number:011d},A,"Jun {number % 28 + 1}, 2025",{900 - number},{number % 7},900'
        for number in range(495)
    ]
    undated = [f"{number:011d},A,,{900 - number},1,900" for number in range(600, 605)]
    assert "cut table" in codes(write([*VIDEOS[:2], *rows, *undated]))
    assert "cut table" not in codes(write([*VIDEOS[:2], *rows]))


def test_a_word_of_total_beside_the_table_is_a_total(write: Write):
    lines = ["# Tea shop", "# 20250301-20250303", "", "Date,Sessions,Total revenue", ",60,600,Grand total",
             "20250301,10,100", "20250302,20,200", "20250303,30,300"]  # fmt: skip
    export = write(lines)
    assert (export.accounting.used, export.accounting.totals) == (3, 1)
    assert export.rows.loc[export.rows["outcome"] == "revenue", "value"].sum() == 600
    with pytest.raises(ErresearchError, match="more or fewer cells"):
        write([*lines[:4], ",60,600,Somebody", *lines[5:]])


# ── another language, dates ──────────────────────────────────────────────────────────────────────────────────────────


def test_counts_under_unknown_headers_are_told_and_days_in_step_decide(write: Write):
    lines = ["Date,Impressions (total),Clics (total),Réactions (total),Commentaires (total)"]
    lines += [f"{day:02d}/02/2026,{100 + day},{day},5,{day + 1}" for day in range(1, 11)]
    export = write(lines)
    assert export.rows["date"].dt.strftime("%m%d").tolist() == [f"02{day:02d}" for day in range(1, 11)]
    assert guesses(export)["date order of 'Date'"] == "DMY"
    told = next(str(caution) for caution in export.warnings if caution.code == "unread counts")
    assert "'Clics (total)', 'Commentaires (total)'" in told
    assert "[columns] in mapping=" in told


FILES = Path(__file__).parent / "exports" / "files"


FIGURES = ("likes", "comments", "shares", "saves", "views", "impressions", "clicks")


@pytest.mark.parametrize("most", [2, pytest.param(len(FIGURES), marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("place", "path"), [*enumerate(sorted(FILES.glob("*.csv")))], ids=lambda part: getattr(part, "stem", "")
)
def test_a_figure_under_a_header_of_another_language_is_told_in_every_layout(
    place: int, path: Path, most: int, tmp_path: Path
):
    """Of each layout two figures, beginning with another one each time."""
    options = {"tz": "UTC", "mapping": {"exported_at": "2026-03-01"}}
    raw = path.read_bytes()
    text = raw.decode("utf-16" if raw[:2] == b"\xff\xfe" else "utf-8-sig", errors="replace")
    try:
        whole = read_export(path, **options)
    except ErresearchError:
        pytest.skip("a file that is refused")
    if whole.kind not in ("posts", "daily", "ads"):
        pytest.skip("no figures of posts")
    begin = place % len(FIGURES)
    there = [name for name in (*FIGURES[begin:], *FIGURES[:begin]) if whole.columns.get(name)]
    for name in there[:most]:
        header = whole.columns[name]
        cell = re.compile(rf"(?:(?<=[,;\t\n])|^)(\"?){re.escape(header)}\1(?=[,;\t\r\n])")
        changed, found = cell.subn("Zyxwvu", text, count=1)
        if not found:
            continue
        other = tmp_path / path.name
        other.write_text(changed, encoding="utf-8")
        try:
            export = read_export(other, **options)
        except ErresearchError as error:
            assert "no known layout" in str(error)  # noqa: PT017 - either is right
            continue
        (told,) = [str(caution) for caution in export.warnings if caution.code == "unread counts"]
        assert re.search(r"'Zyxwvu'|column \d+", told), (name, told)


def test_a_column_of_another_language_is_loaded_whatever_the_size(tmp_path: Path):
    lines = ["Post ID,Account username,Publish time,Permalink,Likes,Comments,Shares,Saves,Reach,Zyxwvu"]
    lines += [f"{10**15 + n},shop,01/{n % 27 + 1:02d}/2026 10:00,,{n},1,1,1,90000,{n}" for n in range(60_000)]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(lines))
    assert "unread counts" in codes(read_export(path))


def test_a_range_has_an_end(write: Write):
    lines = ["id,when,likes", "a,2025-12-30,5", "b,2026-01-02,6", "c,2026-03-30,7", "d,2026-04-02,8"]
    columns = {"post_id": "id", "published_at": "when", "likes": "likes"}
    export = write(lines, columns=columns, since=["2026-01-01", "2026-03-31"])
    assert export.rows["likes"].tolist() == [6, 7]
    assert export.exported_at == dt.date(2026, 3, 31)  # figures of a range are those of its last day
    assert any("after the range" in reason for reason in export.accounting.reasons)
    with pytest.raises(ErresearchError, match="`since` is no day"):
        write(lines, columns=columns, since=["2026-01-01", "soon"])


def test_tweets_without_ids_and_addresses_are_named_by_their_moment(write: Write):
    lines = ["Tweet text,time,impressions,engagements,retweets,replies,likes"]
    lines += [f"hello,2018-11-{day} 23:18 +0000,10,3,1,0,{day}" for day in (28, 29, 29)]
    export = write(lines)
    assert (export.format, export.rows["likes"].tolist()) == ("x-tweet-activity", [28, 29, 29])
    assert export.rows["post_id"].is_unique
    assert "no ids" in codes(export)


@pytest.mark.parametrize(
    ("days", "first"),
    [
        ([f"{day:02d}/02/2026" for day in range(1, 11)], "2026-02-01"),  # days of February
        ([f"02/{day:02d}/2026" for day in range(1, 11)], "2026-02-01"),
        (
            [f"01/{month:02d}/2026" for month in range(1, 8)],
            "2026-01-01",
        ),  # firsts of months, or days: the rule
        (["03/01/2026", "05/01/2026", "03/02/2026", "04/02/2026"], "2026-03-01"),  # nothing decides: the rule
        ([f"{day:02d}/02/2026" for day in (1, 8)], "2026-01-02"),  # too few to decide: the rule
    ],
)
def test_the_order_of_dates_follows_the_days(write: Write, days: list[str], first: str):
    export = write(["Date,Impressions (total),Reactions (total)", *(f"{day},1,2" for day in days)])
    assert f"{export.rows['date'].min():%Y-%m-%d}" == first


# ── ids ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_ids_that_went_through_a_float_are_one_with_those_that_did_not(write: Write):
    ids = [1234567812345678901 + 300_000_000_000_123 * number for number in range(5)]

    def tweets(tail: str, likes: int) -> list[str]:
        rows = [
            f"{key}{tail},https://twitter.com/teashop/status/{key},hello,2020-03-{number + 2:02d} 12:00 "
            f"+0000,100,5,0.05,1,1,{likes}"
            for number, key in enumerate(ids)
        ]
        return [AGENCY._X, *rows]

    both = [
        write(tweets(".0", 3), "a.csv", exported_at="2020-04-01"),
        write(tweets("", 4), "b.csv", exported_at="2020-04-02"),
    ]
    assert "ids through a float" in codes(both[0])
    assert both[0].rows["post_id"].tolist() == list(map(str, ids))
    assert len(combine_exports(both).rows) == 5
    short = write(["Toot,Posted on,Favourites", "1.0,2025-03-01,4", "2.0,2025-03-02,4"], kind="posts", platform="own",
                  columns={"post_id": "Toot", "published_at": "Posted on", "likes": "Favourites"})  # fmt: skip
    assert short.rows["post_id"].tolist() == ["1", "2"]
    assert "ids through a float" not in codes(short)  # whole numbers of a few digits lose nothing


# ── ranges ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("freq", "allowed"), [("W", 'freq="M"'), ("M", "a report by calendar month"), ("D", 'freq="M"')]
)
def test_the_grain_of_ranges_is_that_of_most_rows(write: Write, freq: Any, allowed: str):
    """The newest month has only begun; over months that begin on the 5th no frequency is advised that was just tried."""
    begin = 5 if freq == "M" else 1
    starts = [dt.date(2025, month, begin) for month in range(8, 0, -1)]
    ends = [dt.date(2025, 8, 11), *(start - dt.timedelta(days=1) for start in starts)]
    months = [
        f"Spring,{start} - {end},77.00,9,2025-01-01,2025-08-11"
        for start, end in zip(starts, ends, strict=False)
    ]
    ads = write(
        ["Campaign name,Month,Amount spent (EUR),Impressions,Reporting starts,Reporting ends", *months],
        "ads.csv",
    )
    days = [dt.date(2025, 1, 1) + dt.timedelta(days=number) for number in range(240)]
    columns = {"post_id": "Toot", "published_at": "Posted on", "likes": "Favourites"}
    toots = [f"{number},{day},4" for number, day in enumerate(days)]
    posts = write(["Toot,Posted on,Favourites", *toots], kind="posts", platform="own", columns=columns)
    with pytest.raises(GuardError, match="'spend' has one value per month") as caught:
        er.build_panel(
            posts, None, freq=freq, tz="UTC", spend=ads, rules=er.Rules(allow_break=True)
        ).collect()
    assert str(caught.value.allowed).startswith(allowed)


def test_figures_by_several_dimensions_count_once(write: Write):
    """Three blocks of one report, each by day and by another dimension: the first is taken, the others are counted."""
    lines = []
    for dimension, first, second in (
        ("Channel", "Direct", "Email"),
        ("Country", "Chad", "Cuba"),
        ("Device", "tv", "pc"),
    ):
        lines += ["# Start date: 20250301", "# End date: 20250302", f"Date,{dimension},Sessions"]
        lines += [f"2025030{day},{value},{5 * day}" for day in (1, 2) for value in (first, second)]
        lines.append("")
    export = write(lines)
    assert export.rows["value"].sum() == 30
    assert set(export.rows["segment"]) == {"Direct", "Email"}
    assert export.accounting.reasons["the same figures by another dimension"] == 8


def test_values_far_from_the_usual_ones_are_counted_and_kept(write: Write):
    lines = instagram({"teashop": 27})
    parts = lines[-1].split(",")
    parts[13] = "9000"  # likes
    parts[11], parts[12] = "99000", "99000"
    export = write([*lines[:-1], ",".join(parts)])
    (caution,) = [caution for caution in export.warnings if caution.code == "spikes"]
    assert (caution.count, caution.rows) == (1, (28,))
    assert export.rows["likes"].max() == 9000
    totals = write(["Date,Views", *(f"2025-03-{day:02d},{10 if day != 9 else 5000}" for day in range(1, 29))])
    assert {"spikes"} <= codes(totals)


# ── words ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_mapping_of_a_wrong_kind_is_refused_beside_a_file_that_is_known(write: Write):
    with pytest.raises(ErresearchError, match="'nonsense'"):
        write(VIDEOS, kind="nonsense")
    with pytest.raises(ErresearchError, match="is not of the kind that its mapping says"):
        write(VIDEOS, kind="outcomes")
    assert write(VIDEOS, kind="posts").kind == "posts"


@pytest.mark.parametrize("zone", ["", " ", "Mars/Base"])
def test_a_zone_that_is_none_is_refused_everywhere(tmp_path: Path, zone: str):
    path = tmp_path / "a.csv"
    path.write_text("\n".join(VIDEOS) + "\n")
    for call in (read_export, inspect_export, read_exports):
        with pytest.raises(ErresearchError, match="there is no time zone"):
            call(path, tz=zone)
    assert commands.run(["audit", str(path), "--tz", zone]) == 2


def test_the_charts_of_youtube_are_days_of_posts_or_point_at_whole_days(write: Write):
    days = [f"2026-01-{day:02d}" for day in range(1, 6)]
    posts = ("aaaaaaaaaaa", "bbbbbbbbbbb")
    shown = [f'{day},{post},A title,"Dec 3, 2025",10' for day in days for post in posts]
    made = write(["Date,Content,Video title,Video publish time,Views", *shown], "Chart data.csv")
    assert (made.kind, made.format, len(made.rows)) == ("daily", "youtube-content-days", 10)
    assert "one row per post and day" in codes(made)
    parts = [f"{day},{place},10" for day in days for place in ("US", "IN")]
    with pytest.raises(ErresearchError, match=r"by day and Geography.*read Totals\.csv of the same download"):
        write(["Date,Geography,Views", *parts], "Chart data.csv")
