"""Weighted k-NN by scikit-learn on unit rows -> neighbours.safetensors."""
import os

import numpy as np
from safetensors.numpy import save_file
from sklearn.neighbors import KNeighborsClassifier

from place import values

rng = np.random.default_rng(5)
centres = rng.normal(size=(6, 8))


def split(n):
    y = rng.integers(0, 6, n).astype(np.int32)
    x = centres[y] + 1.4 * rng.normal(size=(n, 8))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32), y


(x, y), (x_test, y_test) = split(300), split(200)
cases = [(1, 0.1), (10, 0.1), (200, 0.1), (200, 0.02), (300, 5.0)]
accuracy = []
for k, tau in cases:
    # For unit rows d^2 = 2 - 2 s.
    model = KNeighborsClassifier(k, algorithm="brute", weights=lambda d, tau=tau: np.exp((1 - d**2 / 2) / tau))
    accuracy.append(model.fit(x.astype(np.float64), y).score(x_test.astype(np.float64), y_test))

path = values("neighbours")
save_file({"x": x, "y": y, "x_test": x_test, "y_test": y_test, "k": np.array([c[0] for c in cases], np.int32),
           "tau": np.array([c[1] for c in cases], np.float32), "accuracy": np.array(accuracy)}, path)
print(path, os.path.getsize(path), accuracy)
