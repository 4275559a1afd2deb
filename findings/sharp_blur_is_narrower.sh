#!/usr/bin/env bash
# Guess: sharp's blur(sigma) is a Gaussian of that sigma, cut at about three sigma, as in Pillow, OpenCV and SciPy.
# Really: libvips, below it, cuts the mask where it falls to a fifth of its height, rounds its weights to integers and makes up their sum: up to
# sigma 0.5 the picture comes back unchanged, sigma 1 is three taps with a deviation of 0.74, from 2 on a fifth is missing. Asked for
# precision "float" and minAmplitude 0.001 the same call gives 1.01, and 0.46 for 0.5.
# Meets: whoever prepares data, smooths before shrinking or repeats SimCLR's blur (sigma 0.1 to 2) in Node, or with vips gaussblur elsewhere.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
npm init -y >npm.log
npm install --silent --no-audit --no-fund --no-update-notifier sharp@0.35.5 >>npm.log 2>&1 || { cat npm.log >&2; exit 1; }
cat >look.js <<'JS'
const assert = require("node:assert");
const sharp = require("sharp");
const side = 101, low = 10, high = 250;
const edge = Buffer.alloc(side * side * 3, low);
for (let i = 0; i < side * side; i++) if (i % side >= 50) edge.fill(high, 3 * i, 3 * i + 3);

// The steps of a blurred edge are the taps of the filter; their deviation is its true sigma.
async function taps(options) {
  const out = await sharp(edge, { raw: { width: side, height: side, channels: 3 } }).blur(options).raw().toBuffer();
  const at = (x) => out[(50 * side + x) * 3];
  const found = [];
  for (let x = 1; x < side; x++) found.push((at(x) - at(x - 1)) / (high - low));
  return found;
}

function sigma(found) {
  const mean = found.reduce((sum, tap, x) => sum + tap * x, 0);
  return Math.sqrt(found.reduce((sum, tap, x) => sum + tap * (x - mean) ** 2, 0));
}

(async () => {
  console.log("sharp", sharp.versions.sharp, " libvips", sharp.versions.vips);
  const seen = {};
  for (const asked of [0.3, 0.5, 0.6, 1, 2, 5]) {
    const usual = await taps(asked);
    const full = await taps({ sigma: asked, precision: "float", minAmplitude: 0.001 });
    seen[asked] = [sigma(usual), sigma(full), usual.filter((tap) => tap > 0).length];
    console.log(`sigma ${asked}: ${seen[asked][0].toFixed(2)} with ${seen[asked][2]} taps; asked for a full mask ${seen[asked][1].toFixed(2)}`);
  }
  assert(seen[0.3][2] === 1 && seen[0.5][2] === 1 && seen[0.5][0] === 0);
  assert(seen[1][2] === 3 && Math.abs(seen[1][0] - 0.74) < 0.02);
  assert(seen[2][0] < 1.7 && seen[5][0] < 4.2);
  assert(Math.abs(seen[1][1] - 1) < 0.03 && Math.abs(seen[2][1] - 2) < 0.05 && seen[0.5][1] > 0.45);
})();
JS
node look.js
# Seen on Debian 12, Node 20, amd64:
#   sharp 0.35.5  libvips 8.18.7
#   sigma 0.3: 0.00 with 1 taps; asked for a full mask 0.06
#   sigma 0.5: 0.00 with 1 taps; asked for a full mask 0.46
#   sigma 0.6: 0.58 with 3 taps; asked for a full mask 0.59
#   sigma 1: 0.74 with 3 taps; asked for a full mask 1.01
#   sigma 2: 1.62 with 7 taps; asked for a full mask 2.00
#   sigma 5: 4.07 with 17 taps; asked for a full mask 5.02
