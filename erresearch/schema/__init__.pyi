from erresearch.schema.validation import Notice as Notice, Validated as Validated, validate as validate
from erresearch.schema.vocabulary import (
    ADS as ADS,
    COLUMNS as COLUMNS,
    DAILY as DAILY,
    FOLLOWERS as FOLLOWERS,
    OUTCOMES as OUTCOMES,
    POSTS as POSTS,
    SURVEY as SURVEY,
    TABLES as TABLES,
    Column as Column,
    Rule as Rule,
    TableSchema as TableSchema,
)
