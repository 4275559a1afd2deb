#!/usr/bin/env bash
# Guess: tf.image.resizeBilinear of TensorFlow.js is tf.image.resize of TensorFlow 2: pixel centres at halves, as in PyTorch, Pillow, OpenCV, ONNX.
# Really: by default it still has TensorFlow 1's coordinates: pixel i of the answer is read at i * scale. 384 pixels made 96 are every fourth pixel as
# it is, the others are not looked at, and the content slips by 1.5 pixels to the right and down; enlarged, it slips the other way and the last
# column comes in copies. resizeNearestNeighbor likewise. A fourth argument, true, mends the place (neither averages when it shrinks).
# Meets: whoever trains in Python and asks the network in the browser or in Node.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
npm init -y >npm.log
npm install --silent --no-audit --no-fund --no-update-notifier @tensorflow/tfjs-core@4.22.0 @tensorflow/tfjs-backend-cpu@4.22.0 >>npm.log 2>&1 \
  || { cat npm.log >&2; exit 1; }
cat >look.js <<'JS'
const assert = require("node:assert");
console.warn = () => {};
const tf = require("@tensorflow/tfjs-core");
require("@tensorflow/tfjs-backend-cpu");
const row = (values) => tf.tensor4d(values, [1, 1, values.length, 1]);
const bilinear = (values, to, ...more) => Array.from(tf.image.resizeBilinear(row(values), [1, to], ...more).dataSync());
const nearest = (values, to, ...more) => Array.from(tf.image.resizeNearestNeighbor(row(values), [1, to], ...more).dataSync());

(async () => {
  await tf.setBackend("cpu");
  console.log("tfjs-core", tf.version_core, " 4 pixels 0 1 2 3:");
  const enlarged = [bilinear([0, 1, 2, 3], 8), bilinear([0, 1, 2, 3], 8, false, true)];
  console.log("to 8: default", enlarged[0].join(" "), " half pixel centres", enlarged[1].join(" "));
  const shrunk = [bilinear([0, 1, 2, 3], 2), bilinear([0, 1, 2, 3], 2, false, true)];
  console.log("to 2: default", shrunk[0].join(" "), " half pixel centres", shrunk[1].join(" "));
  const near = [nearest([0, 1, 2, 3], 2), nearest([0, 1, 2, 3], 2, false, true)];
  console.log("to 2, nearest: default", near[0].join(" "), " half pixel centres", near[1].join(" "));

  // A bump in the middle of 384 pixels: its place in 96, in pixels of the large picture.
  const bump = Array.from({ length: 384 }, (_, x) => Math.exp(-(((x - 191.5) / 20) ** 2)));
  const place = (small) => {
    const sum = small.reduce((a, b) => a + b);
    return small.reduce((a, v, x) => a + v * (4 * x + 1.5), 0) / sum;
  };
  const moved = [bilinear(bump, 96), bilinear(bump, 96, false, true)].map(place);
  console.log(`384 to 96: a bump at 191.5 lies at ${moved[0].toFixed(2)} by default, at ${moved[1].toFixed(2)} with half pixel centres`);
  const flipped = bilinear(bump.map((v, x) => v + (x % 4 ? 9 : 0)), 96);
  console.log("9 added to three pixels of four changes the default's answer by", Math.max(...flipped.map((v, x) => Math.abs(v - bilinear(bump, 96)[x]))));
  assert.deepEqual(enlarged, [[0, 0.5, 1, 1.5, 2, 2.5, 3, 3], [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3]]);
  assert.deepEqual(shrunk, [[0, 2], [0.5, 2.5]]);
  assert(near[0].join() === "0,2" && near[1].join() === "1,3");
  assert(Math.abs(moved[0] - 193) < 0.01 && Math.abs(moved[1] - 191.5) < 0.01);
  assert(flipped.every((v, x) => v === bilinear(bump, 96)[x]));
})();
JS
node look.js
# Seen on Debian 12, Node 20, amd64:
#   tfjs-core 4.22.0  4 pixels 0 1 2 3:
#   to 8: default 0 0.5 1 1.5 2 2.5 3 3  half pixel centres 0 0.25 0.75 1.25 1.75 2.25 2.75 3
#   to 2: default 0 2  half pixel centres 0.5 2.5
#   to 2, nearest: default 0 2  half pixel centres 1 3
#   384 to 96: a bump at 191.5 lies at 193.00 by default, at 191.50 with half pixel centres
#   9 added to three pixels of four changes the default's answer by 0
