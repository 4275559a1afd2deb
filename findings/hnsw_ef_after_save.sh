#!/usr/bin/env bash
# Guess: an HNSW index that was saved and loaded answers as before; the search width (ef) is part of the index, as it is in faiss.
# Really: hnswlib's save_index leaves ef out: after load_index it is 10 and the recall falls, although a pickle of the same index
# keeps it. usearch's restore goes back to its default of 64. faiss's write_index keeps efSearch (and an IVF index's nprobe).
# Meets: whoever builds the neighbours of SCAN once, saves the index and queries it from another program.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check faiss-cpu==1.15.1 hnswlib==0.8.0 usearch==2.26.6 numpy==2.4.6
cd "$place"
venv/bin/python -W ignore - <<'PYTHON'
import pickle
from importlib.metadata import version

import faiss
import hnswlib
import numpy as np
from usearch.index import Index

for package in ("hnswlib", "usearch", "faiss-cpu"):
    print(package, version(package), end="  ")
rows, dim, k, width = 10_000, 64, 10, 200
x = np.random.default_rng(0).standard_normal((rows, dim), dtype=np.float32)
queries = x[:500]
exact = faiss.IndexFlatL2(dim)
exact.add(x)
truth = exact.search(queries, k)[1]


def recall(found):
    return np.mean([len(set(a) & set(b)) / k for a, b in zip(found, truth)])


print("recall at 10:")
index = hnswlib.Index("l2", dim)
index.init_index(rows, M=16, ef_construction=200)
index.add_items(x)
index.set_ef(width)
index.save_index("h")
loaded = hnswlib.Index("l2", dim)
loaded.load_index("h")
unpickled = pickle.loads(pickle.dumps(index))
h = [recall(i.knn_query(queries, k)[0]) for i in (index, unpickled, loaded)]
print("hnswlib  built %.3f, pickled %.3f, saved and loaded %.3f, ef" % tuple(h), index.ef, unpickled.ef, loaded.ef)
assert (index.ef, unpickled.ef, loaded.ef) == (width, width, 10)
assert h[2] < h[0] - 0.1

index = Index(ndim=dim, metric="l2sq", dtype="f32", connectivity=16, expansion_add=200, expansion_search=width)
index.add(np.arange(rows), x)
index.save("u")
loaded = Index.restore("u")
u = [recall(i.search(queries, k).keys) for i in (index, loaded)]
print("usearch  built %.3f, restored %.3f, expansion_search" % tuple(u), index.expansion_search, loaded.expansion_search)
assert (index.expansion_search, loaded.expansion_search) == (width, 64)
assert u[1] < u[0] - 0.01

index = faiss.IndexHNSWFlat(dim, 16)
index.hnsw.efConstruction = 200
index.hnsw.efSearch = width
index.add(x)
faiss.write_index(index, "f")
loaded = faiss.read_index("f")
f = [recall(i.search(queries, k)[1]) for i in (index, loaded)]
print("faiss    built %.3f, read %.3f, efSearch" % tuple(f), index.hnsw.efSearch, loaded.hnsw.efSearch)
assert loaded.hnsw.efSearch == width and f[0] == f[1]
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   hnswlib 0.8.0  usearch 2.26.6  faiss-cpu 1.15.1  recall at 10:
#   hnswlib  built 0.997, pickled 0.997, saved and loaded 0.734, ef 200 200 10
#   usearch  built 0.998, restored 0.955, expansion_search 200 64
#   faiss    built 0.995, read 0.995, efSearch 200 200
