#!/usr/bin/env bash
# Guess: a boolean mask written by tifffile, or by imageio through it, is read back as the same mask by Pillow, OpenCV and libvips.
# Really: it becomes a TIFF of one bit a pixel whose photometric tag says "minimum is white", with True stored as 1. tifffile does not
# apply that tag when it reads and gives the mask back; the other three do, and each of them returns its complement. The same mask as
# uint8 is right everywhere, and so is one that Pillow writes (its tag says "minimum is black").
# Meets: foreground masks and label maps of one class written in a scientific program and read by a training script.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check \
  tifffile==2026.3.3 imageio==2.38.1 pillow==13.0.0 opencv-python-headless==5.0.0.93 pyvips==3.2.0 pyvips-binary==8.18.7 numpy==2.4.6
cd "$place"
venv/bin/python -W ignore - <<'PYTHON'
from importlib.metadata import version

import cv2
import imageio.v3 as iio
import numpy as np
import pyvips
import tifffile
from PIL import Image

for package in ("tifffile", "imageio", "pillow", "opencv-python-headless", "pyvips-binary"):
    print(package, version(package), end="  ")
print()
mask = np.zeros((24, 40), bool)
mask[6:18, 10:30] = True  # a quarter of the picture
readers = {
    "tifffile": tifffile.imread,
    "Pillow": lambda path: np.array(Image.open(path)),
    "OpenCV": lambda path: cv2.imread(path, cv2.IMREAD_UNCHANGED),
    "libvips": lambda path: pyvips.Image.new_from_file(path).numpy(),
}
seen = {}
for title, write in {
    "tifffile, bool": lambda p: tifffile.imwrite(p, mask),
    "imageio, bool": lambda p: iio.imwrite(p, mask),
    "tifffile, uint8": lambda p: tifffile.imwrite(p, mask.astype(np.uint8) * 255),
    "Pillow, bool": lambda p: Image.fromarray(mask).save(p),
}.items():
    path = title.replace(", ", "_") + ".tif"  # libvips keeps what it read under a name
    write(path)
    with tifffile.TiffFile(path) as file:
        tags = file.pages[0].bitspersample, file.pages[0].photometric
    read = {name: reader(path).squeeze() > 0 for name, reader in readers.items()}
    state = {name: "same" if (m == mask).all() else "inverted" if (m == ~mask).all() else "other" for name, m in read.items()}
    seen[title] = state
    print(f"{title}: bits {tags[0]}, photometric {int(tags[1])};", ", ".join(f"{name} {state[name]} ({read[name].mean():.2f})" for name in readers))
for title in ("tifffile, bool", "imageio, bool"):
    assert seen[title] == {"tifffile": "same", "Pillow": "inverted", "OpenCV": "inverted", "libvips": "inverted"}
for title in ("tifffile, uint8", "Pillow, bool"):
    assert set(seen[title].values()) == {"same"}
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   tifffile 2026.3.3  imageio 2.38.1  pillow 13.0.0  opencv-python-headless 5.0.0.93  pyvips-binary 8.18.7
#   tifffile, bool: bits 1, photometric 0; tifffile same (0.25), Pillow inverted (0.75), OpenCV inverted (0.75), libvips inverted (0.75)
#   imageio, bool: bits 1, photometric 0; tifffile same (0.25), Pillow inverted (0.75), OpenCV inverted (0.75), libvips inverted (0.75)
#   tifffile, uint8: bits 8, photometric 1; tifffile same (0.25), Pillow same (0.25), OpenCV same (0.25), libvips same (0.25)
#   Pillow, bool: bits 1, photometric 1; tifffile same (0.25), Pillow same (0.25), OpenCV same (0.25), libvips same (0.25)
