"""The command `consent`: `main` runs it."""

from consent_client.cli.app import main

__all__ = ["main"]
