#!/usr/bin/env bash
# Guess: UPNG.toRGBA8 gives the right pixels of every valid PNG; what it can do for a palette of 1, 2 or 4 bits it can do for gray.
# Really: gray of 1, 2 and 4 bits is read as if the rows had no padding. Where the width does not fill whole bytes every row begins some pixels
# too late and the picture is sheared; a width of 32 is right, 28 at 2 and 4 bits too, a palette of any width, and 8 bits.
# Meets: masks of one bit (Pillow's mode "1"), digits of 28 x 28 in few levels, as optimisers of PNG files write them, decoded in the browser.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
npm init -y >npm.log
npm install --silent --no-audit --no-fund --no-update-notifier upng-js@2.1.0 pngjs@7.0.0 >>npm.log 2>&1 || { cat npm.log >&2; exit 1; }
cat >look.js <<'JS'
const assert = require("node:assert");
const zlib = require("node:zlib");
const { PNG } = require("pngjs");
const UPNG = require("upng-js");

for (const name of ["upng-js", "pngjs"]) console.log(name, require(`./node_modules/${name}/package.json`).version);
const table = Array.from({ length: 256 }, (_, n) => {
  for (let i = 0; i < 8; ++i) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n >>> 0;
});
function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length);
  body.copy(out, 4);
  out.writeUInt32BE((body.reduce((c, b) => table[(c ^ b) & 255] ^ (c >>> 8), 0xffffffff) ^ 0xffffffff) >>> 0, body.length + 4);
  return out;
}
function png(width, height, depth, palette, value) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = depth;
  header[9] = palette ? 3 : 0;
  const stride = 1 + Math.ceil((width * depth) / 8);
  const rows = Buffer.alloc(stride * height);
  for (let y = 0; y < height; ++y)
    for (let x = 0; x < width; ++x) rows[y * stride + 1 + ((x * depth) >> 3)] |= value(x, y) << (8 - depth - ((x * depth) & 7));
  const colours = Buffer.from(Array.from({ length: 3 << depth }, (_, i) => (Math.floor(i / 3) * 255) / ((1 << depth) - 1)));
  const parts = [Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), chunk("IHDR", header)];
  if (palette) parts.push(chunk("PLTE", colours));
  return Buffer.concat([...parts, chunk("IDAT", zlib.deflateSync(rows)), chunk("IEND", Buffer.alloc(0))]);
}
const wrong = {};
for (const palette of [false, true])
  for (const depth of [1, 2, 4])
    for (const width of [27, 28, 32]) {
      const levels = (1 << depth) - 1;
      const value = (x, y) => ((x - 13) ** 2 + (y - 14) ** 2 < 90 ? levels - (y % 2 && levels > 1 ? 1 : 0) : 0); // a disc
      const file = png(width, 28, depth, palette, value);
      const bytes = new Uint8Array(file).buffer;
      const pixels = new Uint8Array(UPNG.toRGBA8(UPNG.decode(bytes))[0]);
      const other = PNG.sync.read(file).data;
      let off = 0;
      for (let y = 0; y < 28; ++y)
        for (let x = 0; x < width; ++x) {
          const i = 4 * (y * width + x), truth = (value(x, y) * 255) / levels;
          assert.equal(other[i], truth); // pngjs
          off += pixels[i] !== truth;
        }
      wrong[`${palette} ${depth} ${width}`] = off;
      console.log(`${palette ? "palette" : "gray"} of ${depth} bits, ${width} x 28: ${off} of ${width * 28} pixels wrong`);
    }
for (const [key, off] of Object.entries(wrong)) {
  const [palette, depth, width] = key.split(" ");
  assert.equal(off > 0, palette === "false" && (width * depth) % 8 !== 0, key);
}
JS
node look.js
# Seen on Debian 12, Node 20, amd64:
#   upng-js 2.1.0
#   pngjs 7.0.0
#   gray of 1 bits, 27 x 28: 280 of 756 pixels wrong
#   gray of 1 bits, 28 x 28: 280 of 784 pixels wrong
#   gray of 1 bits, 32 x 28: 0 of 896 pixels wrong
#   gray of 2 bits, 27 x 28: 372 of 756 pixels wrong
#   gray of 2 bits, 28 x 28: 0 of 784 pixels wrong
#   gray of 2 bits, 32 x 28: 0 of 896 pixels wrong
#   gray of 4 bits, 27 x 28: 372 of 756 pixels wrong
#   gray of 4 bits, 28 x 28: 0 of 784 pixels wrong
#   gray of 4 bits, 32 x 28: 0 of 896 pixels wrong
#   palette of 1 bits, 27 x 28: 0 of 756 pixels wrong
#   palette of 1 bits, 28 x 28: 0 of 784 pixels wrong
#   palette of 1 bits, 32 x 28: 0 of 896 pixels wrong
#   palette of 2 bits, 27 x 28: 0 of 756 pixels wrong
#   palette of 2 bits, 28 x 28: 0 of 784 pixels wrong
#   palette of 2 bits, 32 x 28: 0 of 896 pixels wrong
#   palette of 4 bits, 27 x 28: 0 of 756 pixels wrong
#   palette of 4 bits, 28 x 28: 0 of 784 pixels wrong
#   palette of 4 bits, 32 x 28: 0 of 896 pixels wrong
