"""Clustering scores from scikit-learn and assignment totals from SciPy -> metrics.safetensors.

A case is a table of counts [clusters, classes]; both sides expand it to the same label arrays.
"""
import os

import numpy as np
from safetensors.numpy import save_file
from scipy import stats
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_matrix
from sklearn import metrics
from sklearn.metrics.cluster import expected_mutual_information

from place import values

rng = np.random.default_rng(7)


def random_table(clusters, classes, n, agreement):
    labels = rng.integers(0, classes, n)
    assignments = np.where(rng.random(n) < agreement, labels % clusters, rng.integers(0, clusters, n))
    table = np.zeros((clusters, classes), np.int64)
    np.add.at(table, (assignments, labels), 1)
    return table


permuted = np.zeros((10, 10), np.int64)
permuted[np.arange(10), rng.permutation(10)] = rng.integers(1, 50, 10)
empty_cluster = random_table(6, 5, 80, 0.6)
empty_cluster[2] = 0
empty_class = random_table(4, 6, 80, 0.6)
empty_class[:, 3] = 0

tables = {
    "one_sample": np.array([[1]]),
    "one_cluster": np.array([[3, 4, 5]]),
    "one_class": np.array([[3], [4], [5]]),
    "one_cluster_one_class": np.array([[9]]),
    "singletons_both": np.eye(12, dtype=np.int64),
    "singletons_against_classes": np.repeat(np.eye(3, dtype=np.int64), 5, axis=0),
    "independent": np.array([[2, 4], [3, 6]]),
    "opposed": np.array([[1, 1], [1, 1]]),
    "two_samples_split": np.array([[1, 0], [0, 1]]),
    "perfect_permuted": permuted,
    "random": random_table(10, 10, 500, 0.0),
    "good": random_table(10, 10, 500, 0.8),
    "more_clusters": random_table(25, 10, 600, 0.5),
    "fewer_clusters": random_table(4, 10, 600, 0.5),
    "empty_cluster": empty_cluster,
    "empty_class": empty_class,
    "n60000": random_table(10, 10, 60000, 0.7),
    "n60000_random": random_table(20, 10, 60000, 0.0),
    "n60000_skewed": np.array([[59990, 1], [2, 7]]),
}

arrays = {}
for name, table in tables.items():
    table = np.ascontiguousarray(table, dtype=np.int64)
    cells = [(c, k) for c in range(table.shape[0]) for k in range(table.shape[1])]
    assignments = np.concatenate([np.full(table[c, k], c) for c, k in cells])
    labels = np.concatenate([np.full(table[c, k], k) for c, k in cells])
    rows, cols = linear_sum_assignment(-table)
    n = table.sum()
    occupied = table[table.any(axis=1)][:, table.any(axis=0)]
    expected = expected_mutual_information(csr_matrix(occupied), n)
    entropy = (stats.entropy(table.sum(axis=0)) + stats.entropy(table.sum(axis=1))) / 2
    arrays[f"table/{name}"] = table
    arrays[f"scores/{name}"] = np.array([
        table[rows, cols].sum() / n,
        table.max(axis=1).sum() / n,
        metrics.normalized_mutual_info_score(labels, assignments),
        metrics.adjusted_rand_score(labels, assignments),
        metrics.adjusted_mutual_info_score(labels, assignments),
    ])
    arrays[f"scale/{name}"] = np.array([entropy, expected])

costs = {
    "one": np.array([[3.5]]),
    "row": np.array([[4.0, -2.0, 7.0]]),
    "column": np.array([[4.0], [-2.0], [7.0]]),
    "normal": rng.normal(size=(17, 17)),
    "wide": rng.normal(size=(9, 23)),
    "tall": rng.normal(size=(23, 9)),
    "ties": rng.integers(0, 3, (30, 30)),
    "ties_wide": rng.integers(0, 2, (12, 40)),
    "constant": np.full((8, 8), 5),
    "large": rng.integers(0, 256, (200, 200)),
}
for name, cost in costs.items():
    rows, cols = linear_sum_assignment(cost)
    key, dtype = ("bytes", np.uint8) if name == "large" else ("cost", np.float64)
    arrays[f"{key}/{name}"] = np.ascontiguousarray(cost, dtype=dtype)
    arrays[f"total/{name}"] = np.array([cost[rows, cols].sum()], np.float64)

path = values("metrics")
save_file(arrays, path)
print(path, os.path.getsize(path))
