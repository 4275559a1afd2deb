#!/usr/bin/env bash
# Guess: usearch's Index keeps the float32 rows that it is given, as faiss and hnswlib do; get(key) gives them back.
# Really: where dtype is not named, the rows are rounded to bf16 or f16, whichever the processor has instructions for. get says float32
# and differs in the third digit; the order of close neighbours changes, and with exact search as well, since it compares the
# rounded rows.
# Meets: tables of nearest neighbours taken for exact, recall measured against them, features read back from an index.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check usearch==2.26.6 numpy==2.4.6
"$place/venv/bin/python" -W error - <<'PYTHON'
from importlib.metadata import version

import numpy as np
from usearch.index import Index

print("usearch", version("usearch"))
rng = np.random.default_rng(0)
x = (rng.normal(size=64) + 0.1 * rng.normal(size=(3000, 64))).astype(np.float32)  # much alike, as features of one class are
unit = x.astype(np.float64) / np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)
truth = np.argsort(-(unit[:200] @ unit.T), axis=1, kind="stable")[:, :20]
wrong = {}
for dtype in (None, "f32"):
    index = Index(ndim=64, metric="cos") if dtype is None else Index(ndim=64, metric="cos", dtype=dtype)
    index.add(np.arange(len(x)), x)
    back = np.array([index.get(key) for key in range(100)])
    found = index.search(x[:200], 20, exact=True).keys
    agree = np.mean([len(set(a) & set(b)) / 20 for a, b in zip(found.tolist(), truth.tolist())])
    wrong[dtype] = float(np.abs(back - x[:100]).max())
    print(f"dtype {dtype}: kept as {index.dtype}, get gives {back.dtype}, off by up to {wrong[dtype]:.2g}; of the true 20 neighbours {agree:.1%}")
    if dtype is None:
        assert agree < 0.99
    else:
        assert agree > 0.995
assert wrong[None] > 1e-4 and wrong["f32"] == 0
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   usearch 2.26.6
#   dtype None: kept as ScalarKind.BF16, get gives float32, off by up to 0.0077; of the true 20 neighbours 97.1%
#   dtype f32: kept as ScalarKind.F32, get gives float32, off by up to 0; of the true 20 neighbours 100.0%
