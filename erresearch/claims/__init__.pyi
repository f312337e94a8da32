from erresearch.claims.board import evidence_for as evidence_for, examine as examine, real_rows as real_rows
from erresearch.claims.decision_rule import (
    Evidence as Evidence,
    judge as judge,
    not_judged as not_judged,
    word_of as word_of,
)
from erresearch.claims.disclosure import check_disclosure as check_disclosure, merge_small as merge_small
from erresearch.claims.packing import Pack as Pack, embedded as embedded, verify_pack as verify_pack
from erresearch.claims.registry import (
    Claim as Claim,
    DataSetNote as DataSetNote,
    claim_named as claim_named,
    claims_path as claims_path,
    claims_sha256 as claims_sha256,
    read_claims as read_claims,
)
from erresearch.claims.sharing import (
    Finding as Finding,
    combine as combine,
    pool as pool,
    read_findings as read_findings,
    share as share,
)
