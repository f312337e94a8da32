"""Named tables with a licence, a hash and an account of every row.

`load` reads one, `catalog` lists them, `dataset_card` describes one without reading it, `verify` checks the
copy on this machine, `join_films` joins the two sets of films. What is registered stands in
``data/datasets.toml``; no row of a set that others own is part of this project.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from erresearch.datasets.places import Where, cache_folder, data_folder, find, look
from erresearch.datasets.reading import read
from erresearch.datasets.registry import Column, Dataset, dataset_card, registered
from erresearch.errors import EngineError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Column", "Dataset", "Verified", "catalog", "dataset_card", "join_films", "load", "verify"]


@dataclass(frozen=True, slots=True)
class Verified:
    """A copy that was read whole and is what the registry says.

    Attributes
    ----------
    name : str
        Data set.
    file : str
        Name of the file.
    where : str
        ``embedded``, ``data dir`` or ``cached``.
    sha256 : str
        Hash of the file.
    checked_by : str
        ``sha256``, or ``column sums`` for a copy saved anew.
    rows : int
        Rows after the exclusions.
    """

    name: str
    file: str
    where: Where
    sha256: str
    checked_by: str
    rows: int

    def __str__(self) -> str:
        """One sentence."""
        return f"{self.name}: {self.rows:,} rows in {self.file} ({self.where}), checked by {self.checked_by}."


def load(name: str) -> pd.DataFrame:
    """Load a registered data set.

    It is looked for with the package or one of its dependencies, in the folder named by the environment
    variable ``ERRESEARCH_DATA_DIR``, in the cache (``ERRESEARCH_CACHE_DIR``, else the system's), and at last on
    the network, with a progress bar. Every copy is checked before its rows are used.

    Parameters
    ----------
    name : str
        A name of `catalog`.

    Returns
    -------
    pandas.DataFrame
        Clean rows with plain numpy types (a whole-number column with gaps is float64). ``.attrs["erresearch"]``
        is the account as a plain dict: rows in the file, excluded by reason, kept, missing, mended, counted,
        duplicates, units, licence, hash and quirks.

    Raises
    ------
    UnknownNameError
        If there is no such data set.
    EngineError
        If no copy is to be had, a copy is not the file registered, or the cache cannot be written.
    ColumnError, DataError
        If the columns or values of a copy saved anew are not those registered.

    Examples
    --------
    >>> films = load("movies")
    >>> films.shape
    (2754, 23)
    >>> films.attrs["erresearch"]["excluded"]
    {'no box-office figure': 14712, 'box-office figure under 1,000 USD': 6}
    """
    dataset = dataset_card(name)
    found = find(dataset, check=lambda fetched: read(dataset, fetched))
    frame, account = read(dataset, found)
    frame.attrs["erresearch"] = account
    return frame


def catalog() -> pd.DataFrame:
    """Every registered data set, one row each. Nothing is read or fetched.

    Returns
    -------
    pandas.DataFrame
        ``name``, ``title``, ``unit``, ``n``, ``randomised``, ``where`` (embedded, data dir, cached or to
        download), ``distance`` to purchase, ``licence``.

    Raises
    ------
    EngineError
        If ``ERRESEARCH_DATA_DIR`` names no folder.

    Examples
    --------
    >>> table = catalog()
    >>> table.loc[table["randomised"], "name"].tolist()
    ['hillstrom']
    >>> table.set_index("name").loc["movies", "where"]
    'embedded'
    """
    import pandas as pd

    sets = registered().values()
    return pd.DataFrame(
        [
            {
                "name": dataset.name,
                "title": dataset.title,
                "unit": dataset.unit,
                "n": dataset.n,
                "randomised": dataset.randomised,
                "where": _where(dataset),
                "distance": dataset.distance,
                "licence": dataset.licence,
            }
            for dataset in sets
        ]
    )


def verify(name: str) -> Verified:
    """Read the copy on this machine whole and compare it with the registry. Nothing is fetched.

    Parameters
    ----------
    name : str
        A name of `catalog`.

    Returns
    -------
    Verified
        What was checked, and by what.

    Raises
    ------
    UnknownNameError
        If there is no such data set.
    EngineError
        If there is no copy, or it is not what was registered.

    Examples
    --------
    >>> print(verify("movies"))
    movies: 2,754 rows in movies.db (embedded), checked by sha256.
    """
    dataset = dataset_card(name)
    found = look(dataset)
    if found is None:
        raise EngineError(
            f"there is no copy of data set {name!r} on this machine to verify",
            fix=f"load it once, or put {dataset.sources[0].file!r} into a folder named in ERRESEARCH_DATA_DIR",
        )
    frame, account = read(dataset, found)
    if len(frame) != dataset.n:
        raise EngineError(
            f"data set {name!r} has another number of rows than registered",
            got=f"{len(frame):,}",
            allowed=f"{dataset.n:,}",
            fix="look at .attrs['erresearch'] of the loaded table for the rows excluded",
        )
    return Verified(name, found.source.file, found.where, found.sha256, account["checked_by"], len(frame))


def join_films() -> pd.DataFrame:
    """Join `csm-movies` with `fandango` by title: reactions at every distance from the ticket, and the gross.

    Titles are compared without regard to case. Years are not compared: Fandango dates some films by their wide
    release, a year later.

    Returns
    -------
    pandas.DataFrame
        One row per film in both sets (84), the columns of `csm-movies` and then those of `fandango`, whose year
        is ``fandango_year``. ``.attrs["erresearch"]`` tells what did not join and the units of all columns.

    Raises
    ------
    EngineError
        If one of the two sets is not to be had.

    Examples
    --------
    >>> [column.name for column in dataset_card("fandango").columns if column.distance == 1]
    ['fandango_stars', 'fandango_rating', 'fandango_votes']
    """
    csm, fandango = load("csm-movies"), load("fandango")
    right = fandango.rename(columns={"year": "fandango_year", "title": "fandango_title"})
    joined = csm.assign(_title=csm["title"].str.casefold()).merge(
        right.assign(_title=right["fandango_title"].str.casefold()), on="_title", validate="one_to_one"
    )
    joined = joined.drop(columns=["_title", "fandango_title"])
    accounts: list[dict[str, Any]] = [csm.attrs["erresearch"], fandango.attrs["erresearch"]]
    joined.attrs = {
        "erresearch": {
            "name": "csm-movies with fandango",
            "joined_from": [account["name"] for account in accounts],
            "rows": len(joined),
            "not_joined": {account["name"]: account["rows"] - len(joined) for account in accounts},
            "another_year": int((joined["year"] != joined["fandango_year"]).sum()),
            "columns": accounts[1]["columns"] | accounts[0]["columns"],
            "sha256": {account["name"]: account["sha256"] for account in accounts},
            "randomised": False,
            "licence": "CC BY 4.0",
            "citation": "; ".join(account["citation"] for account in accounts),
        }
    }
    return joined


def _where(dataset: Dataset) -> str:
    if dataset.embedded:
        return "embedded"
    for folder, word in ((data_folder(), "data dir"), (cache_folder(), "cached")):
        if folder is not None and any((folder / source.file).is_file() for source in dataset.sources):
            return word
    return "to download"
