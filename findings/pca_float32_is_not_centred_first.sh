#!/usr/bin/env bash
# Guess: PCA subtracts the mean first, so an offset common to all rows does not matter, and svd_solver="auto" is as good as "full".
# Really: for tall data (rows >= 10 x columns, columns <= 1,000) scikit-learn's "auto" is "covariance_eigh": it forms X'X of the rows
# as they are and subtracts n mean mean' afterwards, in the rows' own type. In float32 the difference cancels: with a mean of 100
# standard deviations the small variances are wrong or clipped to zero and whitening returns columns far from unit variance; with
# 1,000 even the leading directions are lost. Centring first, float64 or svd_solver="full" is exact; "full" was the default before 1.5.
# Meets: whoever whitens float32 features that share a large component (collapsed or non-negative embeddings, raw sensor counts).
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6
cd "$place"
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
venv/bin/python -W ignore - <<'PYTHON'
import numpy as np
import sklearn
from sklearn.decomposition import PCA

print("scikit-learn", sklearn.__version__)
draw = np.random.default_rng(0)
scale = np.geomspace(1, 0.02, 32)
rows = draw.standard_normal((4000, 32)) * scale @ np.linalg.qr(draw.standard_normal((32, 32)))[0]


def look(x, solver):
    pca = PCA(svd_solver=solver, whiten=True).fit(x)
    truth = PCA(svd_solver="full").fit(x.astype(np.float64))
    whitened = pca.transform(x).std(axis=0)
    angle = np.abs(np.sum(pca.components_[:4] * truth.components_[:4], axis=1)).min()
    ratio = pca.explained_variance_ / truth.explained_variance_
    return pca._fit_svd_solver, ratio.min(), ratio.max(), whitened.min(), whitened.max(), angle


print("mean  solver           least and largest variance / true   std after whitening   least |cos| of the first 4 directions")
seen = {}
for mean in (0, 100, 1000):
    x = (rows + mean).astype(np.float32)
    cases = {"auto": (x, "auto"), "full": (x, "full"), "auto, centred": (x - x.mean(axis=0, dtype=np.float64).astype(np.float32), "auto")}
    for name, (data, solver) in cases.items():
        seen[mean, name] = look(data, solver)
        print("%4d  %-15s  %8.3f %10.3f               %9.3g %9.3g        %.4f" % (mean, name, *seen[mean, name][1:]))
assert seen[0, "auto"][0] == "covariance_eigh"
assert abs(seen[0, "auto"][4] - 1) < 0.01
assert seen[100, "auto"][1] < 0.5 and abs(seen[100, "full"][1] - 1) < 0.01
assert seen[1000, "auto"][5] < 0.9 and seen[1000, "full"][5] > 0.99
assert seen[1000, "auto, centred"][5] > 0.99
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   scikit-learn 1.9.1
#   mean  solver           least and largest variance / true   std after whitening   least |cos| of the first 4 directions
#      0  auto                1.000      1.000                       1         1        1.0000
#      0  full                1.000      1.000                       1         1        1.0000
#      0  auto, centred       1.000      1.000                       1         1        1.0000
#    100  auto                0.000      1.940                   0.723  1.27e+06        0.9792
#    100  full                1.000      1.000                       1         1        1.0000
#    100  auto, centred       1.000      1.000                       1         1        1.0000
#   1000  auto                0.000     30.533                   0.108  2.64e+06        0.1445
#   1000  full                1.000      1.004                   0.998         1        1.0000
#   1000  auto, centred       1.000      1.000                       1         1        1.0000
