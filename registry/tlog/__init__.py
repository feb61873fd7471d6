"""The published log: tiles and signed checkpoints, over a storage that this room defines."""
