"""Receipts of one's own records: assembled here, and verified before anything is believed.

The registry proves that an entry is in its log; only the owner can say what the entry stands for.
"""

from consent_client.errors import ProtocolError, WrongAnswer
from consent_client.protocol.notes import NoteVerifier
from consent_client.protocol.policies import Policy
from consent_client.protocol.receipts import Receipt, verify_receipt
from consent_client.protocol.tlog_proofs import TlogProof
from consent_client.saved_records import SavedRecord


def receipt_of(record: SavedRecord, proof: str, verifier_key: str) -> Receipt:
    """The receipt of a record, from the registry's proof of its REGISTER entry.

    Args:
        record: with its statement and F; of a recovered one the registry's are taken before.
        proof: a tlog-proof.
        verifier_key: the registry's pinned key, which must have signed the checkpoint.

    Raises:
        WrongAnswer: the proof is none, or does not show this record in the log of this registry.
    """
    if record.statement is None or record.image_digest is None:
        raise WrongAnswer("what this record states is not known here, so there is no receipt")
    try:
        receipt = Receipt(
            record.opening,
            record.statement,
            record.image_digest,
            record.owner_public_key,
            TlogProof.parse(proof),
        )
        verify_receipt(receipt, Policy.of_log(NoteVerifier.parse(verifier_key)))
    except ProtocolError as error:
        raise WrongAnswer(f"the registry's proof does not hold: {error}") from None
    if record.register_index not in {None, receipt.proof.index}:
        raise WrongAnswer("the registry's proof is of another entry")
    return receipt
