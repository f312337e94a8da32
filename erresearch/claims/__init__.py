"""Sentences from sources, judged: the registry of claims, the words of a verdict, the board."""

from erresearch.claims.board import embedded, evidence_for, examine, real_rows
from erresearch.claims.decision_rule import Evidence, judge, not_judged, word_of
from erresearch.claims.disclosure import check_disclosure, merge_small
from erresearch.claims.packing import Pack, verify_pack
from erresearch.claims.registry import (
    Claim,
    DataSetNote,
    claim_named,
    claims_path,
    claims_sha256,
    read_claims,
)
from erresearch.claims.sharing import Finding, combine, pool, read_findings, share

__all__ = [
    "Claim",
    "DataSetNote",
    "Evidence",
    "Finding",
    "Pack",
    "check_disclosure",
    "claim_named",
    "claims_path",
    "claims_sha256",
    "combine",
    "embedded",
    "evidence_for",
    "examine",
    "judge",
    "merge_small",
    "not_judged",
    "pool",
    "read_claims",
    "read_findings",
    "real_rows",
    "share",
    "verify_pack",
    "word_of",
]
