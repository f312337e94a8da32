"""Sentences from sources, judged: the registry of claims, the words of a verdict, the board."""

from erresearch.claims.board import embedded, evidence_for, examine
from erresearch.claims.evidence import Evidence
from erresearch.claims.judge import judge, not_judged
from erresearch.claims.registry import (
    Claim,
    DataSetNote,
    claim_named,
    claims_path,
    claims_sha256,
    read_claims,
)
from erresearch.claims.words import word_of

__all__ = [
    "Claim",
    "DataSetNote",
    "Evidence",
    "claim_named",
    "claims_path",
    "claims_sha256",
    "embedded",
    "evidence_for",
    "examine",
    "judge",
    "not_judged",
    "read_claims",
    "word_of",
]
