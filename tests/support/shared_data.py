"""Where the photographs and vectors lie that do not travel with the project."""

from pathlib import Path

SHARED = Path(__file__).parents[3] / "shared" / "data"
