"""Bytes and rules of the consent registry, pure: values in, values out, no input or output.

Client and server share this package, so that whoever holds the client can check what the server
does, and nothing is defined twice. Every parser refuses what is not canonical with one typed
`consent_client.errors.ProtocolError` and raises nothing else.

| module | holds |
|---|---|
| `encoding` | integers, length-prefixed strings, bitmaps, base64: what all the others are made of |
| `origins` | the name of a registry |
| `spaces` | the fingerprint spaces and their limits |
| `fingerprints` | the list of an image's fingerprints and its digest F |
| `keys` | recovery phrase, owner keys, Ed25519 |
| `statements` | what a person states about an image |
| `records` | commitment, signed messages, a record's content, the registration request |
| `sealing` | HPKE to the registry, and its published sealing keys |
| `notes` | C2SP signed notes |
| `verdicts` | how stances combine into the answer a builder gets |
| `screening` | columns of candidates |
| `log` | log entries and bundles of them |
| `merkle` | the tree over the entries: roots, inclusion and consistency proofs |
| `tiles` | that tree and the entries as static files: C2SP tlog-tiles |
| `checkpoints` | what a log says its tree is |
| `cosignatures` | what witnesses say about a checkpoint |
| `policies` | whose word is enough for a checkpoint |
| `tlog_proofs` | a proof that an entry is in a log, to be checked without the log |
| `receipts` | such a proof for an owner's record |
"""
