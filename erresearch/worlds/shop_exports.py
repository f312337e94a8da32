"""A simulated small shop: as files in the byte layouts of real exports, or by day under a schedule that it obeys."""

from __future__ import annotations

import csv
import datetime as dt
import zoneinfo
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from erresearch.errors import Count, DesignError, check_name
from erresearch.io import pd
from erresearch.io.files import atomic_write
from erresearch.worlds.panels import Rng, autoregression, marked, whole

Row = Mapping[str, object]
_NAME: Final = "simulated_shop"
_FIRST: Final = dt.date(2024, 1, 1)
_ZONE: Final = zoneinfo.ZoneInfo("Europe/Amsterdam")
_PACIFIC: Final = zoneinfo.ZoneInfo("America/Los_Angeles")
_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
# Instagram's ids count milliseconds from here
_INSTAGRAM_EPOCH: Final = 1314220021721
_SHORTEST: Final = 12
_FOLLOWED_DAYS: Final = 365

_ORDERS = [
    "Name", "Email", "Financial Status", "Paid at", "Fulfillment Status", "Fulfilled at", "Accepts Marketing",
    "Currency", "Subtotal", "Shipping", "Taxes", "Total", "Discount Code", "Discount Amount", "Shipping Method",
    "Created at", "Lineitem quantity", "Lineitem name", "Lineitem price", "Billing Name", "Billing Street",
    "Billing Phone", "Shipping Name", "Notes", "Note Attributes", "Cancelled at", "Payment Method",
    "Refunded Amount", "Vendor", "Id", "Source", "Phone", "Payment References",
]  # fmt: skip
#: What becomes of an order, by where a random number falls.
_FATES: Final = ((0.02, "voided"), (0.03, "pending"), (0.06, "refunded"), (1.0, "paid"))


def example_exports(
    folder: str | Path, *, weeks: int = 104, effect: float = 0.1, rng: int | Rng = 0
) -> tuple[Path, ...]:
    """Write the exports of a simulated shop: posts, followers, advertising, orders and web analytics.

    Each week has an audience u, and log revenue moves by `effect` for each unit of last week's log engagement, besides
    a season, advertising and noise. Everything in the files is simulated,
    and the account's name begins with that word, by which an audit knows it.

    Parameters
    ----------
    folder : path
        Where the files go.
    weeks : int
        From 1 January 2024, a Monday, on; 12 or more.
    effect : float
        Elasticity of revenue on last week's engagement.
    rng : int or numpy.random.Generator
        Seed.

    Returns
    -------
    tuple of pathlib.Path
        Posts of Instagram, videos and followers of TikTok, advertising, orders of a shop, figures of a site.

    Raises
    ------
    DesignError
        If there are fewer than 12 weeks.

    See Also
    --------
    simulate : Tables in place of files.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     print(*[path.name for path in example_exports(place, weeks=12)])
    instagram_posts.csv Content.csv FollowerHistory_2024-03-24.csv ads.csv orders_export.csv ga4_daily.csv
    """
    weeks = whole("weeks", weeks, None, _SHORTEST)
    random = np.random.default_rng(rng)
    week = np.arange(weeks)
    season = 0.3 * np.sin(2 * np.pi * (week - 40) / 52.18)
    audience = 0.35 * random.normal(size=weeks)
    spend = np.round(np.exp(4 + 0.3 * season + 0.4 * random.normal(size=weeks)), 2)
    pull = effect * np.concatenate([[0.0], audience[:-1]]) + 0.05 * np.log(spend / spend.mean())
    orders = random.poisson(25 * np.exp(season + pull + 0.1 * random.normal(size=weeks)))
    last = _FIRST + dt.timedelta(days=7 * weeks - 1)
    days = [_FIRST + dt.timedelta(days=n) for n in range(7 * weeks)]
    sold, site = _orders(orders, random)
    files = {
        "instagram_posts.csv": _table(_instagram(audience, random)).encode("utf-8-sig"),
        "Content.csv": _table(_tiktok(audience, last, random), quoting=csv.QUOTE_ALL).encode("utf-8-sig"),
        f"FollowerHistory_{last}.csv": _followers(days[-_FOLLOWED_DAYS:], random).encode("utf-8-sig"),
        "ads.csv": _table(_ads(days, spend)).encode(),
        "orders_export.csv": _table(sold, _ORDERS).encode(),
        "ga4_daily.csv": _analytics(days, site, random).encode(),
    }
    return tuple(atomic_write(Path(folder) / name, content) for name, content in files.items())


def _table(rows: Any, header: list[str] | None = None, *, quoting: Literal[0, 1] = csv.QUOTE_MINIMAL) -> str:
    made = pd.DataFrame(rows, columns=header, dtype=object)
    return made.to_csv(index=False, quoting=quoting, lineterminator="\n")


def _moments(count: int, week: int, random: Rng) -> list[dt.datetime]:
    """Moments of a week in UTC, by day and evening of the shop's clock."""
    minutes = np.sort(random.integers(0, 7 * 15 * 60, count))
    out = []
    for minute in minutes:
        day, rest = divmod(int(minute), 15 * 60)
        local = dt.datetime.combine(_FIRST + dt.timedelta(days=7 * week + day), dt.time(8))
        out.append((local + dt.timedelta(minutes=rest)).replace(tzinfo=_ZONE).astimezone(dt.UTC))
    return out


def _address(moment: dt.datetime, salt: int) -> str:
    """Short code of an Instagram post: its id, which begins with the time, in 64 signs."""
    number = (int(moment.timestamp() * 1000) - _INSTAGRAM_EPOCH) << 23 | salt
    out = ""
    for _ in range(11):
        number, rest = divmod(number, 64)
        out = _ALPHABET[rest] + out
    return out


def _instagram(audience: np.ndarray, random: Rng) -> list[Row]:
    rows: list[Row] = []
    for week, mood in enumerate(audience):
        for moment in _moments(int(random.integers(2, 6)), week, random):
            reach = int(2400 * np.exp(0.6 * mood + 0.3 * random.normal()))
            likes, comments, shares, saves = random.poisson(
                reach * np.array([0.04, 0.003, 0.002, 0.004]) * np.exp(0.4 * mood)
            )
            number = len(rows) + 1
            rows.append({
                "Post ID": f"18{number:016d}", "Account ID": "17840000000000001", "Account username": _NAME,
                "Account name": "Simulated shop", "Description": f"Simulated post {number}", "Duration (sec)": 0,
                "Publish time": f"{moment.astimezone(_PACIFIC):%m/%d/%Y %H:%M}",
                "Permalink": f"https://www.instagram.com/p/{_address(moment, number)}/", "Post type": "IG image",
                "Data comment": "", "Date": "Lifetime", "Views": int(reach * 1.3), "Reach": reach, "Likes": likes,
                "Shares": shares, "Follows": random.poisson(1), "Comments": comments, "Saves": saves,
            })  # fmt: skip
    return rows


def _tiktok(audience: np.ndarray, last: dt.date, random: Rng) -> list[Row]:
    rows: list[Row] = []
    for week, mood in enumerate(audience):
        for moment in _moments(int(random.integers(1, 4)), week, random):
            views = int(1800 * np.exp(0.6 * mood + 0.5 * random.normal()))
            likes, comments, shares = random.poisson(
                views * np.array([0.05, 0.004, 0.003]) * np.exp(0.4 * mood)
            )
            number = int(moment.timestamp()) << 32 | len(rows)
            rows.append({
                "Time": f"{last:%B} {last.day}", "Video title": f"Simulated video {len(rows)}",
                "Video link": f"https://www.tiktok.com/@{_NAME}/video/{number}",
                "Post time": f"{moment:%B} {moment.day}", "Total likes": likes, "Total comments": comments,
                "Total shares": shares, "Total views": views,
            })  # fmt: skip
    return rows


def _followers(days: Sequence[dt.date], random: Rng) -> str:
    gained = random.poisson(6, len(days))
    counts = {"Followers": 3_000 + gained.cumsum(), "Difference in followers from previous day": gained}
    return _table({"Date": [f"{day:%B} {day.day}" for day in days], **counts}, quoting=csv.QUOTE_ALL)


def _ads(days: Sequence[dt.date], spend: np.ndarray) -> list[Row]:
    rows: list[Row] = []
    for number, day in enumerate(days):
        # the shop advertises from Thursday to Saturday
        if number % 7 in (3, 4, 5):
            cost = float(spend[number // 7]) / 3
            rows.append({
                "Reporting starts": day, "Reporting ends": day, "Campaign name": "Simulated campaign",
                "Campaign delivery": "active", "Ad set budget": 10, "Ad set budget type": "Daily",
                "Attribution setting": "7-day click or 1-day view", "Results": int(cost // 2),
                "Result indicator": "actions:link_click", "Reach": int(cost * 40), "Impressions": int(cost * 55),
                "Cost per results": 2, "Amount spent (EUR)": f"{cost:.2f}", "Ends": "Ongoing",
            })  # fmt: skip
    return rows


def _orders(counts: np.ndarray, random: Rng) -> tuple[list[Row], np.ndarray]:
    """Orders, some refunded or failed, some with several items; and what a site would measure of them by day."""
    rows: list[Row] = []
    measured = np.zeros((len(counts) * 7, 2))
    for week, count in enumerate(counts):
        for moment in _moments(int(count), week, random):
            number = 1000 + len(rows)
            amount = round(float(np.exp(3.6 + 0.4 * random.normal())), 2)
            fate = random.random()
            status = next(word for below, word in _FATES if fate < below)
            local = moment.astimezone(_ZONE)
            created = f"{local:%Y-%m-%d %H:%M:%S %z}"
            rows.append({
                "Name": f"#{number}", "Email": f"buyer{number}@example.org", "Financial Status": status,
                "Paid at": created if status in ("paid", "refunded") else "", "Currency": "EUR",
                "Subtotal": f"{amount:.2f}", "Shipping": "0.00", "Taxes": "0.00", "Total": f"{amount:.2f}",
                "Discount Amount": "0.00", "Created at": created, "Lineitem quantity": 1, "Lineitem name": "Soap",
                "Lineitem price": f"{amount:.2f}", "Billing Name": f"Buyer {number}", "Billing Street": "1 Lane",
                "Payment Method": "Card", "Vendor": "Simulated shop", "Id": 5_000_000 + number, "Source": "web",
                "Refunded Amount": f"{amount:.2f}" if status == "refunded" else "0.00",
            })  # fmt: skip
            if random.random() < 0.2:
                rows.append({
                    "Name": f"#{number}", "Email": f"buyer{number}@example.org", "Created at": created,
                    "Lineitem quantity": 1, "Lineitem name": "Candle", "Lineitem price": "0.00",
                })  # fmt: skip
            if status in ("paid", "refunded") and random.random() < 0.9:
                measured[(local.date() - _FIRST).days] += (1, amount)
    return rows, measured


def _analytics(days: Sequence[dt.date], measured: np.ndarray, random: Rng) -> str:
    lines = [
        "# ----------------------------------------", "# Report CSV Export", "# Account: Simulated shop",
        "# Property: simulated.example - GA4", "# ----------------------------------------", "# ", "# All Users",
        f"# Start date: {days[0]:%Y%m%d}", f"# End date: {days[-1]:%Y%m%d}",
    ]  # fmt: skip
    sessions = (measured[:, 0] * 30 + random.poisson(20, len(days))).astype(int)
    figures = {
        "Date": [f"{day:%Y%m%d}" for day in days], "Event count": sessions * 9,
        "Total users": (sessions * 0.8).astype(int), "Event count per user": 9, "Average session duration": 61.5,
        "New users": (sessions * 0.5).astype(int), "Sessions": sessions, "Key events": measured[:, 0].astype(int),
        "Total revenue": [f"{amount:.2f}" for amount in measured[:, 1]],
    }  # fmt: skip
    return "\n".join(lines) + "\n" + _table(figures)


Array = npt.NDArray[np.float64]

#: Days simulated before the first one of the table.
BURN: Final = 150
#: How the response to a post is spread over the fourteen days after it; which one is drawn at random.
KERNELS: Final = {
    "fast": 0.5 ** np.arange(14),
    "middle": 0.8 ** np.arange(14),
    "slow": 0.9 ** np.arange(14),
    "hump": np.arange(1, 15) * 0.7 ** np.arange(14),
}


def simulate_shop(
    world: str = "promotions",
    *,
    days: int = 730,
    effect: float = 0.0,
    orders: float = 30.0,
    posting: npt.NDArray[np.bool_] | None = None,
    missed: float = 0.0,
    advertising: bool = False,
    own_usual: bool = False,
    rng: int | Rng = 1,
) -> pd.DataFrame:
    """Simulate one shop's days: posts, reactions, orders and revenue.

    With one seed and one number of days, all days before the schedule are the same whatever the schedule is:
    plan from the first days of a table, then call again with the schedule.

    Parameters
    ----------
    world : str
        What else moves reactions or revenue: one of :data:`SHOP_WORLDS`.
    days : int
        Rows.
    effect : float
        Elasticity of revenue on a lasting rise of reactions.
    orders : float
        Mean orders in a day.
    posting : numpy.ndarray of bool, optional
        Whether the shop may post, for the last days of the table.
    missed : float
        Share of the days of pause on which it posts all the same.
    advertising : bool
        Whether advertising moves reactions and revenue; it then has a column, spend.
    own_usual : bool
        Whether `effect` is the elasticity about the usual reactions of this very table, which a schedule would change.
    rng : int or numpy.random.Generator
        Seed.

    Returns
    -------
    pandas.DataFrame
        entity ("simulated shop"), period, posts, engagement, orders, revenue, event: 1 on the days that the shop could
        declare (of promotions, teasers, a relaunch, stock-outs), else 0.

    Raises
    ------
    UnknownNameError
        For a world that is not there.
    DesignError
        If there are more days of a schedule than days.

    See Also
    --------
    erresearch.experiments.plan_experiment : Draws the schedule.

    Examples
    --------
    >>> table = simulate_shop(days=60, effect=0.2, posting=np.array([False] * 30), rng=1)
    >>> len(table), int(table["posts"][30:].sum())
    (60, 0)
    """
    check_name("world of a shop", world, SHOP_WORLDS)
    if posting is not None and len(posting) > days:
        raise DesignError(
            "the schedule is longer than the table",
            got=f"{len(posting)} and {Count(days):day}",
            fix="add days",
        )
    source = np.random.default_rng(rng)
    # what the schedule changes draws from a stream of its own
    counts, money = (np.random.default_rng(source.integers(2**63)) for _ in range(2))
    n = days + BURN
    t = np.arange(n)
    kernel = KERNELS[str(source.choice(list(KERNELS)))]
    in_logs = bool(source.integers(2))
    season = np.cos(2 * np.pi * (t - BURN - 250) / 365.25) + 0.4 * np.sin(4 * np.pi * (t - BURN) / 365.25)
    demand = _memory(source, n, 0.7, 0.2) + _memory(source, n, 0.98, 0.1)
    may_post = source.random(n) < source.uniform(2, 5) / 7
    interest = 0.25 * season + _memory(source, n, 0.9, 0.3)
    driver = _Driver(n)
    _DRIVERS[world](driver, source, n)
    may_post = (may_post | driver.post) & ~driver.silent
    interest += driver.interest
    spread = source.standard_normal(n)
    disobeys = source.random(n) < missed
    by_weekday = source.normal(0, 0.12, 7)[t % 7]
    spend = 0.2 * season + _memory(source, n, 0.9, 0.4) if advertising else np.zeros(n)
    interest += 0.3 * spend
    if posting is not None:
        may_post[n - len(posting) :] &= np.asarray(posting, dtype=bool) | disobeys[n - len(posting) :]
    reactions = np.rint(np.exp(np.log(200) + interest + 0.8 * spread)) * may_post
    felt = np.convolve(reactions, np.r_[0, kernel / kernel.sum()])[:n]
    felt /= felt[BURN:].mean() if own_usual else 200 * np.exp(0.5) * 0.5
    effect /= 1.1 * float(np.mean((felt / (felt + 0.1))[BURN:])) if own_usual and in_logs else 1.0
    level = 0.15 * season + demand + driver.sales + _response(felt, effect, in_logs)
    level += by_weekday + 0.12 * spend + np.log(orders)
    sold = counts.poisson(np.exp(np.minimum(level, 12)))
    revenue = np.where(sold > 0, money.gamma(np.maximum(sold, 1) * 2.04) * 50 / 2.04, 0.0)
    columns = {
        "posts": may_post.astype(int),
        "engagement": np.rint(np.minimum(reactions * np.exp(driver.bots), 1e9)).astype(int),
        "orders": sold,
        "revenue": revenue.round(2),
        "event": driver.event.astype(int),
        "spend": np.exp(4 + spend).round(2),
    }
    whose = {"entity": "simulated shop", "period": pd.date_range("2023-01-02", periods=days)}
    seen = {name: values[BURN:] for name, values in columns.items() if advertising or name != "spend"}
    return marked(pd.DataFrame({**whose, **seen}))


def _memory(rng: Rng, n: int, rho: float, sd: float) -> Array:
    return autoregression(rng.standard_normal(n) * sd * np.sqrt(1 - rho**2), rho)


def _response(felt: Array, effect: float, in_logs: bool) -> Array:
    """Log of what posting brings, 0 at usual reactions; a share of revenue, or by the logarithm with a floor."""
    if in_logs:
        return np.asarray(effect * 1.1 * np.log((felt + 0.1) / 1.1))
    return np.log(np.maximum(1 - effect + effect * felt, 0.05))


class _Driver:
    """What moves reactions (interest), revenue (sales) and the count (bots); forced and silent posts; declared days."""

    def __init__(self, n: int) -> None:
        self.interest, self.sales, self.bots = np.zeros((3, n))
        self.post, self.silent, self.event = np.zeros((3, n), dtype=bool)


def _drift(out: _Driver, rng: Rng, n: int) -> None:
    """The level wanders."""
    out.sales[:] = 0.01 * np.cumsum(rng.standard_normal(n))


def _hidden_demand(out: _Driver, rng: Rng, n: int) -> None:
    """People look now and buy two to six days later."""
    out.interest[:] = _memory(rng, n, 0.8, 0.35)
    out.sales[:] = 0.4 * np.convolve(out.interest, np.r_[0, 0, np.ones(5) / 5])[:n]


def _relaunch(out: _Driver, rng: Rng, n: int) -> None:
    """More reactions and more revenue from one day on."""
    start = int(rng.integers(BURN + (n - BURN) // 4, BURN + 3 * (n - BURN) // 4))
    out.interest[start:] = 0.6
    out.sales[start:] = 0.3
    out.event[start] = True


def _bots(out: _Driver, rng: Rng, n: int) -> None:
    """On three days in ten others than people react."""
    out.bots[:] = (rng.random(n) < 0.3) * rng.exponential(1.5, n)


def _hits(out: _Driver, rng: Rng, n: int) -> None:
    """A post in thirty goes round."""
    out.interest[:] = (rng.random(n) < 0.03) * (1 + rng.exponential(1.5, n))
    out.post[:] = out.interest > 0


def _stock_outs(out: _Driver, rng: Rng, n: int) -> None:
    """What goes round sells, then the shelf is empty."""
    _hits(out, rng, n)
    for day in np.flatnonzero(out.post):
        last = day + 1 + int(rng.integers(4, 11))
        out.sales[day] += 0.4
        out.sales[day + 1 : last] -= 0.5
        out.event[day + 1 : last] = True


def _silent_weeks(out: _Driver, rng: Rng, n: int) -> None:
    """Three weeks without posts, in a weak time."""
    for start in rng.choice(np.arange(BURN + 30, n - 30), max(2, 2 * (n - BURN) // 365), replace=False):
        out.silent[start : start + 21] = True
        out.sales[start : start + 21] -= 0.15


def _sales(out: _Driver, rng: Rng, n: int, *, ahead: bool = False) -> None:
    """One to three days of a sale, with a post on its first day and a dip after it, or with a teaser ahead."""
    start = int(rng.integers(0, 25))
    while start < n - 8:
        length = int(rng.integers(1, 4))
        post = max(start - int(rng.integers(1, 4)), 0) if ahead else start
        out.post[post] = True
        out.interest[post : post + (1 if ahead else length)] += 0.8
        out.sales[start : start + length] += 0.45
        out.event[start : start + length] = True
        if not ahead:
            out.sales[start + length : start + length + 5] -= 0.12
        start += 10 + int(rng.geometric(1 / 15))


_DRIVERS: Final[Mapping[str, Callable[[_Driver, Rng, int], object]]] = {
    "nothing": lambda _, rng, __: rng.integers(0, 25),  # a seed gives the rest of the table as elsewhere
    "promotions": _sales,
    "teasers": partial(_sales, ahead=True),
    "hidden demand": _hidden_demand,
    "drift": _drift,
    "relaunch": _relaunch,
    "bots": _bots,
    "viral posts": _hits,
    "stock-outs": _stock_outs,
    "silent weeks": _silent_weeks,
}
#: What else moves reactions or revenue.
SHOP_WORLDS: Final = tuple(_DRIVERS)
