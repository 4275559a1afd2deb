#!/usr/bin/env bash
# Guess: RGB to YCbCr and back costs at most one level, up or down alike: both directions round.
# Really: Pillow's convert truncates in both directions. One round trip changes nearly every pixel, takes 1.6, 0.5 and 1.8 levels
# off the means of red, green and blue (up to 3 in one pixel), and each further trip takes as much again: 20 trips cost about 20
# levels. Grey pixels hide it, they lose at most 1 once. OpenCV rounds: its mean moves by less than 0.01 and stays there.
# Meets: whoever changes or equalises luma alone (Y of YCbCr) as an augmentation, or converts JPEG folders that way with Pillow.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check pillow==13.0.0 opencv-python-headless==5.0.0.93 numpy==2.4.6
cd "$place"
venv/bin/python -W ignore - <<'PYTHON'
import cv2
import numpy as np
import PIL
from PIL import Image

print("Pillow", PIL.__version__, " OpenCV", cv2.__version__)


def pillow(x):
    return np.asarray(Image.fromarray(x).convert("YCbCr").convert("RGB"))


def opencv(x):
    return cv2.cvtColor(cv2.cvtColor(x, cv2.COLOR_RGB2YCrCb), cv2.COLOR_YCrCb2RGB)


def trips(x, once, count):
    out = x
    for _ in range(count):
        out = once(out)
    return out.astype(int) - x


image = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
grey = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
for name, once in (("Pillow", pillow), ("OpenCV", opencv)):
    for count in (1, 2, 5, 20):
        d = trips(image, once, count)
        print(f"{name} {count:2} trips: mean {np.round(d.mean((0, 1)), 2)}, largest {abs(d).max()}, changed {(d != 0).any(-1).mean():.1%}")
d = trips(grey, pillow, 20)
print(f"Pillow 20 trips, grey: mean {d.mean():.2f}, largest {abs(d).max()}")
one, many = trips(image, pillow, 1), trips(image, pillow, 20)
assert (one.mean((0, 1)) < [-1, -0.3, -1]).all() and abs(one).max() == 3
assert (many.mean((0, 1)) < -10).all()
assert abs(d).max() == 1
assert (abs(trips(image, opencv, 20).mean((0, 1))) < 0.05).all()
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   Pillow 13.0.0  OpenCV 5.0.0
#   Pillow  1 trips: mean [-1.61 -0.48 -1.78], largest 3, changed 100.0%
#   Pillow  2 trips: mean [-3.04 -1.08 -3.41], largest 6, changed 100.0%
#   Pillow  5 trips: mean [-6.47 -3.66 -7.15], largest 14, changed 100.0%
#   Pillow 20 trips: mean [-21.68 -17.09 -22.66], largest 50, changed 100.0%
#   OpenCV  1 trips: mean [ 0.   -0.01 -0.  ], largest 1, changed 76.2%
#   OpenCV  2 trips: mean [ 0.   -0.01 -0.  ], largest 2, changed 76.2%
#   OpenCV  5 trips: mean [ 0.   -0.01 -0.  ], largest 5, changed 76.2%
#   OpenCV 20 trips: mean [ 0.   -0.01 -0.  ], largest 20, changed 76.2%
#   Pillow 20 trips, grey: mean -0.09, largest 1
