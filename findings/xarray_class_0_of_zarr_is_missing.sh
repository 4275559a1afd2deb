#!/usr/bin/env bash
# Guess: labels, masks and features that zarr wrote are the same numbers of the same type in xarray.
# Really: in Zarr's format 2 xarray takes the fill value, 0 unless told otherwise, for the mark of what is missing: of labels 0 to 9 all of class 0 are NaN,
# the rest are floats; of masks False is NaN, an object, which counts as true: every pixel is foreground; of features after a rectifier all zeros
# are missing, and their means twice as large. The same arrays in format 3 are right, as are fill_value=None and mask_and_scale=False. No
# warning.
# Meets: arrays of zarr-python 2, OME-Zarr up to 0.4 and other stores in format 2, read with xarray.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check xarray==2026.9.0 zarr==3.1.6 pandas==3.1.1 numpy==2.4.6
"$place/venv/bin/python" -W error - "$place" <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
import xarray
import zarr

print("  ".join(f"{name} {version(name)}" for name in ("xarray", "zarr", "numpy")))
rng = np.random.default_rng(0)
arrays = {
    "labels": rng.integers(0, 10, 10_000, dtype=np.uint8),
    "mask": rng.random(10_000) < 0.3,
    "features": np.maximum(rng.normal(size=10_000), 0).astype(np.float32),
}


def through(array, zarr_format, fill, **options):
    group = zarr.open_group(sys.argv[1] + "/store", mode="w", zarr_format=zarr_format)
    names = {"dimension_names": ["row"]} if zarr_format == 3 else {"attributes": {"_ARRAY_DIMENSIONS": ["row"]}}
    kept = group.create_array("values", shape=array.shape, dtype=array.dtype, **fill, **names)
    kept[:] = array
    assert kept[:].dtype == array.dtype and np.array_equal(kept[:], array)
    return xarray.open_zarr(sys.argv[1] + "/store", consolidated=False, **options)["values"]


for name, array in arrays.items():
    for zarr_format in (2, 3):
        read = through(array, zarr_format, {})
        missing = read.isnull().values
        print(f"{name}, format {zarr_format}: {array.dtype} is read as {read.dtype}, {missing.sum()} missing, {(array == 0).sum()} were 0")
        assert np.array_equal(missing, (array == 0) & (zarr_format == 2)) and (read.dtype == array.dtype) == (zarr_format == 3 or name == "features")
        if name == "mask":
            print(f"   foreground: {np.mean(read.values.astype(bool)):.2f} of the pixels for {array.mean():.2f}")
            assert np.mean(read.values.astype(bool)) == (1 if zarr_format == 2 else array.mean())
        if name == "features":
            print(f"   mean: {read.mean().item():.3f} for {array.mean():.3f}")
            assert (read.mean().item() > 1.9 * array.mean()) == (zarr_format == 2)
    for read in (through(array, 2, {"fill_value": None}), through(array, 2, {}, mask_and_scale=False)):
        assert read.dtype == array.dtype and np.array_equal(read.values, array)
labels = arrays["labels"]
guesses = np.where(labels == 0, 1, labels)  # right but for class 0
read = through(labels, 2, {})
kept = ~read.isnull().values
print(f"guesses that are right but for class 0: accuracy {(guesses == labels).mean():.2f}, "
      f"over the rows that xarray leaves {(guesses == read.values)[kept].mean():.2f}")
assert (guesses == read.values)[kept].all()
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   xarray 2026.9.0  zarr 3.1.6  numpy 2.4.6
#   labels, format 2: uint8 is read as float32, 1009 missing, 1009 were 0
#   labels, format 3: uint8 is read as uint8, 0 missing, 1009 were 0
#   mask, format 2: bool is read as object, 6998 missing, 6998 were 0
#      foreground: 1.00 of the pixels for 0.30
#   mask, format 3: bool is read as bool, 0 missing, 6998 were 0
#      foreground: 0.30 of the pixels for 0.30
#   features, format 2: float32 is read as float32, 5003 missing, 5003 were 0
#      mean: 0.797 for 0.398
#   features, format 3: float32 is read as float32, 0 missing, 5003 were 0
#      mean: 0.398 for 0.398
#   guesses that are right but for class 0: accuracy 0.90, over the rows that xarray leaves 1.00
