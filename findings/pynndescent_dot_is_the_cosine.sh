#!/usr/bin/env bash
# Guess: pynndescent's metric "dot" finds the rows with the largest inner products, as the inner product of faiss and hnswlib does.
# Really: rows are brought to unit length first, and it is the cosine: lengths do not count. Of the 15 largest inner products of rows
# whose lengths differ 30 % are among 30 neighbours found, and distances are 1 less the cosine. "inner_product" is right. Nothing is said.
# Meets: search by inner product over embeddings that are not of unit length, weights of a classifier, vectors with a bias column.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check pynndescent==0.7.0 faiss-cpu==1.15.1 scikit-learn==1.9.1 scipy==1.17.1 numba==0.68.1 llvmlite==0.50.0 numpy==2.4.6
"$place/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import faiss
import numpy as np
from pynndescent import NNDescent

print("  ".join(f"{name} {version(name)}" for name in ("pynndescent", "faiss-cpu", "numpy")))
rng = np.random.default_rng(0)
rows = (rng.normal(size=(3000, 32)) * np.exp(rng.normal(size=(3000, 1)) / 2)).astype(np.float32)
unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
truth = {}
for name, values in {"inner product": rows, "cosine": unit}.items():
    flat = faiss.IndexFlatIP(32)
    flat.add(values)
    truth[name] = flat.search(values, 16)[1]


def among(found, best):
    return np.mean([len(set(a) & set(b) - {row}) / len(set(b) - {row}) for row, (a, b) in enumerate(zip(found, best))])


for metric in ("dot", "inner_product"):
    found, distances = NNDescent(rows, metric=metric, n_neighbors=30, random_state=0).neighbor_graph
    recall = {name: among(found, best) for name, best in truth.items()}
    print(f"{metric}: " + ", ".join(f"{share:.3f} of the largest by {name}" for name, share in recall.items()) + " are among its 30 neighbours")
    if metric == "dot":
        cosine = np.einsum("nd,nkd->nk", unit, unit[found])
        print(f"  its distances are 1 - cosine to {np.abs(distances - (1 - cosine)).max():.0e}")
        assert recall["inner product"] < 0.6 and recall["cosine"] > 0.95 and np.abs(distances - (1 - cosine)).max() < 1e-4
    else:
        assert recall["inner product"] > 0.95
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   pynndescent 0.7.0  faiss-cpu 1.15.1  numpy 2.4.6
#   dot: 0.296 of the largest by inner product, 0.997 of the largest by cosine are among its 30 neighbours
#     its distances are 1 - cosine to 2e-07
#   inner_product: 0.992 of the largest by inner product, 0.282 of the largest by cosine are among its 30 neighbours
