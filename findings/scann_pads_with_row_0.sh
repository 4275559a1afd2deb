#!/usr/bin/env bash
# Guess: where the searched leaves hold fewer rows than are asked for, the places left over have the index -1, as in faiss, or the row is short.
# Really: search_batched fills them with index 0 and the distance NaN, so that row 0, a picture like any other, becomes a neighbour of most rows;
# which of the places are filled is told by the distances alone. search() of one query gives a shorter array instead.
# Meets: whoever mines 50 neighbours with ScaNN's tree and few leaves, the usual setting for speed, and keeps only the indices.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check scann==1.4.2 faiss-cpu==1.15.1 numpy==2.4.6
cd "$place"
venv/bin/python -W ignore - 2>"$place/log" <<'PYTHON' || { cat "$place/log" >&2; exit 1; }
from importlib.metadata import version

import faiss
import numpy as np
import scann

print("scann", version("scann"), " faiss-cpu", version("faiss-cpu"))
rows, dim, k, leaves = 5_000, 32, 50, 100
x = np.random.default_rng(0).standard_normal((rows, dim), dtype=np.float32)
builder = scann.scann_ops_pybind.builder(x, k, "squared_l2")
tree = builder.tree(num_leaves=leaves, num_leaves_to_search=1, training_sample_size=rows).score_brute_force().build()
found, distances = tree.search_batched(x)
filled = np.isnan(distances)
alone = np.array([len(tree.search(q)[0]) for q in x[:500]])
zero = (found[1:] == 0).any(1)
print(f"scann: {filled.any(1).mean():.2f} of the queries have filled places, {filled.mean():.3f} of all places; their indices {set(found[filled].tolist())}")
print(f"   row 0 is a neighbour of {zero.mean():.2f} of the others; asked one by one, {(alone < k).mean():.2f} of 500 get fewer than {k}, at least {alone.min()}")
assert filled.any(1).mean() > 0.2 and set(found[filled].tolist()) == {0}
assert zero.mean() > 0.2 and (alone < k).mean() > 0.2

quantizer = faiss.IndexFlatL2(dim)
index = faiss.IndexIVFFlat(quantizer, dim, leaves)
index.train(x)
index.add(x)
f = index.search(x, k)[1]
print(f"faiss: {(f == -1).any(1).mean():.2f} of the queries have filled places, with the index -1; row 0 is a neighbour of {(f[1:] == 0).any(1).mean():.3f}")
assert (f == -1).any(1).mean() > 0.2 and (f[1:] == 0).any(1).mean() < 0.05
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   scann 1.4.2  faiss-cpu 1.15.1
#   scann: 0.30 of the queries have filled places, 0.118 of all places; their indices {0}
#      row 0 is a neighbour of 0.31 of the others; asked one by one, 0.25 of 500 get fewer than 50, at least 1
#   faiss: 0.29 of the queries have filled places, with the index -1; row 0 is a neighbour of 0.012
