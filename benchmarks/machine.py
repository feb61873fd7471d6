"""The machine that figures were measured on, and how busy it was with other things."""

import os
import platform
from pathlib import Path

import faiss
import psutil

# What matching is made faster by, as Linux calls it.
_FLAGS = ("avx2", "f16c", "fma", "avx512f", "avx512_vpopcntdq", "avx512_vnni", "sha_ni", "vaes")


def description() -> str:
    """Processor, memory and versions, in a sentence."""
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{psutil.cpu_count()} cores ({_processor()}; {' '.join(_flags()) or 'flags unknown'}), "
        f"{memory:.0f} GiB of memory, {platform.system()}, Python {platform.python_version()}, "
        f"faiss {faiss.__version__}."
    )


def load() -> str:
    """How many programs wanted a core in the last minute; ours are among them."""
    return f"load average {os.getloadavg()[0]:.1f}"


def _processor() -> str:
    return _cpuinfo("model name") or platform.machine()


def _flags() -> list[str]:
    present = set(_cpuinfo("flags").split())
    return [flag for flag in _FLAGS if flag in present]


def _cpuinfo(field: str) -> str:
    """A field of Linux's description of the first core; empty elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    values = (line.partition(":")[2].strip() for line in lines if line.startswith(field))
    return next(values, "")
