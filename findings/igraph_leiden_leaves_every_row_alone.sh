#!/usr/bin/env bash
# Guess: igraph's community_leiden() finds the communities of a neighbour graph as its louvain (community_multilevel) and networkx do, and an edge
# attribute called "weight" is used, as it is by networkx.
# Really: its default objective is CPM with a resolution of 1, at which no group that lacks an edge gains: all 1,797 digits are clusters of their
# own, ARI 0.00 instead of 0.84 with objective_function="modularity". Weights are left out unless named, in igraph and in leidenalg: two
# blocks told apart by their weights are one community. No warning in either case.
# Meets: whoever clusters a graph of neighbours, weighted by similarity or shared neighbours, and moves from networkx or scanpy to igraph.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check \
  igraph==1.0.0 leidenalg==0.12.0 networkx==3.6.1 scikit-learn==1.9.1 numpy==2.4.6
cd "$place"
venv/bin/python -W ignore - <<'PYTHON'
import random
from importlib.metadata import version

import igraph
import leidenalg
import networkx
from sklearn.datasets import load_digits
from sklearn.metrics import adjusted_rand_score
from sklearn.neighbors import kneighbors_graph

print("  ".join(f"{package} {version(package)}" for package in ("igraph", "leidenalg", "networkx")))
random.seed(0)
x, y = load_digits(return_X_y=True)
nearest = kneighbors_graph(x, 15)
pairs = {(min(i, j), max(i, j)) for i, j in zip(*(index.tolist() for index in nearest.nonzero()))}
digits = igraph.Graph(len(x), sorted(pairs))
seen = {}
for title, found in {
    "igraph, community_leiden()": lambda: digits.community_leiden(),
    'igraph, community_leiden("modularity")': lambda: digits.community_leiden("modularity"),
    "igraph, community_multilevel()": lambda: digits.community_multilevel(),
    "leidenalg, modularity": lambda: leidenalg.find_partition(digits, leidenalg.ModularityVertexPartition, seed=0),
}.items():
    partition = found()
    seen[title] = (len(partition), adjusted_rand_score(y, partition.membership))
    print(f"digits, {title}: {len(partition)} clusters, ARI {seen[title][1]:.2f}")
counts = list(seen.values())
assert counts[0] == (len(x), 0.0) and all(8 <= count <= 16 and score > 0.7 for count, score in counts[1:])

edges = [(i, j) for i in range(40) for j in range(i)]
blocks = igraph.Graph(40, edges)
blocks.es["weight"] = [1.0 if (i < 20) == (j < 20) else 0.05 for i, j in edges]
weighted = networkx.Graph()
weighted.add_weighted_edges_from((i, j, w) for (i, j), w in zip(edges, blocks.es["weight"]))
modularity = leidenalg.ModularityVertexPartition
sizes = {
    "networkx, louvain": [len(part) for part in networkx.community.louvain_communities(weighted, seed=0)],
    "igraph, multilevel": blocks.community_multilevel().sizes(),
    "igraph, leiden": blocks.community_leiden("modularity").sizes(),
    "leidenalg": leidenalg.find_partition(blocks, modularity, seed=0).sizes(),
    "igraph, multilevel, weights named": blocks.community_multilevel(weights="weight").sizes(),
    "igraph, leiden, weights named": blocks.community_leiden("modularity", weights="weight").sizes(),
    "leidenalg, weights named": leidenalg.find_partition(blocks, modularity, weights="weight", seed=0).sizes(),
}
for title, found in sizes.items():
    print(f"two blocks, {title}: sizes {found}")
    assert found == ([20, 20] if "named" in title or "networkx" in title else [40])
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   igraph 1.0.0  leidenalg 0.12.0  networkx 3.6.1
#   digits, igraph, community_leiden(): 1797 clusters, ARI 0.00
#   digits, igraph, community_leiden("modularity"): 12 clusters, ARI 0.84
#   digits, igraph, community_multilevel(): 12 clusters, ARI 0.88
#   digits, leidenalg, modularity: 12 clusters, ARI 0.88
#   two blocks, networkx, louvain: sizes [20, 20]
#   two blocks, igraph, multilevel: sizes [40]
#   two blocks, igraph, leiden: sizes [40]
#   two blocks, leidenalg: sizes [40]
#   two blocks, igraph, multilevel, weights named: sizes [20, 20]
#   two blocks, igraph, leiden, weights named: sizes [20, 20]
#   two blocks, leidenalg, weights named: sizes [20, 20]
