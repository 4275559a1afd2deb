#!/usr/bin/env bash
# Guess: scipy.spatial.distance.euclidean(a, b) is what cdist gives for the two rows.
# Really: for uint8 pixels euclidean, cityblock, chebyshev and minkowski subtract in uint8, so that -1 is 255, and cosine multiplies in it: a copy
# with noise of one level is as far away as another picture (cityblock: two thirds as far), cosine is any number. cdist, sqeuclidean, correlation,
# braycurtis and canberra are right. The first four say nothing; cosine warns of an overflow for some pairs.
# Meets: near-duplicates and nearest neighbours by hand on pictures as they are read, "metric=distance.euclidean" as an argument.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check scipy==1.17.1 numpy==2.4.6
"$place/venv/bin/python" - <<'PYTHON'
import warnings
from importlib.metadata import version

import numpy as np
from scipy.spatial import distance

print("  ".join(f"{name} {version(name)}" for name in ("scipy", "numpy")))
rng = np.random.default_rng(0)
picture, other = rng.integers(1, 255, (2, 784), dtype=np.uint8)
copy = (picture + rng.integers(-1, 2, 784)).astype(np.uint8)
for name in ("euclidean", "cityblock", "chebyshev", "minkowski", "sqeuclidean", "correlation", "braycurtis", "canberra"):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        told = [float(getattr(distance, name)(picture, row)) for row in (copy, other)]
    right = distance.cdist([picture], [copy, other], name)[0]
    print(f"{name}: copy {told[0]:.4g}, other {told[1]:.4g}; cdist {right[0]:.4g}, {right[1]:.4g}")
    wrong = name in ("euclidean", "cityblock", "chebyshev", "minkowski")
    assert np.allclose(told, right) != wrong
    if wrong:
        assert right[0] < 0.1 * right[1] and told[0] > 0.5 * told[1]

rows = rng.integers(0, 256, (200, 784), dtype=np.uint8)
quiet, told = 0, []
for row in rows[1:]:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        told.append(float(distance.cosine(rows[0], row)))
    quiet += not said
right = distance.cdist(rows[:1], rows[1:], "cosine")[0]
wrong = ~np.isclose(told, right)
print(f"cosine: {wrong.sum()} of {wrong.size} wrong, {quiet} without a warning; {np.quantile(told, [0, 0.5, 1]).round(2).tolist()} "
      f"for {np.quantile(right, [0, 0.5, 1]).round(2).tolist()}")
assert wrong.all() and quiet > 10
queries = (rows[:20].astype(int) + rng.integers(-1, 2, (20, 784))).clip(0, 255).astype(np.uint8)
hits = []
for dtype in (np.uint8, float):
    table = [[distance.euclidean(query.astype(dtype), row.astype(dtype)) for row in rows] for query in queries]
    hits.append(int((np.argmin(table, 1) == np.arange(20)).sum()))
print(f"copies found among 200 pictures: {hits[0]} of 20, from floats {hits[1]}")
assert hits[1] == 20 and hits[0] < 10
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   scipy 1.17.1  numpy 2.4.6
#   euclidean: copy 4064, other 4162; cdist 22.65, 3027
#   cityblock: copy 6.503e+04, other 1.016e+05; cdist 513, 6.977e+04
#   chebyshev: copy 255, other 255; cdist 1, 247
#   minkowski: copy 4064, other 4162; cdist 22.65, 3027
#   sqeuclidean: copy 513, other 9.166e+06; cdist 513, 9.166e+06
#   correlation: copy 5.852e-05, other 1.04; cdist 5.852e-05, 1.04
#   braycurtis: copy 0.002622, other 0.3561; cdist 0.002622, 0.3561
#   canberra: copy 7.575, other 321.4; cdist 7.575, 321.4
#   cosine: 199 of 199 wrong, 20 without a warning; [0.0, 0.0, 0.86] for [0.22, 0.24, 0.27]
#   copies found among 200 pictures: 1 of 20, from floats 20
