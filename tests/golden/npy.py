"""Arrays as NumPy writes them -> npy.safetensors: the bytes of a .npy file of every dtype, byte order, index order and
format version under "file/NAME", and its values as float64 in C order under "values/NAME".
"""
import io

import ml_dtypes
import numpy as np
from safetensors.numpy import save_file

from place import values

out = {}


def add(name, array, version=(1, 0)):
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version=version)
    out["file/" + name] = np.frombuffer(file.getvalue(), np.uint8)
    if not name.startswith("refused"):
        out["values/" + name] = np.array(array, np.float64, order="C")  # keeps a scalar one


def numbers(dtype, shape):
    count = int(np.prod(shape))
    if dtype.kind == "f":
        special = [np.finfo(dtype).max, -np.finfo(dtype).tiny, np.finfo(dtype).smallest_subnormal, np.inf, -0.0, 1 / 3]
        return np.resize(special + list(np.linspace(-3, 3, 7)), count).astype(dtype).reshape(shape)
    if dtype.kind == "b":
        return (np.arange(count) % 3 == 1).reshape(shape)
    limits = np.iinfo(dtype)
    far = min(limits.max, 2**53)
    return np.resize([far, max(limits.min, -far), 1, 0, 7], count).astype(dtype).reshape(shape)


shapes = {"row": (5,), "matrix": (3, 4), "box": (2, 3, 4), "scalar": (), "empty": (0, 3), "column": (4, 1)}
for code in ["b1", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8"]:
    for order in "<>" if code[1] != "1" else "<":
        add(f"{order}{code}", numbers(np.dtype(order + code), shapes["matrix"]))
for name, shape in shapes.items():
    for code in ["f4", ">f2", "i8"]:
        add(f"{name} C {code}", numbers(np.dtype(code), shape))
        add(f"{name} F {code}", np.asfortranarray(numbers(np.dtype(code), shape)))
for version in [(1, 0), (2, 0), (3, 0)]:
    add(f"version {version[0]}", numbers(np.dtype("<f4"), (3, 4)), version)
# What is refused by name.
add("refused bfloat16", np.ones(3, ml_dtypes.bfloat16))
add("refused complex", np.ones(3, np.complex64))
add("refused text", np.array(["cat", "dog"]))
add("refused dates", np.array(["2020-01-01"], "datetime64[D]"))
add("refused long double", np.ones(3, np.longdouble))
add("refused structured", np.zeros(3, [("a", "<f4"), ("b", "<i4")]))
add("refused objects", np.array([None, 1], object))

save_file(out, values("npy"))
