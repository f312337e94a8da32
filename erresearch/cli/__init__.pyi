from erresearch.cli.__main__ import main as main
