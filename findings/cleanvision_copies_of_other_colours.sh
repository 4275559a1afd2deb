#!/usr/bin/env bash
# Guess: cleanvision's exact duplicates are pictures of equal pixels (so says its table of issues: identical to each other).
# Really: it hashes Pillow's bytes of the file as opened, without size, mode or palette. Of a PNG or GIF with a palette these are the indices: a
# shape in red on white and the same in blue on black are exact duplicates, while one picture saved with a palette and as RGB are none.
# Two pictures of one gray, 20 x 30 and 30 x 20, are a pair too. A clean-up that keeps one of a set deletes the other.
# Meets: whoever cleans icons, maps, pixel art, charts, renderings or GIFs, where colour is the class.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check cleanvision==0.3.7 pillow==13.0.0 numpy==2.4.6
cd "$place"
venv/bin/python -W ignore - <<'PYTHON'
import contextlib
import io
import os
from importlib.metadata import version

import numpy as np
from cleanvision import Imagelab
from PIL import Image

print("cleanvision", version("cleanvision"), " Pillow", version("pillow"))
os.mkdir("folder")
shape = (np.hypot(*np.mgrid[-32:32, -32:32]) < 20).astype(np.uint8)  # a disc, indices 0 and 1


def save(name, colours):
    image = Image.frombytes("P", (64, 64), shape.tobytes())
    image.putpalette([value for colour in colours for value in colour])
    image.save(f"folder/{name}.png")
    return np.asarray(image.convert("RGB"))


red = save("red_on_white", [(255, 255, 255), (220, 0, 0)])
blue = save("blue_on_black", [(0, 0, 0), (0, 0, 220)])
Image.fromarray(red).save("folder/red_on_white_rgb.png")
Image.new("L", (20, 30), 90).save("folder/gray_20x30.png")
Image.new("L", (30, 20), 90).save("folder/gray_30x20.png")
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    lab = Imagelab(data_path="folder")
    lab.find_issues({"exact_duplicates": {}}, n_jobs=1, verbose=False)
sets = sorted(sorted(os.path.basename(path) for path in one) for one in lab.info["exact_duplicates"]["sets"])
print("exact duplicates:", *(" = ".join(one) for one in sets), sep="\n  ")
changed = int((red != blue).any(2).sum())
print(f"pixels that differ between red_on_white and blue_on_black: {changed} of {red.shape[0] * red.shape[1]}")
again = np.asarray(Image.open("folder/red_on_white_rgb.png"))
print("red_on_white and its copy saved as RGB have equal pixels:", np.array_equal(red, again))
assert changed == red.shape[0] * red.shape[1] and np.array_equal(red, again)
assert sets == [["blue_on_black.png", "red_on_white.png"], ["gray_20x30.png", "gray_30x20.png"]]
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   cleanvision 0.3.7  Pillow 13.0.0
#   exact duplicates:
#     blue_on_black.png = red_on_white.png
#     gray_20x30.png = gray_30x20.png
#   pixels that differ between red_on_white and blue_on_black: 4096 of 4096
#   red_on_white and its copy saved as RGB have equal pixels: True
