#!/usr/bin/env bash
# Guess: safetensors.numpy writes any NumPy array right, whatever its order in memory, or refuses it as safetensors.torch does.
# Really: since 0.8.0 save and save_file take the bytes from where the array begins and ignore its strides: a transposed matrix, pictures turned
# from NHWC to NCHW or the first columns of a table are written with the right shape, type and size and values in a wrong order, or other
# columns' values. 0.7.0 wrote them all right. The docstring asks for contiguous arrays, which Fortran order is; nothing is checked, and sums and
# means of a transposed array stay right, so that a quick look finds nothing.
# Meets: whoever exports embeddings (scikit-learn's PCA gives Fortran order), weights transposed for another framework, or pictures from NumPy.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check safetensors==0.8.0 numpy==2.4.6
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check --no-deps --target "$place/before" safetensors==0.7.0
cd "$place"
cat >look.py <<'PYTHON'
import sys

import numpy as np
import safetensors
from safetensors.numpy import load_file, save_file

x = np.random.default_rng(0).standard_normal((6, 4), dtype=np.float32)
pictures = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
arrays = {
    "in C order": x,
    "transposed": x.T,
    "in Fortran order": np.asfortranarray(x),
    "pictures, NHWC to NCHW": pictures.transpose(0, 3, 1, 2),
    "first two columns": x[:, :2],
}
print("safetensors", safetensors.__version__)
right = []
for name, array in arrays.items():
    save_file({"a": array}, "a.safetensors")
    back = load_file("a.safetensors")["a"]
    assert back.shape == array.shape and back.dtype == array.dtype
    right.append(bool(np.array_equal(back, array)))
    same = bool(np.array_equal(np.sort(back, axis=None), np.sort(array, axis=None)))
    print(f"  {name:22} {array.shape} read as {back.shape}: equal {right[-1]}, equal values in some order {same}")
assert right == ([True] + [False] * 4 if sys.argv[1] == "wrong" else [True] * 5)
PYTHON
venv/bin/python -W ignore look.py wrong
PYTHONPATH=before venv/bin/python -W ignore look.py right
# Seen on Debian 12, Python 3.11, amd64:
#   safetensors 0.8.0
#     in C order             (6, 4) read as (6, 4): equal True, equal values in some order True
#     transposed             (4, 6) read as (4, 6): equal False, equal values in some order True
#     in Fortran order       (6, 4) read as (6, 4): equal False, equal values in some order True
#     pictures, NHWC to NCHW (2, 3, 8, 8) read as (2, 3, 8, 8): equal False, equal values in some order True
#     first two columns      (6, 2) read as (6, 2): equal False, equal values in some order False
#   safetensors 0.7.0
#     in C order             (6, 4) read as (6, 4): equal True, equal values in some order True
#     transposed             (4, 6) read as (4, 6): equal True, equal values in some order True
#     in Fortran order       (6, 4) read as (6, 4): equal True, equal values in some order True
#     pictures, NHWC to NCHW (2, 3, 8, 8) read as (2, 3, 8, 8): equal True, equal values in some order True
#     first two columns      (6, 2) read as (6, 2): equal True, equal values in some order True
