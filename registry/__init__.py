"""The server of the consent registry: `docs/follow-one-record.md` is the way through it."""
