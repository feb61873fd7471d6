"""Makes the quantised graphs of OpenCV's model zoo loadable by onnxruntime.

They were written for OpenCV's own reader and break ONNX in two ways: where a tensor has one scale
for all its values, its `DequantizeLinear` still names an axis and a block size; and weights that
were replaced by quantised ones are still listed, as inputs that nobody gives. What the graph
computes is not changed.
"""

import math

import numpy as np

_AN_AXIS = ("block_size", "axis")

IR_VERSION = 10
"""ONNX's file version in which block-wise quantisation is defined (opset 21)."""


def repaired(data: bytes) -> bytes:
    """The same graph as a file that follows ONNX.

    Args:
        data: a trusted file: its digest was compared before.

    Raises:
        ImportError: the package `onnx` is not installed.
    """
    import onnx  # noqa: PLC0415 - optional, and used once
    from onnx import numpy_helper  # noqa: PLC0415

    model = onnx.load_from_string(data)
    graph = model.graph
    constants = {each.name: each for each in graph.initializer}
    for node in graph.node:
        if node.op_type != "DequantizeLinear":
            continue
        if math.prod(constants[node.input[1]].dims) == 1:
            kept = [each for each in node.attribute if each.name not in _AN_AXIS]
            del node.attribute[:]
            node.attribute.extend(kept)
            for name in node.input[1:]:
                value = np.asarray(numpy_helper.to_array(constants[name])).reshape(())
                constants[name].CopyFrom(numpy_helper.from_array(value, name))
    used = {name for node in graph.node for name in node.input}
    made = {name for node in graph.node for name in node.output}
    given = [each for each in graph.input if each.name in used - made - constants.keys()]
    del graph.input[:]
    graph.input.extend(given)
    weights = [each for each in graph.initializer if each.name in used]
    del graph.initializer[:]
    graph.initializer.extend(weights)
    del graph.value_info[:]
    model.ir_version = IR_VERSION
    written: bytes = model.SerializeToString()
    return written


def of_any_size(data: bytes) -> bytes:
    """The same detector for pictures of any size.

    Its layers are convolutions; only its exporter wrote down one size.

    Args:
        data: as `repaired` makes it.

    Raises:
        ImportError: the package `onnx` is not installed.
    """
    import onnx  # noqa: PLC0415 - as above

    model = onnx.load_from_string(data)
    (picture,) = model.graph.input
    height, width = picture.type.tensor_type.shape.dim[2:]
    height.dim_param, width.dim_param = "height", "width"
    for answer in model.graph.output:
        answer.type.tensor_type.shape.dim[1].dim_param = f"{answer.name}_cells"
    written: bytes = model.SerializeToString()
    return written
