"""A space of one's own: a small network with weights from a seed, and the file that defines it."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from consent_client.fingerprints.onnx_sessions import start_session
from tests.fingerprints import photographs

SPACE = "tiles-768"
DIMENSION = 768
SIDE = 64
CELLS = 16


def model_bytes(seed: int = 7, dimension: int = DIMENSION) -> bytes:
    """float32[1, 3, 64, 64] → `vector` float32[1, dimension] of norm 1.

    Means of 16 x 16 cells and of how they differ from their neighbours (a fixed convolution), less
    the picture's own mean, through one random matrix: light edits change little of that, and two
    photographs have little in common.
    """
    drawn = np.random.default_rng(seed)
    kernels = drawn.standard_normal((6, 3, 3, 3)).astype(np.float32)
    kernels -= kernels.mean(axis=(2, 3), keepdims=True)
    kernels[:3] = 0
    for channel in range(3):
        kernels[channel, channel, 1, 1] = 2.0
    features = 6 * CELLS * CELLS
    matrix = drawn.standard_normal((features, dimension)).astype(np.float32)
    nodes = [
        helper.make_node("AveragePool", ["pixels"], ["cells"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Conv", ["cells", "kernels"], ["maps"], pads=[1, 1, 1, 1]),
        helper.make_node("ReduceMean", ["maps", "axes"], ["means"], keepdims=1),
        helper.make_node("Sub", ["maps", "means"], ["centred"]),
        helper.make_node("Flatten", ["centred"], ["flat"]),
        helper.make_node("Gemm", ["flat", "matrix"], ["raw"]),
        helper.make_node("LpNormalization", ["raw"], ["vector"], axis=1, p=2),
    ]
    graph = helper.make_graph(
        nodes,
        "tiles",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("vector", TensorProto.FLOAT, [1, dimension])],
        [
            numpy_helper.from_array(kernels, "kernels"),
            numpy_helper.from_array(matrix, "matrix"),
            numpy_helper.from_array(np.array([2, 3], np.int64), "axes"),
        ],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(made)
    return made.SerializeToString(deterministic=True)


def definition(model: bytes, **changes: Any) -> dict[str, Any]:
    """What a space file says."""
    value: dict[str, Any] = {
        "kind": "consent-registry/space/v1",
        "id": SPACE,
        "dimension": DIMENSION,
        "threshold": 0.9,
        "finds": "copies whose parts have the same colours",
        "model": {
            "sha256": hashlib.sha256(model).hexdigest(),
            "width": SIDE,
            "height": SIDE,
            "layout": "NCHW",
            "colours": "RGB",
            "scale": 1 / 255,
            "mean": [0.48145466, 0.4578275, 0.40821073],
            "deviation": [0.26862954, 0.26130258, 0.27577711],
            "resize": "bicubic",
            "crop": "none",
            "output": "vector",
            "mirror": True,
        },
    }
    return value | changes


def written(folder: Path, **changes: Any) -> tuple[Path, Path]:
    """Space file and model file in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    model = model_bytes()
    (folder / "tiles.onnx").write_bytes(model)
    space = folder / f"{changes.get('id', SPACE)}.json"
    space.write_text(json.dumps(definition(model, **changes)))
    return space, folder / "tiles.onnx"


def sample_vectors(model: Path, count: int) -> np.ndarray:
    """float32[count, 768]: of square crops of photographs, some mirrored."""
    session = start_session(model.read_bytes())
    about = definition(b"")["model"]
    mean, deviation = (np.array(about[name], np.float32) for name in ("mean", "deviation"))
    drawn = np.random.default_rng(3)
    pixels = [photographs.pixels(which) for which in photographs.ALL]
    vectors = np.empty((count, DIMENSION), np.float32)
    for number in range(count):
        of = pixels[number % len(pixels)]
        side = int(drawn.integers(SIDE, min(of.shape[:2])))
        top, left = (int(drawn.integers(0, edge - side + 1)) for edge in of.shape[:2])
        step = max(1, side // SIDE)
        crop = of[top : top + side : step, left : left + side : step][:SIDE, :SIDE]
        crop = crop if drawn.random() < 1 / 2 else crop[:, ::-1]
        seen = (crop.astype(np.float32) / 255 - mean) / deviation
        given = np.ascontiguousarray(seen.transpose(2, 0, 1)[None], np.float32)
        (vectors[number],) = session.run(["vector"], {"pixels": given})[0]
    return vectors
