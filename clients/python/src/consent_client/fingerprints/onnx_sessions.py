"""How every model is run: one thread for each call, from bytes, and nobody is told about it.

Official builds of onnxruntime report their use to Microsoft unless they are told not to (its
`Privacy.md`). What is computed of people's pictures on their own device is nobody's business: it is
switched off before the library is loaded, the last moment at which nothing was sent and no
identifier was made. This module is the only place that loads it.
"""

import os
from enum import StrEnum
from typing import Any, Final

from consent_client.errors import MissingExtra

NO_REPORTS: Final = "ORT_DISABLE_TELEMETRY"
"""The variable that onnxruntime looks at when it is loaded."""

_FATAL_ONLY: Final = 4  # onnxruntime's log severity: what it would print, an exception says as well


class Provider(StrEnum):
    """On what models run."""

    CPU = "cpu"
    CUDA = "cuda"
    """An NVIDIA GPU; needs a build of onnxruntime that has it."""


_PROVIDERS: Final = {
    Provider.CPU: "CPUExecutionProvider",
    Provider.CUDA: "CUDAExecutionProvider",
}


def start_session(data: bytes, provider: Provider = Provider.CPU) -> Any:
    """A session of onnxruntime over the bytes of an ONNX file.

    Args:
        data: the file.
        provider: on what it runs. What a GPU's session can not run of a graph, the CPU runs.

    Raises:
        ImportError: onnxruntime is not installed.
        MissingExtra: this onnxruntime has no such provider, or it did not start.
        Exception: of many kinds, which have no common root: not a model that can be run.
    """
    os.environ[NO_REPORTS] = "1"
    import onnxruntime  # noqa: PLC0415 - optional, and only after the line above

    onnxruntime.disable_telemetry_events()  # where somebody else had loaded it before
    options = onnxruntime.SessionOptions()
    # One thread for each call: a batch runs on as many as its caller has workers.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    # The arena keeps the most that was ever used, and its lock costs two threads a seventh.
    options.enable_cpu_mem_arena = False
    options.log_severity_level = _FATAL_ONLY
    # From bytes, so that a hostile file can not name other files to read.
    name = _PROVIDERS[provider]
    if name not in onnxruntime.get_available_providers():
        raise _missing(provider)
    wanted = list(dict.fromkeys([name, _PROVIDERS[Provider.CPU]]))
    session = onnxruntime.InferenceSession(data, options, providers=wanted)
    if name not in session.get_providers():  # it falls back in silence where a library is missing
        raise _missing(provider)
    return session


def _missing(provider: Provider) -> MissingExtra:
    return MissingExtra(
        f"models can not run on {provider.value} here: it needs the device, its drivers and a "
        "build of onnxruntime for it (onnxruntime-gpu)",
        "sscd",
    )
