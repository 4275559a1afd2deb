#!/usr/bin/env bash
# Guess: the mean of float32 pixels is that of NumPy to five digits, whether NumPy, Numba, bottleneck or numexpr adds them up.
# Really: NumPy adds in pairs. Numba's np.mean and np.sum, bottleneck's nanmean and numexpr's sum add one by one in float32: at 16,777,216 the sum
# no longer grows by pixels below 1. The red channel of 50,000 pictures of 32 x 32 has a mean of 0.50 and is told to have 0.33; the
# deviation, taken about that mean, is 0.34 or 0.31 for 0.29. No warning; 10,000 pictures are right.
# Meets: means and deviations for normalising a set, in loops compiled by Numba or in code that calls bottleneck for the sake of NaN.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check numba==0.68.1 bottleneck==1.6.0 numexpr==2.14.2 numpy==2.4.6
"$place/venv/bin/python" -W error - <<'PYTHON'
from importlib.metadata import version

import bottleneck
import numba
import numexpr
import numpy as np

print("  ".join(f"{name} {version(name)}" for name in ("numba", "bottleneck", "numexpr", "numpy")))


@numba.njit
def moments(pixels):
    return np.mean(pixels), np.var(pixels), np.sum(pixels)


rng = np.random.default_rng(0)
for pictures in (10_000, 50_000):
    red = (rng.integers(0, 256, (pictures, 32, 32), dtype=np.uint8) / np.float32(255)).astype(np.float32)
    assert red.dtype == np.float32
    exact = red.mean(dtype=np.float64), red.std(dtype=np.float64)
    mean, variance, total = moments(red)
    found = {
        "numpy": (red.mean(), red.std()),
        "numba": (mean, variance**0.5),
        "bottleneck": (bottleneck.nanmean(red), bottleneck.nanstd(red)),
        "numexpr": (numexpr.evaluate("sum(red)") / red.size, np.nan),
    }
    print(f"{pictures} pictures, {red.size} numbers: mean {exact[0]:.4f}, deviation {exact[1]:.4f}")
    for name, (a, b) in found.items():
        print(f"   {name}: {a:.4f}, {b:.4f}")
        assert (abs(a - exact[0]) > 0.1) == (pictures == 50_000 and name != "numpy")
        if pictures == 10_000:
            assert abs(a - exact[0]) < 0.001
    if pictures == 50_000:
        assert total == 2**24 and abs(found["numba"][1] - exact[1]) > 0.01 and abs(found["bottleneck"][1] - exact[1]) > 0.01
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   numba 0.68.1  bottleneck 1.6.0  numexpr 2.14.2  numpy 2.4.6
#   10000 pictures, 10240000 numbers: mean 0.4999, deviation 0.2899
#      numpy: 0.4999, 0.2899
#      numba: 0.4999, 0.2899
#      bottleneck: 0.4999, 0.2886
#      numexpr: 0.4999, nan
#   50000 pictures, 51200000 numbers: mean 0.4999, deviation 0.2898
#      numpy: 0.4999, 0.2898
#      numba: 0.3277, 0.3371
#      bottleneck: 0.3277, 0.3149
#      numexpr: 0.3277, nan
