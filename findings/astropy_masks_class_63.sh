#!/usr/bin/env bash
# Guess: labels from 0 to 99 in a uint8 column, one of them masked, come back from a FITS table with that one masked.
# Really: all labels of 63 come back masked as well. The masked number is written as NumPy's filling value, 999999, which is 63 in eight bits, and 63
# is noted as the number that means "missing" (TNULL). int16 takes 16,959 the same way. No warning. Without a masked row nothing is lost.
# NumPy alone does it too: filled() of a masked uint8 picture puts a gray of 63 into the holes.
# Meets: catalogues of pictures with classes or clusters in small integers and unknown ones among them (CIFAR-100, Caltech-101: class 63),
# masked 8-bit pictures filled before a network sees them.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check astropy==8.0.2 numpy==2.4.6
cd "$place"
venv/bin/python -W error - <<'PYTHON'
from importlib.metadata import version

import numpy as np
from astropy.io import fits
from astropy.table import MaskedColumn, Table

print("  ".join(f"{name} {version(name)}" for name in ("astropy", "numpy")))
rng = np.random.default_rng(0)
labels = rng.permutation(np.repeat(np.arange(100), 100))
unknown = np.zeros(labels.size, bool)
unknown[:5] = True
assert not (labels[:5] == 63).any()
for dtype, mark in ((np.uint8, 63), (np.int16, 16959), (np.int32, 999999)):
    column = MaskedColumn(labels.astype(dtype), mask=unknown)
    Table({"label": column}).write("labels.fits", overwrite=True)
    read = Table.read("labels.fits")["label"]
    lost = np.ma.getmaskarray(read) & ~unknown
    kept = ~np.ma.getmaskarray(read)
    assert np.array_equal(np.asarray(read)[kept], labels[kept])
    noted = fits.getheader("labels.fits", 1)["TNULL1"]
    print(f"{np.dtype(dtype).name}: {unknown.sum()} of {labels.size} masked when written, {(~kept).sum()} when read; "
          f"TNULL1 = {noted}, classes lost {np.unique(labels[lost]).tolist()}, known rows of class 63 left {(labels[kept] == 63).sum()}")
    assert noted == mark and lost.sum() == (100 if dtype == np.uint8 else 0)
Table({"label": labels.astype(np.uint8)}).write("labels.fits", overwrite=True)
read = Table.read("labels.fits")["label"]
print("uint8, none masked: right", bool((read == labels).all()))
assert (read == labels).all() and not np.ma.is_masked(read)
picture = np.ma.array(np.array([[0, 10], [250, 255]], np.uint8), mask=[[True, False], [False, True]])
print("filled():", picture.filled().tolist(), "fill_value", int(picture.fill_value))
assert picture.filled().tolist() == [[63, 10], [250, 63]]
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   astropy 8.0.2  numpy 2.4.6
#   uint8: 5 of 10000 masked when written, 105 when read; TNULL1 = 63, classes lost [63], known rows of class 63 left 0
#   int16: 5 of 10000 masked when written, 5 when read; TNULL1 = 16959, classes lost [], known rows of class 63 left 100
#   int32: 5 of 10000 masked when written, 5 when read; TNULL1 = 999999, classes lost [], known rows of class 63 left 100
#   uint8, none masked: right True
#   filled(): [[63, 10], [250, 63]] fill_value 999999
