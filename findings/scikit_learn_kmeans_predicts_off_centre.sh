#!/usr/bin/env bash
# Guess: KMeans gives the rows it was fitted on the same clusters by predict as in labels_, and an offset common to all rows changes nothing.
# Really: fit takes the mean away first, predict and MiniBatchKMeans do not, and of float32 rows they expand the square of the distance in float32: of the
# digits (0 to 16) with 5,000 added 70 % keep their cluster (ARI .29 for .57), with 20,000 added 12 %, though the centres are right; transform() of the
# same rows names the right centre, and so does predict of float64 rows. MiniBatchKMeans learns and labels so: ARI .17 for .60. Nothing is said.
# Meets: 16-bit pictures on a bright background, features with a large common part, clusters learnt once and given to test rows.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6
"$place/venv/bin/python" -W error - <<'PYTHON'
from importlib.metadata import version

import numpy as np
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.datasets import load_digits
from sklearn.metrics import adjusted_rand_score

print("  ".join(f"{name} {version(name)}" for name in ("scikit-learn", "numpy")))
digits, classes = load_digits(return_X_y=True)
for offset in (0, 1000, 5000, 20000):
    rows = (digits + offset).astype(np.float32)  # whole numbers: all of them exact
    fitted = KMeans(10, n_init=3, random_state=0).fit(rows)
    centres = fitted.cluster_centers_.astype(np.float64)
    nearest = ((rows.astype(np.float64)[:, None] - centres) ** 2).sum(-1).argmin(1)
    told = fitted.predict(rows)
    same = {
        "labels_": (fitted.labels_ == nearest).mean(),
        "predict": (told == nearest).mean(),
        "transform": (fitted.transform(rows).argmin(1) == nearest).mean(),
        "fitted and asked in float64": (KMeans(10, init=centres, n_init=1, max_iter=1).fit(rows.astype(np.float64)).predict(rows.astype(np.float64))
                                        == KMeans(10, init=centres, n_init=1, max_iter=1).fit(rows.astype(np.float64)).labels_).mean(),
    }
    scores = [adjusted_rand_score(classes, labels) for labels in (fitted.labels_, told)]
    small = MiniBatchKMeans(10, n_init=3, random_state=0).fit(rows)
    scores.append(adjusted_rand_score(classes, small.labels_))
    print(f"digits + {offset}: the nearest centre by " + ", ".join(f"{name} {share:.3f}" for name, share in same.items())
          + f"; ARI of labels_ {scores[0]:.2f}, predict {scores[1]:.2f}, MiniBatchKMeans {scores[2]:.2f}")
    assert min(share for name, share in same.items() if name != "predict") > 0.999 and scores[0] > 0.5
    if offset == 0:
        assert same["predict"] == 1 and scores[2] > 0.5
    if offset >= 5000:
        assert same["predict"] < 0.8 and max(scores[1:]) < 0.4
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   scikit-learn 1.9.1  numpy 2.4.6
#   digits + 0: the nearest centre by labels_ 1.000, predict 1.000, transform 1.000, fitted and asked in float64 1.000; ARI of labels_ 0.57, predict 0.57, MiniBatchKMeans 0.60
#   digits + 1000: the nearest centre by labels_ 1.000, predict 0.998, transform 1.000, fitted and asked in float64 1.000; ARI of labels_ 0.57, predict 0.57, MiniBatchKMeans 0.60
#   digits + 5000: the nearest centre by labels_ 1.000, predict 0.698, transform 1.000, fitted and asked in float64 1.000; ARI of labels_ 0.57, predict 0.29, MiniBatchKMeans 0.17
#   digits + 20000: the nearest centre by labels_ 1.000, predict 0.117, transform 1.000, fitted and asked in float64 1.000; ARI of labels_ 0.66, predict 0.03, MiniBatchKMeans 0.04
