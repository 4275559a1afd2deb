#!/usr/bin/env bash
# Guess: Dataset.with_format("numpy") of Hugging Face datasets returns the type that the column has: uint8 images stay uint8.
# Really: every integer array becomes int64 and every floating one float32. uint8 images take eight times the memory, float64
# values lose 29 bits and 2**24 + 1 becomes 2**24; the schema goes on saying uint8 and float64. with_format("numpy", dtype=...)
# is one type for all columns, labels included.
# Meets: whoever stores images and embeddings as columns and maps or hashes them as arrays.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check datasets==5.2.0 numpy==2.4.6
cd "$place"
venv/bin/python -W ignore - <<'PYTHON'
import os
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HOME"] = os.path.abspath("home")
import datasets
import numpy as np

print("datasets", datasets.__version__)
seen = {}
for name in ("uint8", "int32", "int64", "float16", "float32", "float64"):
    table = datasets.Dataset.from_dict({"x": list(np.ones((4, 8, 8), name))})
    row = table.with_format("numpy")[0]["x"]
    seen[name] = str(row.dtype)
    print(f"column {table.features['x'].feature.feature.dtype:8} read as {row.dtype}, {row.nbytes // 64} bytes an element")
exact = datasets.Dataset.from_dict({"x": [np.array([2.0**24 + 1])]}).with_format("numpy")[0]["x"][0]
print("float64 16777217.0 comes back as", float(exact))
assert seen == {"uint8": "int64", "int32": "int64", "int64": "int64", "float16": "float32", "float32": "float32", "float64": "float32"}
assert float(exact) == 2.0**24
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   datasets 5.2.0
#   column uint8    read as int64, 8 bytes an element
#   column int32    read as int64, 8 bytes an element
#   column int64    read as int64, 8 bytes an element
#   column float16  read as float32, 4 bytes an element
#   column float32  read as float32, 4 bytes an element
#   column float64  read as float32, 4 bytes an element
#   float64 16777217.0 comes back as 16777216.0
