"""What builders download: codes of active records, signed, as static files (docs/snapshots.md)."""
