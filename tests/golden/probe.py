"""A logistic regression by scikit-learn on standardised features -> probe.safetensors."""
import os

import numpy as np
from safetensors.numpy import save_file
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from place import values

rng = np.random.default_rng(11)
centres = rng.normal(size=(5, 12))
y = rng.integers(0, 5, 700).astype(np.int32)
x = ((centres[y] + 1.3 * rng.normal(size=(700, 12))) * rng.uniform(0.1, 30, 12) + rng.normal(size=12)).astype(np.float32)
x[:, 7] = 2.5  # constant
x, x_test, y, y_test = x[:500], x[500:], y[:500], y[500:]

mean, std = x.astype(np.float64).mean(axis=0), x.astype(np.float64).std(axis=0)
std[7] = 1
model = LogisticRegression(C=1.0, tol=1e-10, max_iter=10000).fit((x - mean) / std, y)
loss = log_loss(y, model.predict_proba((x - mean) / std)) + (model.coef_**2).sum() / 2 / len(y)
test = (x_test - mean) / std

path = values("probe")
save_file({
    "x": x, "y": y, "x_test": x_test, "y_test": y_test,
    "loss": np.array([loss]),
    "weight": model.coef_.ravel().copy(),
    "predicted": model.predict(test).astype(np.int32),
    "accuracy": np.array([model.score(test, y_test)]),
}, path)
print(path, os.path.getsize(path), "accuracy", model.score(test, y_test))
