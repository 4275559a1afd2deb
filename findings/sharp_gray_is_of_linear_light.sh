#!/usr/bin/env bash
# Guess: a colour picture made gray is 0.299 R + 0.587 G + 0.114 B of the stored values, as in Pillow, OpenCV and torchvision; others may differ
# by some levels.
# Really: sharp's greyscale(), libvips' colourspace("b-w"), weighs linear light by 0.2126, 0.7152, 0.0722 and encodes the sum again: pure red is
# 127 where Pillow says 76, green 220 (150), blue 76 (29). jimp takes the same weights without linear light: 54, 182, 18. A red digit on a
# gray of 76 is gone after the one and 51 levels brighter than its ground after the other; on a gray of 127 the other way round.
# Meets: whoever makes gray data sets (house numbers, signs, stains) with one tool and asks a network about pictures made gray by another.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
npm init -y >npm.log
npm install --silent --no-audit --no-fund --no-update-notifier sharp@0.35.5 jimp@1.6.1 >>npm.log 2>&1 || { cat npm.log >&2; exit 1; }
cat >look.js <<'JS'
const assert = require("node:assert");
const sharp = require("sharp");
const { Jimp } = require("jimp");
const colours = { red: [255, 0, 0], green: [0, 255, 0], blue: [0, 0, 255], skin: [224, 172, 105], sky: [90, 150, 220], gray: [119, 119, 119] };
const grounds = { dark: [76, 76, 76], middle: [127, 127, 127] };

const usual = ([r, g, b]) => Math.round(0.299 * r + 0.587 * g + 0.114 * b);
async function viaSharp(colour) {
  const raw = { width: 2, height: 2, channels: 3 };
  return (await sharp(Buffer.from([...colour, ...colour, ...colour, ...colour]), { raw }).greyscale().raw().toBuffer())[0];
}
function viaJimp([r, g, b]) {
  const image = new Jimp({ width: 2, height: 2, color: ((r << 24) | (g << 16) | (b << 8) | 255) >>> 0 });
  return image.greyscale().bitmap.data[0];
}

(async () => {
  console.log("sharp", sharp.versions.sharp, " libvips", sharp.versions.vips, " jimp", require("jimp/package.json").version);
  const seen = {};
  for (const [name, colour] of Object.entries(colours)) {
    seen[name] = [usual(colour), await viaSharp(colour), viaJimp(colour)];
    console.log(name.padEnd(5), colour.join(" ").padEnd(11), `usual weights ${seen[name][0]}, sharp ${seen[name][1]}, jimp ${seen[name][2]}`);
  }
  for (const [name, ground] of Object.entries(grounds)) {
    seen[name] = [seen.red[0] - usual(ground), seen.red[1] - (await viaSharp(ground))];
    console.log(`red against a gray of ${ground[0]}: usual weights ${seen[name][0]}, sharp ${seen[name][1]}`);
  }
  assert.deepEqual(seen.red, [76, 127, 54]);
  assert.deepEqual(seen.blue, [29, 76, 18]);
  assert.deepEqual([seen.dark, seen.middle], [[0, 51], [-51, 0]]);
  assert(seen.green[1] === 220 && new Set(seen.gray).size === 1);
})();
JS
node look.js
# Seen on Debian 12, Node 20, amd64:
#   sharp 0.35.5  libvips 8.18.7  jimp 1.6.1
#   red   255 0 0     usual weights 76, sharp 127, jimp 54
#   green 0 255 0     usual weights 150, sharp 220, jimp 182
#   blue  0 0 255     usual weights 29, sharp 76, jimp 18
#   skin  224 172 105 usual weights 180, sharp 181, jimp 178
#   sky   90 150 220  usual weights 140, sharp 147, jimp 142
#   gray  119 119 119 usual weights 119, sharp 119, jimp 119
#   red against a gray of 76: usual weights 0, sharp 51
#   red against a gray of 127: usual weights -51, sharp 0
