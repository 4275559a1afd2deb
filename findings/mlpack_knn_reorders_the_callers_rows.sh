#!/usr/bin/env bash
# Guess: a search for neighbours reads its matrix and leaves it alone, as those of scikit-learn, faiss and hnswlib do.
# Really: mlpack's knn, kfn and krann build their tree in the caller's float64 array and leave its rows in the tree's order; pca leaves its
# scores there. The neighbours returned are of the order before the call, so they are right, yet x and its labels no longer belong together.
# An array in Fortran order or in float32 is copied and stays. copy_all_inputs=True, described as an aid for debugging, prevents it.
# Meets: whoever mines neighbours and goes on with the same features: a second search, k-means, a probe, pairs of images.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check mlpack==4.8.0 scikit-learn==1.9.1 numpy==2.4.6
cd "$place"
venv/bin/python -W ignore - <<'PYTHON'
import mlpack
import numpy as np
import sklearn
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

print("mlpack", mlpack.__version__, " scikit-learn", sklearn.__version__)
pixels, labels = load_digits(return_X_y=True)


def accuracy(x):  # of the nearest neighbour, learnt from the first 1,000 rows
    return KNeighborsClassifier(1).fit(x[:1000], labels[:1000]).score(x[1000:], labels[1000:])


def same_rows(a, b):
    return np.array_equal(a[np.lexsort(a.T)], b[np.lexsort(b.T)])


searches = {
    "knn": lambda x: mlpack.knn(k=5, reference=x),
    "kfn": lambda x: mlpack.kfn(k=5, reference=x),
    "krann": lambda x: mlpack.krann(k=5, reference=x),
    "knn, copy_all_inputs": lambda x: mlpack.knn(k=5, reference=x, copy_all_inputs=True),
    "kmeans": lambda x: mlpack.kmeans(clusters=10, input_=x),
}
for title, search in searches.items():
    x = pixels.copy()
    found = search(x)
    moved = int((x != pixels).any(1).sum())
    print(f"{title}: {moved} of {len(x)} rows moved, accuracy {accuracy(pixels):.3f} before and {accuracy(x):.3f} after")
    assert same_rows(x, pixels)
    if title in ("knn", "kfn", "krann"):
        assert moved > 1700 and accuracy(x) < 0.3
    else:
        assert moved == 0
    if title == "knn":
        first = labels[found["neighbors"][:, 0]] == labels
        print(f"   its neighbours are of the same digit in {first.mean():.3f} by the order before")
        assert first.mean() > 0.95
for title, x in {"Fortran order": np.asfortranarray(pixels), "float32": pixels.astype(np.float32)}.items():
    mlpack.knn(k=5, reference=x)
    print(f"knn, {title}: {int((x != pixels).any(1).sum())} rows moved")
    assert (x == pixels).all()
x = pixels.copy()
scores = mlpack.pca(input_=x)["output"]
print(f"pca: the caller's rows have become the scores {np.array_equal(x, scores)}")
assert np.array_equal(x, scores) and not np.allclose(x, pixels)
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   mlpack 4.8.0  scikit-learn 1.9.1
#   knn: 1789 of 1797 rows moved, accuracy 0.962 before and 0.104 after
#      its neighbours are of the same digit in 0.988 by the order before
#   kfn: 1789 of 1797 rows moved, accuracy 0.962 before and 0.104 after
#   krann: 1789 of 1797 rows moved, accuracy 0.962 before and 0.104 after
#   knn, copy_all_inputs: 0 of 1797 rows moved, accuracy 0.962 before and 0.962 after
#   kmeans: 0 of 1797 rows moved, accuracy 0.962 before and 0.962 after
#   knn, Fortran order: 0 rows moved
#   knn, float32: 0 rows moved
#   pca: the caller's rows have become the scores True
