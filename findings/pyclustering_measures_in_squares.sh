#!/usr/bin/env bash
# Guess: pyclustering's silhouette, average linkage and dbscan are those of scikit-learn and SciPy under the same names.
# Really: where no metric is given silhouette takes squared distances: 0.34 where scikit-learn has 0.21. Average linkage takes them too, and divides
# their sum over all pairs by the sum of the two sizes, not by the number of pairs: the tree is neither SciPy's nor SciPy's of squares (single and
# complete linkage are). dbscan's `neighbors` does not count the row itself: 5 of them are scikit-learn's min_samples=6.
# Meets: silhouettes compared across papers and libraries, numbers of clusters and shares of noise carried from one library to the other.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check pyclustering==0.10.1.2 scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6
cd "$place"
venv/bin/python -W ignore - <<'PYTHON'
from importlib.metadata import version

import numpy as np
from pyclustering.cluster.agglomerative import agglomerative, type_link
from pyclustering.cluster.dbscan import dbscan
from pyclustering.cluster.silhouette import silhouette
from pyclustering.utils.metric import distance_metric, type_metric
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist, squareform
from sklearn.cluster import DBSCAN, KMeans
from sklearn.datasets import load_digits
from sklearn.metrics import adjusted_rand_score, silhouette_score

for package in ("pyclustering", "scikit-learn", "scipy"):
    print(package, version(package), end="  ")
print()
x = load_digits().data[:300]
rows = x.tolist()


def labels(clusters, count):
    out = np.full(count, -1)
    for i, members in enumerate(clusters):
        out[members] = i
    return out


found = KMeans(10, n_init=1, random_state=0).fit(x).labels_
clusters = [np.flatnonzero(found == c).tolist() for c in range(10)]
scores = [
    np.mean(silhouette(rows, clusters, ccore=False).process().get_score()),
    np.mean(silhouette(rows, clusters, metric=distance_metric(type_metric.EUCLIDEAN), ccore=False).process().get_score()),
    silhouette_score(x, found),
    silhouette_score(x, found, metric="sqeuclidean"),
]
print("silhouette: pyclustering %.3f, with the plain distance %.3f; scikit-learn %.3f, of squares %.3f" % tuple(scores))
assert abs(scores[0] - scores[3]) < 1e-6 and abs(scores[1] - scores[2]) < 1e-6 and scores[0] > scores[2] + 0.1

def divided_by_the_sum_of_sizes(x, count):
    between = squareform(pdist(x, "sqeuclidean"))  # sums over all pairs of two clusters
    members = [[i] for i in range(len(x))]
    while len(members) > count:
        sizes = np.array([len(m) for m in members])
        value = between / (sizes[:, None] + sizes)
        value[np.tril_indices(len(members))] = np.inf
        i, j = np.unravel_index(value.argmin(), value.shape)
        between[i] += between[j]
        between[:, i] += between[:, j]
        between = np.delete(np.delete(between, j, 0), j, 1)
        members[i] += members.pop(j)
    return labels(members, len(x))


x, rows = x[:60], rows[:60]
for name, link in (("single", type_link.SINGLE_LINK), ("complete", type_link.COMPLETE_LINK), ("average", type_link.AVERAGE_LINK)):
    model = agglomerative(rows, 6, link, ccore=False)
    model.process()
    mine = labels(model.get_clusters(), len(x))
    agree = [adjusted_rand_score(fcluster(linkage(pdist(x, m), name), 6, "maxclust"), mine) for m in ("euclidean", "sqeuclidean")]
    agree.append(adjusted_rand_score(divided_by_the_sum_of_sizes(x, 6), mine))
    text = f", to sums of squares by the sum of the sizes {agree[2]:.2f}" if name == "average" else ""
    print(f"{name} linkage: ARI to SciPy's {agree[0]:.2f}, to SciPy's of squares {agree[1]:.2f}{text}")
    assert agree[0] == agree[1] == 1 if name != "average" else max(agree[:2]) < 0.9 and agree[2] == 1

x = load_digits().data[:300]
model = dbscan(x.tolist(), 20, 5, ccore=False)
model.process()
noise = len(model.get_noise())
theirs = {k: int((DBSCAN(eps=20, min_samples=k).fit(x).labels_ < 0).sum()) for k in (5, 6)}
print(f"dbscan(eps 20, neighbors 5): {noise} of 300 are noise; scikit-learn with min_samples 5 {theirs[5]}, 6 {theirs[6]}")
assert noise == theirs[6] > theirs[5]
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   pyclustering 0.10.1.2  scikit-learn 1.9.1  scipy 1.17.1
#   silhouette: pyclustering 0.337, with the plain distance 0.208; scikit-learn 0.208, of squares 0.337
#   single linkage: ARI to SciPy's 1.00, to SciPy's of squares 1.00
#   complete linkage: ARI to SciPy's 1.00, to SciPy's of squares 1.00
#   average linkage: ARI to SciPy's 0.63, to SciPy's of squares 0.63, to sums of squares by the sum of the sizes 1.00
#   dbscan(eps 20, neighbors 5): 190 of 300 are noise; scikit-learn with min_samples 5 165, 6 190
