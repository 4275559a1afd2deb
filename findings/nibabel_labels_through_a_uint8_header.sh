#!/usr/bin/env bash
# Guess: labels 0 to 4 saved as NIfTI with the header of another label map (uint8) come back as 0 to 4: they fit.
# Really: an array of floats, as get_fdata, resampling and arg-max in float give, is stretched over all 256 levels: 0, 1.004, 1.992, 2.996 and
# 4.0000002 are read back. astype(int) makes 2 a 1 and 3 a 2, == 1 finds nothing; with five labels two in five voxels are wrong. Nothing is
# said. With two or four labels the steps happen to fit. Arrays of integers are stored as they are, without the header floats are too.
# Meets: masks, cluster maps and pseudo-labels of volumes that are written with the header at hand, and tools that read them as integers.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check nibabel==5.4.2 numpy==2.4.6
cd "$place"
venv/bin/python -W ignore - <<'PYTHON'
import nibabel
import numpy as np

print("nibabel", nibabel.__version__, " numpy", np.__version__)
rng = np.random.default_rng(0)
nibabel.save(nibabel.Nifti1Image(rng.integers(0, 5, (16, 16, 16), dtype=np.uint8), np.eye(4)), "labels.nii.gz")
first = nibabel.load("labels.nii.gz")
assert np.array_equal(np.unique(first.get_fdata()), range(5))


def trip(values, header):
    nibabel.save(nibabel.Nifti1Image(values, first.affine, header), "again.nii.gz")
    again = nibabel.load("again.nii.gz")
    return again.get_fdata(), again.get_data_dtype(), float(again.dataobj.slope)


for count in (2, 3, 4, 5, 10):
    labels = rng.integers(0, count, (16, 16, 16))
    back, dtype, slope = trip(labels.astype(np.float64), first.header)
    wrong = (back.astype(int) != labels).mean()
    kept = np.array_equal(trip(labels.astype(np.int16), first.header)[0], labels)
    plain = np.array_equal(trip(labels.astype(np.float64), None)[0], labels)
    print(f"{count} labels: {dtype} times {slope:.6f}, read {np.unique(back).round(4).tolist()}")
    print(f"   {wrong:.2f} of the voxels wrong as integers; right from int16 {kept}, without the header {plain}")
    assert dtype == np.uint8 and kept and plain
    assert (wrong == 0) == (count in (2, 4))
    if count == 5:
        assert wrong > 0.35 and not (back == 1).any()
wide = rng.integers(0, 256, (16, 16, 16))
wide.flat[:2] = 0, 255
print("0 to 255: right", np.array_equal(trip(wide.astype(np.float64), first.header)[0], wide))
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   nibabel 5.4.2  numpy 2.4.6
#   2 labels: uint8 times 0.003922, read [0.0, 1.0]
#      0.00 of the voxels wrong as integers; right from int16 True, without the header True
#   3 labels: uint8 times 0.007843, read [0.0, 0.9961, 2.0]
#      0.32 of the voxels wrong as integers; right from int16 True, without the header True
#   4 labels: uint8 times 0.011765, read [0.0, 1.0, 2.0, 3.0]
#      0.00 of the voxels wrong as integers; right from int16 True, without the header True
#   5 labels: uint8 times 0.015686, read [0.0, 1.0039, 1.9922, 2.9961, 4.0]
#      0.40 of the voxels wrong as integers; right from int16 True, without the header True
#   10 labels: uint8 times 0.035294, read [0.0, 0.9882, 2.0118, 3.0, 3.9882, 5.0118, 6.0, 6.9882, 8.0118, 9.0]
#      0.31 of the voxels wrong as integers; right from int16 True, without the header True
#   0 to 255: right True
