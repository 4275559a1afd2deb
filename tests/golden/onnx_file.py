"""A small ONNX file as the onnx package writes it: every kind of field that kith writes. Run from the repository root:
python tests/golden/onnx_file.py"""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

from place import values


def info(name, shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def node(op, inputs, result, **attributes):
    return helper.make_node(op, inputs, [result], name=result, **attributes)


weight = np.arange(2 * 3 * 3 * 3, dtype=np.float32).reshape(2, 3, 3, 3) / 7
constants = {"conv.weight": weight, "scale": np.float32([1.5, -2]), "bias": np.float32([0.25, 1e-20]),
             "mean": np.float32([3, 4]), "var": np.float32([1, 300])}
nodes = [
    node("Conv", ["x", "conv.weight"], "conv", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[200, 2]),
    node("BatchNormalization", ["conv", "scale", "bias", "mean", "var"], "norm", epsilon=1e-5),
    node("Flatten", ["norm"], "y", axis=1),
]
graph = helper.make_graph(nodes, "small", [info("x", ["batch", 3, 400, 2])], [info("y", ["batch", 4])],
                          [numpy_helper.from_array(value, name) for name, value in constants.items()])
model = helper.make_model(graph, producer_name="kith", producer_version="1.2", ir_version=8,
                          opset_imports=[helper.make_opsetid("", 17)])
helper.set_model_props(model, {"first": "1 2", "second": "\u00e4"})
onnx.checker.check_model(model, full_check=True)
save_file({"bytes": np.frombuffer(model.SerializeToString(), np.uint8), **constants}, values("onnx_file"))
