#!/usr/bin/env bash
# Guess: k-means of clusters of bounded size gives the same labels for X and for X / 10,000, and its assignment is the best one for the inertia.
# Really: distances are rounded to thousandths (of the unit of X) before the flow is solved. In rows as small as those of a spectral embedding,
# of singular vectors or of a posterior over many classes they are all 0 or 1: five clear clusters have an ARI of 0.86 at 1e-4 and 0.36 at
# 1e-5 instead of 0.97, in sizes that obey the bounds. The sum it minimises is of distances, not of their squares, which bounds on the size do not
# make the same: between the centres found, another assignment of the same sizes has a lower inertia. Nothing is said of either.
# Meets: balanced clusters of embeddings, equal shares of pseudo-labels.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check k-means-constrained==0.9.1 ortools==9.15.6755 \
  scipy==1.17.1 numpy==2.4.6
"$place/venv/bin/python" -W error - <<'PYTHON'
from importlib.metadata import version
from math import comb

import numpy as np
from k_means_constrained import KMeansConstrained
from scipy.cluster.vq import kmeans2
from scipy.optimize import linear_sum_assignment

print("  ".join(f"{name} {version(name)}" for name in ("k-means-constrained", "ortools", "scipy", "numpy")))


def rand_index(a, b):
    table = np.zeros((a.max() + 1, b.max() + 1), int)
    np.add.at(table, (a, b), 1)
    both, left, right = (sum(comb(int(n), 2) for n in counts) for counts in (table.ravel(), table.sum(1), table.sum(0)))
    chance = left * right / comb(len(a), 2)
    return (both - chance) / ((left + right) / 2 - chance)


rng = np.random.default_rng(0)
centres = 4 * rng.normal(size=(5, 8))
truth = np.repeat(np.arange(5), 60)
rows = centres[truth] + rng.normal(size=(300, 8))
scores = {}
for scale in (1, 1e-2, 1e-3, 1e-4, 1e-5):
    bounded = KMeansConstrained(5, size_min=40, size_max=80, n_init=3, random_state=0).fit(scale * rows)
    plain = kmeans2(scale * rows, 5, minit="++", seed=1)[1]
    scores[scale] = rand_index(truth, bounded.labels_)
    print(f"X * {scale:g}: ARI {scores[scale]:.3f}, sizes {np.bincount(bounded.labels_).tolist()}; SciPy's kmeans2 {rand_index(truth, plain):.3f}")
    assert rand_index(truth, plain) > 0.95 and np.bincount(bounded.labels_).min() >= 40
assert scores[1] > 0.95 and scores[1e-2] == scores[1] and scores[1e-4] < 0.9 and scores[1e-5] < 0.5

rng = np.random.default_rng(1)
centres = 4 * rng.normal(size=(5, 8))
truth = np.repeat(np.arange(5), (20, 40, 60, 80, 100))
rows = centres[truth] + rng.normal(size=(300, 8)) * np.exp(0.5 * rng.normal(size=(300, 1)))
equal = KMeansConstrained(5, size_min=60, size_max=60, n_init=3, random_state=0).fit(rows)
squares = ((rows[:, None] - equal.cluster_centers_) ** 2).sum(2)
best = linear_sum_assignment(np.repeat(squares, 60, axis=1))[1] // 60
told, least = squares[np.arange(300), equal.labels_].sum(), squares[np.arange(300), best].sum()
assert np.isclose(told, equal.inertia_) and np.bincount(best).tolist() == [60] * 5
print(f"sizes of 60: inertia {told:.1f}, {least:.1f} with the same centres and sizes, {(best != equal.labels_).sum()} of 300 rows elsewhere")
assert told > least * 1.001
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   k-means-constrained 0.9.1  ortools 9.15.6755  scipy 1.17.1  numpy 2.4.6
#   X * 1: ARI 0.975, sizes [60, 59, 60, 60, 61]; SciPy's kmeans2 0.975
#   X * 0.01: ARI 0.975, sizes [60, 59, 60, 60, 61]; SciPy's kmeans2 0.975
#   X * 0.001: ARI 0.975, sizes [60, 59, 60, 60, 61]; SciPy's kmeans2 0.975
#   X * 0.0001: ARI 0.862, sizes [60, 40, 80, 60, 60]; SciPy's kmeans2 0.975
#   X * 1e-05: ARI 0.356, sizes [80, 80, 58, 41, 41]; SciPy's kmeans2 0.975
#   sizes of 60: inertia 10434.8, 10158.0 with the same centres and sizes, 34 of 300 rows elsewhere
