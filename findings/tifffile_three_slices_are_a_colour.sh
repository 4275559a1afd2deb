#!/usr/bin/env bash
# Guess: a stack of N gray slices, an array N x H x W, becomes N pages of a TIFF whatever N is.
# Really: by its length: 2 and 5 slices are so many gray pages, 3 are one RGB picture and 4 one RGBA, in tifffile.imwrite and in imageio's .tif writer.
# tifffile reads either back as written; Pillow and OpenCV see one colour picture instead of pages, so that loops over frames find one.
# photometric="minisblack" makes pages of every stack.
# Meets: slices, time steps, soft labels or one mask per class written as stacks, where one set has three or four of them.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check \
  tifffile==2026.3.3 imageio==2.38.1 pillow==13.0.0 opencv-python-headless==5.0.0.93 numpy==2.4.6
cd "$place"
venv/bin/python -W ignore - <<'PYTHON'
from importlib.metadata import version

import cv2
import imageio.v3 as iio
import numpy as np
import tifffile
from PIL import Image

for package in ("tifffile", "imageio", "pillow", "opencv-python-headless"):
    print(package, version(package), end="  ")
print()
writers = {
    "tifffile": tifffile.imwrite,
    "imageio": iio.imwrite,
    "tifffile, minisblack": lambda path, a: tifffile.imwrite(path, a, photometric="minisblack"),
}
for title, write in writers.items():
    for count in (2, 3, 4, 5):
        stack = np.random.default_rng(0).integers(0, 256, (count, 40, 50), dtype=np.uint8)
        write("s.tif", stack)
        assert (tifffile.imread("s.tif") == stack).all()
        with Image.open("s.tif") as image:
            pages, mode = image.n_frames, image.mode
        seen = cv2.imreadmulti("s.tif", flags=cv2.IMREAD_UNCHANGED)[1]
        print(f"{title}, {count} slices: Pillow {pages} of mode {mode}, OpenCV {len(seen)} of shape {seen[0].shape}")
        colour = {3: "RGB", 4: "RGBA"}.get(count) if "minis" not in title else None
        assert (pages, mode) == ((1, colour) if colour else (count, "L"))
        assert (len(seen), seen[0].ndim) == ((1, 3) if colour else (count, 2))
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   tifffile 2026.3.3  imageio 2.38.1  pillow 13.0.0  opencv-python-headless 5.0.0.93
#   tifffile, 2 slices: Pillow 2 of mode L, OpenCV 2 of shape (40, 50)
#   tifffile, 3 slices: Pillow 1 of mode RGB, OpenCV 1 of shape (40, 50, 3)
#   tifffile, 4 slices: Pillow 1 of mode RGBA, OpenCV 1 of shape (40, 50, 4)
#   tifffile, 5 slices: Pillow 5 of mode L, OpenCV 5 of shape (40, 50)
#   imageio, 2 slices: Pillow 2 of mode L, OpenCV 2 of shape (40, 50)
#   imageio, 3 slices: Pillow 1 of mode RGB, OpenCV 1 of shape (40, 50, 3)
#   imageio, 4 slices: Pillow 1 of mode RGBA, OpenCV 1 of shape (40, 50, 4)
#   imageio, 5 slices: Pillow 5 of mode L, OpenCV 5 of shape (40, 50)
#   tifffile, minisblack, 2 slices: Pillow 2 of mode L, OpenCV 2 of shape (40, 50)
#   tifffile, minisblack, 3 slices: Pillow 3 of mode L, OpenCV 3 of shape (40, 50)
#   tifffile, minisblack, 4 slices: Pillow 4 of mode L, OpenCV 4 of shape (40, 50)
#   tifffile, minisblack, 5 slices: Pillow 5 of mode L, OpenCV 5 of shape (40, 50)
