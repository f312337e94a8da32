from erresearch.panel.activity import BOOSTED as BOOSTED
from erresearch.panel.build import build_panel as build_panel
from erresearch.panel.records import Panel as Panel, RowAccounting as RowAccounting, Rules as Rules
