"""Which action matters: the mix of actions beside their total."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from erresearch.results.fits import Fit
from erresearch.results.numbers import Estimate, escape, plain

__all__ = ["Mix"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Mix:
    """How an outcome moves with the total of some actions and with their mix.

    Parameters
    ----------
    outcome : str
        Left-hand side.
    total : Estimate
        Coefficient of the log of the total: more of everything in the same mix.
    actions : mapping of str to Estimate
        Coefficient of each action's log ratio to the geometric mean of the others, the total held: more of this
        action instead of the others. They sum to 0.
    adjusted : mapping of str to float
        Holm's p-value of each action, all actions together.
    shares : mapping of str to float
        Share of each action in the total of all rows.
    replaced : mapping of str to int
        Zeros of each action that were replaced.
    fit : Fit
        The regression in isometric log-ratios behind them.
    method : str
        Estimator, rule for zeros and correction in words.
    """

    outcome: str
    total: Estimate
    actions: Mapping[str, Estimate]
    adjusted: Mapping[str, float]
    shares: Mapping[str, float]
    replaced: Mapping[str, int]
    fit: Fit
    method: str

    def __repr__(self) -> str:
        """Say what `str` says: short, and the same on every machine."""
        return str(self)

    def __str__(self) -> str:
        """The total, then a line per action."""
        zeros = ", ".join(f"{n:,} of {name}" for name, n in self.replaced.items() if n) or "none"
        lines = [
            f"{self.outcome}: {self.method}; {self.fit.n_rows:,} rows, zeros replaced: {zeros}",
            f"  {self.total.name}: {plain(self.total.value)} {self.total.interval}",
        ]
        for name, estimate in self.actions.items():
            lines.append(
                f"  {estimate.name}: {plain(estimate.value)} {estimate.interval}, Holm p "
                f"{plain(self.adjusted[name])}, share {100 * self.shares[name]:.2f} %"
            )
        return "\n".join(lines)

    def _repr_markdown_(self) -> str:
        head, *_ = str(self).split("\n")
        rows = [f"| {escape(self.total.name)} | {plain(self.total.value)} | {self.total.interval} | | |"]
        rows += [
            f"| {escape(e.name)} | {plain(e.value)} | {e.interval} | {plain(self.adjusted[name])} | "
            f"{100 * self.shares[name]:.2f} % |"
            for name, e in self.actions.items()
        ]
        return "\n".join(
            [
                escape(head),
                "",
                "| | coefficient | interval | Holm p | share |",
                "|---|--:|---|--:|--:|",
                *rows,
            ]
        )
