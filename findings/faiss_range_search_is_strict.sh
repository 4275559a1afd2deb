#!/usr/bin/env bash
# Guess: range_search with radius 0 finds the exact copies of a row (distance 0 <= 0), as radius_neighbors of scikit-learn does, and with
# inner products a radius of 1 finds equal unit vectors.
# Really: faiss compares strictly: radius 0 returns nothing, not even the row itself, and inner product 1 does not pass radius 1. On
# integer-valued features a whole shell of neighbours at exactly the radius is missing. L2 radii are squared, inner products are not.
# Meets: whoever removes duplicates before clustering, or builds a radius graph over pixel counts, histograms or hashes.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check faiss-cpu==1.15.1 scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6
cd "$place"
export OMP_NUM_THREADS=1
venv/bin/python -W ignore - <<'PYTHON'
import faiss
import numpy as np
import sklearn
from sklearn.datasets import load_digits
from sklearn.neighbors import NearestNeighbors

print("faiss", faiss.__version__, " scikit-learn", sklearn.__version__)


def by_faiss(x, radius, kind):
    index = kind(x.shape[1])
    index.add(x)
    return int(index.range_search(x, radius)[0][-1])


def by_sklearn(x, radius):
    return sum(map(len, NearestNeighbors(radius=radius).fit(x).radius_neighbors(x, return_distance=False)))


digits = load_digits().data.astype(np.float32)
copies = np.repeat(digits[:100], 2, axis=0)
axes = np.repeat(np.eye(8, dtype=np.float32), 2, axis=0)
seen = {}
for name, x, radius in (("100 rows, each twice", copies, 0.0), ("digits", digits, 14.0)):
    seen[name] = by_sklearn(x, radius), by_faiss(x, radius**2, faiss.IndexFlatL2), by_faiss(x, np.nextafter(np.float32(radius**2), np.float32(np.inf)), faiss.IndexFlatL2)
    print(f"{name}, radius {radius}: pairs by scikit-learn {seen[name][0]}, faiss {seen[name][1]}, faiss with the next float {seen[name][2]}")
unit = by_faiss(axes, 1.0, faiss.IndexFlatIP)
print("8 unit vectors, each twice, inner product 1: faiss", unit, "pairs of 32")
assert seen["100 rows, each twice"] == (400, 0, 400)
assert seen["digits"][1] < seen["digits"][0] == seen["digits"][2]
assert unit == 0
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   faiss 1.15.1  scikit-learn 1.9.1
#   100 rows, each twice, radius 0.0: pairs by scikit-learn 400, faiss 0, faiss with the next float 400
#   digits, radius 14.0: pairs by scikit-learn 2741, faiss 2721, faiss with the next float 2741
#   8 unit vectors, each twice, inner product 1: faiss 0 pairs of 32
