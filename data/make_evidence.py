"""Make the evidence packs in `data/evidence/` from the rows of the data sets that claims name.

Usage: ``ERRESEARCH_DATA_DIR=folder python data/make_evidence.py``. A pack holds sums over many rows and finished
estimates, never a row; which claims it answers and how stands in `data/claims.toml`.
"""

from __future__ import annotations

from pathlib import Path

from erresearch.claims.packing import make_pack, names_to_pack
from erresearch.claims.packs import write_pack

FOLDER = Path(__file__).resolve().parent / "evidence"

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name in names_to_pack():
        pack = make_pack(name)
        print(pack, "->", write_pack(pack, FOLDER / f"{name}.npz").name)
