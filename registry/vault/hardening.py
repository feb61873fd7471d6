"""Fingerprints and keys are plain in this process's memory: no crash shall carry them out of it."""

import ctypes
import resource
import sys
from typing import Final

_PR_SET_DUMPABLE: Final = 4  # linux/prctl.h


def disable_core_dumps() -> None:
    """No core dump of this process, and on Linux no reading of its memory by the same user.

    Raises:
        OSError: the system refuses.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_DUMPABLE) was refused")
