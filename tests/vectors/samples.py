"""The one well-formed example that vectors and corruptions are made from."""

import reference as ref

ORIGIN = "registry.example/2026"
SEED = ref.fixed("seed", 16)
OWNER = ref.owner(SEED, ORIGIN, 0)
OTHER_OWNER = ref.owner(SEED, ORIGIN, 1)
NONCE = ref.fixed("nonce", 16)

FINGERPRINTS = {
    "sha256": [ref.fixed("sha256", 32)],
    "pdq-1": [ref.fixed(f"pdq {k}", 32) for k in range(8)],
    "sscd-1": [ref.unit_vector("sscd"), ref.unit_vector("sscd mirrored")],
}
STATEMENT = ref.encode_statement((2, 2, 2, 2), basis=1, given_for=1)
COMMITMENT = ref.commitment(OWNER["opening"], STATEMENT, ref.image_digest(FINGERPRINTS))
CONTENT = ref.encode_content(OWNER["opening"], STATEMENT, FINGERPRINTS)

X25519_PRIVATE = ref.fixed("sealing key x25519", 32)
X_WING_PRIVATE = ref.fixed("sealing key x-wing", 96)

SIGNER_NAME = "registry.example/2026/sealing-keys"
SIGNER_PRIVATE = ref.fixed("note signer", 32)
VKEY = ref.vkey(SIGNER_NAME, ref.ed25519_public(SIGNER_PRIVATE))


def vector(length):
    """An sscd-1 fingerprint of this length."""
    return ref.unit_vector("sscd", length=length)


def seal_info(suite, public, origin=ORIGIN, record_id=OWNER["record_id"], owner=OWNER["public"]):
    return ref.seal_info(origin, ref.sealing_key_id(suite, public), record_id, owner)


X25519_BLOB = ref.seal_x25519(
    CONTENT,
    ref.x25519_public(X25519_PRIVATE),
    seal_info(2, ref.x25519_public(X25519_PRIVATE)),
    ref.fixed("ephemeral", 32),
)

SEALING_KEYS = [
    (1, ref.x_wing_public(X_WING_PRIVATE), 20_000, 20_030),
    (2, ref.x25519_public(X25519_PRIVATE), 20_000, 20_030),
    (2, ref.x25519_public(ref.fixed("older sealing key", 32)), 19_980, 20_010),
]


def signed(text):
    """A note of this text by the sample signer."""
    return ref.sign_note(text, SIGNER_NAME, SIGNER_PRIVATE)


SEALING_NOTE = signed(ref.sealing_keys_text(ORIGIN, SEALING_KEYS))


def registration_json():
    register = ref.message("register", ORIGIN, OWNER["record_id"], COMMITMENT)
    key_id = ref.sealing_key_id(2, ref.x25519_public(X25519_PRIVATE))
    fields = {
        "recordId": OWNER["record_id"],
        "ownerPublicKey": OWNER["public"],
        "commitment": COMMITMENT,
        "signature": ref.ed25519_sign(OWNER["private"], register),
        "sealingKeyId": key_id,
        "sealed": X25519_BLOB,
    }
    return {name: ref.b64(value) for name, value in fields.items()}


_WITHDRAWAL = ref.ed25519_sign(OWNER["private"], ref.message("withdraw", ORIGIN, COMMITMENT))

REGISTER_ENTRY = ref.entry(1, COMMITMENT, OWNER["owner_tag"])
WITHDRAW_ENTRY = ref.entry(2, ref.u64(7), OWNER["public"], _WITHDRAWAL)
SESSION_ENTRY = ref.entry(
    4,
    ref.fixed("builder", 32),
    ref.fixed("manifest", 32),
    ref.u64(100_000_000),
    ref.fixed("terms", 32),
)
CLOSE_ENTRY = ref.entry(5, ref.u64(12), ref.u64(13), ref.fixed("results", 32))
CERTIFY_ENTRY = ref.entry(6, ref.u64(12), ref.fixed("certificate", 32))
SNAPSHOT_ENTRY = ref.entry(7, ref.u64(3), ref.u64(4096), ref.fixed("snapshot", 32))
DISPUTE_ENTRY = ref.entry(9, ref.u64(7), ref.fixed("dispute", 32), b"\x02\x04")

ENTRIES = [
    (
        1,
        {"commitment": COMMITMENT.hex(), "owner_tag": OWNER["owner_tag"].hex()},
        REGISTER_ENTRY,
    ),
    (
        2,
        {
            "register_index": 7,
            "owner_public_key": OWNER["public"].hex(),
            "signature": _WITHDRAWAL.hex(),
        },
        WITHDRAW_ENTRY,
    ),
    (3, {"register_index": 2**53 - 1, "reason": 5}, ref.entry(3, ref.u64(2**53 - 1), b"\x05")),
    (
        4,
        {
            "builder": ref.fixed("builder", 32).hex(),
            "commitment": ref.fixed("manifest", 32).hex(),
            "count": 100_000_000,
            "terms": ref.fixed("terms", 32).hex(),
        },
        SESSION_ENTRY,
    ),
    (
        5,
        {
            "session_index": 12,
            "least_log_size": 13,
            "results_root": ref.fixed("results", 32).hex(),
        },
        CLOSE_ENTRY,
    ),
    (6, {"session_index": 12, "digest": ref.fixed("certificate", 32).hex()}, CERTIFY_ENTRY),
    (
        7,
        {
            "serial": 3,
            "log_size": 4096,
            "manifest_digest": ref.fixed("snapshot", 32).hex(),
        },
        SNAPSHOT_ENTRY,
    ),
    (8, {"day": 20_000}, ref.entry(8, (20_000).to_bytes(4))),
    (
        9,
        {
            "register_index": 7,
            "reference": ref.fixed("dispute", 32).hex(),
            "outcome": 2,
            "reason": 4,
        },
        DISPUTE_ENTRY,
    ),
]
