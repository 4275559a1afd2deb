#!/usr/bin/env bash
# Guess: in nmslib's space "l2" every method returns the distance of that space; "brute_force" is the truth to check "hnsw" against.
# Really: brute_force, vptree and sw-graph return the distance, hnsw its square, unless built with skip_optimized_index=1: then the distance
# again. The neighbours agree, recall is 1, and nothing tells: of 250 neighbours 103 or 63 lie within a radius of 1.5.
# Meets: weights of neighbour graphs (UMAP, spectral and density clustering) and thresholds carried from one method to the other.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check nmslib==2.1.2 numpy==2.4.6
cd "$place"
venv/bin/python -W ignore - 2>note <<'PYTHON' || { cat note >&2; exit 1; }
from importlib.metadata import version

import nmslib
import numpy as np

print("nmslib", version("nmslib"))
x = np.random.default_rng(0).standard_normal((500, 8)).astype(np.float32)
true = np.sort(np.linalg.norm(x[:50, None].astype(np.float64) - x[None], axis=2), axis=1)[:, :5]
order = np.argsort(np.linalg.norm(x[:50, None].astype(np.float64) - x[None], axis=2), axis=1)[:, :5]
cases = {
    "brute_force": ("brute_force", {}),
    "vptree": ("vptree", {}),
    "sw-graph": ("sw-graph", {"NN": 20, "efConstruction": 200, "indexThreadQty": 1}),
    "hnsw": ("hnsw", {"M": 20, "efConstruction": 200, "indexThreadQty": 1}),
    "hnsw, skip_optimized_index=1": ("hnsw", {"M": 20, "efConstruction": 200, "indexThreadQty": 1, "skip_optimized_index": 1}),
}
seen = {}
for title, (method, settings) in cases.items():
    index = nmslib.init(method=method, space="l2")
    index.addDataPointBatch(x)
    index.createIndex(settings, print_progress=False)
    if method in ("hnsw", "sw-graph"):
        index.setQueryTimeParams({"efSearch": 200} if method == "sw-graph" else {"ef": 200})
    ids, distances = zip(*(index.knnQuery(row, k=5) for row in x[:50]))
    recall = np.mean([len(set(a.tolist()) & set(b.tolist())) / 5 for a, b in zip(ids, order)])
    distances = np.array(distances)
    root, square = np.allclose(distances, true, atol=1e-4), np.allclose(distances, true**2, atol=1e-3)
    seen[title] = (root, square, float(recall))
    inside = int((distances <= 1.5).sum())
    print(f"{title}: recall {recall:.3f}, distance {root}, its square {square}, pairs within 1.5: {inside}")
for title, (root, square, recall) in seen.items():
    assert recall == 1 and (root, square) == ((False, True) if title == "hnsw" else (True, False)), title
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   nmslib 2.1.2
#   brute_force: recall 1.000, distance True, its square False, pairs within 1.5: 103
#   vptree: recall 1.000, distance True, its square False, pairs within 1.5: 103
#   sw-graph: recall 1.000, distance True, its square False, pairs within 1.5: 103
#   hnsw: recall 1.000, distance False, its square True, pairs within 1.5: 63
#   hnsw, skip_optimized_index=1: recall 1.000, distance True, its square False, pairs within 1.5: 103
