"""Attacks on what a house shares: each counts the rows that it gets out of the file, and none may get one."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import combinations_with_replacement

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from erresearch.claims import check_disclosure, pool, share
from erresearch.claims.disclosure import _few_solutions, check_rows
from erresearch.engine.moments import Moments
from erresearch.errors import DataError, EngineError, ErresearchWarning
from erresearch.relate import regress

SALT = "a secret of the pool, 1"


def shared(folder, table: pd.DataFrame, columns: list[str], **how) -> Moments | str:
    """What leaves the house, read back from the file; the code of the rule that refused it otherwise."""
    path = folder / "shared.npz"
    path.unlink(missing_ok=True)
    try:
        share(table, columns, path, **{"house": "north", "by": "account", "plain": True} | how)
    except DataError as error:
        assert not path.exists()
        return error.code
    return Moments.load(path)


def about_zero(m: Moments) -> tuple[np.ndarray, np.ndarray]:
    plain = m.about(np.zeros(len(m.columns)))
    return plain.sums, plain.grams()


def panel(groups: int = 20, weeks: int = 30, seed: int = 1) -> pd.DataFrame:
    """Simulated weeks of simulated shops."""
    rng = np.random.default_rng(seed)
    n = groups * weeks
    return pd.DataFrame(
        {
            "account": np.repeat([f"a{i:02d}" for i in range(groups)], weeks),
            "week": list(range(weeks)) * groups,
            "revenue": rng.normal(3000, 300, n).round(2),
            "likes": rng.poisson(50, n).astype(float),
        }
    )


def ten(**columns) -> pd.DataFrame:
    size = len(next(iter(columns.values())))
    return pd.DataFrame({"account": ["a"] * size, **columns})


# --- attacks: the number of rows that somebody gets who has the file ------------------------------------------------


def the_whale(m: Moments, table: pd.DataFrame) -> int:
    """One row far from the others: mean plus the root of n − 1 variances is that row."""
    n = m.count[0]
    got = 0
    for j, name in enumerate(m.columns):
        own = m.within()[0, j, j]
        mean = m.origin[j] + m.sums[0, j] / n
        values = table[name].to_numpy()
        for guess in (mean + np.sqrt(own * (n - 1) / n), mean - np.sqrt(own * (n - 1) / n)):
            got += int((np.abs(values - guess) < 0.1 * np.abs(values - mean)).any())
    return got


def the_only_buyer(m: Moments, table: pd.DataFrame) -> int:
    """Σ flag·z is the row of the only one who has the flag, or nearly so where one of few is large."""
    sums, grams = about_zero(m)
    got = 0
    for b, flag in enumerate(m.columns):
        low, high = table[flag].min(), table[flag].max()
        for j, name in enumerate(m.columns):
            if j == b or high == low:
                continue
            inside = (grams[0, b, j] - low * sums[0, j]) / (high - low)
            for side, total in ((high, inside), (low, sums[0, j] - inside)):
                near = np.abs(table[name] - total) <= 0.1 * np.abs(table[name])
                got += int((near & (table[name] != 0) & (table[flag] == side)).any())
    return got


def the_constant(m: Moments, table: pd.DataFrame) -> int:
    """A column without variance in a group: its mean is every row."""
    own, raw = (np.einsum("gii->gi", a) for a in (m.within(), m.grams()))
    return int((m.count[:, None] * (own <= 1e-9 * np.maximum(raw, 1e-300))).sum())


def the_powers(m: Moments, table: pd.DataFrame) -> int:
    """Sums of x … x¹⁰ are ten equations for ten rows (Newton's identities)."""
    sums, grams = about_zero(m)
    if len(m.columns) < 5:
        return 0
    power = [10.0, *sums[0], *grams[0, :, 4]]
    exact = [Fraction(round(q)) for q in power]
    e = [Fraction(1)]
    for k in range(1, 11):
        e.append(sum((-1) ** (i - 1) * e[k - i] * exact[i] for i in range(1, k + 1)) / k)
    roots = np.sort(np.roots([float((-1) ** i * e[i]) for i in range(11)]).real)
    return int((np.abs(roots - np.sort(table["x1"])) < 0.5).sum())


def the_small_counts(m: Moments, table: pd.DataFrame) -> int:
    """All sets of ten small whole numbers with this sum and these squares: rows whose value is in every one of them.

    A value that three rows share says as little of each of them as a one among three ones.
    """
    got = 0
    sums, grams = about_zero(m)
    sets = [
        found
        for found in combinations_with_replacement(range(7), int(m.count[0]))
        if sum(found) == round(sums[0, 0]) and sum(v * v for v in found) == round(grams[0, 0, 0])
    ]
    if len(sets) == 1:
        _, often = np.unique(sets[0], return_counts=True)
        got = int(often[often < 3].sum())
    return got


rng = np.random.default_rng(7)
BUYER = np.r_[np.ones(1), np.zeros(9)]
REVENUE = rng.lognormal(3, 0.4, 10).round(2)
WHOLE = np.sort(rng.permutation(np.arange(1.0, 200.0))[:10])
# name of the attack: rows of the house, attack, the rule that is to stop it
ATTACKS = {
    "a whale": (ten(x=np.r_[rng.normal(100, 5, 9), 50_000.0]), the_whale, "dominant"),
    "a whale that logarithms hide": (ten(x=np.r_[rng.normal(8, 0.01, 29), 12.0]), the_whale, "outlier"),
    "a whale below zero": (ten(x=-np.r_[rng.normal(100, 5, 9), 50_000.0]), the_whale, "dominant"),
    "one buyer": (ten(bought=BUYER, revenue=REVENUE), the_only_buyer, "rare"),
    "one buyer, coded 1 and 2": (ten(bought=BUYER + 1, revenue=REVENUE), the_only_buyer, "rare"),
    "one who did not buy": (ten(bought=1 - BUYER, revenue=REVENUE), the_only_buyer, "rare"),
    "one of three buyers bought nearly all": (
        ten(bought=np.repeat([1.0, 0.0], [3, 9]), revenue=np.r_[1000.0, 1.0, 2.0, rng.normal(400, 20, 9)]),
        the_only_buyer,
        "dominant",
    ),
    "one buyer with a second flag": (
        ten(bought=np.repeat([1.0, 0.0], [5, 15]), vip=np.r_[1, np.zeros(4), np.ones(5), np.zeros(10)]),
        the_only_buyer,
        "dominant",
    ),
    "the same salary in every row": (
        ten(salary=np.full(10, 4321.5), y=rng.normal(size=10)),
        the_constant,
        "constant",
    ),
    "a code that is one in each group": (
        pd.DataFrame(
            {"account": ["a"] * 10 + ["b"] * 10, "vip": [2.0] * 10 + [1.0] * 10, "y": rng.normal(size=20)}
        ),
        the_constant,
        "constant",
    ),
    "powers": (ten(**{f"x{k}": WHOLE**k for k in range(1, 6)}), the_powers, "derived"),
    "small counts": (ten(n=np.array([0.0, 0, 0, 0, 0, 0, 1, 1, 0, 2])), the_small_counts, "rare|follows"),
    "more small counts": (ten(n=np.array([0.0, 0, 0, 0, 1, 1, 0, 1, 2, 0])), the_small_counts, "follows"),
}


def recovered(attack, table: pd.DataFrame, folder) -> int:
    """Rows that fall to an attack on the sums without any control, which shows that the attack works."""
    columns = [name for name in table.columns if name != "account"]
    return attack(Moments.from_frame(table, columns, by="account"), table)


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_that_works_on_bare_sums_gets_nothing(name, tmp_path):
    table, attack, rule = ATTACKS[name]
    columns = [column for column in table.columns if column != "account"]
    assert recovered(attack, table, tmp_path) > 0
    found = shared(tmp_path, table, columns)
    assert isinstance(found, str)
    assert found in rule.split("|")


@settings(max_examples=25)
@given(
    st.integers(0, 10**6),
    st.sampled_from(["poisson", "lognormal", "flag", "normal", "step"]),
    st.integers(10, 40),
)
def test_whatever_is_let_through_gives_no_row(tmp_path_factory, seed, kind, n):
    draw = np.random.default_rng(seed)
    x = {
        "poisson": lambda: draw.poisson(draw.choice([0.3, 1, 3, 50]), n).astype(float),
        "lognormal": lambda: draw.lognormal(3, draw.choice([0.2, 1, 3]), n).round(2),
        "flag": lambda: (draw.random(n) < draw.choice([0.05, 0.2, 0.5])) * draw.choice([1.0, 2.5]) + 1,
        "normal": lambda: draw.normal(draw.choice([0, 1e6]), 1, n),
        "step": lambda: np.where(np.arange(n) < draw.integers(0, 4), 7.0, 3.0),
    }[kind]()
    table = ten(n=x, y=draw.lognormal(2, draw.choice([0.3, 2]), n))
    found = shared(tmp_path_factory.mktemp("house"), table, ["n", "y"])
    if isinstance(found, str):
        return
    assert the_constant(found, table) == 0
    assert the_whale(found, table) == 0
    if len(np.unique(x)) == 2:
        assert the_only_buyer(found, table[["n", "y"]]) == 0
    if kind == "poisson" and x.max() < 7 and n <= 12:
        assert the_small_counts(found["n"], table) == 0


def test_small_counts_are_counted_as_a_full_search_counts_them():
    draw = np.random.default_rng(3)
    for _ in range(40):
        v = draw.poisson(draw.choice([0.5, 1.0, 2.0]), 8)
        s, q = int(v.sum()), int((v**2).sum())
        sets = [c for c in combinations_with_replacement(range(int(np.sqrt(q)) + 1), 8) if sum(c) == s]
        assert _few_solutions(8, s, q) == (sum(sum(w * w for w in c) == q for c in sets) < 10)
    assert not _few_solutions(30, 1500, 76_500)
    # where few values are known and no set of whole numbers (logarithms of counts), repeated ones give themselves away
    v = np.log1p(np.array([0, 1, 2, 3] * 10, dtype=float))[:40]
    table = pd.DataFrame({"account": np.repeat(["a", "b", "c", "d"], 10), "x": np.roll(v, 1)})
    with pytest.raises(DataError, match="its few values follow from their sum and squares"):
        share(table, ["x"], "never.npz", house="north", by="account", plain=True)


# --- two files ------------------------------------------------------------------------------------------------------


def test_the_difference_of_two_weeks_gives_no_row(tmp_path):
    table, last = panel(), 29
    how = {"house": "north", "by": "account", "time": "week", "salt": SALT}
    columns = ["revenue", "likes"]
    before, after = (
        Moments.from_frame(part, columns, by="account") for part in (table[table["week"] < last], table)
    )
    rows = about_zero(after)[0] - about_zero(before)[0]
    assert (np.abs(rows - table.loc[table["week"] == last, columns]) < 0.005).all(
        axis=1
    ).sum() == 20  # bare sums

    share(table[table["week"] < last], columns, tmp_path / "w28.npz", **how)
    with pytest.raises(
        DataError, match=r"difference to .*w28.* 20 accounts with fewer than 10 rows more or less"
    ):
        share(table, columns, tmp_path / "w29.npz", **how)
    elsewhere = tmp_path / "elsewhere"
    with pytest.raises(DataError, match="the difference to"):
        share(table, columns, elsewhere / "w29.npz", earlier=[tmp_path / "w28.npz"], **how)
    # two files that do get out are not added either
    share(table, columns, elsewhere / "w29.npz", **how)
    with pytest.raises(DataError, match=r"two files of 'north' overlap in time.*\(0 to 28\).*\(0 to 29\)"):
        pool([tmp_path / "w28.npz", elsewhere / "w29.npz"], same_accounts=True)
    # another house with the same weeks is no trouble, nor are later weeks of the same one
    share(table[table["week"] > 15], columns, tmp_path / "south.npz", **{**how, "house": "south"})
    share(
        table[table["week"] <= 15].assign(week=lambda t: t["week"] + 40),
        columns,
        tmp_path / "later.npz",
        **how,
    )
    together = pool([tmp_path / name for name in ("w28.npz", "south.npz", "later.npz")], same_accounts=True)
    assert (together.accounts, together.rows) == (20, 580 + 280 + 320)


def test_a_difference_of_many_rows_is_said(tmp_path):
    table = panel(groups=3, weeks=40)
    how = {"house": "north", "by": "account", "time": "week", "salt": SALT}
    share(table[table["week"] < 20], ["revenue"], tmp_path / "a.npz", **how)
    with pytest.warns(ErresearchWarning, match="gives the sums over the 60 rows between, by account"):
        share(table, ["revenue"], tmp_path / "b.npz", **how)
    # without a time two files of one house are taken to overlap
    share(table, ["revenue"], tmp_path / "c" / "c.npz", **{**how, "time": None, "house": "south"})
    share(table, ["revenue"], tmp_path / "d" / "d.npz", **{**how, "time": None, "house": "south"})
    with pytest.raises(DataError, match=r"no period stated.*Pool one of them"):
        pool([tmp_path / "c" / "c.npz", tmp_path / "d" / "d.npz"])


# --- names, small accounts, the file --------------------------------------------------------------------------------


def test_accounts_go_out_hashed_and_still_meet(tmp_path):
    tables = {house: panel(groups=4, seed=seed) for house, seed in (("north", 1), ("south", 2))}
    for table in tables.values():
        table["account"] = table["account"] + "@mail.example"
    how = {"by": "account", "time": "week", "salt": SALT}
    for house, table in tables.items():
        share(table, ["revenue", "likes"], tmp_path / f"{house}.npz", house=house, **how)
    assert b"mail.example" not in (tmp_path / "north.npz").read_bytes()
    files = [tmp_path / "north.npz", tmp_path / "south.npz"]
    assert pool(files, same_accounts=True).accounts == 4
    assert pool(files).accounts == 8
    assert pool(files).keys[0].startswith("north: ")
    share(tables["south"], ["revenue", "likes"], files[1], house="south", **{**how, "salt": SALT[::-1]})
    assert pool(files).accounts == 8
    with pytest.raises(
        DataError, match="accounts of these files cannot meet: names hashed with different salts"
    ):
        pool(files, same_accounts=True)
    # order of keys follows the hashes, so it tells nothing of the names
    assert list(Moments.load(files[0]).keys) == sorted(Moments.load(files[0]).keys)


def test_pooled_shares_are_that_of_all_rows(tmp_path):
    one, two = panel(groups=8, seed=1), panel(groups=9, seed=2)
    two["account"] = "s" + two["account"]
    for house, table in {"north": one, "south": two}.items():
        share(table, ["revenue", "likes"], tmp_path / f"{house}.npz", house=house, by="account", salt=SALT)
    together = pool([tmp_path / "north.npz", tmp_path / "south.npz"])
    rows = regress(pd.concat([one, two]), "revenue", on=["likes"], by="account", within=True)["likes"]
    found = regress(together, "revenue", on=["likes"], within=True)["likes"]
    assert (found.value, found.se) == (pytest.approx(rows.value, rel=1e-9), pytest.approx(rows.se, rel=1e-9))


def test_small_accounts_are_merged_and_stay_apart(tmp_path):
    files, tables = [], []
    for house, seed in (("north", 1), ("south", 3)):
        big = panel(groups=6, seed=seed)
        small = panel(groups=5, weeks=6, seed=seed + 1).assign(account=lambda t: "small " + t["account"])
        tables.append(table := pd.concat([big, small]))
        files.append(tmp_path / f"{house}.npz")
        made = share(table, ["revenue", "likes"], files[-1], house=house, by="account", salt=SALT)
        assert f"(5 accounts of {house} merged)" in made.keys
    for same in (True, False):
        together = pool(files, same_accounts=same)
        assert together.accounts == (8 if same else 14)
        assert together.merged == 8
    whole = sum(
        Moments.from_frame(table, ["revenue", "likes"], by="account").within().sum(axis=0) for table in tables
    )
    np.testing.assert_allclose(together.within().sum(axis=0), whole, rtol=1e-10)
    # two rows of one account among single ones: the products within are their difference
    alone = pd.DataFrame(
        {"account": [*(f"s{i}" for i in range(11)), "s0"], "revenue": rng.lognormal(8, 0.3, 12)}
    )
    with pytest.raises(DataError, match="fewer than 10 rows of merged accounts have a neighbour"):
        share(pd.concat([big, alone]), ["revenue"], tmp_path / "x.npz", house="x", by="account", salt=SALT)


def test_what_is_asked_of_a_house(tmp_path):
    table, path = panel(groups=3), tmp_path / "a.npz"
    with pytest.raises(
        DataError, match=r"accounts go out as hashes, which need a salt: none.*secrets\.token_hex"
    ):
        share(table, ["revenue"], path, house="north", by="account")
    with pytest.raises(DataError, match="need a salt: 3 characters"):
        share(table, ["revenue"], path, house="north", by="account", salt="abc")
    with pytest.raises(DataError, match="says whose it is: house=''"):
        share(table, ["revenue"], path, house="", by="account", salt=SALT)
    with pytest.raises(DataError, match="cells of few rows would give rows away: least=3"):
        share(table, ["revenue"], path, house="north", by="account", salt=SALT, least=3)
    assert not path.exists()
    whole = share(table, ["revenue"], path, house="north")
    assert (whole.accounts, whole.keys.tolist()) == (1, [""])


def test_what_a_file_says_of_itself_is_checked(tmp_path):
    path = tmp_path / "a.npz"
    share(panel(groups=3), ["revenue"], path, house="north", by="account", salt=SALT)
    with np.load(path) as file:
        arrays = dict(file)
    head = json.loads(arrays["head"].tobytes())
    for odd in ({"house": "x"}, {**head["shared"], "first": 3}, {**head["shared"], "extra": 1}, "north"):
        arrays["head"] = np.frombuffer(json.dumps({**head, "shared": odd}).encode(), np.uint8)
        np.savez(path, **arrays)
        with pytest.raises(EngineError, match="cannot read moments"):
            pool([path, path])


def test_bare_sums_are_looked_at_too():
    """What sums alone show is refused in any file that comes: constants of any coding, rare flags, copies."""
    for columns, said in (
        ({"x": [2.0] * 10 + [1.0] * 10, "y": rng.normal(size=20)}, "'x' is the same in every row"),
        ({"x": np.r_[1, 1, np.zeros(18)], "y": rng.normal(size=20)}, "fewer than 3 ones or 3 zeros"),
        ({"x": (v := rng.normal(size=20)), "y": 3 - 2 * v}, "'y' follows from 'x'"),
    ):
        by = ["a"] * 10 + ["b"] * 10 if "same" in said else ["a"] * 20
        m = Moments.from_frame(pd.DataFrame({"account": by, **columns}), ["x", "y"], by="account")
        with pytest.raises(DataError, match=said):
            check_disclosure(m)


def test_the_rows_of_a_large_group_are_not_compared_with_each_other():
    class Watched(np.ndarray):
        compared = 0

        def __array_ufunc__(self, ufunc, method, *inputs, out=(), **how):
            Watched.compared += ufunc is np.equal
            plain = [each.view(np.ndarray) if isinstance(each, Watched) else each for each in (*inputs, *out)]
            how |= {"out": tuple(plain[len(inputs) :])} if out else {}
            return getattr(ufunc, method)(*plain[: len(inputs)], **how)

    table = np.random.default_rng(1).normal(10, 1, (2000, 3))
    table[:, 2] = table[:, 0] > 10
    check_rows(table.view(Watched), np.zeros(2000, dtype=int), ["x", "y", "flag"], 20)
    assert 0 < Watched.compared < 20
