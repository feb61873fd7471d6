"""How every model is run: one thread for each call, from bytes, and nobody is told about it.

Official builds of onnxruntime report their use to Microsoft unless they are told not to (its
`Privacy.md`). What is computed of people's pictures on their own device is nobody's business: it is
switched off before the library is loaded, the last moment at which nothing was sent and no
identifier was made. This module is the only place that loads it.
"""

import os
from typing import Any, Final

NO_REPORTS: Final = "ORT_DISABLE_TELEMETRY"
"""The variable that onnxruntime looks at when it is loaded."""

_FATAL_ONLY: Final = 4  # onnxruntime's log severity: what it would print, an exception says as well


def start_session(data: bytes) -> Any:
    """A session of onnxruntime over the bytes of an ONNX file.

    Raises:
        ImportError: onnxruntime is not installed.
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
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
