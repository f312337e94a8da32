"""The command line: ``erresearch reproduce | audit | plan | wager | judge | inspect | …``.

It ends with 0 where all is well; with 1 where a verdict or a printed digit differs from the expected ones, a deposited
hash is not that of the plan, or a notebook failed; with 2 where the input is at fault or nothing could be printed, which
one line on standard error then says; with 130 after an interrupt (143 where it was told to end, 129 where its terminal
was closed). The commands are imported once interrupts are looked after.
"""

from __future__ import annotations

from erresearch.io import names_at_first_use

__getattr__, __dir__, __all__ = names_at_first_use(__name__, __file__)
