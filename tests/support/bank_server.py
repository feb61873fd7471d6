"""`consent-registry serve` with another specificity bank, from the file that TEST_BANK names.

The server is the real one; only the bank that comes with it is replaced, before its processes are
forked.
"""

import os

import numpy as np

from registry import cli
from registry.matching.specificity import Bank, Breadth
from registry.services import running

FILE = "TEST_BANK"


def bank_in(path: str) -> Bank:
    """The bank in an npz file: arrays `sscd` and `pdq`; more than five alike is too many."""
    with np.load(path) as arrays:
        return Bank(
            1,
            {"sscd-1": arrays["sscd"]},
            {"pdq-1": arrays["pdq"]},
            Breadth(similarity=0.30, radius=31, most=5),
        )


if __name__ == "__main__":
    bank = bank_in(os.environ[FILE])
    running.packaged_bank = lambda: bank
    cli.main()
