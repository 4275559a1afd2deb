#!/usr/bin/env bash
# Guess: torchmetrics' DunnIndex is Dunn's: the least distance between rows of two clusters over the greatest distance between two rows of one.
# Really: it is the least distance between two centres over the greatest distance of a row to its centre, so it tells what k-means wants and no longer gaps:
# two rings, one in the other, have 0.04 in their true clusters and 0.77 cut into halves, where Dunn's index has 0.29 and 0.01. Of the digits, clustered by
# complete linkage, it is three times Dunn's and best at 3 clusters, least at 10, where Dunn's is best. Its page gives the formula and leaves both
# distances open.
# Meets: numbers of clusters chosen, and scores compared with those of other libraries or papers.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check torch==2.13.0 torchmetrics==1.9.0 scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6
"$place/venv/bin/python" -W error - <<'PYTHON'
from importlib.metadata import version

import numpy as np
import torch
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import cdist
from sklearn.datasets import load_digits
from torchmetrics.functional.clustering import dunn_index

print("  ".join(f"{name} {version(name)}" for name in ("torchmetrics", "torch", "scipy", "numpy")))


def dunn(rows, labels):
    far, same = cdist(rows, rows), labels[:, None] == labels
    return far[~same].min() / far[same].max()


def of_centres(rows, labels):
    centres = np.stack([rows[labels == c].mean(0) for c in np.unique(labels)])
    between = cdist(centres, centres)
    return between[between > 0].min() / max(cdist(rows[labels == c], [centre]).max() for c, centre in zip(np.unique(labels), centres))


def told(name, rows, labels):
    got, true = dunn_index(torch.tensor(rows), torch.tensor(labels)).item(), dunn(rows, labels)
    print(f"{name}: torchmetrics {got:.2f}, Dunn {true:.3f}")
    assert abs(got - of_centres(rows, labels)) < 1e-6
    return got, true


rng = np.random.default_rng(0)
angle, ring = rng.uniform(0, 2 * np.pi, 400), np.repeat([0, 1], 200)
rings = np.c_[np.cos(angle), np.sin(angle)] * (1 + 2 * ring[:, None]) + 0.05 * rng.normal(size=(400, 2))
clusters = told("two rings", rings, ring)
halves = told("the same cut into halves", rings, (rings[:, 0] > 0).astype(np.int64))
assert clusters[0] < 0.1 * halves[0] and clusters[1] > 10 * halves[1]
digits = load_digits().data
tree = linkage(digits, "complete")
numbers = range(2, 11)
found = np.array([told(f"digits, {k} clusters", digits, fcluster(tree, k, "maxclust").astype(np.int64)) for k in numbers])
best = [numbers[i] for i in found.argmax(0)]
print(f"best: torchmetrics {best[0]} clusters, Dunn {best[1]}")
assert best == [3, 10] and found[:, 0].argmin() == 8 and (found[:, 0] > 2.5 * found[:, 1]).all()
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   torchmetrics 1.9.0  torch 2.13.0+cpu  scipy 1.17.1  numpy 2.4.6
#   two rings: torchmetrics 0.04, Dunn 0.286
#   the same cut into halves: torchmetrics 0.77, Dunn 0.014
#   digits, 2 clusters: torchmetrics 0.41, Dunn 0.122
#   digits, 3 clusters: torchmetrics 0.47, Dunn 0.127
#   digits, 4 clusters: torchmetrics 0.45, Dunn 0.131
#   digits, 5 clusters: torchmetrics 0.45, Dunn 0.132
#   digits, 6 clusters: torchmetrics 0.42, Dunn 0.136
#   digits, 7 clusters: torchmetrics 0.42, Dunn 0.138
#   digits, 8 clusters: torchmetrics 0.42, Dunn 0.140
#   digits, 9 clusters: torchmetrics 0.42, Dunn 0.141
#   digits, 10 clusters: torchmetrics 0.36, Dunn 0.141
#   best: torchmetrics 3 clusters, Dunn 10
