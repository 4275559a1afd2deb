#!/usr/bin/env bash
# Guess: a decoder of TIFFs gives the colours of a picture whether its samples lie pixel by pixel or plane by plane, or refuses the latter.
# Really: utif2 and utif (npm), and jimp which reads TIFFs with utif2, read the red plane alone and take it for pixels: three numbers of it are one
# pixel, which fills the upper third; the other two thirds are black. Nothing is said, the size is right. sharp and geotiff read both
# layouts.
# Meets: colour pictures of microscopes, satellites and scientific programs, which are often stored in planes, prepared in Node and the browser.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check tifffile==2026.3.3 numpy==2.4.6
cd "$place"
npm init -y >npm.log
npm install --silent --no-audit --no-fund --no-update-notifier utif2@4.1.0 utif@3.1.0 jimp@1.6.1 geotiff@3.0.5 sharp@0.35.5 >>npm.log 2>&1 || { cat npm.log >&2; exit 1; }
venv/bin/python - <<'PYTHON'
import numpy as np
import tifffile

y, x = np.mgrid[:60, :90]
picture = np.stack([200 + 0 * x, x, 2 * y], -1).astype(np.uint8)  # much red, green grows to the right, blue downwards
tifffile.imwrite("pixels.tif", picture, photometric="rgb")
tifffile.imwrite("planes.tif", np.ascontiguousarray(picture.transpose(2, 0, 1)), photometric="rgb", planarconfig="separate")
assert (tifffile.imread("planes.tif").transpose(1, 2, 0) == picture).all()
PYTHON
cat >look.mjs <<'JS'
import assert from "node:assert";
import fs from "node:fs";
import { fromFile } from "geotiff";
import { Jimp } from "jimp";
import sharp from "sharp";
import utif from "utif";
import utif2 from "utif2";

const names = ["utif2", "utif", "jimp", "geotiff", "sharp"];
console.log(names.map((name) => `${name} ${JSON.parse(fs.readFileSync(`node_modules/${name}/package.json`)).version}`).join("  "));
const decode = (library) => (path) => {
  const file = new Uint8Array(fs.readFileSync(path)).buffer;
  const [page] = library.decode(file);
  library.decodeImage(file, page);
  return library.toRGBA8(page);
};
const readers = {
  utif2: decode(utif2),
  utif: decode(utif),
  jimp: async (path) => (await Jimp.read(path)).bitmap.data,
  geotiff: async (path) => (await (await fromFile(path)).getImage()).readRasters({ interleave: true }),
  sharp: (path) => sharp(path).raw().toBuffer(),
};
const [width, height] = [90, 60];
for (const layout of ["pixels", "planes"])
  for (const name of names) {
    const data = await readers[name](`${layout}.tif`);
    const channels = data.length / (width * height);
    let right = 0;
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) right += [200, x, 2 * y].every((v, c) => data[(y * width + x) * channels + c] === v);
    const pixel = (i) => Array.from(data.slice(i * channels, i * channels + 3)).join(" ");
    const black = data.slice((width * height * channels) / 3).filter((v, i) => i % channels < 3 && v === 0).length / (width * height * 2);
    const text = `first ${pixel(0)}, in the middle ${pixel(30 * width + 45)}, ${black.toFixed(2)} of the lower two thirds 0`;
    console.log(`${layout}, ${name}: ${(right / (width * height)).toFixed(3)} of the pixels right; ${text}`);
    assert(layout === "planes" && names.indexOf(name) < 3 ? right === 0 && black === 1 : right === width * height && black < 0.1);
  }
JS
node look.mjs
# Seen on Debian 12, Python 3.11, Node 20, amd64:
#   utif2 4.1.0  utif 3.1.0  jimp 1.6.1  geotiff 3.0.5  sharp 0.35.5
#   pixels, utif2: 1.000 of the pixels right; first 200 0 0, in the middle 200 45 60, 0.00 of the lower two thirds 0
#   pixels, utif: 1.000 of the pixels right; first 200 0 0, in the middle 200 45 60, 0.00 of the lower two thirds 0
#   pixels, jimp: 1.000 of the pixels right; first 200 0 0, in the middle 200 45 60, 0.00 of the lower two thirds 0
#   pixels, geotiff: 1.000 of the pixels right; first 200 0 0, in the middle 200 45 60, 0.00 of the lower two thirds 0
#   pixels, sharp: 1.000 of the pixels right; first 200 0 0, in the middle 200 45 60, 0.00 of the lower two thirds 0
#   planes, utif2: 0.000 of the pixels right; first 200 200 200, in the middle 0 0 0, 1.00 of the lower two thirds 0
#   planes, utif: 0.000 of the pixels right; first 200 200 200, in the middle 0 0 0, 1.00 of the lower two thirds 0
#   planes, jimp: 0.000 of the pixels right; first 200 200 200, in the middle 0 0 0, 1.00 of the lower two thirds 0
#   planes, geotiff: 1.000 of the pixels right; first 200 0 0, in the middle 200 45 60, 0.00 of the lower two thirds 0
#   planes, sharp: 1.000 of the pixels right; first 200 0 0, in the middle 200 45 60, 0.00 of the lower two thirds 0
