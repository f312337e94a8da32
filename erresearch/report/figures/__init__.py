"""Pictures of results. Each takes results and returns matplotlib axes; none estimates anything.

Examples
--------
>>> from matplotlib.figure import Figure
>>> from erresearch.report.figures import forest, theme
>>> from erresearch.results import Estimate, Interval
>>> talk = Estimate("talk", value=0.31, se=0.045, df=39, interval=Interval(0.22, 0.40), n_rows=4160, n_accounts=40)
>>> with theme():
...     ax = forest([talk], ax=Figure().subplots())
>>> ax.get_title(loc="left")
'talk lies above 0'
"""

from __future__ import annotations

from erresearch.io import names_at_first_use

__getattr__, __dir__, __all__ = names_at_first_use(__name__, __file__)
