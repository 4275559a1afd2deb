#!/usr/bin/env bash
# Guess: image.save("x.jxl") with pillow-jxl-plugin writes the pixels that the image holds, as every other format of Pillow does.
# Really: of an image that was opened from a JPEG file the plugin packs that file anew from the disk, whatever has happened to the image since.
# Changes in place are lost: a picture shrunk to 32 x 24 is 640 x 480 in the .jxl, a painted-over corner is back, a picture turned upright with
# exif_transpose(in_place=True) lies on its side. The one warning speaks of lossless reconstruction. A copy() is saved as it is, and so is
# the image with lossless_jpeg=False.
# Meets: whoever shrinks, blanks out or turns photographs while converting a data set to JPEG XL.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check pillow-jxl-plugin==1.3.8 pillow==13.0.0 numpy==2.4.6
cd "$place"
venv/bin/python - <<'PYTHON'
import warnings
from importlib.metadata import version

import numpy as np
import pillow_jxl  # registers the format
from PIL import Image, ImageOps

print("pillow-jxl-plugin", version("pillow-jxl-plugin"), " Pillow", version("pillow"))
y, x = np.mgrid[:480, :640]
picture = Image.fromarray(np.stack([x * 255 // 639, y * 255 // 479, (x + y) % 256], -1).astype(np.uint8))
exif = Image.Exif()
exif[0x0112] = 6  # to be turned by 90 degrees
picture.save("photo.jpg", quality=95, exif=exif)


def shrink(image):
    image.thumbnail((32, 24))


def paint(image):
    image.paste((255, 255, 255), (0, 0, 200, 200))


def turn(image):
    ImageOps.exif_transpose(image, in_place=True)


seen = {}
for change in (shrink, paint, turn):
    for title, prepare, options in (
        ("the image", lambda i: i, {"lossless": True}),
        ("its copy", lambda i: i.copy(), {"lossless": True}),
        ("lossless_jpeg=False", lambda i: i, {"lossless": True, "lossless_jpeg": False}),
    ):
        image = Image.open("photo.jpg")
        change(image)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            prepare(image).save("photo.jxl", **options)
        stored = Image.open("photo.jxl")
        same = stored.size == image.size and bool((np.array(stored) == np.array(image)).all())
        seen[change.__name__, title] = same
        words = str(said[0].message).split(". ")[0] if said else "none"
        print(f"{change.__name__}, {title}: held {image.size}, stored {stored.size}, equal pixels {same}; warning: {words}")
for (_, title), same in seen.items():
    assert same == (title != "the image"), title
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   pillow-jxl-plugin 1.3.8  Pillow 13.0.0
#   shrink, the image: held (32, 24), stored (640, 480), equal pixels False; warning: Using JPEG reconstruction to create lossless JXL image from JPEG
#   shrink, its copy: held (32, 24), stored (32, 24), equal pixels True; warning: none
#   shrink, lossless_jpeg=False: held (32, 24), stored (32, 24), equal pixels True; warning: none
#   paint, the image: held (640, 480), stored (640, 480), equal pixels False; warning: Using JPEG reconstruction to create lossless JXL image from JPEG
#   paint, its copy: held (640, 480), stored (640, 480), equal pixels True; warning: none
#   paint, lossless_jpeg=False: held (640, 480), stored (640, 480), equal pixels True; warning: none
#   turn, the image: held (480, 640), stored (640, 480), equal pixels False; warning: Using JPEG reconstruction to create lossless JXL image from JPEG
#   turn, its copy: held (480, 640), stored (480, 640), equal pixels True; warning: none
#   turn, lossless_jpeg=False: held (480, 640), stored (480, 640), equal pixels True; warning: none
