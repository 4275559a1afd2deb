#!/usr/bin/env bash
# Guess: labels with -1 for noise written into a uint8 array of HDF5 come back as 255, as NumPy's conversion gives and Zarr's, or are refused, as h5py
# refuses the number -1 alone.
# Really: HDF5 converts them, and clips: -1 becomes 0, the first class; all classes above 255 become 255, NaN becomes 0. Of 25 clusters that DBSCAN finds in
# the digits the first has 633 rows instead of 169, and no row is noise. It is so for an array written, for dtype="uint8" beside data=, and on
# reading with astype("uint8") or into a uint8 array. No warning.
# Meets: clusters of DBSCAN and HDBSCAN, unlabelled rows, -1 for "no neighbour", kept small in one HDF5 file with features.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check h5py==3.16.0 zarr==3.1.6 scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6
"$place/venv/bin/python" -W error - "$place" <<'PYTHON'
import sys
from importlib.metadata import version

import h5py
import numpy as np
import zarr
from sklearn.cluster import DBSCAN
from sklearn.datasets import load_digits

print("  ".join(f"{name} {version(name)}" for name in ("h5py", "zarr", "scikit-learn", "numpy")))
file = h5py.File(sys.argv[1] + "/labels.h5", "w")


def assigned(values):
    kept = file.require_dataset(f"assigned {len(values)}", values.shape, np.uint8)
    kept[:] = values
    return kept[:]


def created(values):
    kept = file.create_dataset(None, data=values, dtype="uint8")
    return kept[:]


def read_as(values):
    return file.create_dataset(None, data=values).astype("uint8")[:]


def read_into(values):
    found = np.empty(len(values), np.uint8)
    file.create_dataset(None, data=values).read_direct(found)
    return found


def in_zarr(values):
    kept = zarr.create_array(sys.argv[1] + "/labels.zarr", shape=values.shape, dtype="uint8", overwrite=True)
    kept[:] = values
    return kept[:]


ways = {"NumPy": lambda values: values.astype(np.uint8), "Zarr": in_zarr, "h5py, array assigned": assigned,
        "h5py, create_dataset": created, "h5py, astype": read_as, "h5py, read_direct": read_into}
few = np.array([-1, 0, 3, 255, 256, 999])
labels = DBSCAN(eps=20, min_samples=5).fit(load_digits().data).labels_
print(f"labels of the digits: {labels.max() + 1} clusters, {(labels == -1).sum()} rows of noise, {(labels == 0).sum()} in cluster 0")
for name, way in ways.items():
    got, kept = way(few), way(labels)
    print(f"{name}: {few.tolist()} become {got.tolist()}; of the digits {(kept == 255).sum()} are 255, {(kept == 0).sum()} in cluster 0")
    if name.startswith("h5py"):
        assert got.tolist() == [0, 0, 3, 255, 255, 255]
        assert (kept == 255).sum() == 0 and (kept == 0).sum() == (labels <= 0).sum()
    else:
        assert got.tolist() == [255, 0, 3, 255, 0, 231] and (kept == 255).sum() == (labels == -1).sum()
unknown = created(np.array([2, np.nan, 1.9, -np.inf]))
print(f"h5py, create_dataset: [2, nan, 1.9, -inf] become {unknown.tolist()}")
assert unknown.tolist() == [2, 0, 1, 0]
try:
    file["assigned 6"][0] = -1
    raise SystemExit("a number of -1 is no longer refused")
except OverflowError as error:
    print(f"h5py, -1 alone: {error}")
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   h5py 3.16.0  zarr 3.1.6  scikit-learn 1.9.1  numpy 2.4.6
#   labels of the digits: 25 clusters, 464 rows of noise, 169 in cluster 0
#   NumPy: [-1, 0, 3, 255, 256, 999] become [255, 0, 3, 255, 0, 231]; of the digits 464 are 255, 169 in cluster 0
#   Zarr: [-1, 0, 3, 255, 256, 999] become [255, 0, 3, 255, 0, 231]; of the digits 464 are 255, 169 in cluster 0
#   h5py, array assigned: [-1, 0, 3, 255, 256, 999] become [0, 0, 3, 255, 255, 255]; of the digits 0 are 255, 633 in cluster 0
#   h5py, create_dataset: [-1, 0, 3, 255, 256, 999] become [0, 0, 3, 255, 255, 255]; of the digits 0 are 255, 633 in cluster 0
#   h5py, astype: [-1, 0, 3, 255, 256, 999] become [0, 0, 3, 255, 255, 255]; of the digits 0 are 255, 633 in cluster 0
#   h5py, read_direct: [-1, 0, 3, 255, 256, 999] become [0, 0, 3, 255, 255, 255]; of the digits 0 are 255, 633 in cluster 0
#   h5py, create_dataset: [2, nan, 1.9, -inf] become [2, 0, 1, 0]
#   h5py, -1 alone: Python integer -1 out of bounds for uint8
