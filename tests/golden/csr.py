"""Graphs as SciPy saves them -> csr.safetensors: the bytes of an .npz file under "file/NAME", and what SciPy says is in it under
"indptr/NAME", "indices/NAME", "data/NAME" and "shape/NAME".
"""
import io

import numpy as np
import scipy.sparse as sp
from safetensors.numpy import save_file

from place import values

out = {}
# Rows of 2, 0, 3 and 1 entries, unsorted, an explicit zero among them.
data, indices, indptr = [0.25, 0.0, 0.5, 1.0, 0.125, 3.0], [3, 1, 3, 0, 1, 2], [0, 2, 2, 5, 6]


def matrix(dtype, index):
    g = sp.csr_matrix((np.array(data, dtype), np.array(indices), np.array(indptr)), shape=(4, 4))
    g.indices, g.indptr = g.indices.astype(index), g.indptr.astype(index)
    return g


def add(name, g, compressed):
    file = io.BytesIO()
    sp.save_npz(file, g, compressed=compressed)
    out["file/" + name] = np.frombuffer(file.getvalue(), np.uint8)
    if name.startswith("refused"):
        return
    for part in ["indptr", "indices"]:
        out[f"{part}/{name}"] = getattr(g, part).astype(np.int64)
    out["data/" + name] = g.data.astype(np.float64)
    out["shape/" + name] = np.array(g.shape, np.int64)


for compressed in [True, False]:
    how = "deflated" if compressed else "stored"
    for dtype in [np.float32, np.float64, np.float16, np.int8, bool]:
        for index in [np.int32, np.int64]:
            add(f"{how} {np.dtype(dtype).name} {np.dtype(index).name}", matrix(dtype, index), compressed)
add("array", sp.csr_array(matrix(np.float32, np.int32)), True)
add("empty", sp.csr_matrix((3, 5), dtype=np.float32), True)
add("refused csc", matrix(np.float32, np.int32).tocsc(), True)
add("refused coo", matrix(np.float32, np.int32).tocoo(), True)
add("refused complex", matrix(np.complex64, np.int32), True)

save_file(out, values("csr"))
