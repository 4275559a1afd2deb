#!/usr/bin/env bash
# Guess: image-js resizes with the edges of the picture aligned (half-pixel centres), as sharp, Pillow, OpenCV and torchvision do.
# Really: it samples half a pixel of the result too early, to the left and upwards, bilinear and bicubic alike: 120 to 12 moves the content by 5 pixels
# of the original, 120 to 60 by one. There is no filter either: of white lines on every tenth column nothing is left, or half of the
# picture is white, by where they lie, instead of a tenth of it.
# Meets: pictures prepared in Node or the browser for networks trained in Python, boxes and key points carried along, pictures compared by pixels.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
npm init -y >npm.log
npm install --silent --no-audit --no-fund --no-update-notifier image-js@1.7.0 sharp@0.35.5 >>npm.log 2>&1 || { cat npm.log >&2; exit 1; }
cat >look.mjs <<'JS'
import assert from "node:assert";
import fs from "node:fs";
import { Image } from "image-js";
import sharp from "sharp";

const names = ["image-js", "sharp"];
console.log(names.map((name) => `${name} ${JSON.parse(fs.readFileSync(`node_modules/${name}/package.json`)).version}`).join("  "));
const side = 120;
const step = 2;
const picture = (value) => Buffer.from(Array.from({ length: side * side }, (_, i) => value(i % side, Math.floor(i / side))));
const imageJs = (interpolationType) => (pixels, to) =>
  new Image(side, side, { colorModel: "GREY", data: new Uint8Array(pixels) }).resize({ width: to, height: to, interpolationType }).getRawImage().data;
const tools = {
  "image-js, bilinear": imageJs("bilinear"),
  "image-js, bicubic": imageJs("bicubic"),
  sharp: (pixels, to) =>
    sharp(pixels, { raw: { width: side, height: side, channels: 1 } }).resize(to, to, { kernel: "linear" }).toColourspace("b-w").raw().toBuffer(),
};
const across = picture((x) => x * step);
const down = picture((x, y) => y * step);
const lines = [5, 9].map((place) => picture((x) => (x % 10 === place ? 255 : 0)));
for (const to of [60, 30, 12])
  for (const [title, resize] of Object.entries(tools)) {
    const middle = to / 2;
    const at = middle * to + middle;
    // the place in the original that the middle pixel shows, less the place of its centre
    const centre = (middle + 0.5) * (side / to) - 0.5;
    const [x, y] = [(await resize(across, to))[at] / step - centre, (await resize(down, to))[at] / step - centre];
    let text = `${side} to ${to}, ${title}: content moved by ${x.toFixed(2)} and ${y.toFixed(2)} pixels of the original`;
    const means = [];
    if (to === 12)
      for (const image of lines) {
        const small = (await resize(image, to)).slice(to, to * to);
        means.push(small.reduce((sum, v) => sum + v, 0) / small.length / 255);
      }
    if (means.length) text += `; mean of lines (0.1) ${means.map((v) => v.toFixed(2)).join(" and ")}`;
    console.log(text);
    if (title === "sharp") assert(Math.abs(x) <= 0.25 && Math.abs(y) <= 0.25 && means.every((v) => Math.abs(v - 0.1) < 0.03));
    else assert(x === y && Math.abs(x + side / to / 2) <= 0.25 && (to > 12 || (means[0] === 0 && means[1] > 0.4)));
  }
JS
node look.mjs
# Seen on Debian 12, Node 20, amd64:
#   image-js 1.7.0  sharp 0.35.5
#   120 to 60, image-js, bilinear: content moved by -1.00 and -1.00 pixels of the original
#   120 to 60, image-js, bicubic: content moved by -1.00 and -1.00 pixels of the original
#   120 to 60, sharp: content moved by 0.00 and 0.00 pixels of the original
#   120 to 30, image-js, bilinear: content moved by -2.00 and -2.00 pixels of the original
#   120 to 30, image-js, bicubic: content moved by -2.00 and -2.00 pixels of the original
#   120 to 30, sharp: content moved by 0.00 and 0.00 pixels of the original
#   120 to 12, image-js, bilinear: content moved by -5.00 and -5.00 pixels of the original; mean of lines (0.1) 0.00 and 0.46
#   120 to 12, image-js, bicubic: content moved by -5.00 and -5.00 pixels of the original; mean of lines (0.1) 0.00 and 0.51
#   120 to 12, sharp: content moved by 0.00 and 0.00 pixels of the original; mean of lines (0.1) 0.10 and 0.10
