#!/usr/bin/env bash
# Guess: torchmetrics' adjusted_rand_score equals scikit-learn's for any number of images.
# Really: it multiplies pair counts in int64. With 10 classes that passes 2**63 between 60,000 and 130,000 images; the result is then
# any number, 2.98 or, worse, a plausible 0.93 instead of 0.49, without a warning. scikit-learn goes over to Python's integers.
# torchmetrics' NMI is right at every size, so the other column of the table looks sane.
# Meets: whoever scores clusters of ImageNet, EMNIST, or SVHN with its extra part.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check torch==2.13.0 torchmetrics==1.9.0 scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6
cd "$place"
venv/bin/python -W ignore - <<'PYTHON'
import numpy as np
import sklearn
import torch
import torchmetrics
import torchmetrics.functional.clustering as of_torchmetrics
from sklearn import metrics as of_sklearn

print("torch", torch.__version__, " torchmetrics", torchmetrics.__version__, " scikit-learn", sklearn.__version__)
draw = np.random.default_rng(0)
seen = {}
for rows, classes in ((60_000, 10), (130_000, 10), (200_000, 10), (500_000, 10), (1_281_167, 1000)):
    labels = draw.integers(0, classes, rows)
    found = np.where(draw.random(rows) < 0.7, labels, draw.integers(0, classes, rows))
    a, b = torch.tensor(found), torch.tensor(labels)
    ari = float(of_torchmetrics.adjusted_rand_score(a, b)), of_sklearn.adjusted_rand_score(labels, found)
    nmi = float(of_torchmetrics.normalized_mutual_info_score(a, b)), of_sklearn.normalized_mutual_info_score(labels, found)
    seen[rows] = ari
    print(f"{rows:9} images, {classes:4} classes: ARI {ari[0]:8.4f} against {ari[1]:.4f}   NMI {nmi[0]:.4f} against {nmi[1]:.4f}")
    assert abs(nmi[0] - nmi[1]) < 1e-3
assert abs(seen[60_000][0] - seen[60_000][1]) < 1e-4
for rows in (130_000, 200_000, 500_000, 1_281_167):
    assert abs(seen[rows][0] - seen[rows][1]) > 0.1
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   torch 2.13.0+cpu  torchmetrics 1.9.0  scikit-learn 1.9.1
#       60000 images,   10 classes: ARI   0.4914 against 0.4914   NMI 0.4906 against 0.4906
#      130000 images,   10 classes: ARI   2.9765 against 0.4901   NMI 0.4892 against 0.4892
#      200000 images,   10 classes: ARI   0.9251 against 0.4894   NMI 0.4886 against 0.4886
#      500000 images,   10 classes: ARI   5.9697 against 0.4905   NMI 0.4895 against 0.4895
#     1281167 images, 1000 classes: ARI   4.0534 against 0.4908   NMI 0.6646 against 0.6646
