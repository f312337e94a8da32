"""What the workshop's exercises expect, computed from the notebook's seed by the functions that they teach.

Every function takes the seed first; shares are given in per cent, as the exercises ask for them.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import numpy as np

from erresearch.audits import read_files, side_by_side, with_followers
from erresearch.claims.board import examine
from erresearch.engine.expressions import log
from erresearch.errors import Count
from erresearch.io import pd
from erresearch.metrics.rates import engagement_rate
from erresearch.panel.build import build_panel
from erresearch.relate.association import correlate, regress
from erresearch.relate.reaction_models import decay
from erresearch.results import Verdict
from erresearch.robustness import adversary, detectable
from erresearch.workshop.sliders import EXPLORATIONS, MOVES, PLANTED, drawn, in_time, unrelated
from erresearch.worlds import example_exports, simulate

ZONE: Final = "Europe/Amsterdam"
WEEKS: Final = 104


# Session 1: measuring


def one_post_rate(rng: int, comments: str = "7") -> float:
    """Give the rate of one post with 5,000 followers, 150 likes and 7 comments."""
    counts = {"likes": [150], "comments": [int(comments)], "followers": [5000]}
    post = pd.DataFrame({"account": ["shop"], **counts})
    return 100 * engagement_rate(post, definition="M01").mean


def _one_day(per: Literal["period", "post"]) -> float:
    counts = {"likes": [60, 50, 60], "comments": [10, 5, 5], "shares": [5, 3, 2]}
    when = pd.to_datetime(["2024-05-01 09:00", "2024-05-01 13:00", "2024-05-01 19:00"])
    posts = pd.DataFrame({"account": "shop", "published_at": when, "followers": 10_000, **counts})
    return 100 * engagement_rate(posts, denominator="followers", reactions=tuple(counts), per=per).mean


def day_rate(rng: int) -> float:
    """Sum the reactions of three posts over the followers, once."""
    return _one_day("period")


def post_rate(rng: int) -> float:
    """Average the rates of the same three posts."""
    return _one_day("post")


@functools.lru_cache(maxsize=4)
def _posts(rng: int) -> Any:
    return simulate("nil", accounts=12, weeks=26, rng=rng).posts


def class_rate(rng: int, definition: str) -> float:
    """Give the mean rate of the twelve simulated accounts under a definition."""
    return 100 * engagement_rate(_posts(rng), definition=definition).mean


def ratio_of_sums(rng: int) -> float:
    """Divide the sum of all reactions by the sum of all followers, which is another number than the mean rate."""
    posts = _posts(rng)
    return float(100 * (posts["likes"] + posts["comments"]).sum() / posts["followers"].sum())


def best_account(rng: int, definition: str) -> str:
    """Name the account with the highest mean rate."""
    values = engagement_rate(_posts(rng), definition=definition).values
    return str(values.groupby("account")["rate"].mean().idxmax())


@functools.lru_cache(maxsize=4)
def list_exponent(rng: int) -> float:
    """Fit the exponent of reactions on followers to a list of the best."""
    return decay(drawn("flat-selected-on-reactions", rng, accounts=1000), by="account").exponent.value


def truth_of_the_list(rng: int) -> str:
    """Say what the rate does where followers grow, in that world."""
    return "stays"


# Session 2: doubting


@functools.lru_cache(maxsize=8)
def pearson(rng: int, within: str = "") -> float:
    """Correlate the logs over all weeks, or within shops only."""
    return correlate(drawn("nil", rng), *map(log, MOVES), by="account", within=bool(within)).value


def raw_pearson(rng: int) -> float:
    """Correlate the columns themselves, without logs."""
    panel = drawn("nil", rng)
    return float(np.corrcoef(panel["engagement"], panel["revenue"])[0, 1])


@functools.lru_cache(maxsize=8)
def elasticity(rng: int, spend: str = "") -> float:
    """Give what last week's engagement brings, with or without advertising in the model."""
    return in_time(drawn("nil", rng), spend=bool(spend)).forward.value


@functools.lru_cache(maxsize=4)
def half_strength(rng: int) -> float:
    """Find the first strength of what moves both at which all weeks correlate above one half."""
    slider = EXPLORATIONS["confounding"]
    return next((s for s in slider.settings if slider.at(s, rng=rng).figures["r"] > 0.5), float("nan"))


@functools.lru_cache(maxsize=4)
def verdict_word(rng: int) -> str:
    """Judge C01 in the simulated shops."""
    return examine("C01", {"shops": drawn("nil", rng)})[0].word


def counts_only(rng: int) -> float:
    """Correlate the logs of likes and orders that have nothing to do with each other."""
    return EXPLORATIONS["shared denominator"].at(1.0, rng=rng).figures["r of the counts"]


def per_follower(rng: int) -> float:
    """Correlate the logs of both per follower."""
    return EXPLORATIONS["shared denominator"].at(1.0, rng=rng).figures["r per follower"]


def followers_beside(rng: int) -> float:
    """Give the elasticity of orders on likes with followers as a second column."""
    return regress(unrelated(rng=rng), log("orders"), on=[log("likes"), log("followers")])["log likes"].value


@functools.lru_cache(maxsize=4)
def stronger_way(rng: int) -> str:
    """Name what comes first in the world of session 2's last exercise."""
    found = in_time(drawn("reverse", rng))
    return "engagement" if abs(found.forward.value) > abs(found.reverse.value) else "revenue"


@functools.lru_cache(maxsize=16)
def granted(rng: int) -> float:
    """Count the analyses of the first table that say "positive", in per cent of all that were tried."""
    found = adversary(drawn("nil", rng), wish="positive")
    return 100 * found.granted / found.tried


# Session 3: judging


@functools.lru_cache(maxsize=2)
def _shop(rng: int) -> tuple[Any, Any, Verdict]:
    with tempfile.TemporaryDirectory() as folder:
        files = read_files(example_exports(folder, weeks=WEEKS, effect=PLANTED, rng=rng), tz=ZONE)
    panel = build_panel(
        list(files.posts),
        list(files.outcomes),
        freq="W",
        tz=ZONE,
        followers=list(files.followers),
        spend=list(files.ads),
    )
    return files, panel, examine("C01", {"the shop": panel.rows})[0]


def _orders(rng: int) -> Any:
    (orders,) = (one for one in _shop(rng)[0].outcomes if one.name == "orders_export.csv")
    return orders.accounting


def further_lines(rng: int) -> float:
    """Count the lines of the order file that are no orders of their own."""
    return float(_orders(rng).out_of_scope)


def order_lines(rng: int) -> float:
    """Count all lines of the order file."""
    return float(_orders(rng).rows_in)


def on_every_platform(rng: int) -> str:
    """Name the one definition that the files of every platform allow."""
    files, *_ = _shop(rng)
    rates = side_by_side(with_followers(files.all_posts.rows, files.followers)).dropna(subset=["mean"])
    platforms = rates.groupby("definition")["platform"].nunique()
    (shared,) = platforms[platforms == rates["platform"].nunique()].index
    return str(shared)


def weeks_kept(rng: int) -> float:
    """Count the weeks on which everything is known."""
    return float(len(_shop(rng)[1].rows))


def weeks_of_files(rng: int) -> float:
    """Count the weeks that the files span."""
    return float(WEEKS)


def finds_from(rng: int) -> float:
    """Give the smallest elasticity that these weeks would find with 80 % power."""
    estimate = _shop(rng)[2].estimate
    return detectable(estimate).effect if estimate is not None else float("nan")


@functools.lru_cache(maxsize=4)
def weeks_needed(rng: int) -> float:
    """Find the first number of weeks at which eight shops would find the planted effect."""
    slider = EXPLORATIONS["weeks"]
    could = ((s, slider.at(s, rng=rng).figures["eight shops, finds from"]) for s in slider.settings)
    return next((weeks for weeks, effect in could if effect <= PLANTED), float("nan"))


def _spellings(value: float) -> tuple[str, ...]:
    """Give a number as people write it: with two to four digits, with or without the 0 before the point."""
    full = [f"{value:.{digits}f}" for digits in (2, 3, 4)]
    return (*full, *(text.replace("0.", ".", 1) for text in full))


def sentence_needs(rng: int) -> Mapping[str, Sequence[str]]:
    """Say what the sentence of session 3 must name, each with the texts of which one will do."""
    _, panel, verdict = _shop(rng)
    interval = verdict.interval
    ends = () if interval is None else (interval.low, interval.high)
    return {
        "Which word did the verdict give? Use it as it stands.": [verdict.word],
        "How many weeks is it about? Write the number and then the word weeks.": [
            f"{Count(len(panel.rows)):week}"
        ],
        **{
            f"Give the {name} end of the interval with two digits.": _spellings(end)
            for name, end in zip(("lower", "upper"), ends, strict=False)
        },
        "Say that the shop is simulated.": ["simulated"],
    }
