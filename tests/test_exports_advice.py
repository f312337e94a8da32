"""What a message says to do is done as it is written: commands, flags, lines of a mapping, arguments."""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest

import erresearch as er
from erresearch.cli import commands
from erresearch.errors import DataError, UnknownNameError
from erresearch.exports import read_export
from erresearch.exports.mapping import Settings, read_mapping
from erresearch.worlds import example_exports

TOOTS = "Toot;Posted on;Favourites\n1;31-01-2026 10:00;12\n2;28-02-2026 09:30;7\n"
NAMED = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
CALLED = re.compile(r"\b(?:er|erresearch)\.([a-z_.]+)\b(?=\()|`er\.([a-z_.]+)`")
LINE = re.compile(r"(?<![\w.(])([a-z_]+ = (?:\"[^\"]+\"|\[\"[^\]]*\"\]|true|false|\d{4}-\d\d-\d\d))")


def said() -> set[str]:
    """Every text of the rooms that read, join and audit, without docstrings."""
    found: set[str] = set()
    for room in ("exports", "panel", "audits", "cli"):
        for path in sorted((Path(er.__file__).parent / room).rglob("*.py")):
            tree = ast.parse(path.read_text("utf-8"))
            for node in ast.walk(tree):
                if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                    node.value.value = ""
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.add(node.value)
    return found


def test_every_line_of_a_mapping_that_a_message_writes_is_one():
    lines = sorted({line for text in said() for line in LINE.findall(text)})
    assert len(lines) > 5
    for line in lines:
        table = tomllib.loads(line)
        # a line of a mapping, or of its columns
        layout = {"columns": {"date": "x", **table}} if not hasattr(Settings(), next(iter(table))) else table
        layout = {"columns": {"date": "x"}, **table} if "platform" in table else layout
        settings, made = read_mapping(layout, Settings())
        assert made is not None or all(getattr(settings, name) for name in table), line


def test_every_rule_that_a_message_writes_can_be_given():
    written = {each for text in said() for each in re.findall(r"\bRules\(([a-z_]+=[^()]+)\)", text)}
    assert written
    for arguments in written:
        assert isinstance(eval(f"er.Rules({arguments})", {"er": er}), er.Rules)  # our own text


def advised(capsys: pytest.CaptureFixture[str], pattern: str) -> str:
    """The first words of the last output that fit a pattern."""
    both = capsys.readouterr()
    found = re.search(pattern, both.out + both.err)
    assert found, both.out + both.err
    return found[0]


def test_the_command_of_a_refusal_writes_a_mapping_that_reads_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    for place in (Path("my toots.csv"), Path("in") / "a folder" / "toots.csv"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(TOOTS)
        monkeypatch.chdir(tmp_path)
        assert commands.run(["inspect", str(place), "--tz", "UTC"]) == 2
        command = advised(capsys, r"erresearch inspect .* --suggest")
        assert commands.run(shlex.split(command)[1:]) == 0
        (tmp_path / f"{place}.toml").write_text(capsys.readouterr().out)
        assert commands.run(["inspect", str(place), "--tz", "UTC"]) == 0
        assert "2 rows in = 2 used" in capsys.readouterr().out


def test_the_flag_of_a_caution_is_taken_by_the_command_that_gave_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = tmp_path / "orders.csv"
    path.write_text("Id,Day,Paid,Cur\nA,2026-01-01,5,EUR\nB,2026-01-02,7,USD\nC,2026-01-03,9,EUR\n")
    (tmp_path / "orders.csv.toml").write_text(
        'kind = "outcomes"\ncolumns = { order_id = "Id", date = "Day", amount = "Paid", currency = "Cur" }\n'
    )
    assert commands.run(["inspect", str(path)]) == 0
    said = capsys.readouterr().out
    assert "3 rows in = 2 used" in said
    flag = re.search(r"--currency [A-Z]{3}", said)[0]
    assert commands.run(["inspect", str(path), *flag.split()]) == 0
    assert "3 rows in = 1 used" in capsys.readouterr().out
    argument = re.search(r"currency='[A-Z]{3}'", said)[0]
    assert eval(f"read_export(path, mapping=mapping, {argument})", {
        "read_export": read_export, "path": path, "mapping": path.with_name("orders.csv.toml")
    }).accounting.used == 1  # fmt: skip


def test_the_flags_of_an_audit_are_taken_by_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    posts = example_exports(tmp_path, weeks=30, rng=1)[0]
    base = ["audit", str(posts), "--tz", "Europe/Amsterdam", "--out"]
    assert commands.run([*base, str(tmp_path / "a")]) == 0
    both = capsys.readouterr()
    flags = set(re.findall(r"--freq [DWM]|--nothing-spent|--leave-out-boosted", both.out + both.err))
    assert flags
    taken = [word for flag in sorted(flags) if not flag.startswith("--freq") for word in flag.split()]
    taken += max((flag for flag in flags if flag.startswith("--freq")), default="").split()
    assert commands.run([*base, str(tmp_path / "b"), *taken]) == 0, taken


def test_every_flag_and_function_that_a_message_names_exists():
    flags = {"--help", "--version"}
    groups = [commands.command]
    while groups:
        group = groups.pop()
        for one in group.commands.values():
            groups += [one] if hasattr(one, "commands") else []
            flags |= {name for option in one.params for name in (*option.opts, *option.secondary_opts)}
    texts = said()
    assert {flag for text in texts for flag in NAMED.findall(text)} - flags == set()
    for text in texts:
        for names in CALLED.findall(text):
            place: Any = er
            for name in "".join(names).split("."):
                place = getattr(place, name)


def test_a_currency_that_is_none_is_refused_though_the_file_names_none(tmp_path):
    path = tmp_path / "days.csv"
    path.write_text(
        "date,likes,revenue\n" + "".join(f"2025-03-{day:02d},{day},1{day}.50\n" for day in range(1, 29))
    )
    for ways in ({"currency": "euro"}, {"mapping": {"currency": "euro"}}):
        with pytest.raises(
            UnknownNameError, match=r"no currency 'euro'.*three letters.*Did you mean 'EUR'\?"
        ):
            read_export(path, **ways)
    with pytest.raises(UnknownNameError, match="no currency '££'"):
        read_export(path, currency="££")


def test_dates_in_two_orders_are_told_to_be_written_in_one(tmp_path):
    path = tmp_path / "days.csv"
    days = [f"2025-03-{day:02d}" if day % 2 else f"{day:02d}/03/2025" for day in range(1, 29)]
    path.write_text("date,likes,revenue\n" + "".join(f"{day},3,10.50\n" for day in days))
    for mapping in (None, {"dates": "DMY"}):
        with pytest.raises(DataError, match=r"Write all of them as 2026-01-31: .* two orders") as caught:
            read_export(path, mapping=mapping)
        assert "dates = " not in str(caught.value)
    path.write_text("date,likes,revenue\n" + "".join(f"{day[:4]}-03-{at + 1:02d},3,10.50\n" for at in range(28)
                    for day in days[:1]))  # fmt: skip
    assert read_export(path).accounting.used == 28


def test_sizes_beyond_all_money_are_said_in_short(tmp_path):
    path = tmp_path / "days.csv"
    path.write_text(
        "date,likes,revenue\n" + "".join(f"2025-03-{day:02d},1e300,10.50\n" for day in range(1, 29))
    )
    (said,) = [str(one) for one in read_export(path).warnings if one.code == "rounded"]
    assert "known to about ±5e+298 and marked" in said


def test_signs_that_are_no_text_are_counted_where_they_were_looked_for(tmp_path):
    path = tmp_path / "days.csv"
    path.write_text("date,likes,revenue\n" + "2025-03-01,\x001,2\n" * 200)
    with pytest.raises(DataError, match=r"200 control characters in its first [\d,]+ bytes"):
        read_export(path)


def test_a_list_of_events_is_sent_to_the_option_that_reads_it(tmp_path, capsys):
    path = tmp_path / "what happened.csv"
    path.write_text("date,end,name,kind\n2024-11-29,,Black Friday,pulse\n")
    assert commands.run(["inspect", str(path)]) == 2
    said = capsys.readouterr().err
    assert "is a list of events and no export" in said
    assert shlex.split(re.search(r"--events .*\.csv'", said)[0])[1] == str(path)
    assert "Black Friday" not in said
    assert commands.run(["inspect", str(path), "--suggest"]) == 2
    assert "audit with --events FILE" in capsys.readouterr().err
