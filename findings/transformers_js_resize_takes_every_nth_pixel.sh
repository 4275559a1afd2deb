#!/usr/bin/env bash
# Guess: Transformers.js prepares a picture as the Python library does, which resizes with Pillow: the pixels differ by a level or two.
# Really: in Node bilinear (2) and bicubic (3), which nearly all image processors ask for, are an affine map without half-pixel centres and
# without a filter: 384 to 96 takes every fourth pixel as it is, and stripes with a mean of 0.25 are all white. Enlarging fades to black at the
# right and the lower edge: of a plain 32 x 32 picture the last six of 224 columns and rows are 171 to 29 instead of 200. Lanczos (1) does filter.
# Meets: features of CLIP, DINO or ViT taken in Node and compared with those of Python, 32-pixel pictures enlarged for 224-pixel networks.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check pillow==13.0.0 numpy==2.4.6
cd "$place"
npm init -y >npm.log
npm install --silent --ignore-scripts --no-audit --no-fund --no-update-notifier @huggingface/transformers@4.3.1 >>npm.log 2>&1 || { cat npm.log >&2; exit 1; }
cat >look.mjs <<'JS'
import fs from "node:fs";
import { CLIPImageProcessor, RawImage, ViTImageProcessor } from "@huggingface/transformers";

const picture = (width, value) => {
  const data = new Uint8ClampedArray(width * width * 3);
  for (let i = 0; i < width * width; i++) data.fill(value(i % width), i * 3, i * 3 + 3);
  return new RawImage(data, width, width, 3);
};
const common = { do_resize: true, do_rescale: true, rescale_factor: 1 / 255, do_normalize: false };
const shrink = (resample) =>
  new CLIPImageProcessor({ ...common, size: { shortest_edge: 96 }, crop_size: { height: 96, width: 96 }, do_center_crop: true, resample });
const enlarge = (resample) => new ViTImageProcessor({ ...common, size: { height: 224, width: 224 }, resample });
const mean = (values) => values.reduce((sum, v) => sum + v, 0) / values.length;
const seen = {};
for (const resample of [1, 2, 3]) {
  const small = (await shrink(resample)(picture(384, (x) => (x % 4 === 0 ? 255 : 0)))).pixel_values.data;
  const large = (await enlarge(resample)(picture(32, () => 200))).pixel_values.data;
  const level = (i) => Math.round(255 * large[i]);
  const last = Array.from({ length: 8 }, (_, i) => 216 + i);
  seen[resample] = { mean: mean(small), row: last.map((x) => level(224 * 100 + x)), column: last.map((y) => level(224 * y + 100)) };
}
fs.writeFileSync("seen.json", JSON.stringify(seen));
JS
node look.mjs
venv/bin/python - <<'PYTHON'
import json

import numpy as np
from PIL import Image, __version__

version = json.load(open("node_modules/@huggingface/transformers/package.json"))["version"]
print("@huggingface/transformers", version, " pillow", __version__)
stripes = Image.fromarray(np.where(np.arange(384) % 4 == 0, 255, 0).astype(np.uint8)[None].repeat(384, 0))
plain = Image.fromarray(np.full((32, 32), 200, np.uint8))
names = {1: "lanczos", 2: "bilinear", 3: "bicubic"}
for resample, seen in json.load(open("seen.json")).items():
    resample = int(resample)
    mean = np.asarray(stripes.resize((96, 96), resample)).mean() / 255
    large = np.asarray(plain.resize((224, 224), resample))
    print(f"{names[resample]}: stripes 384 to 96, mean {seen['mean']:.3f} (Pillow {mean:.3f}); plain 32 to 224, end of a row", *seen["row"])
    assert abs(mean - 0.25) < 0.01 and (large == 200).all()
    if resample == 1:
        assert abs(seen["mean"] - 0.25) < 0.01 and set(seen["row"]) == {200}
    else:
        assert seen["mean"] == 1 and seen["row"][1] == 200 and seen["row"][-1] < 60 and seen["column"] == seen["row"]
PYTHON
# Seen on Debian 12, Python 3.11, Node 20, amd64:
#   @huggingface/transformers 4.3.1  pillow 13.0.0
#   lanczos: stripes 384 to 96, mean 0.251 (Pillow 0.251); plain 32 to 224, end of a row 200 200 200 200 200 200 200 200
#   bilinear: stripes 384 to 96, mean 1.000 (Pillow 0.251); plain 32 to 224, end of a row 200 200 171 143 114 86 57 29
#   bicubic: stripes 384 to 96, mean 1.000 (Pillow 0.251); plain 32 to 224, end of a row 210 200 181 153 119 81 47 19
