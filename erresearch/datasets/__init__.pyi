from erresearch.datasets.entries import (
    CodebookColumn as CodebookColumn,
    Dataset as Dataset,
    Verified as Verified,
    dataset_card as dataset_card,
)
from erresearch.datasets.loading import (
    catalog as catalog,
    join_films as join_films,
    load as load,
    unshared_projects as unshared_projects,
    verify as verify,
)
