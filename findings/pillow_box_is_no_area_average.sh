#!/usr/bin/env bash
# Guess: resizing with Pillow's Image.BOX averages the area that each new pixel covers, so it equals OpenCV's INTER_AREA.
# Really: only where the ratio is whole. BOX takes the pixels whose centres lie within half the ratio of the new pixel's centre, each with
# the same weight: from 4 to 3 pixels the outer ones copy a pixel, and the middle one is the plain mean of two. Area averages weigh
# 3/4 : 1/4 and 1/2 : 1/2. CIFAR-sized noise brought from 32 to 24 differs by up to a third of the range; from 32 to 16 by a rounding.
# Meets: whoever prepares images outside for a network trained on area averages (or the other way round).
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check pillow==13.0.0 opencv-python-headless==5.0.0.93 numpy==2.4.6
"$place/venv/bin/python" -W ignore - <<'PYTHON'
import cv2
import numpy as np
import PIL
from PIL import Image

print("Pillow", PIL.__version__, "OpenCV", cv2.__version__)


def both(x, size):
    return np.asarray(Image.fromarray(x).resize((size, 1 if len(x) == 1 else size), Image.BOX)), cv2.resize(
        x, (size, 1 if len(x) == 1 else size), interpolation=cv2.INTER_AREA)


row = np.array([[0, 120, 0, 240]], np.uint8)
box, area = both(row, 3)
print("0 120 0 240 to three pixels: BOX", *box[0], " area", *area[0])
noise = np.random.default_rng(0).integers(0, 256, (32, 32), dtype=np.uint8)
gap = {}
for size in (16, 24):
    box, area = both(noise, size)
    gap[size] = int(abs(box.astype(int) - area).max())
    print(f"32 to {size}: largest difference {gap[size]} of 255")
assert gap[16] <= 1 and gap[24] > 50
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   Pillow 13.0.0 OpenCV 5.0.0
#   0 120 0 240 to three pixels: BOX 0 60 240  area 30 60 180
#   32 to 16: largest difference 1 of 255
#   32 to 24: largest difference 88 of 255
