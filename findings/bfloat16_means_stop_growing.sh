#!/usr/bin/env bash
# Guess: the mean of bfloat16 features in NumPy is right to the two or three digits of the type, as it is for float16, which is added up in float32.
# Really: NumPy adds the types of ml_dtypes (which JAX and TensorFlow hand out) one by one in the type itself: a sum of ones stops at 256, the mean of
# 1,000 ones is 0.256, of 10,000 it is 0.0256; float8_e4m3fn stops at 16, so that 1,000 ones have a mean of 0.016. Class means of 1,000 rows have
# 0.55 of their length, and the inertia about them is 2.3 times the true one. Products of matrices are right. No warning.
# Meets: features in bf16 as JAX gives them, centroids, means and deviations taken with NumPy.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check ml_dtypes==0.6.0 numpy==2.4.6
"$place/venv/bin/python" -W error - <<'PYTHON'
from importlib.metadata import version

import numpy as np
from ml_dtypes import bfloat16, float8_e4m3fn

print("  ".join(f"{name} {version(name)}" for name in ("ml_dtypes", "numpy")))
types = {"float16": np.float16, "bfloat16": bfloat16, "float8_e4m3fn": float8_e4m3fn}
for name, dtype in types.items():
    sums = [float(np.ones(count, dtype).sum()) for count in (100, 1000, 10_000)]
    means = [float(np.ones(count, dtype).mean()) for count in (100, 1000, 10_000)]
    print(f"{name}: sums of 100, 1,000 and 10,000 ones {sums}, means {[round(mean, 4) for mean in means]}")
    if name == "float16":
        assert means == [1, 1, 1]
    else:
        assert sums[1] == sums[2] == (256 if name == "bfloat16" else 16) and means[1] < 0.3
ones = np.ones((1000, 4), bfloat16)
assert float((ones.T @ ones)[0, 0]) == 1000 and float(ones.astype(np.float32).mean()) == 1

rng = np.random.default_rng(0)
labels = np.repeat(np.arange(10), 1000)
# what is common to all rows and what tells the classes apart, as after a rectifier
rows = np.maximum(rng.normal(size=64) + 0.7 * rng.normal(size=(10, 64))[labels] + 0.5 * rng.normal(size=(10_000, 64)), 0)
for name in ("float16", "bfloat16"):
    kept = rows.astype(types[name])
    centres = np.stack([kept[labels == c].mean(0) for c in range(10)]).astype(np.float64)
    wide = kept.astype(np.float64)
    true = np.stack([wide[labels == c].mean(0) for c in range(10)])
    length = np.linalg.norm(centres) / np.linalg.norm(true)
    inertia = ((wide - centres[labels]) ** 2).sum() / ((wide - true[labels]) ** 2).sum()
    print(f"{name}: class means of 1,000 rows have {length:.3f} of their length, the inertia about them is {inertia:.3f} of the true one")
    assert (abs(length - 1) < 0.01 and inertia < 1.01) if name == "float16" else (length < 0.7 and inertia > 1.5)
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   ml_dtypes 0.6.0  numpy 2.4.6
#   float16: sums of 100, 1,000 and 10,000 ones [100.0, 1000.0, 10000.0], means [1.0, 1.0, 1.0]
#   bfloat16: sums of 100, 1,000 and 10,000 ones [100.0, 256.0, 256.0], means [1.0, 0.2559, 0.0256]
#   float8_e4m3fn: sums of 100, 1,000 and 10,000 ones [16.0, 16.0, 16.0], means [0.1562, 0.0156, 0.002]
#   float16: class means of 1,000 rows have 1.000 of their length, the inertia about them is 1.000 of the true one
#   bfloat16: class means of 1,000 rows have 0.552 of their length, the inertia about them is 2.323 of the true one
