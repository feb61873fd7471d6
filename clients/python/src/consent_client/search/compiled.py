"""Functions compiled for the processor they run on, and kept for the next process.

numba writes what it compiled beside the module, or into the user's cache folder where it may not
(`NUMBA_CACHE_DIR` names another). It reads these files as Python reads its own `.pyc`: nobody else
should be able to write there. Where neither can be written, each process compiles for itself.

A compiled function is found again by its own module's time of change only: what it calls belongs
into the same module, or into one that hardly changes.
"""

from collections.abc import Callable
from typing import cast

from consent_client.errors import MissingExtra

try:
    import numba
except ModuleNotFoundError as missing:
    raise MissingExtra("searching needs numba: install consent-client[search]", "search") from (
        missing
    )


def compiled[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Compiles at the first call, without holding the GIL and with the same results every time."""
    try:
        kernel = numba.njit(function, nogil=True, cache=True)
    except RuntimeError:  # numba found no folder that it may write to
        kernel = numba.njit(function, nogil=True)
    return cast("Callable[P, R]", kernel)
