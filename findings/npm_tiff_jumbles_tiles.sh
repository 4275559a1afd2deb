#!/usr/bin/env bash
# Guess: a TIFF decoder that knows tiles gives the pixels of a tiled picture, or refuses what it cannot read, as this one does other compressions.
# Really: tiff (npm), and image-js which is built on it, take the samples of a tile for its pixels: of an RGB picture in tiles no pixel is right, two
# thirds of the numbers are 0. Gray in tiles is right, unless it was written with the horizontal predictor (the default of libvips): that is
# undone across the whole picture, so only the first column of tiles is right. The same pictures in strips are right; nothing is
# said. Signed numbers are read as unsigned (-5 is 65531), 16-bit floats as the integers of their bits (0.5 is 14336).
# Meets: slides, aerial pictures and other TIFFs in tiles, as libvips, GDAL and microscopes write them, read in Node and the browser.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check tifffile==2026.3.3 numpy==2.4.6
cd "$place"
npm init -y >npm.log
npm install --silent --no-audit --no-fund --no-update-notifier tiff@7.1.3 image-js@1.7.0 geotiff@3.0.5 sharp@0.35.5 >>npm.log 2>&1 || { cat npm.log >&2; exit 1; }
venv/bin/python - <<'PYTHON'
import numpy as np
import tifffile

tifffile.imwrite("signed.tif", np.array([[-5, 5]] * 2, np.int16))
tifffile.imwrite("half.tif", np.array([[0.5, 1]] * 2, np.float16))
PYTHON
cat >look.mjs <<'JS'
import assert from "node:assert";
import fs from "node:fs";
import { fromArrayBuffer } from "geotiff";
import { decode as decodeImage } from "image-js";
import sharp from "sharp";
import { decode } from "tiff";

const names = ["tiff", "image-js", "geotiff", "sharp"];
console.log(names.map((name) => `${name} ${JSON.parse(fs.readFileSync(`node_modules/${name}/package.json`)).version}`).join("  "));
const width = 200;
const height = 150;
const readers = {
  tiff: (file) => decode(file)[0].data,
  "image-js": (file) => decodeImage(file).getRawImage().data,
  geotiff: async (file) => (await (await fromArrayBuffer(new Uint8Array(file).buffer)).getImage()).readRasters({ interleave: true }),
  sharp: async (file, channels) => sharp(file).toColourspace(channels === 1 ? "b-w" : "srgb").raw().toBuffer(),
};
for (const channels of [1, 3])
  for (const [layout, tile, predictor] of [["strips", false, "horizontal"], ["tiles", true, "none"], ["tiles", true, "horizontal"]]) {
    const pixels = Buffer.from(Array.from({ length: width * height * channels }, (_, i) => 1 + ((i * 7919) % 255)));
    const image = sharp(pixels, { raw: { width, height, channels } }).toColourspace(channels === 1 ? "b-w" : "srgb");
    const file = await image.tiff({ compression: "deflate", predictor, tile, tileWidth: 64, tileHeight: 64 }).toBuffer();
    const right = {};
    for (const [name, read] of Object.entries(readers)) {
      const data = await read(file, channels);
      assert.equal(data.length, pixels.length);
      const equal = (i) => [...Array(channels).keys()].every((j) => data[i * channels + j] === pixels[i * channels + j]);
      right[name] = [...Array(width * height).keys()].filter(equal).length / (width * height);
    }
    const zeros = readers.tiff(file).filter((v) => v === 0).length / pixels.length;
    const text = names.map((name) => `${name} ${right[name].toFixed(3)}`).join(", ");
    console.log(`${channels === 1 ? "gray" : "RGB"} in ${layout}, predictor ${predictor}: pixels right by ${text}; zeros by tiff ${zeros.toFixed(3)}`);
    assert(right.geotiff === 1 && right.sharp === 1 && right.tiff === right["image-js"]);
    if (!tile || (channels === 1 && predictor === "none")) assert(right.tiff === 1);
    else if (channels === 1) assert(right.tiff >= 64 / width && right.tiff < 0.4);
    else assert(right.tiff < 0.01 && (predictor === "horizontal" || zeros > 0.6));
  }
for (const [name, expected] of [["signed", 65531], ["half", 14336]]) {
  const file = fs.readFileSync(`${name}.tif`);
  const [mine, other] = [decode(file)[0].data[0], (await readers.geotiff(file))[0]];
  console.log(`${name}: ${mine} by tiff, ${other} by geotiff`);
  assert(mine === expected && other === { signed: -5, half: 0.5 }[name]);
}
JS
node look.mjs
# Seen on Debian 12, Python 3.11, Node 20, amd64:
#   tiff 7.1.3  image-js 1.7.0  geotiff 3.0.5  sharp 0.35.5
#   gray in strips, predictor horizontal: pixels right by tiff 1.000, image-js 1.000, geotiff 1.000, sharp 1.000; zeros by tiff 0.000
#   gray in tiles, predictor none: pixels right by tiff 1.000, image-js 1.000, geotiff 1.000, sharp 1.000; zeros by tiff 0.000
#   gray in tiles, predictor horizontal: pixels right by tiff 0.320, image-js 0.320, geotiff 1.000, sharp 1.000; zeros by tiff 0.003
#   RGB in strips, predictor horizontal: pixels right by tiff 1.000, image-js 1.000, geotiff 1.000, sharp 1.000; zeros by tiff 0.000
#   RGB in tiles, predictor none: pixels right by tiff 0.000, image-js 0.000, geotiff 1.000, sharp 1.000; zeros by tiff 0.667
#   RGB in tiles, predictor horizontal: pixels right by tiff 0.000, image-js 0.000, geotiff 1.000, sharp 1.000; zeros by tiff 0.668
#   signed: 65531 by tiff, -5 by geotiff
#   half: 14336 by tiff, 0.5 by geotiff
