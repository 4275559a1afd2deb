#!/usr/bin/env bash
# Guess: spectral.kmeans(image, 10) is k-means with ten clusters, started from pixels drawn or the like.
# Really: it starts from ten points in a row, evenly spaced from the minimum of every band to the maximum of every band, and a point to which no pixel is
# nearest stays where it is for good. Where bands go up and down independently, all pixels are nearest to the few in the middle: five clear materials are
# one cluster (ARI .00), ten are two (.19), the digits as pixels of 64 bands are four (.30, where k-means has .67). The centres are handed back in full,
# ten rows of them. With start_clusters, ten pixels drawn, all ten are used.
# Meets: unsupervised classes of hyperspectral pictures, k-means as the baseline there, embeddings of patches held as a picture of many bands.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check spectral==0.25 scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6
"$place/venv/bin/python" -W error - <<'PYTHON'
import logging
from importlib.metadata import version

import numpy as np
import spectral
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.metrics import adjusted_rand_score

print("  ".join(f"{name} {version(name)}" for name in ("spectral", "scikit-learn", "numpy")))
logging.getLogger("spectral").setLevel(logging.WARNING)
rng = np.random.default_rng(0)


def told(name, image, truth, clusters, **start):
    found, centres = spectral.kmeans(image, clusters, 100, **start)
    rows = image.reshape(-1, image.shape[-1])
    plain = KMeans(clusters, n_init=10, random_state=0).fit_predict(rows)
    scores = [adjusted_rand_score(truth.ravel(), labels.ravel()) for labels in (found, plain)]
    used = len(np.unique(found))
    print(f"{name}: {used} of {len(centres)} clusters, ARI {scores[0]:.2f}, scikit-learn's k-means {scores[1]:.2f}")
    assert len(centres) == clusters
    return used, *scores


for materials, most, score in ((5, 1, 0.01), (10, 3, 0.3), (20, 6, 0.3)):
    spectra = 5 + rng.normal(size=(materials, 50))
    truth = rng.integers(0, materials, (64, 64))
    image = spectra[truth] + 0.3 * rng.normal(size=(64, 64, 50))
    used, got, plain = told(f"{materials} materials, 50 bands", image, truth, materials)
    assert used <= most and got < score and plain > 0.99
    if materials == 10:
        starts = image.reshape(-1, 50)[rng.choice(64 * 64, materials, replace=False)]
        used, got, _ = told("  started at ten pixels drawn", image, truth, materials, start_clusters=starts)
        assert used == 10 and got > 0.5
rows, labels = load_digits(return_X_y=True)
used, got, plain = told("digits, 64 bands", rows[:1764].reshape(42, 42, 64), labels[:1764], 10)
assert used == 4 and got < 0.35 and plain > 0.6
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   spectral 0.25  scikit-learn 1.9.1  numpy 2.4.6
#   5 materials, 50 bands: 1 of 5 clusters, ARI 0.00, scikit-learn's k-means 1.00
#   10 materials, 50 bands: 2 of 10 clusters, ARI 0.19, scikit-learn's k-means 1.00
#     started at ten pixels drawn: 10 of 10 clusters, ARI 0.62, scikit-learn's k-means 1.00
#   20 materials, 50 bands: 4 of 20 clusters, ARI 0.13, scikit-learn's k-means 1.00
#   digits, 64 bands: 4 of 10 clusters, ARI 0.30, scikit-learn's k-means 0.67
