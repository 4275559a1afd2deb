#!/usr/bin/env bash
# Guess: what scikit-learn's dump_svmlight_file writes, its load_svmlight_file reads back: the same matrix.
# Really: the writer counts columns from 0 (LIBSVM's own tools from 1), the reader guesses: no column 0 in the file means counted from 1.
# Where the first column is all zero, as the corner pixel of digits always is, every column moves one to the left; n_features given does not
# help. Two parts of one data set are guessed separately: one with a single lit corner stays, the others move. Labels of a model that was
# trained on one of them and asked about the other are wrong, with equal shapes and without a warning.
# Meets: whoever exchanges MNIST, USPS or other pictures with LIBSVM's format, in its usual train and test files.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6
cd "$place"
venv/bin/python -W ignore - <<'PYTHON'
import numpy as np
import sklearn
from sklearn.datasets import dump_svmlight_file, load_digits, load_svmlight_file
from sklearn.neighbors import KNeighborsClassifier

print("scikit-learn", sklearn.__version__)
x, y = load_digits(return_X_y=True)
dump_svmlight_file(x, y, "digits")
plain = load_svmlight_file("digits")[0].toarray()
wide = load_svmlight_file("digits", n_features=64)[0].toarray()
print(f"written {x.shape}, read {plain.shape}; with n_features=64 {wide.shape}, equal {np.array_equal(wide, x)}, "
      f"equal after one step to the right {np.array_equal(wide[:, :63], x[:, 1:])}")
assert not x[:, 0].any()
assert plain.shape == (len(x), 63) and wide.shape == x.shape
assert np.array_equal(plain, x[:, 1:]) and np.array_equal(wide[:, :63], x[:, 1:]) and not np.array_equal(wide, x)

train, test = x[:1000].copy(), x[1000:]
right = KNeighborsClassifier(1).fit(train, y[:1000]).score(test, y[1000:])
train[0, 0] = 1  # one lit corner, of value 1 of 16, in one of 1000 pictures
dump_svmlight_file(train, y[:1000], "train")
dump_svmlight_file(test, y[1000:], "test")
read = [load_svmlight_file(name, n_features=64)[0].toarray() for name in ("train", "test")]
wrong = KNeighborsClassifier(1).fit(read[0], y[:1000]).score(read[1], y[1000:])
said = [load_svmlight_file(name, n_features=64, zero_based=True)[0].toarray() for name in ("train", "test")]
again = KNeighborsClassifier(1).fit(said[0], y[:1000]).score(said[1], y[1000:])
print(f"one neighbour, accuracy: in memory {right:.3f}, through the files {wrong:.3f}, with zero_based=True {again:.3f}")
assert np.array_equal(read[0], train) and np.array_equal(read[1][:, :63], test[:, 1:])
assert right > 0.95 and wrong < right - 0.1 and again == KNeighborsClassifier(1).fit(train, y[:1000]).score(test, y[1000:])
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   scikit-learn 1.9.1
#   written (1797, 64), read (1797, 63); with n_features=64 (1797, 64), equal False, equal after one step to the right True
#   one neighbour, accuracy: in memory 0.962, through the files 0.556, with zero_based=True 0.962
