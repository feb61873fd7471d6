"""Local first stage of screening: what builders download, checked, and searched.

A snapshot holds short codes of registered works, never a fingerprint and never a face. A code that
is hit makes a candidate, which only the registry can confirm. What can not be trusted or is out of
date raises a `SnapshotError`, and then everything is UNKNOWN. docs/snapshots.md says what a
snapshot tells of those who registered. Needs the extra `snapshots`.
"""
