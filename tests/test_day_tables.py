"""Tables with reactions and sales side by side: a row per account and day, week or month."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import erresearch as er
from erresearch.cli import main
from erresearch.errors import DataError, DesignError
from erresearch.experiments import read_plan
from erresearch.exports import Export, read_export
from erresearch.exports.reading import suggest_mapping
from erresearch.panel import Rules
from erresearch.worlds import simulate


def days(count: int = 140, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "date": pd.date_range("2025-01-06", periods=count),
            "likes": rng.poisson(20, count),
            "comments": rng.poisson(3, count),
            "revenue": rng.poisson(30, count) * 20.0,
        }
    )


def read(table: pd.DataFrame, folder: Path, name: str = "shop.csv", **how: object) -> Export:
    table.to_csv(folder / name, index=False, **how)
    return read_export(folder / name, tz="Europe/Berlin")


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/Sao_Paulo", "Pacific/Apia"])
def test_days_sum_to_weeks_in_any_zone(zone: str, tmp_path: Path) -> None:
    table = days()
    panel = er.build_panel(read(table, tmp_path), freq="W", tz=zone)
    weeks = table.groupby(np.arange(140) // 7)[["likes", "comments", "revenue"]].sum()
    assert panel.rows[["likes", "comments", "revenue"]].to_numpy().tolist() == weeks.to_numpy().tolist()
    assert panel.rows["engagement"].tolist() == (weeks["likes"] + weeks["comments"]).tolist()
    assert panel.rows["period"].dt.strftime("%Y-%m-%d").tolist()[0] == "2025-01-06"
    assert str(panel.accounting["days"]) == "140 in = 140 used"
    # how many posts there were is not known, so nothing is said of them
    assert not [name for name in panel.columns if "post" in name]


def test_a_period_that_lacks_days_is_missing_and_not_smaller(tmp_path: Path) -> None:
    table = days().drop(index=[10, *range(35, 42)])
    panel = er.build_panel(read(table, tmp_path), freq="W", tz="UTC")
    gone = panel.rows["engagement"].isna()
    assert panel.rows.index[gone].tolist() == [1, 5]
    assert panel.rows["revenue"].isna().tolist() == gone.tolist()
    assert "reactions are missing in 2 weeks without a row for each of their days" in panel.notes
    assert str(panel.accounting["days"]) == "132 in = 132 used"
    daily = er.build_panel(read(table, tmp_path, "again.csv"), freq="D", tz="UTC")
    assert int(daily.rows["likes"].isna().sum()) == 8


def test_a_blank_day_makes_its_week_missing_and_is_said(tmp_path: Path) -> None:
    table = days().astype({"likes": float}).assign(saves=np.nan)
    table.loc[[9, 12, 30], "likes"] = np.nan
    table.loc[50, "comments"] = np.nan
    panel = er.build_panel(read(table, tmp_path), freq="W", tz="UTC")
    assert panel.rows.index[panel.rows["likes"].isna()].tolist() == [1, 4]
    said = "weeks in which a day is blank have no sum and are missing, not smaller: likes in 2, comments in 1"
    assert said in panel.notes
    assert panel.rows["comments"].isna().sum() == 1


def test_a_row_that_is_a_week_is_a_week_whatever_day_it_begins_on(tmp_path: Path) -> None:
    weeks = days().assign(date=lambda t: pd.date_range("2023-01-04", periods=140, freq="7D"))
    panel = er.build_panel(read(weeks.rename(columns={"date": "Week"}), tmp_path), freq="W", tz="UTC")
    assert panel.rows["likes"].tolist() == weeks["likes"].tolist()
    assert panel.rows["period"].tolist() == weeks["date"].tolist()
    assert any("its date is taken for the first day of it, a Wednesday" in note for note in panel.notes)
    with pytest.raises(
        DesignError, match=r"each row of shop.csv is a week: freq='D'. Allowed: 'W'. Judge by week"
    ):
        er.build_panel(read(weeks, tmp_path), freq="D", tz="UTC")


def test_months_of_several_brands(tmp_path: Path) -> None:
    months = pd.concat(
        days(60, seed).assign(date=pd.date_range("2019-01-01", periods=60, freq="MS"), brand=name)
        for seed, name in enumerate("abc")
    )
    panel = er.build_panel(read(months, tmp_path), freq="M", tz="UTC")
    assert len(panel.rows) == 180
    assert panel.rows["revenue"].tolist() == months["revenue"].tolist()


def test_the_same_account_and_day_in_two_tables_is_refused(tmp_path: Path) -> None:
    both = [read(days(), tmp_path), read(days(60), tmp_path, "again.csv")]
    with pytest.raises(DataError, match="two tables hold figures of the same account and day: 60 rows twice"):
        er.build_panel(both, freq="W", tz="UTC")
    parts = [read(days()[:70], tmp_path, "a.csv"), read(days()[70:], tmp_path, "b.csv")]
    assert len(er.build_panel(parts, freq="W", tz="UTC").rows) == 20


def test_sales_of_another_file_take_the_place_of_the_tables_own(tmp_path: Path) -> None:
    table = days()
    sales = pd.DataFrame({"date": table["date"], "entity": "shop", "outcome": "revenue", "value": 7.0})
    panel = er.build_panel(read(table, tmp_path), sales, freq="W", tz="UTC", entity={"other": "shop"})
    assert set(panel.rows["revenue"]) == {49.0}


def test_a_day_without_a_figure_of_spending_did_not_cost_nothing(tmp_path: Path) -> None:
    table = days().assign(spend=2.5)
    table.loc[20:24, "spend"] = np.nan
    export = read(table, tmp_path)
    panel = er.build_panel(export, freq="D", tz="UTC")
    assert panel.rows.index[panel.rows["spend"].isna()].tolist() == [20, 21, 22, 23, 24]
    with pytest.raises(DesignError, match="`nothing_spent` says that there was no advertising"):
        er.build_panel(export, freq="D", tz="UTC", rules=Rules(nothing_spent=True))


def test_currencies_are_not_added_up_and_a_total_is_no_shop(tmp_path: Path) -> None:
    table = days().assign(currency=["EUR"] * 100 + ["USD"] * 40)
    table.to_csv(tmp_path / "money.csv", index=False)
    export = read_export(tmp_path / "money.csv", tz="UTC")
    assert any("several currencies" in str(caution) for caution in export.warnings)
    assert (len(export.rows), export.accounting.rows_in) == (100, 140)
    assert er.build_panel(export, freq="D", tz="UTC").currency == "EUR"
    shops = pd.concat([days(seed=seed).assign(shop=name) for seed, name in enumerate(("A", "B"))])
    total = shops.groupby("date", as_index=False)[["likes", "comments", "revenue"]].sum().assign(shop="Total")
    export = read(pd.concat([shops, total]), tmp_path)
    assert set(export.rows["account"]) == {"A", "B"}
    assert export.accounting.totals == 140


def test_a_plan_takes_such_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    days(420).to_csv(tmp_path / "shop.csv", index=False)
    asked = [
        "plan",
        str(tmp_path / "shop.csv"),
        "--tz",
        "UTC",
        "--freq",
        "W",
        "--out",
        str(tmp_path / "plan"),
    ]
    assert main(asked) == 0, capsys.readouterr()
    assert (tmp_path / "plan" / "plan.toml").is_file()


def test_followers_and_spending_stand_beside(tmp_path: Path) -> None:
    table = days().assign(followers=np.arange(140) + 1000, spend=2.5)
    panel = er.build_panel(read(table, tmp_path), freq="W", tz="UTC")
    assert panel.rows["followers"].tolist() == [1006.0 + 7 * i for i in range(20)]
    assert set(panel.rows["spend"]) == {17.5}
    assert panel.rows["er_by_followers"].iloc[0] == pytest.approx(
        panel.rows["engagement"].iloc[0] / 1006, rel=1e-9
    )


@pytest.mark.parametrize("german", [False, True])
def test_one_file_of_days_is_audited_as_it_is(german: bool, tmp_path: Path) -> None:
    table = days(400)
    if german:
        table = table.assign(
            date=table["date"].dt.strftime("%d.%m.%Y"),
            revenue=table["revenue"].map(lambda value: f"{value:.2f}".replace(".", ",")),
        ).rename(columns=str.title)
    table.to_csv(tmp_path / "shop.csv", index=False, sep=";" if german else ",")
    found = er.audit([tmp_path / "shop.csv"], tz="Europe/Berlin")
    assert found.panel is not None
    assert found.panel.freq == "D"
    words = {v.claim: v.word for v in found.verdicts}
    assert words["C01"] in ("inconclusive", "practically nil")
    assert words["C02"] in ("inconclusive", "practically nil", "supported")
    assert words["C14"] == "not judged"


def test_reactions_within_a_day_are_used_and_lift_the_caution(tmp_path: Path) -> None:
    table = days(400).assign(likes_24h=lambda t: t["likes"], comments_24h=lambda t: t["comments"])
    table = table.assign(likes=table["likes"] + 5)
    read(table, tmp_path)
    found = er.audit([tmp_path / "shop.csv"], tz="UTC")
    assert found.panel is not None
    assert found.panel.rows["engagement_24h"].tolist() == (table["likes_24h"] + table["comments"]).tolist()
    plain = er.examine(["C01", "C02"], table.drop(columns=["likes_24h", "comments_24h"]))
    for audited, own, late in zip(found.verdicts, er.examine(["C01", "C02"], table), plain, strict=False):
        assert audited.certainty is not None
        assert own.certainty is not None
        assert late.certainty is not None
        assert "late-reactions" in late.certainty.codes
        assert "late-reactions" not in (*audited.certainty.codes, *own.certainty.codes)
        assert audited.estimate is not None
        assert own.estimate is not None
        assert audited.estimate.value == pytest.approx(own.estimate.value, rel=1e-9)


def test_the_audit_of_a_table_finds_what_was_planted(tmp_path: Path) -> None:
    world = simulate("effect", accounts=12, weeks=104, rng=4)
    names = ["account", "week", "likes", "comments", "revenue", "spend", "followers"]
    table = world.panel[[name for name in names if name in world.panel.columns]]
    table.rename(columns={"account": "shop"}).to_csv(tmp_path / "weeks.csv", index=False)
    found = er.audit([tmp_path / "weeks.csv"], tz="UTC")
    assert found.panel is not None
    assert (found.panel.freq, len(found.panel.rows)) == ("W", len(table))
    verdict = next(v for v in found.verdicts if v.claim == "C01")
    direct = er.examine("C01", {"weeks": world.panel.assign(engagement=table["likes"] + table["comments"])})[
        0
    ]
    assert verdict.estimate is not None
    assert direct.estimate is not None
    assert verdict.estimate.value == pytest.approx(direct.estimate.value, rel=1e-6)
    assert verdict.word == direct.word == "supported"
    # accounts are compared where followers stand in the table
    about = {v.claim: v for v in found.verdicts if v.claim in ("C07", "C08")}
    assert all(v.estimate is not None for v in about.values()) == ("followers" in table.columns)


def test_what_a_person_called_by_other_words_is_suggested(tmp_path: Path) -> None:
    table = days().rename(columns={"date": "when", "likes": "likes IG", "revenue": "Revenue net of VAT"})
    table.to_csv(tmp_path / "shop.csv", index=False)
    mapping = tomllib.loads(suggest_mapping(tmp_path / "shop.csv"))
    assert mapping["kind"] == "daily"
    assert {"date", "likes", "comments", "revenue"} <= set(mapping["columns"])
    panel = er.build_panel(read_export(tmp_path / "shop.csv", tz="UTC", mapping=mapping), freq="W", tz="UTC")
    assert panel.rows["revenue"].sum() == table["Revenue net of VAT"].sum()


WEEKS = pd.date_range("2024-01-01", periods=60, freq="7D")
MONTHS = pd.date_range("2019-01-01", periods=60, freq="MS")


def end(day: pd.Timestamp, days: int) -> pd.Timestamp:
    return day + pd.Timedelta(days=days)


@pytest.mark.parametrize(
    ("header", "cells", "freq"),
    [
        ("date", WEEKS.strftime("%G-W%V"), "W"),
        ("date", WEEKS.strftime("%GW%V"), "W"),
        ("Week", WEEKS.strftime("%G-%V"), "W"),
        ("date", [f"KW {day.week}/{day:%G}" for day in WEEKS], "W"),
        ("date", [f"Week {day.week}, {day:%G}" for day in WEEKS], "W"),
        ("date", [f"{day:%Y-%m-%d} - {end(day, 6):%Y-%m-%d}" for day in WEEKS], "W"),
        ("date", [f"{day:%Y-%m-%d}/{end(day, 6):%Y-%m-%d}" for day in WEEKS], "W"),
        ("date", [f"{day:%b %-d} – {end(day, 6):%b %-d, %Y}" for day in WEEKS], "W"),
        ("date", [f"{day:%d.%m.}–{end(day, 6):%d.%m.%Y}" for day in WEEKS], "W"),
        ("date", [f"{day:%d/%m/%Y} to {end(day, 6):%d/%m/%Y}" for day in WEEKS], "W"),
        ("date", MONTHS.strftime("%b %Y"), "M"),
        ("date", MONTHS.strftime("%B %Y"), "M"),
        ("date", MONTHS.strftime("%Y-%m"), "M"),
        ("date", MONTHS.strftime("%Y %b"), "M"),
        ("date", MONTHS.strftime("%m/%Y"), "M"),
        ("date", MONTHS.strftime("%b-%y"), "M"),
        ("date", [f"{day:%d.%m.%Y} - {day.days_in_month}.{day:%m.%Y}" for day in MONTHS], "M"),
        ("date", pd.date_range("2019-01-31", periods=60, freq="ME").strftime("%Y-%m-%d"), "M"),
    ],
)
def test_weeks_and_months_are_read_as_they_are_written(
    header: str, cells: list[str], freq: str, tmp_path: Path
) -> None:
    table = days(60).assign(date=list(cells)).rename(columns={"date": header})
    panel = er.build_panel(read(table, tmp_path), freq=freq, tz="America/New_York")
    assert panel.rows["period"].tolist() == list(WEEKS if freq == "W" else MONTHS)
    assert panel.rows["likes"].tolist() == table["likes"].tolist()
    assert panel.rows["revenue"].tolist() == table["revenue"].tolist()


def test_a_year_and_two_figures_are_months_until_a_thirteenth(tmp_path: Path) -> None:
    table = days(12).assign(date=[f"2024-{n:02d}" for n in range(1, 13)])
    assert read(table, tmp_path).rows["date"].dt.month.tolist() == list(range(1, 13))
    weeks = read(table.rename(columns={"date": "Week"}), tmp_path)
    assert weeks.rows["date"].dt.day_of_week.tolist() == [0] * 12
    assert any(guess.name == "weeks of 'Week'" for guess in weeks.guesses)


def test_a_week_that_is_cut_is_left_out_and_counted(tmp_path: Path) -> None:
    cells = [f"{day:%Y-%m-%d} - {end(day, 6):%Y-%m-%d}" for day in WEEKS]
    cells[-1] = f"{WEEKS[-1]:%Y-%m-%d} - {end(WEEKS[-1], 2):%Y-%m-%d}"
    export = read(days(60).assign(date=cells), tmp_path)
    assert len(export.rows) == 59
    assert any("1 range is no week: left out" in str(caution) for caution in export.warnings)
    odd = [f"{day:%Y-%m-%d} - {end(day, 9):%Y-%m-%d}" for day in WEEKS]
    with pytest.raises(
        DataError, match=r"holds ranges that are no days, weeks or months: most are of 10 days"
    ):
        read(days(60).assign(date=odd), tmp_path)


def test_rows_of_two_weeks_are_refused(tmp_path: Path) -> None:
    table = days(60).assign(date=pd.date_range("2024-01-01", periods=60, freq="14D"))
    with pytest.raises(DesignError, match="no days, weeks or months: 14 days from one to the next"):
        er.build_panel(read(table, tmp_path), freq="W", tz="UTC")


def hours(count: int = 24 * 40) -> pd.DataFrame:
    moments = pd.date_range("2024-03-01", periods=count, freq="h")
    return days(count).assign(date=moments)


def test_hours_are_summed_to_days_and_counted(tmp_path: Path) -> None:
    table = hours().assign(followers=np.arange(960), reach=5)
    export = read(table.assign(date=table["date"].dt.strftime("%Y-%m-%d %H:%M")), tmp_path)
    by_day = table.groupby(table["date"].dt.normalize())
    assert export.rows["likes"].tolist() == by_day["likes"].sum().tolist()
    assert export.rows["followers"].tolist() == by_day["followers"].last().tolist()
    # a person may be reached in several hours
    assert "reach" not in export.rows
    assert (export.accounting.rows_in, export.accounting.used) == (960, 960)
    assert any("960 rows were summed to 40 days; reach count people" in note for note in export.notes)


@pytest.mark.parametrize(
    ("header", "form"),
    [
        ("date", "%Y-%m-%dT%H:%M:%SZ"),
        ("date", "%Y-%m-%d %H:%M:%S+00:00"),
        ("date", "%Y-%m-%d %H:%M UTC"),
        ("Date (UTC)", "%Y-%m-%d %H:%M"),
    ],
)
def test_moments_in_utc_fall_on_the_days_of_the_business(header: str, form: str, tmp_path: Path) -> None:
    table = hours()
    local = table["date"].dt.tz_localize("UTC").dt.tz_convert("America/New_York").dt.date
    sums = table.groupby(local)["likes"].agg(["sum", "size"])
    whole = sums[sums["size"] >= 23]
    table.assign(date=table["date"].dt.strftime(form)).rename(columns={"date": header}).to_csv(
        tmp_path / "h.csv", index=False
    )
    export = read_export(tmp_path / "h.csv", tz="America/New_York")
    assert export.rows["likes"].tolist() == whole["sum"].tolist()
    assert export.rows["date"].dt.date.tolist() == list(whole.index)
    # the first and the last day lack hours
    assert export.accounting.rejected == 960 - whole["size"].sum()
    assert "days are those of America/New_York" in export.notes


def test_moments_without_a_zone_to_move_them_to_are_cautioned(tmp_path: Path) -> None:
    table = hours().assign(date=lambda t: t["date"].dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    table.to_csv(tmp_path / "h.csv", index=False)
    export = read_export(tmp_path / "h.csv")
    assert len(export.rows) == 40
    assert any("their days are those printed; tz= moves them" in str(one) for one in export.warnings)
    # midnight in every row is a way to write days
    day = days().assign(date=lambda t: t["date"].dt.strftime("%Y-%m-%dT00:00:00Z"))
    export = read(day, tmp_path)
    assert export.rows["date"].tolist() == days()["date"].tolist()
    assert not export.warnings


def test_figures_of_a_shop_by_the_hour_are_summed_too(tmp_path: Path) -> None:
    table = hours().assign(orders=2)[["date", "revenue", "orders"]]
    table.to_csv(tmp_path / "h.csv", index=False)
    mapping = {"kind": "outcomes", "currency": "EUR", "columns": {n: n for n in table}}
    export = read_export(tmp_path / "h.csv", tz="UTC", mapping=mapping)
    assert (len(export.rows), export.accounting.used) == (80, 960)
    assert export.rows.groupby("outcome")["value"].sum().to_dict() == {
        "orders": 1920.0,
        "revenue": table["revenue"].sum(),
    }


@pytest.mark.parametrize("name", ["Engagement", "Interactions", "Total interactions"])
def test_one_column_of_engagement_is_enough(name: str, tmp_path: Path) -> None:
    table = days().assign(posts=1, likes=lambda t: t["likes"] * 10)
    table = table.rename(columns={"likes": name}).drop(columns="comments")
    panel = er.build_panel(read(table, tmp_path), freq="W", tz="UTC")
    weeks = table.groupby(np.arange(140) // 7)[name].sum()
    assert panel.rows["engagement"].tolist() == weeks.tolist()
    assert set(panel.rows["posts"]) == {7}
    assert panel.definitions["engagement"] == "reactions as the file adds them up"


@pytest.mark.parametrize(
    ("headers", "meant"),
    [
        (["Datum", "Gefällt mir", "Kommentare", "Geteilt", "Umsatz (€)", "Werbeausgaben"],
         ["date", "likes", "comments", "shares", "revenue", "spend"]),
        (["Datum", "Reacties", "Vind-ik-leuks", "Omzet", "Berichten"],
         ["date", "comments", "likes", "revenue", "posts"]),
        (["Jour", "J'aime", "Commentaires", "Partages", "Chiffre d'affaires"],
         ["date", "likes", "comments", "shares", "revenue"]),
        (["Fecha", "Me gusta", "Comentarios", "Compartidos", "Ventas"],
         ["date", "likes", "comments", "shares", "revenue"]),
        (["Data", "Mi piace", "Commenti", "Fatturato", "Ordini"],
         ["date", "likes", "comments", "revenue", "orders"]),
        (["Data", "Curtidas", "Comentários", "Compartilhamentos", "Faturamento"],
         ["date", "likes", "comments", "shares", "revenue"]),
        (["Day", "All interactions", "Sales"], ["date", "engagements_reported", "revenue"]),
    ],
)  # fmt: skip
def test_headers_of_other_languages_are_suggested(
    headers: list[str], meant: list[str], tmp_path: Path
) -> None:
    table = days().assign(more=7, most=8.5)[["date", "likes", "comments", "more", "revenue", "most"]]
    if len(headers) == 3:
        table = table[["date", "likes", "revenue"]]
    table = table.iloc[:, : len(headers)].set_axis(headers, axis=1)
    table.to_csv(tmp_path / "shop.csv", index=False, sep=";")
    mapping = tomllib.loads(suggest_mapping(tmp_path / "shop.csv"))
    assert mapping["kind"] == "daily"
    assert {header: name for name, header in mapping["columns"].items()} == dict(
        zip(headers, meant, strict=True)
    )


AMBIGUOUS = [
    f"{month:02d}/{day:02d}/{year}"
    for year in (2022, 2023, 2024)
    for month, day in [(1, 7), (2, 3), (3, 9), (5, 2), (6, 11), (7, 4), (9, 1), (10, 8), (11, 12), (12, 5)]
]


def test_every_advised_way_to_order_dates_settles_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "shop.csv"
    days(len(AMBIGUOUS)).assign(date=AMBIGUOUS).to_csv(file, index=False)
    with pytest.raises(DataError, match=r"Say it with dayfirst=True or dayfirst=False\."):
        read_export(file)
    assert main(["inspect", str(file)]) == 2
    said = capsys.readouterr().err
    assert 'Say it with dates = "DMY" or dates = "MDY" in a file shop.csv.toml beside it' in said.replace(
        "\n", " "
    )
    first = {}
    for order in ("DMY", "MDY"):
        (tmp_path / "shop.csv.toml").write_text(f'dates = "{order}"\n')
        assert main(["inspect", str(file)]) == 0
        export = read_export(file, mapping={"dates": order})
        same = read_export(file, dayfirst=order == "DMY")
        assert export.rows["date"].tolist() == same.rows["date"].tolist()
        first[order] = str(export.rows["date"].iloc[0].date())
    assert first == {"DMY": "2022-01-09", "MDY": "2022-01-07"}


def test_looks_at_another_file_in_the_same_folder_are_no_looks_at_these_rows(tmp_path: Path) -> None:
    days(200).to_csv(tmp_path / "one.csv", index=False)
    days(200, seed=2).to_csv(tmp_path / "two.csv", index=False)
    out = tmp_path / "audit"
    first = er.audit([tmp_path / "one.csv"], tz="UTC", out=out)
    other = er.audit([tmp_path / "two.csv"], tz="UTC", out=out)
    assert "runs" not in first.looks + other.looks
    again = er.audit([tmp_path / "one.csv"], tz="UTC", freq="W", out=out)
    assert "in 2 runs with other choices" in again.looks
    assert len(again.looked) == 3
    # the command at the end names the folder that was written
    assert any(f"erresearch plan {out}" in text for text in first.wanted)
    assert main(["plan", str(out), "--out", str(tmp_path / "plan")]) == 0


def test_months_give_no_weeks_and_every_advised_step_is_possible(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "months"
    folder.mkdir()
    days(60).assign(date=MONTHS).to_csv(folder / "shop.csv", index=False)
    found = er.audit([folder], tz="UTC", freq="W")
    assert found.panel is None
    # not: add an export of posts, which is there
    assert found.wanted == ("judge by month: --freq M, or freq='M'",)
    found = er.audit([folder], tz="UTC")
    assert found.panel is not None
    assert str(found.panel.accounting["months"]) == "60 in = 60 used"
    assert any("each row of shop.csv is a month" in text for text in found.warnings)
    assert any("with files by day or by week in place of months" in text for text in found.wanted)
    for freq in ("D", "W"):
        assert main(["plan", str(folder), "--tz", "UTC", "--freq", freq, "--out", str(tmp_path / "p")]) == 2
        said = " ".join(capsys.readouterr().err.split())
        assert "a plan draws days or weeks to pause in: files with a row per month. Make them by day" in said
    days(420).to_csv(folder / "shop.csv", index=False)
    blocks = ["--block", "2", "--group", "4", "--washout", "1", "--weeks", "24"]
    assert (
        main(["plan", str(folder), "--tz", "UTC", "--freq", "W", *blocks, "--out", str(tmp_path / "p")]) == 0
    )
    design = read_plan(tmp_path / "p").design
    assert (design.block, design.size, design.washout, design.groups) == (2, 4, 1, 3)


@pytest.mark.parametrize("words", ["Week of {:%b %-d, %Y}", "w/c {:%d/%m/%Y}", "Week commencing {:%Y-%m-%d}"])
def test_words_before_the_first_day_of_a_week_are_no_part_of_it(words: str, tmp_path: Path) -> None:
    sundays = pd.date_range("2023-01-01", periods=60, freq="7D")
    export = read(days(60).assign(date=[words.format(day) for day in sundays]), tmp_path)
    assert export.rows["date"].tolist() == list(sundays)
    panel = er.build_panel(export, freq="W", tz="UTC")
    assert panel.rows["period"].tolist() == list(sundays)


def test_quarters_are_refused_with_a_step_that_helps(tmp_path: Path) -> None:
    for form in ("Q{1} {0}", "{0}-Q{1}", "{0} Q{1}"):
        cells = [form.format(2010 + n // 4, n % 4 + 1) for n in range(32)]
        with pytest.raises(
            DataError, match="Make the table by day, by week or by month: a quarter is too long"
        ):
            read(days(32).assign(date=cells), tmp_path)


def test_a_file_for_each_shop_becomes_shops_by_what_is_advised(tmp_path: Path) -> None:
    folder = tmp_path / "shops"
    folder.mkdir()
    for seed, shop in enumerate(("north", "south")):
        days(300, seed).to_csv(folder / f"{shop}.csv", index=False)
    found = er.audit([folder], tz="UTC")
    assert 'say whose each is with account = "…" in a file beside it' in found.wanted[0]
    for shop in ("north", "south"):
        (folder / f"{shop}.csv.toml").write_text(f'account = "{shop}"\n')
    found = er.audit([folder], tz="UTC")
    assert found.panel is not None
    assert set(found.panel.rows["entity"]) == {"north", "south"}
    # two shops by day are two
    estimates = [v.estimate for v in found.verdicts if v.claim in ("C01", "C02")]
    assert all(one is not None and one.n_accounts == 2 and one.n_rows > 300 for one in estimates)
