"""The report as a file: what it says, what it escapes, and that it needs nothing beside itself."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, strategies as st
from matplotlib.figure import Figure
from report_samples import HOSTILE, SIMULATED, Claim, board, claims, estimate, hostile, verdict

from erresearch.claims import read_claims
from erresearch.errors import Count, DataError, ErresearchWarning
from erresearch.io.files import resource
from erresearch.report import answer, write_report
from erresearch.report.figures import theme
from erresearch.report.html import arrange_cards, axis_of, ladder_of, losses, picture
from erresearch.report.sentences import (
    _OVER_TIME,
    estimate_sentence,
    flip_sentence,
    footing,
    headline,
    in_units,
    readable,
    revenue_after,
)
from erresearch.results import WORDS, Certainty, Estimate, Interval, Verdict


class Page(HTMLParser):
    """Elements, attributes and text of a page, without scripts and styles."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._silent = 0
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._silent += tag in {"script", "style"}

    def handle_endtag(self, tag):
        self._silent -= tag in {"script", "style"}

    def handle_data(self, data):
        if not self._silent:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture
def page(tmp_path):
    def write(verdicts=None, **options) -> Page:
        return Page(
            write_report(board() if verdicts is None else verdicts, out=tmp_path / "r.html", **options)
        )

    return write


@pytest.fixture
def drawn() -> Figure:
    with theme():
        figure = Figure(figsize=(4, 2))
        ax = figure.subplots()
        ax.plot([1, 2], [1, 3], label="a")
        ax.fill_between([1, 2], [0, 1], [1, 2], hatch="//")
        ax.set_title("The rate falls", loc="left")
        ax.legend()
    return figure


# the answer ---------------------------------------------------------------------------------------------------


def sure(level: str, *codes: str) -> Certainty:
    return Certainty(level, 2, codes, codes)


def test_the_answer_says_over_time_by_chance_across_and_what_waits():
    lines = answer(
        [
            replace(verdict("C1", "shops", "supported", (0.1, 0.04)), certainty=sure("low", "ordered")),
            replace(
                verdict("C2", "mail", "supported", (0.005, 0.002)), certainty=sure("moderate", "randomised")
            ),
            replace(
                verdict("C3", "films", "inconclusive", (0.1, 0.2)),
                certainty=sure("very low", "cross-section"),
            ),
            Verdict("C4", "films", "not judged"),
            verdict("C4", "nil", "supported", (0.1, 0.04), qualifiers=SIMULATED),
        ],
        [
            SimpleNamespace(id="C1", short="Likes → sales", unit="elasticity", clause=lambda dataset: ""),
            SimpleNamespace(
                id="C2",
                short="E-mail → buyers",
                unit="difference of shares",
                clause=lambda dataset: "of those mailed, {} bought",
            ),
        ],
        {"shops": "three shops"},
    )
    assert lines == (
        "Likes → sales: the data that follow both over time say that more of one is followed by more of the other, "
        "certainty low (three shops). "
        "Likes → sales: 7.2 % more where it doubles (4.2 to 10.2).",
        "Where chance decided (mail): of those mailed, 5.0 more in 1,000 bought (3.0 to 7.0). "
        "Supported, certainty moderate.",
        "One verdict on tables without an order in time: inconclusive, certainty very low. "
        "One claim waits for data.",
    )


@pytest.mark.parametrize("word", [word for word in WORDS if word != "not judged"])
def test_what_the_answer_says_over_time_follows_the_word(word):
    first = replace(
        verdict("C1", "a", word, (0.1, 0.04), qualifiers=("proxy",)), certainty=sure("low", "ordered")
    )
    line, *_ = answer([first, replace(first, dataset="b"), replace(first, claim="C2")])
    clauses = {each: clause in line for each, clause in _OVER_TIME.items()}
    assert [each for each, said in clauses.items() if said] == [word]
    assert "certainty low (a and b). In the first, a proxy, C1" in line
    assert line.endswith(f"One verdict on other claims over time: {word}, certainty low.")


def test_no_summary_leaves_out_that_a_word_is_fragile(page):
    sound = replace(verdict("C1", "a", "supported", (0.1, 0.04)), certainty=sure("low", "ordered"))
    first = replace(sound, qualifiers=("fragile",))
    across = [replace(one, claim="C2", certainty=sure("low", "cross-section")) for one in (first, sound)]
    over_time, rest = answer([first, replace(sound, dataset="b"), *across])
    assert f"{_OVER_TIME['supported']}, fragile, certainty low (a); others" in over_time
    assert (
        rest == "Two verdicts on tables without an order in time: one supported but fragile, one supported."
    )
    assert (
        "One verdict on other claims over time: supported, fragile, certainty low."
        in answer([first, replace(first, claim="C2")])[0]
    )
    chance = replace(first, certainty=sure("moderate", "randomised"))
    assert answer([chance])[1].endswith("Supported, fragile, certainty moderate.")
    told = revenue_after(first, "comments", "The claim", [first.estimate], "over four weeks")
    assert "(The claim: supported, fragile, certainty low)." in told
    made = page(verdicts=[first])
    strips = [values for tag, values in made.tags if tag == "svg" and "strip" in (values.get("class") or "")]
    named = [values["aria-label"] for values in strips if values.get("aria-label")]
    assert len(named) == 2  # on one scale, and the claim's own
    assert all(label.startswith("a: supported, fragile.") for label in named)


def test_verdicts_are_counted_word_by_word_and_unlike_words_are_told_apart():
    said = {"a": "supported", "b": "inconclusive"}
    first = [
        replace(verdict("C1", name, word, (0.1, 0.04)), certainty=sure("low", "ordered"))
        for name, word in said.items()
    ]
    others = [verdict(f"C{i}", "a", ("supported", "inconclusive")[i > 4], (0.1, 0.04)) for i in range(2, 7)]
    lines = answer([*first, *others])
    assert "certainty low (a); others cannot tell, certainty low (b)" in lines[0]
    assert lines[1] == "Five verdicts on tables without an order in time: three supported, two inconclusive."


def test_the_counts_of_the_answer_add_up_to_the_board_whatever_its_order():
    names = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    codes = {"ordered": 10, "randomised": 2, "cross-section": 8}
    made = [
        replace(verdict(f"C{i % 4}", f"{code} {i}", WORDS[i % 5], (0.1, 0.04)), certainty=sure("low", code))
        for code, count in codes.items()
        for i in range(count)
    ]
    lines = " ".join(answer(made)).lower()
    for told, count in re.findall(r"(\w+) verdicts on ([a-z ]+):", lines):
        said = re.search(rf"{told} verdicts on {count}: ([^.]*)", lines)[1]
        assert names.index(told) == sum(names.index(part.split()[0]) for part in said.split(", "))
    first = {v.dataset for v in made if v.claim == made[0].claim and v.certainty.codes[0] == "ordered"}
    assert all(name in lines for name in first)
    assert f"{names[codes['ordered'] - len(first)]} verdicts on other claims over time" in lines
    assert f"{names[codes['cross-section']]} verdicts on tables without an order in time" in lines


def test_every_clause_of_the_registry_has_one_place_for_the_estimate():
    clauses = {claim.id: claim.told for claim in read_claims() if claim.told}
    assert len(clauses) >= 5
    assert {name for name, clause in clauses.items() if clause.count("{}") != 1} == set()


def test_an_effect_below_zero_is_said_as_less():
    assert in_units(verdict("C", "d", "contradicted", (-0.1, 0.04)), "elasticity") == (
        "6.7 % less where it doubles (4.1 to 9.2)"
    )
    assert in_units(verdict("C", "d", "inconclusive", (0.1, 0.4)), "log points").startswith(
        "0.10 log points (−0.30"
    )
    assert in_units(Verdict("C", "d", "not judged")) == ""


WORD_LISTS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6)


@given(WORD_LISTS, WORD_LISTS)
def test_simulated_verdicts_never_change_the_answer(real, simulated):
    claims_ = [Verdict(f"C{i}", "shop", word) for i, word in enumerate(real)]
    names = [verdict.claim for verdict in claims_]
    worlds = [
        Verdict(names[i % len(names)], f"world {i}", word, qualifiers=SIMULATED)
        for i, word in enumerate(simulated)
    ]
    assert answer([*claims_, *worlds]) == answer(claims_)


@given(WORD_LISTS)
def test_simulated_verdicts_alone_answer_nothing(words):
    worlds = [Verdict(f"C{i}", "world", word, qualifiers=SIMULATED) for i, word in enumerate(words)]
    assert answer(worlds)[0].startswith("Nothing was judged on real data: ")


def test_names_in_a_sentence_turn_nothing_after_them_and_are_cut():
    ordered = replace(
        verdict("a\u202eb\u2067\nc", "d", "supported", (0.1, 0.02)), certainty=sure("low", "ordered")
    )
    assert "certainty low (d). Ab c: 0.100 (0.080 to 0.120)." in answer([ordered])[0]
    long = replace(ordered, claim="x" * 10_000)
    assert len(answer([long] * 9)[0]) < 250


def test_footing_counts_simulated_verdicts():
    assert footing(board()).startswith("Two verdicts on simulated data only check the method")
    assert footing([Verdict("C1", "d", "supported")]) == ""


# sentences about one verdict ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "place"),
    [
        ((0.3, 0.1), "wholly above δ = 0.05"),
        ((0.08, 0.06), "above 0, but not settled whether as large as δ = 0.05"),
        ((0.01, 0.02), "wholly inside ±δ = 0.05"),
        ((0.05, 0.2), "reaches across 0 and out of ±δ = 0.05"),
        ((-0.08, 0.06), "below 0, but not settled whether as large as δ = 0.05"),
        ((-0.3, 0.1), "wholly below −δ = −0.05"),
    ],
)
def test_headline_says_where_the_interval_lies(at, place):
    made = verdict("C1", "shop", "inconclusive", at)
    assert headline([made]).endswith(place)
    assert headline([made]) == f"shop: {place}"


@pytest.mark.parametrize(
    ("interval", "place"),
    [
        (Interval(-1, 1), "0 lies inside"),
        (Interval(1, 2), "wholly above 0"),
        (Interval(-2, -1), "wholly below 0"),
    ],
)
def test_headline_without_a_declared_effect(interval, place):
    made = Estimate(
        "x", value=(interval.low + interval.high) / 2, se=1, df=9, interval=interval, n_rows=10, n_accounts=5
    )
    assert headline([Verdict("C1", "d", "inconclusive", estimate=made)]).endswith(place)


def test_headline_lists_few_data_sets_and_counts_the_rest():
    many = [verdict("C1", f"d{i}", "supported", (0.3, 0.1)) for i in range(7)]
    assert headline(many).endswith("3 more below")
    assert headline([Verdict("C1", "d", "not judged")]).startswith("No estimate on real data")


def test_estimate_sentence_gives_the_level_of_the_word_where_it_differs():
    made = estimate(0.31, 0.1)
    same = Verdict("C1", "d", "supported", estimate=made, interval=made.interval)
    assert "word was given" not in estimate_sentence(same)
    other = Verdict("C1", "d", "supported", estimate=made, interval=made.at(0.975).interval)
    assert "The word was given at 97.5 %, interval" in estimate_sentence(other)
    assert estimate_sentence(Verdict("C1", "d", "not judged")) == "There is no estimate."
    single = Estimate("x", value=1, se=1, df=9, interval=Interval(0, 2), n_rows=1, n_accounts=1)
    assert "from 1 row of 1 account" in estimate_sentence(Verdict("C1", "d", "supported", estimate=single))


@given(st.floats(0.06, 5), st.floats(0.01, 3))
def test_flip_sentence_shift_takes_the_interval_to_zero(value, half):
    made = verdict("C1", "d", "supported", (value, half))
    interval = made.interval
    if not interval.low > 0:
        return
    said = flip_sentence(made)
    shift, factor = re.search(r"by ([\d.,e−]+) towards 0, or an interval ([\d.]+) times", said).groups()
    assert float(shift.replace("−", "-")) == pytest.approx(interval.low, abs=half / 10)
    assert float(factor) * half == pytest.approx(value, abs=0.06 * half)


@pytest.mark.parametrize(
    ("made", "direction", "said"),
    [
        (
            verdict("C", "d", "practically nil", (0.01, 0.02)),
            "greater",
            "by 0.020 outwards, or an interval 2.0 times",
        ),
        (
            verdict("C", "d", "contradicted", (-0.4, 0.1)),
            "greater",
            "by 0.300 towards 0, or an interval 4.0 times",
        ),
        (
            verdict("C", "d", "contradicted", (0.4, 0.1)),
            "absent",
            "by 0.250 towards 0, or an interval 3.5 times",
        ),
        (verdict("C", "d", "inconclusive", (0.08, 0.12)), "greater", "takes about 23 times as many accounts"),
        (verdict("C", "d", "inconclusive", (0.08, 0.12)), "absent", "inside ±δ = ±0.05 or wholly outside it"),
        (verdict("C", "d", "inconclusive", (0.01, 0.02)), "greater", "A narrower interval: more accounts"),
        (
            verdict("C", "d", "association only", (0.2, 0.05)),
            "greater",
            "Finer periods, declared events or an experiment",
        ),
        (Verdict("C", "d", "not judged"), "", "Data that allow the test"),
        (verdict("C", "d", "supported", (0.0, 0.1)), "greater", "Another estimate or a wider interval."),
    ],
)
def test_flip_sentence_follows_word_and_interval(made, direction, said):
    assert said in flip_sentence(made, direction=direction)


def test_flip_sentence_of_an_unbounded_interval_asks_for_bounds():
    made = Estimate("x", value=1, se=1, df=9, interval=Interval(0.5, math.inf), n_rows=10, n_accounts=5)
    assert "bound the estimate" in flip_sentence(Verdict("C", "d", "inconclusive", estimate=made))


def test_more_accounts_are_no_advice_to_one_entity():
    """Of one business only its time can be longer."""
    alone = Estimate("x", value=0.1, se=0.2, df=9, interval=Interval(-0.3, 0.5), n_rows=97, n_accounts=1)
    said = flip_sentence(Verdict("C", "d", "inconclusive", estimate=alone, sesoi=0.05), direction="greater")
    assert said.endswith("which takes about 260 times as many rows like these of the one entity.")
    wide = replace(alone, interval=Interval(-math.inf, 0.5))
    assert flip_sentence(Verdict("C", "d", "inconclusive", estimate=wide)).endswith(
        "both sides: a longer time."
    )
    narrow = replace(alone, value=0.01, interval=Interval(-0.01, 0.03))
    text = flip_sentence(Verdict("C", "d", "inconclusive", estimate=narrow, sesoi=0.05), direction="greater")
    assert text.startswith("A narrower interval: a longer time, or a design")


def test_counts_are_words_below_ten():
    assert [f"{Count(n, spelled=True):row}" for n in (0, 1, 9, 10, 2760)] == [
        "no rows", "one row", "nine rows", "10 rows", "2,760 rows",
    ]  # fmt: skip


@given(st.text(alphabet=st.characters(codec=None), max_size=60))
def test_readable_text_can_be_written_and_keeps_its_length(text):
    clean = readable(text)
    assert len(clean) == len(text)
    assert clean.encode("utf-8").decode("utf-8") == clean
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", clean)


# strips -------------------------------------------------------------------------------------------------------

PLACES = st.lists(st.tuples(st.floats(-1e4, 1e4), st.floats(1e-4, 1e4)), min_size=1, max_size=5)


@given(PLACES)
def test_strips_hold_every_interval_zero_and_delta_in_order(places):
    made = [verdict("C1", f"d{i}", "inconclusive", at) for i, at in enumerate(places)]
    axis = axis_of(made)
    assert 0 <= axis.band[0] <= axis.zero <= axis.band[1] <= 100
    for one in made:
        bar = axis.bar(one)
        assert 0 <= bar.low <= bar.inner_low <= bar.point <= bar.inner_high <= bar.high <= 100
        assert not bar.arrow_low
        assert not bar.arrow_high
    positions = [at for at, _ in axis.ticks]
    assert positions == sorted(positions)
    assert len(axis.ticks) >= 2


def test_strips_mark_ends_without_bound_and_skip_what_was_not_estimated():
    made = board()[7]
    axis = axis_of([made])
    bar = axis.bar(made)
    assert (bar.arrow_low, bar.arrow_high) == (False, True)
    assert axis.bar(Verdict("C", "d", "not judged")) is None
    assert axis_of([Verdict("C", "d", "not judged")]) is None
    assert axis.at(math.nan) == axis.zero


def test_strips_of_a_single_number_at_zero_still_have_width():
    made = Estimate("x", value=0.0, se=0.0, df=9, interval=Interval(0, 0), n_rows=10, n_accounts=5)
    axis = axis_of([Verdict("C", "d", "inconclusive", estimate=made)])
    assert axis.high > axis.low
    assert axis.band is None


# arrangement --------------------------------------------------------------------------------------------------


def test_cards_follow_the_registry_and_take_in_what_it_lacks():
    cards = arrange_cards(board(), claims(), {}, {})
    assert [card.claim.id for card in cards] == ["C1", "C2", "C3", "C4", "C5", "C7", "C6"]
    first = cards[0]
    assert [cell.verdict.dataset for cell in first.real] == ["shops", "films"]
    assert [cell.verdict.dataset for cell in first.simulated] == ["effect"]
    assert first.check == (
        "erresearch claims C1", "erresearch reproduce --out results", "jupyter lab notebooks/03-does-talk-sell.ipynb",
    )  # fmt: skip
    assert first.says == "the claim says right of 0"
    assert cards[5].cells == ()


def test_worlds_without_an_answer_are_left_to_the_table_of_verdicts():
    judged = [
        verdict("C1", "shops", "supported", (0.1, 0.03)),
        verdict("C1", "effect", "supported", (0.1, 0.03), qualifiers=SIMULATED),
        *(
            Verdict("C1", f"w{i}", "not judged", qualifiers=SIMULATED, reason="no answer there")
            for i in range(3)
        ),
    ]
    (card,) = arrange_cards(judged, [], {}, {})
    assert [cell.verdict.dataset for cell in card.simulated] == ["effect"]
    assert "w0" not in {cell.verdict.dataset for cell in card.cells}
    assert footing(judged).startswith("One verdict on simulated data")


def test_the_one_scale_holds_real_estimates_in_multiples_of_delta():
    made = ladder_of(arrange_cards(board(), claims(), {}, {}), board())
    shown = {(card.claim.id, cell.verdict.dataset): bar for card, cell, bar in made.rungs}
    assert ("C1", "effect") not in shown
    assert all(cell.verdict.word != "not judged" and not cell.verdict.simulated for _, cell, _ in made.rungs)
    bar = shown["C1", "shops"]  # 0.31 ± 0.09 at δ = 0.05: 6.2 times δ, beyond the scale
    assert (bar.point, bar.arrow_high, bar.arrow_low) == (100.0, True, False)
    assert made.axis.band == (made.axis.at(-1), made.axis.at(1))
    assert ladder_of([], []) is None


def test_two_verdicts_of_one_claim_on_one_data_set_are_both_shown():
    twice = [Verdict("C1", "d", "supported"), Verdict("C1", "d", "contradicted")]
    (card,) = arrange_cards(twice, [], {}, {})
    assert [cell.verdict.word for cell in card.judged] == ["supported", "contradicted"]


def test_what_makes_a_report_again_is_said_in_its_cards():
    (card,) = arrange_cards([], [Claim("C1", notebook="audit.ipynb")], {}, {})
    assert card.check == ("erresearch claims C1", "jupyter lab audit.ipynb")
    (unsafe,) = arrange_cards([], [Claim("C1; rm -rf ~")], {}, {})
    assert unsafe.check[0] == "erresearch claims"


def test_left_out_rows_come_as_mapping_or_triples():
    as_mapping = losses({"films": {"no figure": 3, "duplicate": 0}})
    assert as_mapping == losses([("films", "no figure", 3), ("films", "duplicate", 0)])
    assert as_mapping == (("films", "no figure", 3),)


# the file -----------------------------------------------------------------------------------------------------


def test_every_word_qualifier_and_number_is_on_the_page(page):
    made = page(claims=claims())
    for said in (
        *WORDS,
        "at least δ",
        "size not settled",
        "proxy",
        "fragile",
        "simulated",
        "Fewer than 6 clusters.",
    ):
        assert said in made.text
    for said in ("0.310 (0.220 to 0.400)", "declarable nil", "0.097", "4,160", "unbounded above"):
        assert said in made.text
    assert "Doubts: 1 of 2 weigh against the word" in made.text


def test_simulated_verdicts_carry_the_word_in_every_place(page):
    only = [verdict("C1", "effect", "supported", (0.1, 0.03), qualifiers=SIMULATED)]
    made = page(only)
    labels = [attrs.get("aria-label") or "" for _, attrs in made.tags]
    assert "effect: supported, simulated" in labels
    assert "Claims judged on simulated data" in made.text
    assert "What the simulated data say" in made.text
    assert "Claims judged on real data" not in made.text
    assert "Nothing was judged on real data" in made.text
    assert "no evidence" in made.text


def test_the_file_asks_for_nothing(page, drawn):
    made = page(claims=claims(), figures={"C1": drawn, "C2": drawn})
    for _, attrs in made.tags:
        for name in ("src", "href", "xlink:href", "action", "srcset", "poster", "data"):
            address = attrs.get(name)
            assert address is None or address.startswith(("#", "data:")), address
    style = "".join((resource("data") / "report" / "report.css").read_text(encoding="utf-8"))
    assert "url(" not in style
    assert "@import" not in style
    policy = next(a["content"] for a in made.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")


def test_the_policy_allows_exactly_the_script_of_the_page(tmp_path):
    text = write_report(board(), out=tmp_path / "r.html").read_text(encoding="utf-8")
    (script,) = re.findall(r"<script>(.*?)</script>", text, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text.replace("&#39;", "'")


def test_the_same_arguments_give_the_same_bytes(tmp_path, drawn):
    paths = [
        write_report(board(), out=tmp_path / f"{i}.html", claims=claims(), figures={"C1": drawn})
        for i in range(2)
    ]
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_hostile_names_are_text(page):
    made = page(**hostile())
    assert len(made.all("script")) == 1
    assert not made.all("img")
    assert not [tag for tag, attrs in made.tags for name in attrs if name.startswith("on")]
    shown = "".join(made.words)
    for name in HOSTILE:
        assert readable(name) in shown
    assert "49" not in made.text


def test_long_names_are_cut_on_the_board_and_whole_in_the_card(page):
    made = page([Verdict("C1", "n" * 10_000, "supported")])
    assert "all 10,000 characters" in made.text
    assert made.text.count("n" * 10_000) == 1


def test_ids_are_unique_and_links_lead_somewhere(page, drawn):
    made = page(claims=claims(), figures={"C1": drawn, "C2": drawn, "more": drawn})
    ids = [attrs["id"] for _, attrs in made.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    targets = [
        a["href"][1:] for a in made.all("a") + made.all("use") if (a.get("href") or "").startswith("#")
    ]
    assert targets
    assert set(targets) <= set(ids)


def test_empty_boards_and_missing_parts_are_said(page):
    made = page([])
    for said in (
        "No claim was judged on real data.",
        "No provenance was recorded.",
        "No row was left out.",
        "None was given.",
    ):
        assert said in made.text


def test_a_long_list_of_the_provenance_is_folded(page):
    shown = page(provenance={"rates": [f"rate {i}" for i in range(13)], "files": ["a.csv", "b.csv"]})
    assert "13 lines" in shown.text
    assert "2 lines" not in shown.text
    assert "rate 12" in shown.text


def test_provenance_warnings_and_losses_are_shown_whole(page):
    made = page(
        provenance={"versions": {"numpy": "2.4.6"}, "seeds": [1, 2], "commit": None},
        accounting=[("films", "no figure", 14_000)],
        warnings=["84 % of films have none"],
    )
    for said in ("numpy", "2.4.6", "14,000", "no figure", "84 % of films have none", "commit none"):
        assert said in made.text


def test_a_big_report_warns_with_its_size(tmp_path):
    with pytest.warns(ErresearchWarning, match=r"the report is \d\.\d MB, more than 3 MB"):
        write_report(board(), out=tmp_path / "r.html", provenance={"notes": "x" * 3_200_000})


def test_a_failing_figure_leaves_the_old_report_whole(tmp_path):
    out = tmp_path / "r.html"
    out.write_text("old", encoding="utf-8")
    with pytest.raises(DataError, match="a report shows matplotlib figures: bytes"):
        write_report(board(), out=out, figures={"C1": b"%PDF"})
    assert out.read_text(encoding="utf-8") == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]


def test_arguments_are_not_changed(tmp_path):
    arguments = hostile()
    before = repr(arguments)
    write_report(**arguments, out=tmp_path / "r.html")
    assert repr(arguments) == before


# pictures -----------------------------------------------------------------------------------------------------


def test_a_figure_becomes_inline_svg_in_the_colours_of_the_page(drawn):
    made = picture(drawn, prefix="p9", fallback="C1")
    assert made.alt == "The rate falls"
    text = str(made.markup)
    assert text.startswith("<svg")
    assert 'role="img" aria-label="The rate falls"' in text
    assert "var(--ink, #1c1b19)" in text
    assert "<metadata" not in text
    assert all(name.startswith("p9-") for name in re.findall(r'\bid="([^"]*)"', text))
    used = re.findall(r"url\(#([^)]*)\)", text) + re.findall(r'href="#([^"]*)"', text)
    assert used
    assert all(name.startswith("p9-") for name in used)
    assert not re.search(r"<svg[^>]*\s(width|height)=", text)


def test_text_in_a_figure_is_escaped_and_may_lack_a_glyph():
    figure = Figure(figsize=(3, 2))
    figure.subplots().set_title('<script>x</script> 🎬 id="a"', loc="left")
    made = picture(figure, prefix="p1", fallback="")
    assert "<script" not in str(made.markup)
    assert "&lt;script&gt;" in str(made.markup)
    assert 'id="a"' in str(made.markup)
    assert made.alt == '<script>x</script> 🎬 id="a"'


# colours of the page ------------------------------------------------------------------------------------------


def luminance(rgb: tuple[float, ...]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def tokens(css: str) -> dict[str, tuple[float, ...]]:
    found = {
        name: tuple(int(value[i : i + 2], 16) / 255 for i in (1, 3, 5))
        for name, value in re.findall(r"--([\w-]+): (#[0-9a-f]{6})", css)
    }
    r, g, b, alpha = map(float, re.search(r"--hatch: rgba\((\d+), (\d+), (\d+), ([\d.]+)\)", css).groups())
    ink = (r / 255, g / 255, b / 255)
    for ground in ("paper", "card"):
        # axe cannot judge text on a hatch, so its darker stripe is judged here
        found[f"{ground} hatch"] = tuple(
            alpha * c + (1 - alpha) * p for c, p in zip(ink, found[ground], strict=True)
        )
    return found


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
def test_every_text_colour_is_readable_on_every_ground_it_stands_on(mode):
    css = (resource("data") / "report" / "report.css").read_text(encoding="utf-8")
    light, dark = css.split("@media (prefers-color-scheme: dark)")
    colours = tokens((light, dark.split("}\n}")[0])[mode])
    grounds = ["paper", "card", "paper hatch", "card hatch"]
    for ground in grounds:
        for text in ("ink", "muted", "link", *(word.replace(" ", "-") for word in WORDS)):
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    for word in (word.replace(" ", "-") for word in WORDS):
        for text in (word, "ink"):
            assert contrast(colours[text], colours[f"{word}-tint"]) >= 4.5, (text, word)
    assert contrast(colours["ink"], colours["sunk"]) >= 4.5


def test_landmarks_have_names_of_their_own_even_where_pictures_look_alike(tmp_path):
    axes = Figure().subplots()
    axes.set_title("The same finding")
    drawn = axes.figure
    out = write_report(
        board(), out=tmp_path / "r.html", claims=claims(), figures={"C1": drawn, "C2": drawn, "more": drawn}
    )
    names = re.findall(r'role="region" aria-label="([^"]*)"', out.read_text(encoding="utf-8"))
    assert len(names) == len(set(names)), names


def test_the_kept_promises_are_shown_and_a_count_of_nothing_is_not(tmp_path):
    from erresearch.report.figures import CalibrationCell as Kept

    promises = {
        "right": [Kept("<b>nil</b>", 0.994, 500, 0.8, "at least")],
        "nil recognised": [Kept("a world of six", float("nan"), 200, 0.8, "at least")],
    }
    text = write_report(board(), out=tmp_path / "r.html", calibration=promises).read_text(encoding="utf-8")
    assert "How often the words are right" in text
    assert "&lt;b&gt;nil&lt;/b&gt;" in text
    assert "99.4 %" in text
    assert "at least 80 %" in text
    assert "a world of six" not in text
    bare = write_report(board(), out=tmp_path / "bare.html").read_text(encoding="utf-8")
    assert "How often the words are right" not in bare


# --- money in words -------------------------------------------------------------------------------

SIDES = {"above": (0.06, 0.2), "below": (-0.2, -0.06), "inside": (-0.04, -0.01), "open": (-0.2, 0.2)}
MONEY = {"above": (2.0, 46.0), "below": (-46.0, -2.0), "open": (-46.0, 2.0)}


def money_told(word, side, paid):
    def worth(ends, unit):
        interval, value = Interval(*ends), sum(ends) / 2
        rows = {"df": 9, "n_rows": 99, "n_accounts": 1}
        return Estimate("one more comment", value=value, se=1, interval=interval, unit=unit, **rows)

    certainty = Certainty("low", 2, ("ordered",), ("ordered in time",))
    found = Verdict("C02", "shop", word, estimate=worth(SIDES[side], ""), sesoi=0.05, certainty=certainty)
    return revenue_after(found, "comments", "The claim", [worth(MONEY[paid], "EUR")], "over four weeks")


DECIDED = ("supported", "contradicted", "practically nil")
TOLD = [(word, side) for word in DECIDED for side in ("above", "below", "inside")]
TOLD += [(word, side) for word in ("inconclusive", "association only") for side in SIDES]


@pytest.mark.parametrize(("word", "side"), TOLD)
@pytest.mark.parametrize("paid", MONEY)
def test_money_is_told_plainly_first_and_never_against_its_word(word, side, paid):
    said = money_told(word, side, paid)
    plainly, amount = said.split(f" (The claim: {word}, certainty low). ")
    assert not re.search(r"\d|[−]|margin", plainly)
    assert "no cost" not in said
    assert "−" not in said  # less is said in words, as a range from small to large
    expected = {
        "above": "Revenue was higher after more comments",
        "inside": "Revenue hardly changed after more comments, too little to matter",
    }
    if word in DECIDED:
        assert plainly == expected.get(side, "Revenue was lower after more comments")
        assert amount.startswith("If anything, ") == (side == "inside")
        assert amount.startswith("The amount is less sure: ") == (side not in ("inside", paid))
    else:
        assert plainly.startswith("Revenue and comments move" if word == "association only" else "Whether ")
        assert amount.startswith("Do not rely on the amount alone: ") == (paid != "open")
    assert ("; these rows show no gain" in amount) == (paid == "below")
    assert ("; it pays if it costs less than the profit on sales of 2 EUR" in amount) == (paid == "above")
    assert amount.endswith(".")
