#!/usr/bin/env bash
# Guess: MiniSom's train with random_order=True ("samples are picked in random order") and train_random draw from all rows, num_iteration
# times.
# Really: they shuffle the first num_iteration rows, the very ones that are gone through without it. Of 1,797 digits in the order of their
# classes 900 iterations see five classes, whatever the later rows hold; the error on the later ones is 1.7 times that on the seen ones, and
# 1.05 times where the rows were shuffled before. use_epochs=True sees all rows.
# Meets: self-organising maps of data sets that come sorted by class (folders, many packed sets) or by source.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check minisom==2.3.6 scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6
cd "$place"
export OPENBLAS_NUM_THREADS=1
venv/bin/python -W ignore - <<'PYTHON'
from importlib.metadata import version

import numpy as np
from minisom import MiniSom
from sklearn.datasets import load_digits

print("minisom", version("minisom"))
x, y = load_digits(return_X_y=True)
order = np.argsort(y, kind="stable")
x, y = x[order] / 16, y[order]
iterations = 900
print(f"{len(x)} digits sorted by class; the first {iterations} are of the classes {sorted(set(y[:iterations].tolist()))}")


def trained(rows, method, **settings):
    som = MiniSom(8, 8, x.shape[1], sigma=1.5, learning_rate=0.5, random_seed=0)
    getattr(som, method)(rows, 1 if "use_epochs" in settings else iterations, **settings)
    return som


# Whether the rows after the first 900 are read at all: exchange them for something else and compare the maps.
other = x.copy()
other[iterations:] = 7
shuffled = np.random.default_rng(0).permutation(len(x))
cases = {
    "train": (x, other, "train", {}),
    "train, random_order=True": (x, other, "train", {"random_order": True}),
    "train_random": (x, other, "train_random", {}),
    "train, one epoch": (x, other, "train", {"use_epochs": True}),
    "train of shuffled rows": (x[shuffled], other[shuffled], "train", {}),
}
seen = {}
for title, (rows, exchanged, method, settings) in cases.items():
    som = trained(rows, method, **settings)
    same = np.array_equal(som.get_weights(), trained(exchanged, method, **settings).get_weights())
    early, late = som.quantization_error(x[:iterations]), som.quantization_error(x[iterations:])
    seen[title] = (same, late / early)
    print(f"{title}: error {early:.2f} on the first {iterations} rows, {late:.2f} on the others; the same map whatever these are: {same}")
assert [title for title, (same, _) in seen.items() if not same] == ["train, one epoch", "train of shuffled rows"]
assert all(ratio > 1.3 for same, ratio in seen.values() if same) and seen["train of shuffled rows"][1] < 1.15
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   minisom 2.3.6
#   1797 digits sorted by class; the first 900 are of the classes [0, 1, 2, 3, 4]
#   train: error 1.36 on the first 900 rows, 2.01 on the others; the same map whatever these are: True
#   train, random_order=True: error 1.16 on the first 900 rows, 1.99 on the others; the same map whatever these are: True
#   train_random: error 1.16 on the first 900 rows, 1.99 on the others; the same map whatever these are: True
#   train, one epoch: error 2.27 on the first 900 rows, 2.06 on the others; the same map whatever these are: False
#   train of shuffled rows: error 1.31 on the first 900 rows, 1.37 on the others; the same map whatever these are: False
