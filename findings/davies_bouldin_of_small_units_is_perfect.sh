#!/usr/bin/env bash
# Guess: the Davies-Bouldin index does not depend on the unit of the features, as the silhouette does not, and wrong clusters have a high one.
# Really: where the mean distances to the centres, or those between the centres, are all below 1e-8, scikit-learn and torchmetrics take them for zero and
# the index for 0, the best there is: of the digits times 1e-10 the classes, the same labels shuffled and any number of clusters all have 0; times 1e-9
# shuffled labels do (27.4 at 1) and the classes have 2.15. The silhouette and Calinski-Harabasz stay as they are. Nothing is said.
# Meets: numbers of clusters chosen over fluxes, energies or currents in SI units, features divided by large sums.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6 torch==2.13.0 torchmetrics==1.9.0
"$place/venv/bin/python" - <<'PYTHON'
import warnings
from importlib.metadata import version

import numpy as np
import torch
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_score
from torchmetrics.functional.clustering import davies_bouldin_score as of_torchmetrics

warnings.simplefilter("error")
print("  ".join(f"{name} {version(name)}" for name in ("scikit-learn", "torchmetrics", "torch", "numpy")))
digits, classes = load_digits(return_X_y=True)
shuffled = np.random.default_rng(0).permutation(classes)
clusters = {number: KMeans(number, n_init=3, random_state=0).fit_predict(digits) for number in range(2, 16)}
best = {}
for unit in (1, 1e-6, 1e-9, 1e-10, 1e-17):
    rows = digits * unit
    told = {}
    for name, labels in {"the classes": classes, "shuffled": shuffled}.items():
        told[name] = davies_bouldin_score(rows, labels)
        other = of_torchmetrics(torch.from_numpy(rows), torch.from_numpy(labels)).item()
        assert abs(other - told[name]) < 1e-4 * max(1, told[name])
    best[unit] = min(clusters, key=lambda number: davies_bouldin_score(rows, clusters[number]))
    print(f"pixels of {unit:g}: Davies-Bouldin {told['the classes']:.3f} of the classes, {told['shuffled']:.3f} of them shuffled, best number of clusters {best[unit]}; "
          f"silhouette {silhouette_score(rows, classes):.3f}, {silhouette_score(rows, shuffled):.3f}, Calinski-Harabasz {calinski_harabasz_score(rows, classes):.1f}")
    assert abs(told["the classes"] - (2.152 if unit > 5e-10 else 0)) < 0.01
    assert abs(told["shuffled"] - (27.44 if unit > 5e-9 else 0)) < 0.1
assert best[1] == best[1e-6] > 5 and best[1e-10] == best[1e-17] == 2
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   scikit-learn 1.9.1  torchmetrics 1.9.0  torch 2.13.0+cpu  numpy 2.4.6
#   pixels of 1: Davies-Bouldin 2.152 of the classes, 27.444 of them shuffled, best number of clusters 9; silhouette 0.163, -0.016, Calinski-Harabasz 144.2
#   pixels of 1e-06: Davies-Bouldin 2.152 of the classes, 27.444 of them shuffled, best number of clusters 9; silhouette 0.163, -0.016, Calinski-Harabasz 144.2
#   pixels of 1e-09: Davies-Bouldin 2.152 of the classes, 0.000 of them shuffled, best number of clusters 9; silhouette 0.163, -0.016, Calinski-Harabasz 144.2
#   pixels of 1e-10: Davies-Bouldin 0.000 of the classes, 0.000 of them shuffled, best number of clusters 2; silhouette 0.163, -0.016, Calinski-Harabasz 144.2
#   pixels of 1e-17: Davies-Bouldin 0.000 of the classes, 0.000 of them shuffled, best number of clusters 2; silhouette 0.163, -0.016, Calinski-Harabasz 144.2
