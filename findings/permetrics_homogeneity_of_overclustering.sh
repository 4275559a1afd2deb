#!/usr/bin/env bash
# Guess: homogeneity and V-measure are the same numbers in every library of metrics.
# Really: permetrics sums the conditional entropy over as many clusters as there are classes. With equal counts it agrees with scikit-learn to the last
# digits, as a test would find; with more clusters the others are taken for pure: 50 random clusters of 10 classes have a homogeneity of 0.80
# instead of 0.11, and V-measure grows with it. Completeness, NMI and ARI of the same object are right.
# Meets: whoever scores over-clustering or methods that find the number of clusters; V-measure and NMI (arithmetic) should be equal and are not.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check permetrics==2.1.0 scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6
cd "$place"
venv/bin/python -W ignore - <<'PYTHON'
import numpy as np
import permetrics
import sklearn
from permetrics import ClusteringMetric
from sklearn import metrics

print("permetrics", permetrics.__version__, " scikit-learn", sklearn.__version__)
rng = np.random.default_rng(0)
classes = np.repeat(np.arange(10), 100)
noisy = np.where(rng.random(1000) < 0.2, rng.integers(0, 10, 1000), classes)
labelings = {
    "10 clusters, four of five right": noisy,
    "each of them cut into 5": noisy * 5 + rng.integers(0, 5, 1000),
    "50 random clusters": rng.integers(0, 50, 1000),
}
names = ("homogeneity", "completeness", "v_measure", "normalized_mutual_info", "adjusted_rand")
seen = {}
for title, labels in labelings.items():
    ours = [float(getattr(ClusteringMetric(y_true=classes, y_pred=labels), f"{name}_score")()) for name in names]
    true = [float(getattr(metrics, f"{name}_score")(classes, labels)) for name in names]
    seen[title] = (ours, true)
    print(f"{title}: " + ", ".join(f"{name} {a:.3f} ({b:.3f})" for name, a, b in zip(names, ours, true)))
print("in brackets scikit-learn")
for title, (ours, true) in seen.items():
    assert np.allclose([ours[i] for i in (1, 3, 4)], [true[i] for i in (1, 3, 4)], atol=1e-9)
    assert np.isclose(true[2], true[3])
    if title.startswith("10 clusters"):
        assert np.allclose(ours, true, atol=1e-9)
    else:
        assert ours[0] > true[0] + 0.1 and ours[2] > ours[3] + 0.01
assert seen["50 random clusters"][0][0] > 0.79 and seen["50 random clusters"][1][0] < 0.15
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   permetrics 2.1.0  scikit-learn 1.9.1
#   10 clusters, four of five right: homogeneity 0.660 (0.660), completeness 0.661 (0.661), v_measure 0.661 (0.661), normalized_mutual_info 0.661 (0.661), adjusted_rand 0.656 (0.656)
#   each of them cut into 5: homogeneity 0.950 (0.728), completeness 0.431 (0.431), v_measure 0.593 (0.542), normalized_mutual_info 0.542 (0.542), adjusted_rand 0.205 (0.205)
#   50 random clusters: homogeneity 0.800 (0.107), completeness 0.063 (0.063), v_measure 0.117 (0.079), normalized_mutual_info 0.079 (0.079), adjusted_rand -0.000 (-0.000)
#   in brackets scikit-learn
