#!/usr/bin/env bash
# Guess: imageio and scikit-image read a PNG with the bits and channels that it has, as they do for 16-bit gray: a 16-bit colour PNG gives uint16,
# a mask of one bit gives 0 and 255, a palette with transparency gives RGBA.
# Really: they hand out what Pillow holds. 16-bit RGB is cut to uint8, a mask of one bit is a boolean array (divided by 255 it is .004 where a
# uint8 mask is 1), the transparency of a palette is dropped, all without a word. OpenCV's IMREAD_UNCHANGED gives uint16, 0 and 255, and alpha.
# Meets: 16-bit colour from microscopes and cameras, masks, icons with transparency; loaders that tell the range of values by dtype.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check \
  imageio==2.38.1 scikit-image==0.26.0 pillow==13.0.0 opencv-python-headless==5.0.0.93 numpy==2.4.6
cd "$place"
venv/bin/python -W ignore - <<'PYTHON'
from importlib.metadata import version

import cv2
import imageio.v2
import imageio.v3
import numpy as np
import skimage.io
from PIL import Image

for package in ("imageio", "scikit-image", "pillow", "opencv-python-headless"):
    print(package, version(package), end="  ")
print()
deep = (np.arange(32 * 32 * 3).reshape(32, 32, 3) * 21).astype(np.uint16)
cv2.imwrite("rgb16.png", deep)
cv2.imwrite("gray16.png", deep[..., 0])
bits = np.arange(32 * 32).reshape(32, 32) % 3 == 0
Image.fromarray(bits).save("bit.png")
palette = Image.fromarray((deep >> 8).astype(np.uint8)).quantize(8)
palette.save("palette.png", transparency=2)
seen = {}
for name in ("gray16", "rgb16", "bit", "palette"):
    path = name + ".png"
    arrays = {
        "imageio.v3": imageio.v3.imread(path), "imageio.v2": imageio.v2.imread(path), "skimage": skimage.io.imread(path),
        "OpenCV": cv2.imread(path, cv2.IMREAD_UNCHANGED),
    }
    seen[name] = {reader: (str(a.dtype), a.shape[2:], int(len(np.unique(a)))) for reader, a in arrays.items()}
    print(name + ":", ";  ".join(f"{reader} {a.dtype} {a.shape[2:] or ''} max {a.max()}, {len(np.unique(a))} values" for reader, a in arrays.items()))
for reader in ("imageio.v3", "imageio.v2", "skimage"):
    assert seen["gray16"][reader] == ("uint16", (), 1024)
    assert seen["rgb16"][reader][:2] == ("uint8", (3,)) and seen["bit"][reader][:2] == ("bool", ()) and seen["palette"][reader][:2] == ("uint8", (3,))
assert seen["rgb16"]["OpenCV"] == ("uint16", (3,), 3072) and seen["bit"]["OpenCV"] == ("uint8", (), 2)
assert seen["palette"]["OpenCV"][:2] == ("uint8", (4,))
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   imageio 2.38.1  scikit-image 0.26.0  pillow 13.0.0  opencv-python-headless 5.0.0.93
#   gray16: imageio.v3 uint16  max 64449, 1024 values;  imageio.v2 uint16  max 64449, 1024 values;  skimage uint16  max 64449, 1024 values;  OpenCV uint16  max 64449, 1024 values
#   rgb16: imageio.v3 uint8 (3,) max 251, 252 values;  imageio.v2 uint8 (3,) max 251, 252 values;  skimage uint8 (3,) max 251, 252 values;  OpenCV uint16 (3,) max 64491, 3072 values
#   bit: imageio.v3 bool  max True, 2 values;  imageio.v2 bool  max True, 2 values;  skimage bool  max True, 2 values;  OpenCV uint8  max 255, 2 values
#   palette: imageio.v3 uint8 (3,) max 235, 12 values;  imageio.v2 uint8 (3,) max 235, 12 values;  skimage uint8 (3,) max 235, 12 values;  OpenCV uint8 (4,) max 255, 14 values
