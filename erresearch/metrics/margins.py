"""Two margins at once: block × cell effects of a rate, judged by permuting posts within their block."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from erresearch.errors import DesignError
from erresearch.metrics.intervals import check_level
from erresearch.results import Interval

__all__ = ["Joint", "cell_effects", "permuted", "spread"]

_STEPS = 500
_CLOSE = 1e-7
# block × cell × permutation numbers held at once
_HELD = 2_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Joint:
    """Reference distribution of one of many effects: the largest |t| of all of them under permutation.

    Parameters
    ----------
    value, se : float
        The effect and its standard deviation under permutation.
    largest : (permutations,) ndarray
        Largest |t| of each permutation.

    Examples
    --------
    >>> Joint(3.0, 1.0, np.linspace(0, 2, 999)).pvalue()
    0.001
    """

    value: float
    se: float
    largest: np.ndarray

    def critical(self, level: float) -> float:
        """Quantile of the largest |t|."""
        return float(np.quantile(self.largest, check_level(level)))

    def interval(self, level: float) -> Interval:
        """Value ± critical·se: holds for all effects at once."""
        half = self.critical(level) * self.se
        return Interval(self.value - half, self.value + half, level)

    def pvalue(self, null: float = 0.0) -> float:
        """Share of permutations whose largest |t| is as large: adjusted for the number of effects."""
        beyond = int(np.sum(self.largest >= abs(self.value - null) / self.se))
        return (beyond + 1) / (len(self.largest) + 1)


def permuted(block: np.ndarray, draws: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Row orders that keep every post in its block, a few hundred at a time; the first is the order as it is.

    Parameters
    ----------
    block : (n,) ndarray of int
        Block of each post.
    draws : int
        Permutations.
    rng : Generator
        Source of chance.

    Yields
    ------
    (m, n) ndarray of int
        Orders.
    """
    n = len(block)
    home = np.argsort(block, kind="stable")
    yield np.arange(n)[None, :]
    chunk = max(1, _HELD // max(1, n))
    for start in range(0, draws, chunk):
        m = min(chunk, draws - start)
        # sorting by block, then by a random number, deals the posts of each block anew
        shuffled = np.lexsort((rng.random((m, n)), np.broadcast_to(block, (m, n))), axis=-1)
        orders = np.empty((m, n), dtype=np.int64)
        orders[:, home] = shuffled
        yield orders


def cell_effects(rates: np.ndarray, block: np.ndarray, code: np.ndarray, cells: int) -> np.ndarray:
    r"""Log cell effects of :math:`\exp(\alpha_{block} + \gamma_{cell})`, the first cell's set to 0.

    Gamma pseudo maximum likelihood: each margin in turn is set to the mean of the rates over the other's fit. Every
    post weighs the same whatever the size of its account, and a rate of 0 is a rate.

    Parameters
    ----------
    rates : (m, n) ndarray
        Rates of n posts, in m orders.
    block, code : (n,) ndarray of int
        Block and cell of each post.
    cells : int
        Number of cells.

    Returns
    -------
    (m, cells) ndarray
        Log effects; −inf for a cell without any reaction.

    Raises
    ------
    DesignError
        If some cells share no block with the others, even through a chain.

    Examples
    --------
    >>> rates = np.array([[1.0, 2.0, 10.0, 20.0]])
    >>> np.exp(cell_effects(rates, np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), 2)).round(3).tolist()
    [[1.0, 2.0]]
    """
    _connected(block, code, cells)
    blocks = int(block.max()) + 1
    index = block * cells + code
    posts = np.bincount(index, minlength=blocks * cells).reshape(blocks, cells).astype(float)
    in_block, in_cell = posts.sum(axis=1), posts.sum(axis=0)
    answers = []
    step = max(1, _HELD // (blocks * cells))
    for start in range(0, len(rates), step):
        part = rates[start : start + step]
        flat = (np.arange(len(part))[:, None] * blocks * cells + index).ravel()
        sums = np.bincount(flat, part.ravel(), len(part) * blocks * cells).reshape(len(part), blocks, cells)
        answers.append(_alternate(sums, in_block, in_cell))
    return np.concatenate(answers)


def _alternate(sums: np.ndarray, in_block: np.ndarray, in_cell: np.ndarray) -> np.ndarray:
    cell = np.ones((len(sums), len(in_cell)))
    with np.errstate(divide="ignore", invalid="ignore"):
        for _ in range(_STEPS):
            share = np.where(cell > 0, 1 / cell, 0.0)
            level = np.einsum("mbc,mc->mb", sums, share) / in_block
            new = np.einsum("mbc,mb->mc", sums, np.where(level > 0, 1 / level, 0.0)) / in_cell
            first = np.where(new[:, :1] > 0, new[:, :1], 1.0)
            new /= first
            moved = np.max(np.abs(new - cell) / np.where(cell > 0, cell, 1.0))
            cell = new
            if moved < _CLOSE:
                break
        return np.log(cell)


def _connected(block: np.ndarray, code: np.ndarray, cells: int) -> None:
    """Refuse cells that no chain of blocks compares with each other."""
    from scipy import sparse
    from scipy.sparse import csgraph

    blocks = int(block.max()) + 1
    edges = sparse.coo_matrix(
        (np.ones(len(code)), (block, blocks + code)), shape=(blocks + cells, blocks + cells)
    )
    _, part = csgraph.connected_components(edges, directed=False)
    parts = len(np.unique(part[blocks:]))
    if parts > 1:
        raise DesignError(
            "some cells never occur in the same account and quarter, so the two cannot be told apart",
            got=f"{parts} groups of cells without an account in common",
            fix="compare only cells that the same accounts used",
        )


def spread(theta: np.ndarray, se: np.ndarray) -> float:
    """DerSimonian and Laird's estimate of the spread of true effects about 0.

    Examples
    --------
    >>> spread(np.array([0.1, -0.1]), np.array([0.2, 0.2]))
    0.0
    """
    weights = 1 / se**2
    excess = float(np.sum(weights * theta**2)) - len(theta)
    return math.sqrt(max(0.0, excess / float(np.sum(weights))))
