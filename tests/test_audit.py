"""An audit from files to report: what it judges, what it says it cannot, and that nothing personal gets through."""

from __future__ import annotations

import copy
import csv
import os
import re
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbclient import NotebookClient

import erresearch as er
from erresearch import cli
from erresearch.audits import (
    account_table,
    audit,
    join_files,
    judge_panel,
    read_files,
    side_by_side,
    with_followers,
    with_scores,
)
from erresearch.audits.arrivals import LONGEST
from erresearch.audits.folder import _as_asked, accounting_rows, answer_in_money, unread_rows
from erresearch.audits.judgement import Wanting, what_would_help
from erresearch.audits.next_steps import perhaps_events
from erresearch.errors import DataError, DesignError, ErresearchError, UnknownNameError
from erresearch.exports import Accounting, Export
from erresearch.io.outputs import MARKER
from erresearch.panel import Panel, RowAccounting, Rules
from erresearch.results import Doubt
from erresearch.worlds import example_exports, simulate

ZONE = "Europe/Amsterdam"
APART = Rules(apart="platform", allow_break=True)
HERE = Path(__file__).resolve().parent
SAMPLES = (
    Path(os.environ.get("ERRESEARCH_DATA_DIR", HERE.parent.parent / "shared" / "data")).parent / "samples"
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("shop")
    return {path.name.split("_")[0]: path for path in example_exports(folder, weeks=70, rng=4)}


@pytest.fixture(scope="module")
def found(shop: dict[str, Path]):
    return audit(shop.values(), tz=ZONE, freq="W")


@pytest.fixture(scope="module")
def posts_alone(shop: dict[str, Path]):
    return audit([shop["instagram"]], tz=ZONE)


@pytest.fixture(scope="module")
def unpriced(shop: dict[str, Path]):
    """Posts and orders, without what was spent."""
    return audit([shop["instagram"], shop["orders"]], tz=ZONE)


def words(found, claim: str) -> str:
    (verdict,) = [verdict for verdict in found.verdicts if verdict.claim == claim]
    return verdict.word


def reason(found, claim: str) -> str:
    (verdict,) = [verdict for verdict in found.verdicts if verdict.claim == claim]
    return verdict.reason


def test_one_shop_is_one_entity_and_inconclusive_with_what_would_help(found):
    assert found.panel.rows["entity"].nunique() == 1
    (verdict,) = [verdict for verdict in found.verdicts if verdict.claim == "C01"]
    assert verdict.word == "inconclusive"
    assert verdict.simulated  # the files say so of themselves
    assert verdict.estimate.n_accounts == 1
    (help_,) = [doubt for doubt in verdict.doubts if doubt.name == "what would help"]
    assert "weeks like these" in help_.text
    assert "would catch an effect of" in help_.text
    assert words(found, "C07") == "not judged"
    assert "the claim compares accounts, and followers are known for 1" in reason(found, "C07")


def test_fewer_than_52_weeks_get_no_decisive_word(tmp_path):
    made = audit(example_exports(tmp_path, weeks=40, effect=3.0, rng=1), tz=ZONE, freq="W")
    decisive = {"supported", "contradicted", "practically nil"}
    assert not decisive & {verdict.word for verdict in made.verdicts}


def test_without_spend_claims_are_judged_and_the_certainty_says_so(unpriced):
    made = unpriced
    verdict = of(made.verdicts, "C01")
    assert verdict.estimate is not None
    assert "advertising-not-declared" in verdict.certainty.codes
    assert "advertising not declared" in str(made)
    assert "promotions not declared" in str(made)
    assert "claims were asked of the same rows" in made.looks
    (line,) = [line for line in made.wanted if line.startswith("add the follower history of each account (")]
    assert "C09" in line
    assert "C07" not in line
    (few,) = [line for line in made.wanted if line.endswith("(C07)")]
    assert "of 200 accounts chosen without looking at their reactions (--choice says how" in few


def test_declared_events_reach_the_verdicts(shop, tmp_path):
    path = tmp_path / "events.csv"
    path.write_text(
        "start,end,name\n2024-03-04,2024-03-10,sale\n2024-06-03,2024-06-09,sale\n2024-09-02,,sale\n"
    )
    rules = Rules(events=str(path), holidays="NL", allow_break=True)
    found = audit([shop["instagram"], shop["orders"]], tz=ZONE, rules=rules)
    assert not any(
        "lie outside" in text for text in found.warnings
    )  # holidays of other years are none of theirs
    assert f"note: {found.warnings[-1]}" in str(found)
    verdict = of(found.verdicts, "C01")
    assert ", events public holiday, sale" in verdict.estimate.method
    assert "events-not-declared" not in verdict.certainty.codes
    assert any(doubt.name == "without the events" for doubt in verdict.doubts)


def test_reruns_with_other_choices_are_counted_as_looks(shop, written, tmp_path):
    files = [shop["instagram"], shop["orders"], shop["ads.csv"]]
    out = Path(shutil.copytree(written.paths["report"].parent, tmp_path / "out"))
    assert list(written.looked.values()) == [sum(v.word != "not judged" for v in written.verdicts)]
    again = audit(files, tz=ZONE, out=out, rules=APART, sesoi=0.2)
    assert again.looked == written.looked
    assert "runs with other choices" not in again.looks
    other = audit(files, tz=ZONE, out=out, rules=APART, sesoi=0.1)
    assert len(other.looked) == 2
    assert f"looks: {sum(other.looked.values())} claims were asked of the same rows, in 2 runs" in str(other)
    assert (out / "looks.csv").read_text(encoding="utf-8").startswith("choices,claims\n")
    assert "in 2 runs with other choices" in (out / "report.html").read_text(encoding="utf-8")


def test_what_looks_like_an_event_is_shown_and_never_read_from_revenue(unpriced):
    made = unpriced
    busy = made.panel.rows.assign(revenue=made.panel.rows["revenue"].where(made.panel.rows.index != 20, 1e9))
    assert perhaps_events(replace(made.panel, rows=busy), None) == perhaps_events(made.panel, None)
    many = busy.assign(posts=busy["posts"].where(busy.index != 20, 500.0))
    said = perhaps_events(replace(made.panel, rows=many), None)
    assert f"many posts ({many['period'].loc[20]:%Y-%m-%d}" in said
    assert perhaps_events(replace(made.panel, rows=many), "none") == ""


def test_the_choice_of_a_list_is_declared(shop):
    panel = simulate("decay", rng=1).panel
    accounts = panel.rename(columns={"entity": "account"}) if "entity" in panel else panel
    verdicts = [
        of(judge_panel(None, accounts.assign(simulated=True), choice=c), "C07") for c in ("", "all", "mixed")
    ]
    assert [v.word for v in verdicts] == ["inconclusive", "supported", "inconclusive"]
    with pytest.raises(UnknownNameError, match="no choice 'best'"):
        Rules(choice="best")


def test_without_outcomes_it_is_an_audit_of_engagement(posts_alone):
    made = posts_alone
    assert "nothing about revenue could be tested" in made.refused[0]
    assert "nothing about revenue could be tested" in reason(made, "C01")
    assert set(made.panel.rows) >= {"engagement", "er_by_reach"}
    assert made.rates.dropna(subset=["mean"])["definition"].tolist() == ["M04", "M05"]
    assert made.rates["why_not"].notna().sum() + made.rates["mean"].notna().sum() == len(made.rates)


def test_bands_carry_their_source(found):
    (text,) = found.rates.loc[
        (found.rates["platform"] == "tiktok") & (found.rates["definition"] == "M01"), "band"
    ]
    assert "(Scrunch, " in text


def test_outcomes_that_cannot_be_joined_are_named(shop, tmp_path):
    short = pd.read_csv(shop["orders"], dtype=str, keep_default_na=False).head(40)
    path = tmp_path / "orders_export.csv"
    short.to_csv(path, index=False)
    made = audit([shop["instagram"]], outcomes=[path], tz=ZONE)
    assert "share too few days" in reason(made, "C01")
    assert any("posts and outcomes could not be joined" in text for text in made.refused)
    assert "revenue" not in made.panel.rows
    # a claim about followers does not complain of revenue
    assert "share too few days" in reason(made, "C08")
    assert reason(made, "C07") == "nothing to judge it on: add the follower history of each account"
    priced = audit([shop["instagram"], shop["ads.csv"]], outcomes=[path], tz=ZONE)
    (said,) = priced.refused  # once, and of what is to blame
    assert said.startswith("posts and outcomes could not be joined: posts and outcomes of 'shopify' share")
    assert "spend" in priced.panel.rows


def test_monthly_outcomes_name_the_frequency_that_is_possible(shop, tmp_path):
    path = tmp_path / "book.csv"
    months = pd.date_range("2024-01-01", periods=16, freq="MS")
    pd.DataFrame({"Month": months.strftime("%Y-%m-%d"), "Turnover": 100}).to_csv(path, index=False)
    beside = 'kind = "outcomes"\nplatform = "book"\ncurrency = "EUR"\n[columns]\ndate = "Month"\nrevenue = "Turnover"\n'
    path.with_name("book.csv.toml").write_text(beside)
    made = audit([shop["instagram"], path], tz=ZONE)
    assert 'freq="M"' in reason(made, "C01")
    monthly = audit([shop["instagram"], path], tz=ZONE, freq="M")
    assert "revenue" in monthly.panel.rows


def test_files_that_are_not_what_they_were_given_as(shop, tmp_path):
    with pytest.raises(DataError, match="was given as outcomes: it holds posts"):
        read_files([], outcomes=[shop["instagram"]], tz=ZONE)
    with pytest.raises(DataError, match="is named twice"):
        read_files([shop["instagram"]] * 2, tz=ZONE)
    with pytest.raises(DataError, match="there is no file to audit"):
        read_files([], tz=ZONE)
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    with pytest.raises(ErresearchError, match=r"other\.csv"):
        audit([shop["instagram"], other], tz=ZONE)
    with pytest.raises(DesignError, match="`sesoi` must be a positive number"):
        judge_panel(None, sesoi=-1.0)


def test_files_without_posts_say_so(shop):
    made = audit([shop["orders"]], tz=ZONE)
    assert made.panel is None
    assert {verdict.word for verdict in made.verdicts} == {"not judged"}
    waiting = [v for v in made.verdicts if v.reason.startswith("there are no reactions: add an export of")]
    assert len(waiting) == len(made.verdicts)
    assert made.wanted[0].startswith("add an export of posts with reactions (C01, ")
    assert len(made.wanted) == 1


def test_sesoi_is_that_of_the_caller_for_elasticities_only(written):
    by_claim = {verdict.claim: verdict for verdict in written.verdicts}
    assert by_claim["C01"].sesoi == 0.2
    assert by_claim["C09"].sesoi == 0.01


def test_many_accounts_are_rows_of_their_own():
    posts = er.simulate("flat", accounts=300, rng=3).posts
    if posts.empty:
        posts = er.simulate("effect", accounts=300, weeks=12, rng=3).posts
    table = account_table(posts)
    assert len(table) == posts["account"].nunique()
    (verdict,) = [v for v in judge_panel(None, table, name="list") if v.claim == "C07"]
    assert verdict.estimate is not None
    assert account_table(posts.drop(columns="followers")).empty


def test_followers_go_to_the_posts_of_their_day(shop):
    files = read_files([shop["Content.csv"], shop["FollowerHistory"]], tz=ZONE)
    posts = with_followers(files.all_posts.rows, files.followers)
    assert "followers" not in files.all_posts.rows
    row = posts.dropna(subset=["followers"]).iloc[-1]
    counts = files.followers[0].rows.set_index("date")["followers"]
    assert row["followers"] == counts.loc[row["published_at"].tz_convert(None).normalize()]


@pytest.fixture(scope="module")
def written(shop, tmp_path_factory: pytest.TempPathFactory):
    """An audit on disk, in a folder whose name is a template for whoever takes it for one."""
    out = tmp_path_factory.mktemp("written") / "out {TZ} {x}"
    files = [shop["instagram"], shop["orders"], shop["ads.csv"]]
    return audit(files, tz=ZONE, out=out, rules=APART, sesoi=0.2)


def test_everything_is_written(written):
    out = written.paths["report"].parent
    tables = {"verdicts.csv", "panel.csv", "accounting.csv", "rates.csv", "looks.csv"}
    names = {"report.html", "audit.ipynb", "panel.csv.toml", MARKER, *tables}
    assert {path.name for path in out.iterdir()} == names
    assert {path.name for path in written.paths.values()} == names - {"panel.csv.toml", MARKER}
    assert (out / "panel.csv.toml").read_text(encoding="utf-8") == f'zone = "{ZONE}"\ncurrency = "EUR"\n'
    every = "".join(path.read_text(encoding="utf-8") for path in out.iterdir())
    for secret in ("buyer1", "@example.org", "Buyer 1", "1 Lane", "Simulated post 1"):
        assert secret not in every
    with (out / "accounting.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    orders = {row["what"]: int(row["rows"]) for row in rows if row["table"] == "orders_export.csv"}
    assert orders["rows in"] == orders["used"] + orders["out of scope"] + orders["rejected"]
    panel = pd.read_csv(out / "panel.csv", parse_dates=["period"])
    assert panel["revenue"].to_numpy() == pytest.approx(written.panel.rows["revenue"].to_numpy())


def test_the_first_screen_answers_in_money(found):
    money, *_, nxt = answer_in_money(found)
    (verdict,) = [one for one in found.verdicts if one.claim == "C01"]
    rows = found.panel.rows[["engagement", "revenue"]].dropna()
    high = rows["revenue"].sum() / rows["engagement"].sum() * verdict.estimate.interval.high
    said = float(re.search(r"(?:at most|to) (\S+) EUR", money).group(1).replace("−", "-"))
    assert said == pytest.approx(high, rel=0.1, abs=0.01)
    assert "In the week after, one more reaction goes with " in money
    assert f"(Engagement → sales: {verdict.word}, simulated, certainty {verdict.certainty.level})." in money
    assert nxt.startswith("Next: ")
    nothing = answer_in_money(replace(found, panel=None))
    assert nothing[0] == "These files cannot say what a reaction is worth in money."


def test_the_notebook_holds_what_a_kernel_gives(written):
    """Its outputs are those of the steps that were run here: a kernel that runs its cells gives the same."""
    path = written.paths["notebook"]
    stored = nbformat.read(path, as_version=4)
    nbformat.validate(stored)
    assert path.read_text(encoding="utf-8") == f"{nbformat.writes(stored)}\n"
    ran = copy.deepcopy(stored)
    for cell in ran.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    # a busy machine may send one line in two pieces
    NotebookClient(
        ran, kernel_name="python3", coalesce_streams=True, resources={"metadata": {"path": str(path.parent)}}
    ).execute()
    for ours, theirs in zip(stored.cells, ran.cells, strict=True):
        assert ours.source == theirs.source
        assert [dict(one) for one in ours.get("outputs", ())] == [
            dict(one) for one in theirs.get("outputs", ())
        ]
        assert ours.get("execution_count") == theirs.get("execution_count")
    assert [cell.metadata["tags"] for cell in stored.cells if cell.metadata.get("tags")] == [["parameters"]]
    printed = "".join(str(output) for cell in stored.cells for output in cell.get("outputs", []))
    for verdict in written.verdicts:
        assert f"| {verdict.claim} | {verdict.words} |" in printed
    assert printed.count("image/png") == sum(v.result is not None for v in written.verdicts) > 0


def test_an_audit_replaces_only_audits_and_never_its_input(shop, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    posts = tmp_path / "posts.csv"
    posts.write_bytes(shop["instagram"].read_bytes())
    (tmp_path / "rates.csv").write_text("mine")
    for out, said in ((".", "an input lies in it: 'posts.csv'"), ("..", "an input lies in it")):
        assert cli.main(["audit", str(posts), "--out", out]) == 2
        assert said in capsys.readouterr().err
    assert cli.main(["audit", str(shop["instagram"]), "--out", str(tmp_path)]) == 2
    assert "something that erresearch did not write: 'posts.csv'" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["posts.csv", "rates.csv"]
    assert cli.main(["audit", "posts.csv", "--out", "out"]) == 0
    assert (tmp_path / "out" / "panel.csv").is_file()
    # what an earlier audit wrote and this one does not is gone
    assert cli.main(["audit", str(shop["orders"]), "--out", "out"]) == 0
    assert not (tmp_path / "out" / "panel.csv").exists()
    assert cli.main(["audit", str(shop["orders"]), "out/verdicts.csv", "--out", "out"]) == 2
    assert "an input lies in it: 'verdicts.csv'" in capsys.readouterr().err


def test_a_file_that_cannot_be_used_stands_in_every_account_once(shop, tmp_path):
    whole = shop["orders"].read_text(encoding="utf-8")
    broken = whole + whole.splitlines()[1] + "\n"
    (tmp_path / "orders_export.csv").write_text(broken, encoding="utf-8")
    (tmp_path / "posts.csv").write_bytes(shop["instagram"].read_bytes())
    (tmp_path / "plan.csv").write_text("a;b\n1;2\n", encoding="utf-8")
    made = audit([tmp_path], tz=ZONE)
    lost = dict(made.files.unusable)
    assert sorted(lost) == ["orders_export.csv", "plan.csv"]
    assert "money stands on several rows of one order" in lost["orders_export.csv"]
    assert not any(name in reason for name, reason in lost.items() if name != "plan.csv")
    assert reason(made, "C01").startswith(
        "there is no file of outcomes (orders_export.csv, plan.csv could not be used), so nothing about revenue"
    )
    rows = unread_rows(made)
    assert [(name, count) for name, _, count in rows] == [("orders_export.csv", None), ("plan.csv", None)]
    assert all(what.startswith("not read: ") for _, what, _ in rows)


def test_weeks_begin_on_the_day_on_which_those_of_the_outcomes_do(shop, tmp_path):
    head = "Day,Orders,Gross sales,Discounts,Sales reversals,Net sales,Shipping charges,Duties,Additional fees,Taxes"
    head += ",Total sales"
    sundays = pd.date_range("2023-12-31", periods=66, freq="7D")
    lines = [
        f"{day:%Y-%m-%d},{20 + n},{900 + n},-5,-2,{893 + n},10,0,0,8,{911 + n}"
        for n, day in enumerate(sundays)
    ]
    (tmp_path / "Sales over time.csv").write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
    made = audit([shop["instagram"], tmp_path / "Sales over time.csv"], tz=ZONE)
    assert made.files.week_start == "sunday"
    assert {day.day_name() for day in made.panel.rows["period"]} == {"Sunday"}
    assert made.panel.rows["revenue"].notna().all()
    assert "weeks begin on a sunday, as those of the outcomes do" in made.warnings
    assert not made.refused
    assert read_files([shop["instagram"], shop["orders"]], tz=ZONE).week_start == "monday"


def test_a_file_that_cannot_be_joined_stands_in_the_account(shop, tmp_path):
    ads = pd.read_csv(shop["ads.csv"], dtype=str, keep_default_na=False).head(1)
    ads.assign(**{"Reporting ends": "2025-05-04"}).to_csv(tmp_path / "ads.csv", index=False)
    made = audit([shop["instagram"], shop["orders"], tmp_path / "ads.csv"], tz=ZONE)
    (row,) = [row for row in accounting_rows(made) if row[1].startswith("not joined: ")]
    assert (row[0], row[2]) == ("ads.csv", 1)
    assert "stands for the whole range" in row[1]


@pytest.mark.parametrize(("freq", "one"), [("M", "month"), ("D", "day"), ("W", "week")])
def test_the_report_speaks_of_the_periods_that_were_asked_for(freq: str, one: str):
    made = replace(shop_panel(60), freq=freq)
    claim = {c.id: c for c in _as_asked(made)}["C01"]
    assert f"engagement in one {one} brings" in claim.text
    assert claim.estimand["unit"] == f"entity × {one}"
    assert claim.estimand["adjustment"].endswith(
        "a trend and yearly waves"
    )  # one entity shares nothing with others
    assert f"52 {one}s" in claim.minimum
    assert {c.id: c for c in _as_asked(None)}["C01"].text.endswith("in the next.")


def test_the_accounting_names_every_file_and_table(found):
    tables = {name for name, *_ in accounting_rows(found)}
    assert {
        "instagram_posts.csv",
        "orders_export.csv",
        "panel: posts",
        "panel: outcomes",
        "panel: periods",
    } <= tables


def test_s9_rates_of_each_kind_of_post_stand_below_those_of_all():
    posts = er.simulate("effect", accounts=2, weeks=60, rng=1).posts
    posts = posts[posts["platform"] == "instagram"].copy()
    posts["post_type"] = np.where(np.arange(len(posts)) % 3 == 0, "reel", "image")
    table = side_by_side(posts)
    m01 = table[table["definition"] == "M01"].set_index("post_type")["mean"]
    assert m01.index.tolist() == ["", "image", "reel"]
    assert table["why_not"].str.contains("dislikes").any()
    assert m01["reel"] == pytest.approx(side_by_side(posts[posts["post_type"] == "reel"])["mean"].iloc[0])
    alone = side_by_side(posts.assign(post_type="reel"))
    assert set(alone["post_type"]) == {""}


HOSTILE = "=cmd|' /C calc'!A0<script>alert(1)</script>"


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def refusals(folder: Path, shop: dict[str, Path]) -> dict[str, tuple[list[Path], str]]:
    """Files that no audit can be made of, each with the word that says so."""
    empty, binary, bomb = folder / "empty.csv", folder / "binary.csv", folder / "bomb.zip"
    empty.write_bytes(b"")
    binary.write_bytes(bytes(range(256)) * 50)
    zipped(bomb, {"Table data.csv": b"0" * 60_000_000})
    money = pd.read_csv(shop["orders"], dtype=str, keep_default_na=False)
    money.loc[money["Financial Status"] != "", "Financial Status"] = "doubtful"
    mixed = folder / "doubtful.csv"
    money.to_csv(mixed, index=False)
    script = folder / "<script>alert(1) 'a' \"b\" \x1b[31m.csv"
    script.write_bytes(b"")
    nothing = folder / "notes"
    nothing.mkdir()
    (nothing / "read me.md").write_text("no export")
    posts = shop["instagram"]
    return {
        "empty": ([empty], "empty.csv: the file is empty"),
        "binary": ([binary], "binary.csv is not a text file"),
        "bomb": ([bomb], "the archive is refused because of its size"),
        "twice": ([posts, posts], "is named twice"),
        "states": ([posts, mixed], "doubtful.csv: no row is in a state that counts as sold"),
        "name": ([script], "<script>alert(1) 'a' \"b\" \ufffd[31m.csv: the file is empty"),
        "folder": ([nothing], "the folder 'notes' holds no export: 1 other file"),
        "absent": ([folder / "absent.csv"], "could not read"),
    }


def test_what_cannot_be_audited_ends_in_one_line_and_writes_nothing(shop, tmp_path, capsys):
    for name, (files, said) in refusals(tmp_path, shop).items():
        out = tmp_path / "out"
        assert cli.main(["audit", *map(str, files), "--tz", ZONE, "--out", str(out)]) == 2, name
        err = capsys.readouterr().err
        assert said in err, (name, err)
        assert err.count("\n") == 1
        assert err.isprintable() or err[:-1].isprintable()
        assert not out.exists(), name


def test_what_is_odd_but_readable_ends_in_an_audit(shop, tmp_path):
    posts = shop["instagram"].read_bytes()
    suffix = tmp_path / "posts.xlsx"
    suffix.write_bytes(posts)

    def joined(*paths: Path) -> pd.DataFrame:
        return join_files(read_files(paths, tz=ZONE), freq="auto", tz=ZONE).panel.rows

    made = joined(suffix, shop["orders"])
    copy = tmp_path / "instagram_posts (1).csv"
    copy.write_bytes(posts)
    assert joined(shop["instagram"], copy, shop["orders"])["engagement"].equals(made["engagement"])
    again = tmp_path / "orders_export (1).csv"
    again.write_bytes(shop["orders"].read_bytes())
    assert joined(suffix, shop["orders"], again)["revenue"].equals(made["revenue"])
    three = tmp_path / "three.csv"
    lines = pd.read_csv(shop["instagram"], dtype=str, keep_default_na=False).head(3)
    lines.to_csv(three, index=False, encoding="utf-8-sig")
    few = audit([three, shop["orders"]], tz=ZONE)
    assert {verdict.word for verdict in few.verdicts} == {"not judged"}
    assert any("is old enough: all of them were too young" in reason for reason in few.refused)
    only = audit([], outcomes=[shop["orders"]], tz=ZONE)
    assert only.panel is None


def test_a_folder_and_an_archive_are_read_whole(shop, tmp_path):
    folder = tmp_path / "exports"
    folder.mkdir()
    for path in shop.values():
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "read me.md").write_text("no export")
    (folder / ".hidden.csv").write_text("no export")
    whole = read_files([folder], tz=ZONE)
    assert [e.name for e in whole.exports] == [
        e.name for e in read_files(sorted(folder.glob("[!.]*.csv")), tz=ZONE).exports
    ]
    archive = zipped(
        tmp_path / "all.zip", {p.name: p.read_bytes() for p in shop.values()} | {"x.csv": b"a,b\n1,2\n"}
    )
    inside = read_files([archive], tz=ZONE)
    assert sorted(e.name for e in inside.exports) == sorted(f"all.zip: {p.name}" for p in shop.values())
    assert [name for name, _ in inside.unusable] == ["all.zip: x.csv"]
    for one in inside.exports:
        (same,) = [e for e in whole.exports if one.name.endswith(f" {e.name}")]
        assert len(one.rows) == len(same.rows)
    with pytest.raises(ErresearchError, match="no known layout has these headers"):
        read_files([zipped(tmp_path / "junk.zip", {"a.csv": b"a,b\n1,2\n", "b.csv": b"c,d\n1,2\n"})], tz=ZONE)


def test_every_sheet_of_a_workbook_is_read():
    files = read_files([HERE / "exports" / "files" / "linkedin_page.xls"], tz=ZONE)
    assert {export.kind for export in files.exports} == {"posts", "daily"}


def test_nothing_hostile_gets_through(shop, tmp_path):
    posts = pd.read_csv(shop["instagram"], dtype=str, keep_default_na=False)
    posts["Account username"] = HOSTILE
    posts["Post type"] = ["=1+1", "@SUM(A1)", "+x", "-y"] * (len(posts) // 4) + ["=1+1"] * (len(posts) % 4)
    posts["Description"] = "secret caption of ann@example.org"
    evil = tmp_path / "=evil <script>alert(1)</script>.csv".replace("/", "_")
    posts.to_csv(evil, index=False, encoding="utf-8-sig")
    out = tmp_path / "out"
    audit(
        [evil, shop["orders"], shop["ads.csv"]],
        tz=ZONE,
        out=out,
        rules=Rules(apart="account", allow_break=True),
    )
    every = {path.name: path.read_text(encoding="utf-8") for path in out.iterdir()}
    assert not any(
        "secret caption" in text or "@example.org" in text or "Buyer 1" in text for text in every.values()
    )
    for name in ("verdicts.csv", "panel.csv", "accounting.csv", "rates.csv"):
        for row in (row for mark in ",;\t" for row in csv.reader(every[name].splitlines(), delimiter=mark)):
            assert not any(cell.startswith(("=", "+", "@", "\t")) for cell in row), (name, row)
    assert "<script>alert(1)" not in every["report.html"]
    assert "&lt;script&gt;alert(1)" in every["report.html"]
    assert "'@SUM(A1)" in every["rates.csv"]


def secret_shop(folder: Path, shop: dict[str, Path], name: str) -> list[Path]:
    """Files of a shop, an account, a kind of post, a currency and a platform of one's own."""
    posts = pd.read_csv(shop["instagram"], dtype=str, keep_default_na=False)
    posts["Account username"], posts["Post type"] = name, f"kind {name}"
    posts.to_csv(folder / "posts.csv", index=False, encoding="utf-8-sig")
    days = pd.date_range("2024-01-01", "2025-05-01")
    sold = {"Day": days.strftime("%Y-%m-%d"), "Shop": name.upper(), "Sum": np.arange(len(days)) % 7 + 5.0}
    pd.DataFrame(sold | {"Coin": "ZWL"}).to_csv(folder / "till.csv", index=False)
    (folder / "till.csv.toml").write_text(
        'kind = "outcomes"\nplatform = "own till"\n[columns]\ndate = "Day"\nrevenue = "Sum"\ncurrency = "Coin"\n'
    )
    return [folder / "posts.csv", folder / "till.csv"]


@pytest.mark.parametrize("given", [False, True])
def test_pseudonyms_replace_every_label_in_every_output(shop, tmp_path, capsys, given: bool):
    files = secret_shop(tmp_path, shop, "Acme & Söhne")
    more = ["--entity", "Acme & Söhne=Acme Holding", "--currency", "ZWL"] if given else []
    arguments = ["audit", *map(str, files), "--tz", ZONE, "--nothing-spent", *more]
    assert cli.main([*arguments, "--pseudonyms", "--out", str(tmp_path / "out")]) == 0
    hidden = capsys.readouterr()
    every = {"out": hidden.out, "err": hidden.err}
    every |= {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "out").iterdir()}
    for name, text in every.items():
        # what pictures are made of may spell any short word
        told = re.sub(r"[A-Za-z0-9+/]{200,}=*", "", text)
        assert not re.search(r"(?i:acme|kind a|söhne|own till)|\bZWL\b", told), name
    assert ("group 1" if given else "entity 1") in every["panel.csv"]
    if not given:
        return
    assert cli.main([*arguments, "--out", str(tmp_path / "plain")]) == 0
    plain = (tmp_path / "plain" / "panel.csv").read_text(encoding="utf-8")
    assert re.search("acme|own till", plain, re.IGNORECASE)
    ours, theirs = (
        pd.read_csv(tmp_path / folder / "verdicts.csv").drop(columns=["dataset", "reason"])
        for folder in ("plain", "out")
    )
    pd.testing.assert_frame_equal(ours, theirs)


def test_labels_are_cut_and_stay_different(shop, tmp_path):
    long = "x" * 5_000 + "\x1b[31m"
    (one, two) = secret_shop(tmp_path, shop, long)
    posts = pd.read_csv(one, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    posts.loc[::2, "Account username"] = long + "y"
    posts.to_csv(one, index=False, encoding="utf-8-sig")
    files = read_files([one, two], tz=ZONE)
    names = files.posts[0].rows["account"].unique()
    assert len(names) == 2
    assert all(len(name) <= LONGEST and name.isprintable() for name in names)
    made = audit([one, two], tz=ZONE, out=tmp_path / "out", entity=dict.fromkeys([long, long + "y"], long))
    for path in made.paths.values():
        assert "x" * 100 not in path.read_text(encoding="utf-8"), path.name
    assert "x" * 100 not in str(made)


def test_labels_of_a_table_that_stays_are_not_replaced_in_silence(tmp_path):
    simulate("effect", accounts=2, weeks=60, rng=1).posts.to_parquet(tmp_path / "posts.parquet")
    with pytest.raises(DesignError, match="labels of a table that stays where it is cannot be replaced"):
        read_files([tmp_path / "posts.parquet"], tz=ZONE, pseudonyms=True)


@pytest.mark.parametrize("command", ["audit", "inspect"])
def test_the_commands_explain_themselves(command: str, capsys):
    assert cli.main([command, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"Usage: erresearch {command} [OPTIONS] FILES...")


def test_inspect_says_what_a_file_is_and_goes_on(shop, tmp_path, capsys):
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    assert cli.main(["inspect", str(other), str(shop["orders"])]) == 2
    out, err = capsys.readouterr()
    assert err.startswith("erresearch: error: other.csv")
    assert "orders_export.csv: outcomes, recognised as shopify-orders" in out
    assert "buyer1@" not in out
    assert cli.main(["inspect", str(shop["orders"])]) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing.csv"], "nothing.csv"),
        ([], "Missing argument 'FILES...'"),
        (["x.csv", "--entity", "shop"], "--entity takes ACCOUNT=SHOP, not 'shop'"),
    ],
)
def test_a_wrong_call_is_one_line_and_status_2(arguments: list[str], said: str, capsys, tmp_path):
    assert cli.main(["audit", *arguments, "--out", str(tmp_path / "out")]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the real samples are not on this machine")
@pytest.mark.parametrize(
    "name", [path.name for path in sorted(SAMPLES.glob("*"))] if SAMPLES.is_dir() else []
)
def test_real_files_end_in_an_audit_or_in_a_message(name: str):
    try:
        made = audit([SAMPLES / name], tz="UTC")
    except ErresearchError as error:
        said: str | None = str(error)
        made = None
    else:
        said = None
    assert (said is None) or name in said
    if made is not None:
        assert str(made)
        assert all(verdict.word not in ("supported", "contradicted") for verdict in made.verdicts)


def shop_panel(weeks: int, **more: object) -> object:
    """One simulated shop's panel by week, with a file of advertising."""
    from builders import MONDAY, daily_sales, weekly_posts
    from test_panel import panel

    rng = np.random.default_rng(1)
    posts = weekly_posts(weeks).assign(likes=lambda t: rng.poisson(20, len(t)).astype(float))
    sold = daily_sales(7 * weeks).assign(value=lambda t: rng.gamma(9, 1, len(t)))
    days = pd.date_range(MONDAY, periods=7 * weeks)
    return panel(posts.assign(**more), sold, spend=pd.DataFrame({"date": days, "spend": 0.0}))


def test_s18_too_few_periods_get_no_estimate_but_what_would_do():
    made = judge_panel(shop_panel(15))
    (verdict,) = [v for v in made if v.claim == "C01"]
    assert verdict.word == "not judged"
    assert verdict.reason.startswith(
        "not enough data: 14 weeks have both engagement and revenue, and 20 are the least; about "
    )
    assert verdict.reason.endswith("weeks like these would find 0.05")
    (enough,) = [v for v in judge_panel(shop_panel(30)) if v.claim == "C01"]
    assert enough.estimate is not None


def test_s18_figures_of_0_say_why_so_few_rows_are_complete():
    """A model of logarithms has no row where nothing was published or sold, and says so."""
    made = shop_panel(60)
    rows = made.rows.assign(engagement=made.rows["engagement"].where(np.arange(len(made.rows)) % 5 < 2, 0.0))
    quiet = replace(made, rows=rows)
    (verdict,) = [v for v in judge_panel(quiet) if v.claim == "C01"]
    assert verdict.word == "not judged"
    assert verdict.reason.startswith(
        f"engagement is 0 in {int((rows['engagement'] == 0).sum())} of 59 weeks, where"
    )
    assert "no row has all" in verdict.reason
    assert verdict.reason.endswith("judge by month (--freq M)")
    some = replace(
        made, rows=made.rows.assign(engagement=made.rows["engagement"].where(made.rows.index > 45, 0.0))
    )
    (verdict,) = [v for v in judge_panel(some) if v.claim == "C01"]
    assert "complete rows cannot carry" in verdict.reason


@pytest.mark.parametrize(("freq", "weeks"), [("D", True), ("W", False)])
def test_days_that_lose_most_rows_to_figures_of_0_are_advised_weeks(freq: str, weeks: bool):
    from erresearch.audits.judgement import _helped

    (verdict,) = [v for v in judge_panel(shop_panel(104)) if v.claim == "C01"]
    costly = Doubt("rows left out", "most", raised=True, code="rows-left-out")
    open_still = replace(verdict, word="inconclusive", size="", doubts=(*verdict.doubts, costly))
    helped = _helped(open_still, replace(shop_panel(104), freq=freq), about_accounts=False)
    assert ("judge by week (--freq W)" in helped.doubts[-1].text) == weeks


def test_s12_one_viral_post_carries_no_verdict_in_silence():
    """One week of fifty times the usual makes any slope look small, or sure where it also sold: neither passes."""
    rng = np.random.default_rng(1)
    weeks = 104
    audience = 0.1 * rng.normal(size=weeks)
    table = pd.DataFrame(
        {
            "entity": "shop",
            "period": pd.date_range("2024-01-01", periods=weeks, freq="7D"),
            "engagement": np.exp(6 + audience),
            "revenue": np.exp(7 + 0.1 * rng.normal(size=weeks)),
        }
    )
    table.loc[40, "engagement"] *= 50
    posts = {"posts": RowAccounting(weeks, weeks, {})}

    def judged(rows):
        return of(judge_panel(Panel(rows, posts, (), "W")), "C01")

    # errors in x hide effects, and of this shop's x nobody knows how much is error: no nil that one week could carry
    assert judged(table).word == "inconclusive"
    assert "fragile" not in judged(table).qualifiers
    sold = judged(table.assign(revenue=table["revenue"].where(table.index != 41, 4 * table["revenue"])))
    assert (sold.word, "fragile" in sold.qualifiers) == ("supported", True)
    doubt = {d.name: d for d in sold.doubts}["one week carries it"]
    assert doubt.raised
    said = "without the week of 2024-10-07, whose engagement is furthest from the others, it is inconclusive, certainty "
    assert doubt.text.startswith(said)
    assert (
        sold.certainty.reasons[sold.certainty.codes.index("one-carries")]
        == "the week of 2024-10-07 carries it"
    )
    assert sold.reason.endswith("; fragile: the week of 2024-10-07 carries it")
    assert sold.certainty.level == "very low"


def test_t23_what_never_moves_is_not_related_to_anything():
    flat = {v.claim: v for v in judge_panel(shop_panel(40, likes=5.0))}
    assert flat["C01"].word == "not judged"
    assert "engagement is 18 in all 39 rows: what never moves" in flat["C01"].reason


def test_a_spend_of_0_is_enough_to_say_that_nothing_was_spent():
    (verdict,) = [v for v in judge_panel(shop_panel(60)) if v.claim == "C01"]
    assert verdict.estimate is not None
    assert "spend is the same in every period" in {d.name: d.text for d in verdict.doubts}["constant control"]


def test_a_rival_that_never_moves_is_no_rival():
    rows = simulate("effect", accounts=8, weeks=60, rng=1).panel
    table = rows.rename(columns={"account": "entity", "week": "period"}).assign(followers=1000.0)
    panel = Panel(table, {"posts": RowAccounting(len(table), len(table), {})}, (), "W")
    verdict = {v.claim: v for v in judge_panel(panel)}["C09"]
    assert verdict.word == "not judged"
    assert "followers is the same in every period" in verdict.reason


def test_the_long_run_of_one_shop_says_what_it_needs():
    (verdict,) = [v for v in judge_panel(shop_panel(60)) if v.claim == "C18"]
    assert "with one shop nothing is left to compare: add shops, not time" in verdict.reason


def test_figures_by_day_reach_the_panel_of_an_audit(shop):
    overview = HERE / "exports" / "files" / "Overview_2026-01-19.csv"
    made = audit([shop["instagram"], overview], tz=ZONE)
    assert [export.kind for export in made.files.daily] == ["daily"]
    assert made.panel.accounting["daily"].rows_in == len(made.files.daily[0].rows)


def test_a_file_that_needs_a_word_says_where_to_write_it(shop, tmp_path):
    history = tmp_path / "FollowerHistory.csv"
    history.write_bytes(shop["FollowerHistory"].read_bytes())
    os.utime(history, (0, 0))
    with pytest.raises(ErresearchError, match=r"exported_at in a file FollowerHistory\.csv\.toml beside it"):
        audit([shop["instagram"], history], tz=ZONE)
    history.with_name("FollowerHistory.csv.toml").write_text("exported_at = 2025-05-04\n")
    assert audit([shop["instagram"], history], tz=ZONE).files.followers


def test_posts_that_are_all_young_say_so(shop, tmp_path):
    few = pd.read_csv(shop["instagram"], dtype=str, keep_default_na=False).head(3)
    few.to_csv(tmp_path / "three.csv", index=False, encoding="utf-8-sig")
    made = audit([tmp_path / "three.csv"], tz=ZONE)
    assert any("no day of the posts of 'simulated_shop' is old enough" in reason for reason in made.refused)


# ── S8: boosted posts mixed with others ──────────────────────────────────────────────────────────────────────────


def boosted_panel(
    *, paid: object = 1.0, rules: Rules | None = None, spend: float | None = None, weeks: int = 60
):
    """A shop of which every third post was boosted."""
    rng = np.random.default_rng(5)
    days = pd.date_range("2024-01-01", periods=7 * weeks)
    posts = pd.DataFrame(
        {
            "platform": "instagram", "account": "shop", "post_id": [f"p{n}" for n in range(len(days))],
            "published_at": days + pd.Timedelta(hours=12), "likes": rng.poisson(50, len(days)).astype(float),
            "comments": 2.0, "reach": 900.0, "is_paid": [bool(paid) and n % 3 == 0 for n in range(len(days))],
        }
    )  # fmt: skip
    sold = pd.DataFrame(
        {"date": days, "entity": "shop", "outcome": "revenue", "value": rng.gamma(5, 20, len(days))}
    )
    ads = None
    if spend is not None:
        ads = pd.DataFrame({"date": days, "spend": spend * rng.gamma(2, 5, len(days))})
    return er.build_panel(posts, sold, tz="UTC", spend=ads, rules=rules)


def of(verdicts, claim: str):
    return next(verdict for verdict in verdicts if verdict.claim == claim)


def test_s8_boosted_posts_without_their_price_bar_every_claim_about_outcomes():
    made = boosted_panel()
    assert made.rows["paid_posts"].sum() > 0  # the panel itself describes, and builds
    total, bought = made.rows["posts"].sum(), made.rows["paid_posts"].sum()
    verdicts = judge_panel(made)
    for claim in ("C01", "C02", "C13", "C18"):
        verdict = of(verdicts, claim)
        assert verdict.word == "not judged"
        assert f"{bought:,.0f} of {total:,.0f} posts were boosted" in verdict.reason
        assert "add the advertising export by day" in verdict.reason
        assert "--leave-out-boosted" in verdict.reason
        assert "paid='left out'" in verdict.reason
    assert what_would_help(verdicts)[0].startswith("add the advertising export by day")


def test_s8_with_spending_it_is_a_control_and_zeros_beside_boosts_are_doubted():
    verdict = of(judge_panel(boosted_panel(spend=1.0)), "C01")
    assert verdict.estimate is not None
    assert "boosts without a price" not in {doubt.name for doubt in verdict.doubts}
    made = boosted_panel(spend=1.0)
    made.rows.loc[10:19, "spend"] = 0.0
    doubts = {doubt.name: doubt.text for doubt in of(judge_panel(made), "C01").doubts}
    assert "10 of 58 weeks with boosted posts have a spending of 0" in doubts["boosts without a price"]
    verdict = of(judge_panel(boosted_panel(spend=0.0)), "C01")
    assert verdict.word == "not judged"
    assert "posts were boosted, yet the spending is 0 wherever they are" in verdict.reason


def test_s8_left_out_they_are_counted_and_the_rest_must_still_be_known():
    made = boosted_panel(rules=Rules(paid="left out"))
    assert made.accounting["posts"].reasons["boosted (advertised)"] == 138
    verdict = of(judge_panel(made), "C01")
    assert "advertising-not-declared" in verdict.certainty.codes
    assert any(doubt.name == "boosted posts" and doubt.raised for doubt in verdict.doubts)
    said = boosted_panel(rules=Rules(paid="left out", nothing_spent=True))
    assert said.rows["spend"].eq(0).all()
    assert "it was said that nothing was spent" in said.definitions["spend"]
    verdict = of(judge_panel(said), "C01")
    assert verdict.estimate is not None
    doubts = {doubt.name: doubt for doubt in verdict.doubts}
    assert doubts["boosted posts"].raised
    assert "138 boosted posts are left out" in doubts["boosted posts"].text
    # nothing was spent, and yet posts were boosted
    verdict = of(judge_panel(boosted_panel(rules=Rules(nothing_spent=True))), "C01")
    assert "posts were boosted, yet the spending is 0 wherever they are" in verdict.reason


def test_s8_what_is_said_of_spending_must_agree(shop):
    with pytest.raises(DesignError, match="`nothing_spent` says that there was no advertising, and `spend`"):
        boosted_panel(spend=1.0, rules=Rules(nothing_spent=True))
    with pytest.raises(DesignError, match=r"a file says otherwise: ads\.csv"):
        audit([shop["instagram"], shop["ads.csv"]], tz=ZONE, rules=Rules(nothing_spent=True))


def test_s8_advertising_without_days_is_no_price(shop, tmp_path):
    path = tmp_path / "Campaign report.csv"
    path.write_bytes((HERE / "exports" / "files" / "google_ads.csv").read_bytes())
    made = audit([shop["instagram"], shop["orders"], path], tz=ZONE)
    assert "there was advertising, but not what was spent by day (Campaign report.csv" in reason(made, "C01")
    assert {"Campaign report.csv"} <= {name for name, *_ in accounting_rows(made)}


def test_s8_on_the_command_line(shop, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["audit", str(shop["instagram"]), str(shop["orders"]), "--tz", ZONE, "--out", str(out)]
    assert cli.main([*arguments, "--leave-out-boosted", "--nothing-spent", "--apart", "platform"]) == 0
    board = pd.read_csv(out / "verdicts.csv").set_index("claim")
    assert str(board.loc["C01", "words"]).startswith("inconclusive")  # judged, where nothing was spent
    panel = pd.read_csv(out / "panel.csv")
    assert "engagement (instagram)" in panel
    assert panel["spend"].eq(0).all()
    capsys.readouterr()


# ── answers of a survey beside the panel ─────────────────────────────────────────────────────────────────────────


def survey_export(
    days: pd.DatetimeIndex, a_day: int, *, entity: str = "survey", name: str = "nps.csv"
) -> Export:
    """So many answers a day, as if they had been read."""
    rng = np.random.default_rng(3)
    when = days.repeat(a_day)
    rows = pd.DataFrame(
        {
            "respondent": [f"{name} {n}" for n in range(len(when))], "date": when, "entity": entity,
            "score": rng.choice([10.0, 9.0, 8.0, 3.0], len(when)), "source_row": range(2, len(when) + 2),
        }
    )  # fmt: skip
    return Export(
        rows=rows,
        kind="survey",
        format="typeform",
        guesses=(),
        accounting=Accounting(len(rows), len(rows)),
        warnings=(),
        name=name,
    )


def test_the_score_of_each_period_is_that_of_its_answers():
    made = boosted_panel(paid=0.0, spend=1.0)
    days = pd.date_range("2023-12-25", "2024-03-03")
    scored, why = with_scores(made, [survey_export(days, 20)])
    weeks = scored.rows.set_index("period")
    own = survey_export(days, 20).rows.set_index("date").loc["2024-01-08":"2024-01-14", "score"]
    assert weeks.loc["2024-01-08", "nps"] == pytest.approx(100 * ((own >= 9).mean() - (own <= 6).mean()))
    assert weeks.loc["2024-01-08", "nps_answers"] == 140
    assert weeks["nps"].notna().sum() == 9
    assert np.isnan(weeks["nps"].iloc[-1])
    assert str(scored.accounting["survey"]) == "1,400 in = 1,260 used + 140 outside the panel's periods"
    assert "9 of 58 weeks have the 100 answers that a score needs (half of them have 0 or fewer)" in why
    assert "nps" not in made.rows  # the panel given is not changed
    verdict = of(judge_panel(scored, wanting={"nps": Wanting(why)}), "C15")
    assert verdict.reason.startswith(
        "not enough data: 9 weeks have both nps and revenue, and 20 are the least"
    )
    assert verdict.reason.endswith("ask more people, or judge by month (--freq M)")


def test_a_survey_with_answers_enough_is_judged():
    made = boosted_panel(paid=0.0, spend=1.0)
    scored, why = with_scores(made, [survey_export(pd.date_range("2024-01-01", "2025-03-01"), 20)])
    assert why == ""
    verdict = of(judge_panel(scored, wanting={"nps": Wanting(why)}), "C15")
    assert verdict.estimate is not None
    assert verdict.word == "inconclusive"
    # of few answers the score is noise, and missing
    few, why = with_scores(made, [survey_export(pd.date_range("2024-01-01", "2025-03-01"), 2)])
    assert few.rows["nps"].isna().all()
    assert "0 of 58 weeks have the 100 answers that a score needs (half of them have 14 or fewer)" in why


def test_answers_of_several_entities_must_name_theirs():
    days = pd.date_range("2024-01-01", periods=140)
    posts = pd.concat(
        pd.DataFrame(
            {"platform": "instagram", "account": shop, "post_id": [f"{shop}{n}" for n in range(140)],
             "published_at": days + pd.Timedelta(hours=9), "likes": 5.0 + np.arange(140) % 7}
        )
        for shop in ("north", "South")
    )  # fmt: skip
    sold = pd.concat(
        pd.DataFrame({"date": days, "entity": shop, "outcome": "revenue", "value": 10.0 + np.arange(140) % 5})
        for shop in ("north", "South")
    )
    made = er.build_panel(posts, sold, tz="UTC")
    _, why = with_scores(made, [survey_export(days, 20)])
    assert "the answers do not say of which of 2 entities they are" in why
    (verdict,) = [v for v in judge_panel(made, wanting={"nps": Wanting(why)}) if v.claim == "C15"]
    assert verdict.reason.startswith("no nps: the answers do not say of which of 2 entities")
    both = [survey_export(days, 20, entity=name, name=f"{name}.csv") for name in ("NORTH", "south")]
    scored, why = with_scores(made, both)
    assert scored.rows["nps"].notna().all()
    assert why == ""
    third = survey_export(days, 1, entity="elsewhere", name="third.csv")
    scored, why = with_scores(made, [*both, third])
    assert scored.accounting["survey"].reasons["of no entity here"] == 140


def test_a_survey_on_another_scale_gives_no_score(shop, tmp_path):
    path = tmp_path / "ask.csv"
    lines = ["#,Would you recommend us?,Submit Date (UTC)"]
    lines += [f"t{n},{1 + n % 5},2024-02-{n % 28 + 1:02d} 10:00:00" for n in range(60)]
    path.write_text("\n".join(lines))
    path.with_name("ask.csv.toml").write_text(
        'kind = "survey"\nplatform = "own"\nscale = "1-5"\n[columns]\nrespondent = "#"\ndate = "Submit Date (UTC)"\n'
        'score = "Would you recommend us?"\n'
    )
    made = audit([shop["instagram"], shop["orders"]], survey=[path], tz=ZONE)
    assert made.survey == ()
    assert "the answers of ask.csv are on another scale than 0 to 10" in reason(made, "C15")


def test_without_a_survey_the_reason_says_what_one_needs(found):
    assert "no nps: add a survey of customers with an answer from 0 to 10 and its date" in reason(
        found, "C15"
    )
    assert any(text.startswith("add a survey of customers") for text in found.wanted)


# ── what strangers do ────────────────────────────────────────────────────────────────────────────────────────────


def test_arguments_that_are_wrong_are_refused_at_once(shop):
    with pytest.raises(DataError, match="`tz` is no time zone: 'Amsterdam'"):
        audit([shop["instagram"]], tz="Amsterdam")
    with pytest.raises(DataError, match=r"`entity` does not name the entity of account 'simulated_shop'"):
        audit([shop["instagram"]], tz=ZONE, entity={"somebody else": "A"})


def test_a_folder_with_something_else_in_it_is_still_audited(shop, tmp_path, capsys):
    for name in ("instagram", "orders"):
        (tmp_path / shop[name].name).write_bytes(shop[name].read_bytes())
    (tmp_path / "readme.txt").write_text("hello, this is a note\nabout files\n")
    found = read_files([tmp_path], tz=ZONE)
    assert [kind for kind in ("posts", "outcomes") if getattr(found, kind)] == ["posts", "outcomes"]
    ((name, why),) = found.unusable
    assert name == "readme.txt"
    assert "no known layout fits" in why
    assert "hello" not in why
    # named one by one it is asked for, and refused
    with pytest.raises(ErresearchError, match=r"readme\.txt: no known layout"):
        read_files([tmp_path / "readme.txt", shop["orders"]], tz=ZONE)
    other = tmp_path / "other"
    other.mkdir()
    for name in ("a.txt", "b.csv"):
        (other / name).write_text("hello, this is a note\nabout files\n")
    with pytest.raises(DataError, match=r"no file here is an export that is known: a\.txt: .*; b\.csv: "):
        read_files([other], tz=ZONE)


def test_figures_that_differ_say_which_file_to_write(shop, tmp_path):
    text = shop["instagram"].read_text(encoding="utf-8-sig").splitlines()
    again = tmp_path / "again.csv"
    cells = pd.read_csv(shop["instagram"], dtype=str, keep_default_na=False)
    # figures of posts that grew would say which file is the newer
    cells["Likes"] = [str(int(likes) + (1 if n % 2 else -1)) for n, likes in enumerate(cells["Likes"])]
    cells.to_csv(again, index=False)
    assert len(text) == len(cells) + 1
    with pytest.raises(DataError, match=r"with exported_at in a file beside it .* ends in \.toml"):
        audit([shop["instagram"], again], tz=ZONE)
    again.with_name("again.csv.toml").write_text("exported_at = 2026-06-30\n")
    (tmp_path / "first.csv").write_bytes(shop["instagram"].read_bytes())
    (tmp_path / "first.csv.toml").write_text("exported_at = 2026-06-01\n")
    made = read_files([tmp_path / "first.csv", again], tz=ZONE)
    assert made.all_posts.rows["likes"].sum() == cells["Likes"].astype(int).sum()


def test_other_tables_of_an_archive_of_outcomes_are_named(shop, tmp_path):
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("instagram", "orders"):
            archive.write(shop[name], shop[name].name)
    found = read_files([], outcomes=[path], tz=ZONE)
    assert found.outcomes
    assert not found.posts
    assert any("a table of posts in a file that was given as outcomes" in why for _, why in found.unusable)


def test_what_cannot_be_judged_is_said_once_for_each_reason(posts_alone, written):
    made = posts_alone
    lines = [line for line in str(made).splitlines() if "not judged" in line]
    assert len(lines) < len(made.verdicts)
    assert any(line.startswith("C01, C02, ") for line in lines)
    # how posts go with their own reach can be asked without a file of sales
    assert "C13: " in str(made)
    # the report sends the reader to what lies beside it
    page = written.paths["report"].read_text(encoding="utf-8")
    assert "jupyter lab audit.ipynb" in page
    assert "erresearch reproduce" not in page


def test_a_boost_is_not_answered_with_the_word_that_nothing_was_spent():
    verdicts = judge_panel(boosted_panel())
    assert "; or leave the boosted posts out" in of(verdicts, "C01").reason
    assert "where nothing was spent, say so" not in of(verdicts, "C01").reason
    assert what_would_help(verdicts)[0].startswith("add the advertising export by day (C01, ")


def test_what_would_help_begins_with_what_most_answers_on_revenue_depend_on(found, posts_alone):
    # one shop with all files: the plan goes before files that other claims wait for
    assert found.wanted[0].startswith(
        "randomised pauses (chance picks weeks in which you post nothing): with "
    )
    # without sales nothing else comes first, and a plan that waits for them comes last
    made = posts_alone
    assert made.wanted[0].startswith(
        "add a file of orders, payments or revenue by day as outcomes (C01, C02, "
    )
    assert made.wanted[-1].startswith(
        "randomised pauses (chance picks weeks in which you post nothing): with a file of orders"
    )
    # what is within reach of more rows like these is named with them
    (line,) = [text for text in found.wanted if "like these" in text]
    assert re.fullmatch(r"up to [\d,]+ weeks like these \(there are \d+\) \(C06\)", line)
