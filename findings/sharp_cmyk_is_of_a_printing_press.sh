#!/usr/bin/env bash
# Guess: the few CMYK photographs of a set (ImageNet has some) become RGB by (255 - C)(255 - K) / 255 in every reader, to a level or two.
# Really: in Pillow, OpenCV and jpeg-js. sharp takes numbers without a profile for those of a printing press and converts by a built-in ICC profile:
# pure cyan is 0 153 227 instead of 0 255 255, pure magenta 234 0 128 instead of 255 0 255, gray has a cast, black is not 0. Channels are
# up to 127 levels away.
# Meets: whoever shrinks a set with sharp or vips for speed and trains or asks in Python, duplicates by pixels or hashes across the two.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check pillow==13.0.0 opencv-python-headless==5.0.0.93 numpy==2.4.6
cd "$place"
npm init -y >npm.log
npm install --silent --no-audit --no-fund --no-update-notifier sharp@0.35.5 jpeg-js@0.4.4 >>npm.log 2>&1 || { cat npm.log >&2; exit 1; }
venv/bin/python - <<'PYTHON'
from PIL import Image

inks = {"cyan": (255, 0, 0, 0), "magenta": (0, 255, 0, 0), "red": (0, 255, 255, 0), "gray": (100, 100, 100, 0), "black": (0, 0, 0, 255), "sky": (200, 50, 20, 30)}
for name, ink in inks.items():
    Image.new("CMYK", (32, 32), ink).save(f"{name}.jpg", quality=100)
PYTHON
cat >look.mjs <<'JS'
import fs from "node:fs";
import jpeg from "jpeg-js";
import sharp from "sharp";

const seen = {};
for (const name of ["sharp", "jpeg-js"]) seen[name] = JSON.parse(fs.readFileSync(`node_modules/${name}/package.json`)).version;
for (const path of fs.readdirSync(".").filter((file) => file.endsWith(".jpg"))) {
  const { data } = await sharp(path).raw().toBuffer({ resolveWithObject: true });
  seen[path] = { sharp: Array.from(data.subarray(0, 3)), "jpeg-js": Array.from(jpeg.decode(fs.readFileSync(path)).data.subarray(0, 3)) };
}
fs.writeFileSync("seen.json", JSON.stringify(seen));
JS
node look.mjs
venv/bin/python - <<'PYTHON'
import json

import cv2
import numpy as np
from PIL import Image, __version__

seen = json.load(open("seen.json"))
print("sharp", seen.pop("sharp"), " jpeg-js", seen.pop("jpeg-js"), " pillow", __version__, " opencv", cv2.__version__)
most = 0
for path, colours in sorted(seen.items()):
    image = Image.open(path)
    assert image.mode == "CMYK" and "icc_profile" not in image.info
    ink = image.getpixel((0, 0))
    formula = np.array([(255 - c) * (255 - ink[3]) / 255 for c in ink[:3]])
    colours = {"pillow": image.convert("RGB").getpixel((0, 0)), "opencv": cv2.imread(path)[0, 0, ::-1].tolist(), **colours}
    print(f"{path[:-4]} {ink}: " + ", ".join(f"{name} {' '.join(map(str, colour))}" for name, colour in colours.items()))
    apart = {name: np.abs(colour - formula).max() for name, colour in colours.items()}
    most = max(most, apart["sharp"])
    assert all(apart[name] < 3 for name in ("pillow", "opencv", "jpeg-js")) and apart["sharp"] > 15
print(f"sharp is up to {most:.0f} levels away from the formula")
assert most > 100
PYTHON
# Seen on Debian 12, Python 3.11, Node 20, amd64:
#   sharp 0.35.5  jpeg-js 0.4.4  pillow 13.0.0  opencv 5.0.0
#   black (0, 0, 0, 255): pillow 0 0 0, opencv 0 0 0, sharp 20 5 0, jpeg-js 0 0 0
#   cyan (255, 0, 0, 0): pillow 0 255 255, opencv 1 255 255, sharp 0 153 227, jpeg-js 0 255 255
#   gray (100, 100, 100, 0): pillow 155 155 155, opencv 156 156 156, sharp 152 135 132, jpeg-js 155 155 155
#   magenta (0, 255, 0, 0): pillow 255 0 255, opencv 255 1 255, sharp 234 0 128, jpeg-js 255 0 255
#   red (0, 255, 255, 0): pillow 255 0 0, opencv 255 1 1, sharp 232 0 0, jpeg-js 255 0 0
#   sky (200, 50, 20, 30): pillow 49 181 207, opencv 50 182 208, sharp 2 131 173, jpeg-js 48 180 207
#   sharp is up to 127 levels away from the formula
