#!/usr/bin/env bash
# Guess: faiss.Kmeans learns from all rows that it is given, as scikit-learn's KMeans does; only its assignment is what is fast.
# Really: it draws max_points_per_centroid = 256 rows for each centroid and leaves the others out, without a word unless verbose is set:
# of 60,000 rows and ten clusters 2,560. `obj`, its inertia, is the sum over
# those rows alone.
# Meets: whoever clusters the features of a data set into its few classes and takes k-means for the baseline.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check faiss-cpu==1.15.1 numpy==2.4.6
"$place/venv/bin/python" -W error - <<'PYTHON'
import faiss
import numpy as np

print("faiss", faiss.__version__)
rng = np.random.default_rng(0)
rows, clusters = 60_000, 10
x = rng.normal(size=(rows, 16)).astype(np.float32)
k = faiss.Kmeans(16, clusters, niter=20, seed=1)
k.train(x)
everything = float(k.index.search(x, 1)[0].sum(dtype=np.float64))
print("defaults: obj", round(float(k.obj[-1])), ", the sum over all rows", round(everything))
print("share of rows, by the sums:", round(float(k.obj[-1]) / everything, 4), "; 256 for each centroid are", round(256 * clusters / rows, 4))
full = faiss.Kmeans(16, clusters, niter=20, seed=1, max_points_per_centroid=rows)
full.train(x)
share = float(full.obj[-1]) / float(full.index.search(x, 1)[0].sum(dtype=np.float64))
print("with max_points_per_centroid = 60000 the share is", round(share, 3))
assert 0.03 < float(k.obj[-1]) / everything < 0.06
assert 0.95 < share < 1.1
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   faiss 1.15.1
#   defaults: obj 32952 , the sum over all rows 803495
#   share of rows, by the sums: 0.041 ; 256 for each centroid are 0.0427
#   with max_points_per_centroid = 60000 the share is 1.0
