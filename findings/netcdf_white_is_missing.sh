#!/usr/bin/env bash
# Guess: uint8 and uint16 pictures that were written to a netCDF file in full come back as they are; missing values need a _FillValue.
# Really: netCDF4-python reads a masked array, and without any attribute the library's default fill value counts as missing. For unsigned
# types that is the largest value: 255 and 65535, pure white and saturated sensors. mean, std, min, max and the normalisation pass over all
# white pixels (digits lose their ink), while numpy.asarray shows them: two answers from one file. Signed 8-bit values have no such hole.
# Meets: whoever keeps images, masks (255) or label maps ("ignore" = 255) as netCDF, or normalises by what it reads.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check netCDF4==1.7.5.1.post1 scikit-learn==1.9.1 numpy==2.4.6
cd "$place"
venv/bin/python -W ignore - <<'PYTHON'
import netCDF4
import numpy as np
from sklearn.datasets import load_digits

print("netCDF4", netCDF4.__version__)
digits = load_digits().images / 16  # 1,797 pictures of 8 x 8, ink 1, ground 0
seen = {}
with netCDF4.Dataset("digits.nc", "w") as file:
    for name, size in zip(("image", "row", "column"), digits.shape):
        file.createDimension(name, size)
    for kind in ("u1", "u2", "i1"):
        top = np.iinfo(kind).max
        file.createVariable(kind, kind, ("image", "row", "column"))[:] = np.round(digits * top).astype(kind)
with netCDF4.Dataset("digits.nc") as file:
    for kind in ("u1", "u2", "i1"):
        top = np.iinfo(kind).max
        true = np.round(digits * top).astype(kind)
        read = file[kind][:]
        assert file[kind].ncattrs() == [] and np.array_equal(np.asarray(read), true)
        masked = int(np.ma.count_masked(read))
        seen[kind] = (masked, float(read.mean() / top), float(read.std() / top), int(read.max()))
        print(f"{kind}: {(true == top).sum()} pixels of {top}, masked {masked}; of the range: mean {true.mean() / top:.4f} read as {seen[kind][1]:.4f}, "
              f"deviation {true.std() / top:.4f} read as {seen[kind][2]:.4f}; max {true.max()} read as {seen[kind][3]}")
    file.set_auto_mask(False)
    assert np.array_equal(file["u1"][:], np.round(digits * 255).astype("u1"))
white = int((digits == 1).sum())
assert white > 10_000 and seen["u1"][0] == seen["u2"][0] == white and seen["i1"][0] == 0
assert seen["u1"][3] < 255 and seen["u1"][1] < digits.mean() - 0.05 and abs(seen["i1"][1] - digits.mean()) < 0.01
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   netCDF4 1.7.5.1.post1
#   u1: 10456 pixels of 255, masked 10456; of the range: mean 0.3053 read as 0.2358, deviation 0.3759 read as 0.3199; max 255 read as 239
#   u2: 10456 pixels of 65535, masked 10456; of the range: mean 0.3053 read as 0.2358, deviation 0.3760 read as 0.3201; max 65535 read as 61439
#   i1: 10456 pixels of 127, masked 0; of the range: mean 0.3054 read as 0.3054, deviation 0.3757 read as 0.3757; max 127 read as 127
