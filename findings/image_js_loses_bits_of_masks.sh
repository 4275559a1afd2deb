#!/usr/bin/env bash
# Guess: a mask of one bit and a picture of 16 colours are read from PNG as any other picture; widths that fill whole bytes are safe at least.
# Really: image-js skips bits at the beginning of each row, where padding stands at its end: at widths of 32 and 224 the first eight columns are lost
# and what follows moves up into the gap, down to black last rows; at 28 the fifth to eighth column are lost and the rest moves left by four.
# Only masks narrower than 8 pixels are read right. Palettes of 16 colours are right at even widths and sheared at odd ones. With 8 bits
# all are right. Nothing is said, the share of foreground hardly changes.
# Meets: foreground masks and binarised digits stored as one-bit PNG, icons and label maps of few colours, read in Node and the browser.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check pillow==13.0.0 numpy==2.4.6
cd "$place"
npm init -y >npm.log
npm install --silent --no-audit --no-fund --no-update-notifier image-js@1.7.0 sharp@0.35.5 >>npm.log 2>&1 || { cat npm.log >&2; exit 1; }
venv/bin/python - <<'PYTHON'
import numpy as np
from PIL import Image

for width in (7, 28, 32, 224):
    y, x = np.mgrid[:width, :width] / width - 0.5
    disc = np.hypot(x - 0.1, y - 0.1) < 0.3
    for bits in (1, 8):
        (Image.fromarray(disc) if bits == 1 else Image.fromarray(disc.astype(np.uint8) * 255)).save(f"mask {width} {bits}.png")
for width in (28, 31, 32):
    index = Image.fromarray(np.random.default_rng(0).integers(0, 16, (width, width), dtype=np.uint8))
    index.putpalette([v for i in range(16) for v in (i * 16, 255 - i * 16, i)])
    index.save(f"palette {width} 4.png", bits=4)
PYTHON
cat >look.mjs <<'JS'
import assert from "node:assert";
import fs from "node:fs";
import { decode } from "image-js";
import sharp from "sharp";

console.log(["image-js", "sharp"].map((name) => `${name} ${JSON.parse(fs.readFileSync(`node_modules/${name}/package.json`)).version}`).join("  "));
for (const path of fs.readdirSync(".").filter((name) => name.endsWith(".png"))) {
  const [kind, width, bits] = path.slice(0, -4).split(" ");
  const image = decode(fs.readFileSync(path));
  const truth = await sharp(path).toColourspace("srgb").removeAlpha().raw().toBuffer();
  const { data } = image.getRawImage();
  const channels = image.channels;
  const pixels = width * width;
  assert(data.length === pixels * channels && truth.length === pixels * 3);
  let right = 0;
  for (let i = 0; i < pixels; i++) right += [0, 1, 2].every((c) => data[i * channels + (c % channels)] === truth[i * 3 + c]);
  const share = (values, step) => (values.filter((v, i) => i % step === 0 && v > 127).length / pixels).toFixed(3);
  const text = kind === "mask" ? `, foreground ${share(data, channels)} instead of ${share(truth, 3)}` : "";
  console.log(`${kind} of ${width} x ${width}, ${bits} bits: ${(right / pixels).toFixed(3)} of the pixels right${text}`);
  const safe = bits === "8" || (kind === "mask" ? width < 8 : width % 2 === 0);
  assert(safe ? right === pixels : right < 0.95 * pixels);
}
JS
node look.mjs
# Seen on Debian 12, Python 3.11, Node 20, amd64:
#   image-js 1.7.0  sharp 0.35.5
#   mask of 224 x 224, 1 bits: 0.731 of the pixels right, foreground 0.283 instead of 0.283
#   mask of 224 x 224, 8 bits: 1.000 of the pixels right, foreground 0.283 instead of 0.283
#   mask of 28 x 28, 1 bits: 0.827 of the pixels right, foreground 0.286 instead of 0.286
#   mask of 28 x 28, 8 bits: 1.000 of the pixels right, foreground 0.286 instead of 0.286
#   mask of 32 x 32, 1 bits: 0.680 of the pixels right, foreground 0.282 instead of 0.282
#   mask of 32 x 32, 8 bits: 1.000 of the pixels right, foreground 0.282 instead of 0.282
#   mask of 7 x 7, 1 bits: 1.000 of the pixels right, foreground 0.265 instead of 0.265
#   mask of 7 x 7, 8 bits: 1.000 of the pixels right, foreground 0.265 instead of 0.265
#   palette of 28 x 28, 4 bits: 1.000 of the pixels right
#   palette of 31 x 31, 4 bits: 0.096 of the pixels right
#   palette of 32 x 32, 4 bits: 1.000 of the pixels right
