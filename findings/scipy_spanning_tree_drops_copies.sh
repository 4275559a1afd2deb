#!/usr/bin/env bash
# Guess: the minimum spanning tree of a connected graph of N points has N - 1 edges; an explicit zero in a sparse matrix is an edge of
# length 0, as it is to connected_components and shortest_path of the same module.
# Really: minimum_spanning_tree takes every edge of length 0 for none, and its answer has none. In a graph of nearest
# neighbours, where copies of a point lie at distance 0, each copy falls out of the tree: one component becomes as many as there are copies.
# Meets: whoever cuts such a tree for single linkage, density clusters or a removal of duplicates that was meant to join exactly the copies.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6
cd "$place"
venv/bin/python -W ignore - <<'PYTHON'
import numpy as np
import scipy
import sklearn
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree, shortest_path
from sklearn.neighbors import kneighbors_graph

print("scipy", scipy.__version__, " scikit-learn", sklearn.__version__)
rows, copies = 200, 50
x = np.random.default_rng(0).standard_normal((rows, 4))
x = np.concatenate([x, x[:copies]])
graph = kneighbors_graph(x, 10, mode="distance")


def parts(g):
    return int(connected_components(g, directed=False)[0])


zero = int((graph.data == 0).sum())
tree = minimum_spanning_tree(graph)
print(f"{len(x)} rows, {copies} of them copies; {graph.nnz} edges, {zero} of length 0, {parts(graph)} component")
print(f"tree: {tree.nnz} edges, {parts(tree)} components")
reached = int(np.isfinite(shortest_path(graph, directed=False, indices=rows)).sum())
print(f"points that shortest paths reach from a copy: in the graph {reached}", end=", ")
alone = int(np.isfinite(shortest_path(tree, directed=False, indices=rows)).sum())
print(f"in the tree {alone}")
moved = graph.copy()
moved.data += 1e-9
whole = minimum_spanning_tree(moved)
print(f"1e-9 added to every edge: {whole.nnz} edges, {parts(whole)} component")

# Single linkage at a distance below every other one should join the copies and nothing else.
cut = graph.data[graph.data > 0].min() / 2
clusters = [len(x) - int((t.data <= cut).sum()) for t in (tree, whole)]
print(f"single linkage at {cut:.3f}: {clusters[0]} clusters from the tree, {clusters[1]} from that of the moved edges")
assert zero == 2 * copies and parts(graph) == 1
assert tree.nnz == rows - 1 and parts(tree) == copies + 1 and (reached, alone) == (rows + copies, 1)
assert whole.nnz == len(x) - 1 and parts(whole) == 1
assert clusters == [rows + copies, rows]
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   scipy 1.17.1  scikit-learn 1.9.1
#   250 rows, 50 of them copies; 2500 edges, 100 of length 0, 1 component
#   tree: 199 edges, 51 components
#   points that shortest paths reach from a copy: in the graph 250, in the tree 1
#   1e-9 added to every edge: 249 edges, 1 component
#   single linkage at 0.085: 250 clusters from the tree, 200 from that of the moved edges
