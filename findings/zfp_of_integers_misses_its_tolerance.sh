#!/usr/bin/env bash
# Guess: ZFP in HDF5 by its defaults, or with an error of at most 0.01 asked for, keeps whole numbers: they are an easier case than the floats that it keeps
# to the last digit, and no error below 1 is left to make.
# Really: of int32 arrays three values in four come back wrong (one in four of a smooth label map), by up to 8: labels 0 to 9 come back as -7 to 14, or
# as 4,294,967,295 in uint32, a picture is off by up to 7 levels, rows of neighbour indices name other rows. accuracy=0.01 and precision=32, all the
# bits there are, change nothing. The same numbers as float32 are exact throughout; reversible=True is right. No warning.
# Meets: label maps, neighbour tables and counts in one HDF5 file with features, compressed by the same filter.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check hdf5plugin==7.1.0 h5py==3.16.0 numpy==2.4.6
"$place/venv/bin/python" -W error - "$place/arrays.h5" <<'PYTHON'
import sys
from importlib.metadata import version

import h5py
import hdf5plugin
import numpy as np

print("  ".join(f"{name} {version(name)}" for name in ("hdf5plugin", "h5py", "numpy")))
rng = np.random.default_rng(0)
modes = {"default": {}, "accuracy 0.01": {"accuracy": 0.01}, "precision 32": {"precision": 32}, "reversible": {"reversible": True}}


def stored(array, options):
    with h5py.File(sys.argv[1], "w") as file:
        file.create_dataset("array", data=array, chunks=array.shape, compression=hdf5plugin.Zfp(**options))
    with h5py.File(sys.argv[1]) as file:
        assert file["array"].dtype == array.dtype
        return file["array"][()]


waves = np.add.outer(np.sin(np.arange(128) / 9), np.sin(np.arange(128) / 13)) + 0.5 * np.sin(np.add.outer(np.arange(128), np.arange(128)) / 5)
arrays = {
    "labels in order of the rows": rng.integers(0, 10, (128, 128)),
    "label map of 5 classes": np.digitize(waves, [-1, -0.3, 0.3, 1]),
    "picture": np.rint(255 * (waves - waves.min()) / np.ptp(waves)).astype(np.int64),
    "neighbour indices": rng.integers(0, 50_000, (1000, 20)),
}
for name, array in arrays.items():
    for mode, options in modes.items():
        whole, real = (stored(array.astype(dtype), options).astype(np.float64) for dtype in (np.int32, np.float32))
        equal, error = (whole == array).mean(), np.abs(whole - array).max()
        print(f"{name}, {mode}: int32 {equal:.2f} equal, off by up to {error:.0f}, {array.min()} to {array.max()} come back as "
              f"{whole.min():.0f} to {whole.max():.0f}; float32 {(real == array).mean():.2f} equal")
        assert (real == array).all() and (equal == 1) == (mode == "reversible") and (mode == "reversible" or error > 2)
back = stored(arrays["labels in order of the rows"].astype(np.uint32), {})
print(f"labels as uint32: {(back == arrays['labels in order of the rows']).mean():.2f} equal, at most {back.max()}")
assert back.max() > 2**31
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   hdf5plugin 7.1.0  h5py 3.16.0  numpy 2.4.6
#   labels in order of the rows, default: int32 0.27 equal, off by up to 8, 0 to 9 come back as -7 to 14; float32 1.00 equal
#   labels in order of the rows, accuracy 0.01: int32 0.27 equal, off by up to 8, 0 to 9 come back as -7 to 14; float32 1.00 equal
#   labels in order of the rows, precision 32: int32 0.27 equal, off by up to 8, 0 to 9 come back as -7 to 14; float32 1.00 equal
#   labels in order of the rows, reversible: int32 1.00 equal, off by up to 0, 0 to 9 come back as 0 to 9; float32 1.00 equal
#   label map of 5 classes, default: int32 0.77 equal, off by up to 3, 0 to 4 come back as -2 to 5; float32 1.00 equal
#   label map of 5 classes, accuracy 0.01: int32 0.77 equal, off by up to 3, 0 to 4 come back as -2 to 5; float32 1.00 equal
#   label map of 5 classes, precision 32: int32 0.77 equal, off by up to 3, 0 to 4 come back as -2 to 5; float32 1.00 equal
#   label map of 5 classes, reversible: int32 1.00 equal, off by up to 0, 0 to 4 come back as 0 to 4; float32 1.00 equal
#   picture, default: int32 0.28 equal, off by up to 7, 0 to 255 come back as -6 to 255; float32 1.00 equal
#   picture, accuracy 0.01: int32 0.28 equal, off by up to 7, 0 to 255 come back as -6 to 255; float32 1.00 equal
#   picture, precision 32: int32 0.28 equal, off by up to 7, 0 to 255 come back as -6 to 255; float32 1.00 equal
#   picture, reversible: int32 1.00 equal, off by up to 0, 0 to 255 come back as 0 to 255; float32 1.00 equal
#   neighbour indices, default: int32 0.26 equal, off by up to 8, 1 to 49998 come back as -1 to 49998; float32 1.00 equal
#   neighbour indices, accuracy 0.01: int32 0.26 equal, off by up to 8, 1 to 49998 come back as -1 to 49998; float32 1.00 equal
#   neighbour indices, precision 32: int32 0.26 equal, off by up to 8, 1 to 49998 come back as -1 to 49998; float32 1.00 equal
#   neighbour indices, reversible: int32 1.00 equal, off by up to 0, 1 to 49998 come back as 1 to 49998; float32 1.00 equal
#   labels as uint32: 0.27 equal, at most 4294967295
