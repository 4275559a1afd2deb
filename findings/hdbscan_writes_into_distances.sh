#!/usr/bin/env bash
# Guess: HDBSCAN(metric="precomputed").fit(D) reads D, as DBSCAN and silhouette_score do; rows that cannot be clustered get the label -1.
# Really: scikit-learn's HDBSCAN overwrites D with mutual reachability distances unless copy=True: the diagonal becomes the core distances,
# close pairs are pushed apart, and silhouette_score of the same D then refuses it. (It warns that the default will change, not that D did.)
# The hdbscan package leaves D alone. On features, a row with an infinity is labelled -2 and one with NaN -3: "labels != -1" keeps both.
# Meets: whoever computes one distance matrix for several methods and scores, or drops noise by -1.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check scikit-learn==1.9.1 scipy==1.17.1 hdbscan==0.8.44 numpy==2.4.6
cd "$place"
export OMP_NUM_THREADS=1
venv/bin/python -W ignore - <<'PYTHON'
import hdbscan
import numpy as np
import sklearn
from importlib.metadata import version
from sklearn.cluster import DBSCAN, HDBSCAN
from sklearn.datasets import make_blobs
from sklearn.metrics import pairwise_distances, silhouette_score

print("scikit-learn", sklearn.__version__, " hdbscan", version("hdbscan"))
x, _ = make_blobs(400, 4, centers=5, random_state=0)
d = pairwise_distances(x)


def written(method):
    given = d.copy()
    labels = method.fit_predict(given)
    return given, labels, float((given != d).mean())


for name, method in (
    ("DBSCAN", DBSCAN(metric="precomputed")),
    ("hdbscan package", hdbscan.HDBSCAN(metric="precomputed")),
    ("HDBSCAN copy=True", HDBSCAN(metric="precomputed", copy=True)),
    ("HDBSCAN", HDBSCAN(metric="precomputed")),
):
    given, labels, share = written(method)
    print(f"{name:18} elements changed {share:.2%}, diagonal up to {np.diag(given).max():.2f}")
    assert (share > 0) == (name == "HDBSCAN")
assert (np.diag(given) > 0).all() and (given >= d).all()
print("silhouette of D as it was: %.3f" % silhouette_score(d, labels, metric="precomputed"))
try:
    silhouette_score(given, labels, metric="precomputed")
    raise SystemExit("silhouette_score took the overwritten matrix")
except ValueError as error:
    print("silhouette of D after fit:", str(error).split(". ")[0])
x[3, 1], x[5, 2] = np.nan, np.inf
labels = HDBSCAN(copy=True).fit_predict(x)
print("labels of a row with NaN and of one with infinity:", labels[3], labels[5])
assert (labels[3], labels[5]) == (-3, -2)
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   scikit-learn 1.9.1  hdbscan 0.8.44
#   DBSCAN             elements changed 0.00%, diagonal up to 0.00
#   hdbscan package    elements changed 0.00%, diagonal up to 0.00
#   HDBSCAN copy=True  elements changed 0.00%, diagonal up to 0.00
#   HDBSCAN            elements changed 1.29%, diagonal up to 2.83
#   silhouette of D as it was: 0.746
#   silhouette of D after fit: The precomputed distance matrix contains non-zero elements on the diagonal
#   labels of a row with NaN and of one with infinity: -3 -2
