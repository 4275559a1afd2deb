#!/usr/bin/env bash
# Guess: a mask, its outline by cv2.findContours, that outline as a COCO polygon and COCO's mask of it are one mask; tools agree on what a polygon covers.
# Really: OpenCV's outline runs through the centres of the outer pixels, COCO's polygons along their edges: the right column and the lowest row are
# lost, 10 x 10 pixels become 81, a disc of 113 becomes 96, lines of one pixel vanish. Of the polygon with corners 10 and 20 pycocotools
# covers 100 pixels, OpenCV's fillPoly, Pillow and scikit-image's polygon2mask 121. No warning.
# Meets: masks turned into COCO annotations and back, foreground of small objects, IoU between masks drawn by two libraries (0.83 for the same polygon).
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check pycocotools==2.0.11 opencv-python-headless==5.0.0.93 pillow==13.0.0 \
  scikit-image==0.26.0 numpy==2.4.6
"$place/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import cv2
import numpy as np
from PIL import Image, ImageDraw
from pycocotools import mask as coco
from skimage.draw import polygon2mask

print("  ".join(f"{name} {version(name)}" for name in ("pycocotools", "opencv-python-headless", "pillow", "scikit-image", "numpy")))
side = 32


def by_coco(corners):
    return coco.decode(coco.merge(coco.frPyObjects([np.asarray(corners, float).ravel().tolist()], side, side)))


def by_pillow(corners):
    image = Image.new("L", (side, side))
    ImageDraw.Draw(image).polygon([tuple(corner) for corner in corners.tolist()], fill=1, outline=1)
    return np.asarray(image)


rows, columns = np.mgrid[:side, :side]
masks = {
    "square of 10": (abs(rows - 14.5) < 5) & (abs(columns - 14.5) < 5),
    "disc": (rows - 15) ** 2 + (columns - 15) ** 2 <= 36,
    "line of 1 x 10": (rows == 15) & (abs(columns - 14.5) < 5),
}
for name, mask in masks.items():
    mask = mask.astype(np.uint8)
    outline = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0][0]
    back = by_coco(outline[:, 0])
    drawn = cv2.fillPoly(np.zeros_like(mask), [outline], 1)
    ys, xs = np.nonzero(mask > back)
    kept = np.count_nonzero((mask > 0) & (back > 0)) / np.count_nonzero((mask > 0) | (back > 0))
    print(f"{name}: {mask.sum()} pixels, by fillPoly {drawn.sum()}, by COCO {back.sum()}, IoU {kept:.2f}; lost columns to {xs.max()}, rows to {ys.max()}")
    assert (drawn == mask).all() and kept < 0.9 and back.sum() < 0.9 * mask.sum() and (back.sum() == 0) == name.startswith("line")
corners = np.array([[10, 10], [20, 10], [20, 20], [10, 20]])
covered = {
    "pycocotools": by_coco(corners),
    "fillPoly": cv2.fillPoly(np.zeros((side, side), np.uint8), [corners], 1),
    "Pillow": by_pillow(corners),
    "polygon2mask": polygon2mask((side, side), corners[:, ::-1]).astype(np.uint8),
}
print("corners 10 and 20: " + ", ".join(f"{name} {mask.sum()}" for name, mask in covered.items()))
assert covered["pycocotools"].sum() == 100 and all(mask.sum() == 121 for name, mask in covered.items() if name != "pycocotools")
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   pycocotools 2.0.11  opencv-python-headless 5.0.0.93  pillow 13.0.0  scikit-image 0.26.0  numpy 2.4.6
#   square of 10: 100 pixels, by fillPoly 100, by COCO 81, IoU 0.81; lost columns to 19, rows to 19
#   disc: 113 pixels, by fillPoly 113, by COCO 96, IoU 0.79; lost columns to 21, rows to 21
#   line of 1 x 10: 10 pixels, by fillPoly 10, by COCO 0, IoU 0.00; lost columns to 19, rows to 15
#   corners 10 and 20: pycocotools 100, fillPoly 121, Pillow 121, polygon2mask 121
