#!/usr/bin/env bash
# Guess: scipy.ndimage.distance_transform_edt of a mask without background is infinite, or as large as OpenCV's, -1 as distance_transform_cdt's, or refused.
# Really: it is the distance to a background pixel above the upper left corner, at (-1, 0), which does not exist: 1 there, 90 in the lower right corner of 64 x 64,
# numbers as those of any other mask. The distance to a class that a picture does not have is such a map too: half of its pixels are told to be nearer
# than 50, in the picture turned around other ones. Seeds at the largest distance lie in the corner. Nothing is said.
# Meets: boundary losses and distance maps per class, seeds for a watershed, crops and patches that lie within the foreground.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check scipy==1.17.1 opencv-python-headless==5.0.0.93 numpy==2.4.6
"$place/venv/bin/python" -W error - <<'PYTHON'
from importlib.metadata import version

import cv2
import numpy as np
from scipy import ndimage

print("  ".join(f"{name} {version(name)}" for name in ("scipy", "opencv-python-headless", "numpy")))
rows, columns = np.mgrid[:64, :64]
for name, mask in {"one background pixel in the middle": (rows != 32) | (columns != 32), "no background": np.ones((64, 64), bool)}.items():
    exact, nearest = ndimage.distance_transform_edt(mask, return_indices=True)
    opencv = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    whole = ndimage.distance_transform_cdt(mask)
    print(f"{name}: corners {exact[0, 0]:.1f} {exact[0, -1]:.1f} {exact[-1, 0]:.1f} {exact[-1, -1]:.1f}, nearest background of (5, 5) at {tuple(map(int, nearest[:, 5, 5]))}, "
          f"largest at {tuple(map(int, np.unravel_index(exact.argmax(), exact.shape)))}; OpenCV up to {opencv.max():.3g}, cdt {whole.min()} to {whole.max()}")
    if mask.all():
        assert np.allclose(exact, np.hypot(rows + 1, columns)) and (nearest[0] == -1).all() and (nearest[1] == 0).all()
        assert opencv.min() > 1e4 and (whole == -1).all()
    else:
        assert np.allclose(exact, opencv, atol=1e-3)
volume = ndimage.distance_transform_edt(np.ones((8, 8, 8)))
print(f"8 x 8 x 8 without background: {volume.min():.2f} to {volume.max():.2f}")
assert np.isfinite(volume).all() and volume.min() == 1

classes = (columns // 16).astype(np.uint8)  # four classes side by side, and a fifth one that the picture does not have
for each in (3, 4):
    far = ndimage.distance_transform_edt(classes != each)
    turned = ndimage.distance_transform_edt(np.rot90(classes, 2) != each)
    print(f"class {each} in {(classes == each).mean():.2f} of the pixels: told to be nearer than 50 from {(far < 50).mean():.2f}, {far.mean():.1f} away in the mean; "
          f"in the picture turned by 180 degrees equal to the map turned: {np.array_equal(np.rot90(turned, 2), far)}")
    assert np.array_equal(np.rot90(turned, 2), far) == (each == 3)
    assert far.max() < 100
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   scipy 1.17.1  opencv-python-headless 5.0.0.93  numpy 2.4.6
#   one background pixel in the middle: corners 45.3 44.6 44.6 43.8, nearest background of (5, 5) at (32, 32), largest at (0, 0); OpenCV up to 45.3, cdt 0 to 32
#   no background: corners 1.0 63.0 64.0 89.8, nearest background of (5, 5) at (-1, 0), largest at (63, 63); OpenCV up to 1.84e+19, cdt -1 to -1
#   8 x 8 x 8 without background: 1.00 to 12.73
#   class 3 in 0.25 of the pixels: told to be nearer than 50 from 1.00, 18.4 away in the mean; in the picture turned by 180 degrees equal to the map turned: True
#   class 4 in 0.00 of the pixels: told to be nearer than 50 from 0.48, 49.0 away in the mean; in the picture turned by 180 degrees equal to the map turned: False
