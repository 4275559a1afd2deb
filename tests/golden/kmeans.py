"""Golden k-means: overlapping blobs and their inertia under scikit-learn's KMeans(n_init=10), mean over 5 seeds."""
import numpy as np
from safetensors.numpy import save_file
from sklearn.cluster import KMeans

from place import values

rng = np.random.default_rng(5)
centres = rng.standard_normal((6, 8)) * 1.5
x = (centres[rng.integers(0, 6, 400)] + rng.standard_normal((400, 8)) + 3.0).astype(np.float32)
inertia = [KMeans(6, n_init=10, random_state=s).fit(x.astype(np.float64)).inertia_ for s in range(5)]
model = KMeans(6, n_init=1, max_iter=3, random_state=0).fit(x)
centroids = model.cluster_centers_.astype(np.float32)
out = {"x": x, "inertia": np.array([np.mean(inertia)]), "centroids": centroids}
distance = ((x.astype(np.float64)[:, None] - centroids.astype(np.float64)[None]) ** 2).sum(-1)
out["labels"], out["distance"] = distance.argmin(1).astype(np.int32), distance.min(1)
save_file(out, values("kmeans"))
