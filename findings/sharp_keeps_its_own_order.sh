#!/usr/bin/env bash
# Guess: sharp's calls work in the order in which they are chained: .blur(4).resize(32, 32) smooths first and then shrinks, .threshold(128)
# .resize(32, 32) gives a mask with gray edges.
# Really: the order is sharp's own. Blur and threshold come after resize, rotate(90) after flop, negate after linear, wherever they are
# called; both orders give the same bytes, and neither is an error. The blur of 4 is one of 4 pixels of the small picture, four times as
# wide as meant; the mask has no gray at all. Another order needs a second sharp on the first one's raw output.
# Meets: augmentation and preparation in Node that copies a chain of torchvision or Pillow, where order counts.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
npm init -y >npm.log
npm install --silent --no-audit --no-fund --no-update-notifier sharp@0.35.5 >>npm.log 2>&1 || { cat npm.log >&2; exit 1; }
cat >look.js <<'JS'
const assert = require("node:assert");
const sharp = require("sharp");
const side = 128;
let state = 1;
const pixels = Buffer.alloc(side * side).map(() => (state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff) >> 16);
const picture = () => sharp(pixels, { raw: { width: side, height: side, channels: 1 } });
const bytes = (s) => s.toColourspace("b-w").raw().toBuffer({ resolveWithObject: true });
// One operation, then the other, each with a sharp of its own.
async function twice(first, second) {
  const { data, info } = await bytes(first(picture()));
  return (await bytes(second(sharp(data, { raw: { width: info.width, height: info.height, channels: info.channels } })))).data;
}
const moments = (b) => {
  const mean = b.reduce((a, v) => a + v, 0) / b.length;
  return `mean ${mean.toFixed(1)}, deviation ${Math.sqrt(b.reduce((a, v) => a + (v - mean) ** 2, 0) / b.length).toFixed(1)}`;
};
const pairs = {
  "blur(4), resize": [(s) => s.blur(4), (s) => s.resize(32, 32)],
  "threshold(128), resize": [(s) => s.threshold(128), (s) => s.resize(32, 32)],
  "rotate(90), flop": [(s) => s.rotate(90), (s) => s.flop()],
  "negate, linear(0.5, 0)": [(s) => s.negate(), (s) => s.linear(0.5, 0)],
};
(async () => {
  console.log("sharp", sharp.versions.sharp, " libvips", sharp.versions.vips);
  for (const [title, [first, second]] of Object.entries(pairs)) {
    const chained = (await bytes(second(first(picture())))).data;
    const turned = (await bytes(first(second(picture())))).data;
    const inOrder = await twice(first, second);
    console.log(`${title}: either order the same ${chained.equals(turned)}, ${moments(chained)}; one after the other ${moments(inOrder)}`);
    assert(chained.equals(turned) && !chained.equals(inOrder));
  }
})();
JS
node look.js
# Seen on Debian 12, Node 20, amd64:
#   sharp 0.35.5  libvips 8.18.7
#   blur(4), resize: either order the same true, mean 128.2, deviation 1.9; one after the other mean 128.7, deviation 6.6
#   threshold(128), resize: either order the same true, mean 126.5, deviation 127.5; one after the other mean 127.6, deviation 28.1
#   rotate(90), flop: either order the same true, mean 127.5, deviation 73.9; one after the other mean 127.5, deviation 73.9
#   negate, linear(0.5, 0): either order the same true, mean 191.5, deviation 36.9; one after the other mean 63.5, deviation 36.9
