"""Make `published_effects.csv` and `er_benchmarks.csv` from the project's research tables.

Usage: ``python data/make_tables.py FOLDER [OUT]`` where FOLDER holds the two research tables, named alike.
Prints the SHA-256 of what it wrote, for `datasets.toml`.

Selection: rows whose figure or direction was found on a page (status "verified…") or on a page that quotes
the source ("secondary…"). Rows from memory, uncorroborated rows and rows without a published source stay
out. Quotations of five words or more are left out: the tables carry facts with their source, not other
people's text.
"""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path

import pandas as pd

SHIPPED = ("verified", "secondary")
QUOTATION = re.compile(r"(?<!\w)'((?:[^']|(?<=\w)'(?=\w))+)'(?!\w)")
SAME_AS_ABOVE = re.compile(r"^(same.*|as above.*|MSI page.*as above|MSI page|.*, as above)$")

# Words that only the people who collected the tables understand, and figures recalled without a source.
REWORDED = (
    (re.compile(r";?\s*[^;]*\bmemory, unverified\b[^;]*"), ""),
    (re.compile(r";?\s*about \.46 in memory"), ""),
    (re.compile(r";?\s*the often-quoted ~5% not seen, unverified"), ""),
    (re.compile(r"\bfrom memory\b"), "not checked"),
    (re.compile(r" \(definition from seed S0\)"), ""),
    (re.compile(r" \(origin of seed S0 bands\)"), ""),
    (re.compile(r"is missing from the seed"), "is left out where these bands are quoted"),
    (re.compile(r"THE study seed S4 cites \(T11\)\. "), ""),
    (re.compile(r" \(seed T05\)"), ""),
    (re.compile(r"; directly relevant to seed claim T03"), ""),
    (re.compile(r"\. Relevant to eNPS seed only"), "; about employees, not customers"),
    (re.compile(r", ship only as a warning"), ""),
    (re.compile(r"ship as fallacy demo"), "a teaching example of a fallacy"),
    (re.compile(r"; ship with this warning or use only the ordering"), "; use only the ordering"),
    (re.compile(r"; a columnist gives .*$"), ""),
    (re.compile(r"\b(at )?\d+(\.\d+){3}:\d+/\S+"), "on a mirror"),
)

# What the abstract or page says where it gives no number (or where the number's own sign does not tell).
DIRECTIONS = {
    "positive": """
        santini2020 barari2021 kumar2016 rishika2013 chevalier2006 liu2006 trusov2009 stephen2012
        goel2010 backlinko2017 harter2002 lee2015 influencerhero asur2010 reichheld2003 times2017
    """,
    "none": """
        john2017 hbr2017_following morgan2006 nielsen2011 cocacola2013 chartbeat2014 fay2017
        facebook_liftstudies buzzsumo2015
    """,
    "mixed": """
        colicev2018 vandoorn2013 baehre2022 lee2018 halloran2021 bhattacharyya2020 xielee2015
        oh2017 devries2012
    """,
    "both ways": """
        duan2008_jr nielsen_twitter2013_fwd nielsen_twitter2013_rev
    """,
    "inverted U": """
        wies2023
    """,
    "not a direction": """
        gordon2019 datalogix2012 gabielkov2016 lewisrao2015 gordon2023 srinivasan2016_owned
        srinivasan2016_earned engagementlabs_sales edgerank2011_like edgerank2011_comment
    """,
    "negative": """
        zarrella2011 beichert2024
    """,
}
SIGNED = ("r", "elasticity", "percent_change", "pp_change", "d")


def main(arguments: list[str]) -> int:
    """Write both tables and print their hashes."""
    if not 1 <= len(arguments) <= 2:
        print(__doc__, file=sys.stderr)
        return 2
    source = Path(arguments[0])
    out = Path(arguments[1]) if len(arguments) == 2 else Path(__file__).resolve().parent
    for name, make in (("published_effects", effects), ("er_benchmarks", benchmarks)):
        raw = pd.read_csv(source / f"{name}.csv", dtype=str, keep_default_na=False)
        text = make(raw).to_csv(index=False, lineterminator="\n").encode()
        (out / f"{name}.csv").write_bytes(text)
        print(f"{name}.csv sha256 {hashlib.sha256(text).hexdigest()}")
    return 0


def effects(raw: pd.DataFrame) -> pd.DataFrame:
    """Published effects with a direction for every row."""
    found = _shipped(raw)
    number = pd.to_numeric(found["effect"].replace("", None))
    signed = found["effect_type"].isin(SIGNED) & number.notna()
    direction = number.map(lambda value: "positive" if value > 0 else "negative").where(signed)
    coded = found["id"].map({key: word for word, keys in DIRECTIONS.items() for key in keys.split()})
    found["direction"] = coded.fillna(direction)
    lost = found["id"][found["direction"].isna()].tolist()
    if lost:
        raise SystemExit(f"no direction for {lost}")
    # one row is filed under "numeric" though its source gives no number
    found["status"] = found["status"].mask(number.isna(), found["status"].str.replace("numeric", "direction"))
    found["effect_type"] = found["effect_type"].replace("", "not stated")
    found["randomised"] = found["design"].str.contains("randomised") & (
        found["direction"] != "not a direction"
    )
    found = found.rename(columns={"doi_or_source": "citation", "how_verified": "seen_at"})
    order = ["id", "study", "year", "citation", "design", "randomised", "unit", "n", "predictor", "outcome",
             "effect_type", "effect", "direction", "status", "seen_at", "notes"]  # fmt: skip
    return found[order]


def benchmarks(raw: pd.DataFrame) -> pd.DataFrame:
    """Published engagement-rate levels, with ranges and bands as numbers."""
    found = _shipped(raw)
    band = found["er_definition"].str.extract(
        r"^(?P<label>[^:]+): (?P<low>\S+) to (?P<high>\S+) %; (?P<rest>.*)$"
    )
    is_band = (found["scope"] == "band") & band["rest"].notna()
    printed = found["notes"].str.extract(r"^published as a range (?P<low>[\d.]+)-(?P<high>[\d.]+)")
    found["label"] = band["label"].where(is_band, "")
    found["low_percent"] = band["low"].where(is_band, printed["low"])
    found["high_percent"] = band["high"].where(is_band, printed["high"]).replace("inf", None)
    found["er_definition"] = band["rest"].where(is_band, found["er_definition"])
    shape = found["scope"] == "shape"
    finding = found["er_definition"] + "; " + found["notes"]
    found["notes"] = finding.where(shape, found["notes"])
    found["er_definition"] = (
        found["er_definition"].mask(shape, "not stated").replace("not restated", "not stated")
    )
    found["denominator"] = found["er_definition"].map(denominator)
    found["statistic"] = found["er_definition"].map(statistic)
    industry = found["scope"].str.startswith("industry: ")
    found["industry"] = found["scope"].str.removeprefix("industry: ").where(industry, "")
    found["scope"] = found["scope"].mask(industry, "industry")
    found["platform"] = found["platform"].replace("Twitter", "X")
    found["year_approximate"] = found["notes"].str.contains(
        "year approximate|year unknown|year not stated|year from|year uncertain|year .*guess"
    )
    found = found.rename(columns={"how_verified": "seen_at"})
    order = ["source", "year", "year_approximate", "platform", "scope", "industry", "tier_low", "tier_high",
             "er_percent", "low_percent", "high_percent", "label", "er_definition", "denominator",
             "statistic", "status", "seen_at", "notes"]  # fmt: skip
    return found[order]


def denominator(definition: str) -> str:
    """What the rate is divided by, as far as the source says."""
    if "(assumed)" in definition:
        return "not stated"
    if "followers" in definition or "per follower" in definition:
        return "followers"
    for word in ("impressions", "views"):
        if f"/{word}" in definition or f"/video {word}" in definition:
            return word
    return "not stated"


def statistic(definition: str) -> str:
    """Mean or median, as far as the source says."""
    text = definition.lower()
    for word, name in (
        ("row labelled", "label doubtful"),
        ("median", "median"),
        ("average", "mean"),
        ("avg", "mean"),
    ):
        if word in text:
            return name
    return "not stated"


def _shipped(raw: pd.DataFrame) -> pd.DataFrame:
    kept = raw[raw["status"].str.startswith(SHIPPED)].reset_index(drop=True).copy()
    for column in ("how_verified", "n"):
        if column in kept:
            kept[column] = _spelled_out(kept[column])
    for column in ("how_verified", "notes", "er_definition", "doi_or_source", "source", "outcome"):
        if column in kept:
            kept[column] = kept[column].map(_own_words)
    return kept


def _spelled_out(column: pd.Series) -> pd.Series:
    """Replace "same" and "as above" by what stands above."""
    return column.mask(column.str.match(SAME_AS_ABOVE)).ffill()


def _own_words(text: str) -> str:
    text = QUOTATION.sub(
        lambda match: match.group(0) if len(match.group(1).split()) < 5 else "(quotation left out)", text
    )
    for pattern, replacement in REWORDED:
        text = pattern.sub(replacement, text)
    return re.sub(r"\s+", " ", text).strip(" ;")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
