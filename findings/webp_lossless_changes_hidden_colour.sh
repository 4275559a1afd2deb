#!/usr/bin/env bash
# Guess: lossless WebP (Pillow lossless=True, OpenCV quality above 100) gives every pixel back, as PNG does.
# Really: the colour under fully transparent pixels is rewritten before coding, all of it here, unless Pillow is given exact=True;
# OpenCV has no such switch. Pixels with any alpha are exact. So dropping alpha, the usual convert("RGB"), gives another
# background from the WebP than from the PNG it was made of.
# Meets: whoever repacks a folder of cut-out pictures (stamps, icons, products) as WebP and then clusters the RGB.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check pillow==13.0.0 opencv-python-headless==5.0.0.93 numpy==2.4.6
cd "$place"
venv/bin/python -W ignore - <<'PYTHON'
import io

import cv2
import numpy as np
import PIL
from PIL import Image

print("Pillow", PIL.__version__, " OpenCV", cv2.__version__)
draw = np.random.default_rng(0)
rgba = np.full((128, 128, 4), 255, np.uint8)
rgba[..., :3] = draw.integers(0, 256, (128, 128, 3))
y, x = np.mgrid[:128, :128]
hidden = (x - 64) ** 2 + (y - 64) ** 2 > 40**2
rgba[hidden, 3] = 0
rgba[hidden, :3] = np.stack([x, y, 255 - x], -1)[hidden]


def pillow(kind, **options):
    file = io.BytesIO()
    Image.fromarray(rgba).save(file, kind, **options)
    return np.asarray(Image.open(file).convert("RGBA"))


def opencv():
    code = cv2.imencode(".webp", cv2.cvtColor(rgba, cv2.COLOR_RGBA2BGRA), [cv2.IMWRITE_WEBP_QUALITY, 101])[1]
    return cv2.cvtColor(cv2.imdecode(code, cv2.IMREAD_UNCHANGED), cv2.COLOR_BGRA2RGBA)


def changed(back):
    wrong = (back != rgba).any(-1)
    return wrong[~hidden].mean(), wrong[hidden].mean()


for name, back in (
    ("Pillow PNG", pillow("PNG")),
    ("Pillow WebP lossless", pillow("WEBP", lossless=True)),
    ("Pillow WebP lossless, exact", pillow("WEBP", lossless=True, exact=True)),
    ("OpenCV WebP quality 101", opencv()),
):
    seen, unseen = changed(back)
    mean = np.round(back[hidden][:, :3].mean(0)).astype(int).tolist()
    print(f"{name:28} changed: visible {seen:.0%}, transparent {unseen:.1%}; mean hidden colour {mean}")
    lossy = name in ("Pillow WebP lossless", "OpenCV WebP quality 101")
    assert seen == 0
    assert unseen > 0.9 if lossy else unseen == 0
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   Pillow 13.0.0  OpenCV 5.0.0
#   Pillow PNG                   changed: visible 0%, transparent 0.0%; mean hidden colour [63, 63, 192]
#   Pillow WebP lossless         changed: visible 0%, transparent 100.0%; mean hidden colour [0, 0, 0]
#   Pillow WebP lossless, exact  changed: visible 0%, transparent 0.0%; mean hidden colour [63, 63, 192]
#   OpenCV WebP quality 101      changed: visible 0%, transparent 100.0%; mean hidden colour [0, 0, 0]
