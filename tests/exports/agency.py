"""Files of an agency, simulated: brands with accounts on three platforms, and one list of orders with their shops."""

from __future__ import annotations

import csv
import datetime as dt
import random
from collections.abc import Sequence
from pathlib import Path

BRANDS = tuple(
    f"Simulated {name}"
    for name in ("Ash", "Birch", "Cedar", "Dogwood", "Elmtree", "Firtree", "Gumtree", "Hazel", "Ivyleaf", "Juniper",
                 "Kauri", "Larch")
)  # fmt: skip
#: What some of the brands add to their name on Instagram and X.
ADDED = {1: "_official", 5: ".shop", 8: "_nl"}
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_INSTAGRAM = (
    "Post ID,Account ID,Account username,Account name,Description,Duration (sec),Publish time,Permalink,Post type,"
    "Data comment,Date,Views,Reach,Likes,Shares,Follows,Comments,Saves"
)
_FACEBOOK = (
    'Post ID,Page ID,Page name,Title,Publish time,Permalink,Post type,Data comment,Date,Views,Reach,"Reactions, comments '
    'and shares",Reactions,Comments,Shares,Total clicks'
)
_X = "Tweet id,Tweet permalink,Tweet text,time,impressions,engagements,engagement rate,retweets,replies,likes"


def handle(brand: int) -> str:
    """The account of a brand."""
    return BRANDS[brand].lower().replace(" ", "") + ADDED.get(brand, "")


def _code(number: int) -> str:
    letters = []
    for _ in range(11):
        number, digit = divmod(number, 64)
        letters.append(_LETTERS[digit])
    return "".join(reversed(letters))


def _write(path: Path, header: str, rows: Sequence[Sequence[object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(next(csv.reader([header])))
        writer.writerows(rows)
    return path


def write_agency(folder: Path, *, weeks: int = 60, guests: int = 0, seed: int = 1) -> list[Path]:
    """Write posts of three platforms, followers and orders; `guests` posts on Instagram are of somebody else."""
    chance = random.Random(seed)
    start = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    instagram, facebook, x, orders, followers = [], [], [], [], []
    for brand, name in enumerate(BRANDS):
        account = handle(brand)
        for week in range(weeks):
            mood = chance.gauss(0, 0.3)
            followers.append(
                (f"{start + dt.timedelta(days=7 * week):%Y-%m-%d}", account, 1000 + 10 * week + 100 * brand)
            )
            for number in range(3):
                at = start + dt.timedelta(
                    days=7 * week + 2 * number, hours=10 + brand, minutes=chance.randrange(60)
                )
                printed = f"{at - dt.timedelta(hours=8):%m/%d/%Y %H:%M}"
                likes = int(200 * 2.718**mood * (1 + brand / 6))
                key = len(instagram)
                link = (
                    f"https://www.instagram.com/p/{_code(int(at.timestamp() * 1000 - 1314220021721) << 23)}/"
                )
                few = [chance.randrange(1, 9) for _ in range(8)]
                instagram.append((f"18{key:015d}", 1784 + brand, account, name, "text", 0, printed, link, "IG image", "",
                                  "Lifetime", likes * 20, likes * 15, likes, *few[:4]))  # fmt: skip
                facebook.append((f"10{key:013d}", 99 + brand, name, "text", printed, f"https://www.facebook.com/{key}",
                                 "Photos", "", "Lifetime", likes * 9, likes * 8, likes + few[4] + few[5], likes, few[4],
                                 few[5], few[6]))  # fmt: skip
                tweet = int(at.timestamp() * 1000 - 1288834974657) << 22
                x.append((tweet, f"https://twitter.com/{account.replace('.', '_')}/status/{tweet}", "text",
                          f"{at:%Y-%m-%d %H:%M} +0000", likes * 10, likes, 0.1, few[6], few[7], likes // 3))  # fmt: skip
            for day in range(7):
                printed = f"{start + dt.timedelta(days=7 * week + day):%Y-%m-%d}"
                for _ in range(max(1, round(3 * 2.718 ** (0.2 * mood + chance.gauss(0, 0.1))))):
                    orders.append(
                        (f"R{len(orders):06d}", printed, name, f"{20 + 60 * chance.random():.2f}", "EUR")
                    )
    for number in range(guests):
        link = f"https://www.instagram.com/p/{_code((1_400_000_000_000 + number) << 23)}/"
        instagram.append((f"19{number:015d}", 5, "somebodyelse", "", "text", 0, "02/02/2024 10:00", link, "IG reel", "",
                          "Lifetime", 900, 800, 90, 3, 0, 4, 0))  # fmt: skip
    (folder / "followers.csv.toml").write_text(
        'kind = "followers"\nplatform = "instagram"\n[columns]\n'
        '\ndate = "Day"\naccount = "Account"\nfollowers = "Followers"\n'
    )
    (folder / "orders.csv.toml").write_text(
        'kind = "outcomes"\n[columns]\n'
        'order_id = "Order"\ndate = "Day"\nentity = "Shop"\namount = "Paid"\ncurrency = "Cur"\n'
    )
    return [
        _write(folder / "instagram.csv", _INSTAGRAM, instagram),
        _write(folder / "facebook.csv", _FACEBOOK, facebook),
        _write(folder / "x.csv", _X, x),
        _write(folder / "followers.csv", "Day,Account,Followers", followers),
        _write(folder / "orders.csv", "Order,Day,Shop,Paid,Cur", orders),
    ]
