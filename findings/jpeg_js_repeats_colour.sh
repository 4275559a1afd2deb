#!/usr/bin/env bash
# Guess: JPEG decoders agree within two or three levels, which the inverse transform leaves open, as Pillow, OpenCV and sharp agree with each other.
# Really: jpeg-js, by which jimp and image-js read JPEGs, repeats the colour of 4:2:0 pictures in blocks of 2 x 2 where libjpeg interpolates it: at
# edges of coloured shapes up to 60 levels away, 4 levels in the mean of a picture of 64 pixels; 34 and 1.2 on a photograph of 640 x 427. With
# 4:4:4 they agree to 4 levels. 4:2:0 is what cameras, Pillow, OpenCV and sharp write by default.
# Meets: features of one data set taken in Node or the browser and in Python, duplicates found by pixels or hashes across the two.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check pillow==13.0.0 opencv-python-headless==5.0.0.93 numpy==2.4.6
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check --no-deps scikit-learn==1.9.1
cd "$place"
npm init -y >npm.log
npm install --silent --no-audit --no-fund --no-update-notifier jpeg-js@0.4.4 jimp@1.6.1 image-js@1.7.0 sharp@0.35.5 >>npm.log 2>&1 || { cat npm.log >&2; exit 1; }
cat >make.py <<'PYTHON'
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

y, x = np.mgrid[:64, :64]
disc = np.where((np.hypot(x - 32, y - 32) < 20)[..., None], (220, 30, 40), (40, 60, 200)).astype(np.uint8)
photograph = Path(find_spec("sklearn").origin).parent / "datasets/images/china.jpg"
for title, image in {"disc": Image.fromarray(disc), "photograph": Image.open(photograph)}.items():
    image.save(f"{title}.420.jpg", quality=90)
    image.save(f"{title}.444.jpg", quality=90, subsampling=0)
PYTHON
venv/bin/python make.py
cat >look.mjs <<'JS'
import fs from "node:fs";
import { decode } from "image-js";
import { Jimp } from "jimp";
import jpeg from "jpeg-js";
import sharp from "sharp";

const names = ["jpeg-js", "jimp", "image-js", "sharp"];
console.log(names.map((name) => `${name} ${JSON.parse(fs.readFileSync(`node_modules/${name}/package.json`)).version}`).join("  "));
for (const path of fs.readdirSync(".").filter((name) => name.endsWith(".jpg"))) {
  const file = fs.readFileSync(path);
  fs.writeFileSync(`${path}.jpeg-js`, jpeg.decode(file).data);
  fs.writeFileSync(`${path}.jimp`, (await Jimp.read(file)).bitmap.data);
  fs.writeFileSync(`${path}.image-js`, decode(file).getRawImage().data);
  fs.writeFileSync(`${path}.sharp`, await sharp(file).raw().toBuffer());
}
JS
node look.mjs
venv/bin/python - <<'PYTHON'
import cv2
import numpy as np
from PIL import Image, __version__

print("pillow", __version__, " opencv", cv2.__version__)
for title in ("disc", "photograph"):
    for sampling in ("420", "444"):
        path = f"{title}.{sampling}.jpg"
        pillow = np.asarray(Image.open(path)).astype(int)
        others = {"opencv": cv2.imread(path)[..., ::-1]}
        for name in ("sharp", "jpeg-js", "jimp", "image-js"):
            flat = np.fromfile(f"{path}.{name}", np.uint8)
            others[name] = flat.reshape(*pillow.shape[:2], -1)[..., :3]
        apart = {name: np.abs(other - pillow) for name, other in others.items()}
        print(f"{title}, 4:{sampling[1]}:{sampling[2]}, from Pillow's pixels: " + ", ".join(f"{n} {d.max()} (mean {d.mean():.2f})" for n, d in apart.items()))
        for name, d in apart.items():
            if name in ("opencv", "sharp") or sampling == "444":
                assert d.max() <= 4
            else:
                assert d.max() > 25 and d.mean() > 1
PYTHON
# Seen on Debian 12, Python 3.11, Node 20, amd64:
#   jpeg-js 0.4.4  jimp 1.6.1  image-js 1.7.0  sharp 0.35.5
#   pillow 13.0.0  opencv 5.0.0
#   disc, 4:2:0, from Pillow's pixels: opencv 0 (mean 0.00), sharp 0 (mean 0.00), jpeg-js 58 (mean 3.67), jimp 58 (mean 3.67), image-js 58 (mean 3.67)
#   disc, 4:4:4, from Pillow's pixels: opencv 0 (mean 0.00), sharp 0 (mean 0.00), jpeg-js 3 (mean 0.58), jimp 3 (mean 0.58), image-js 3 (mean 0.58)
#   photograph, 4:2:0, from Pillow's pixels: opencv 0 (mean 0.00), sharp 0 (mean 0.00), jpeg-js 34 (mean 1.24), jimp 34 (mean 1.24), image-js 34 (mean 1.24)
#   photograph, 4:4:4, from Pillow's pixels: opencv 0 (mean 0.00), sharp 0 (mean 0.00), jpeg-js 3 (mean 0.51), jimp 3 (mean 0.51), image-js 3 (mean 0.51)
