#!/usr/bin/env bash
# Guess: ml-knn gives a tie to the class of the nearer neighbours, or to a fixed class; its k-d tree looks at a few hundred of 4,000 rows in 2-D.
# Really: the votes are counted from the farthest neighbour to the nearest, and the first class that reaches the highest count wins. With k = 2 every
# tie goes to the second neighbour: it is the classifier of the second neighbour alone. And nothing of the tree is ever left out: the label is
# stored as one more coordinate, the distance to a dividing plane is always 0, and a query takes 2 N distances, twice a plain search.
# Meets: accuracies of features by nearest neighbours in Node and the browser, where an even k, or the default of classes + 1, makes ties.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
npm init -y >npm.log
npm install --silent --no-audit --no-fund --no-update-notifier ml-knn@3.0.0 >>npm.log 2>&1 || { cat npm.log >&2; exit 1; }
cat >look.mjs <<'JS'
import assert from "node:assert";
import fs from "node:fs";
import KNN from "ml-knn";

console.log("ml-knn", JSON.parse(fs.readFileSync("node_modules/ml-knn/package.json")).version);
let state = 1;
const random = () => (state = (state * 16807) % 2147483647) / 2147483647;
const cell = ([x, y]) => (Math.floor(x * 4) + Math.floor(y * 4)) % 2; // a chessboard of two classes
const rows = Array.from({ length: 2000 }, () => [random(), random()]);
const labels = rows.map((row) => (random() < 0.1 ? 1 - cell(row) : cell(row)));
const queries = Array.from({ length: 2000 }, () => [random(), random()]);
const sorted = queries.map((q) =>
  rows.map((r, i) => [(r[0] - q[0]) ** 2 + (r[1] - q[1]) ** 2, labels[i]]).sort((a, b) => a[0] - b[0]).slice(0, 8).map((pair) => pair[1]));
const seen = {};
for (const k of [1, 2, 3, 4, 6]) {
  const found = new KNN(rows, labels, { k }).predict(queries);
  let right = 0, toNearest = 0, ties = 0, nearer = 0;
  found.forEach((label, i) => {
    const near = sorted[i].slice(0, k);
    const ones = near.reduce((a, b) => a + b, 0);
    ties += 2 * ones === k;
    nearer += 2 * ones === k && label === near[0];
    right += label === cell(queries[i]);
    toNearest += (2 * ones === k ? near[0] : Number(2 * ones > k)) === cell(queries[i]);
    assert(2 * ones === k || label === Number(2 * ones > k)); // without a tie the vote is right
  });
  seen[k] = { right, toNearest, ties, nearer };
  const share = (count) => (count / queries.length).toFixed(3);
  console.log(`k = ${k}: ${ties} ties, ${nearer} to the class of the nearest; accuracy ${share(right)}, with ties to the nearest ${share(toNearest)}`);
}
assert(seen[2].ties > 400 && seen[2].nearer === 0 && seen[2].right < seen[1].right && seen[2].toNearest === seen[1].right);
assert(seen[4].nearer < seen[4].ties / 4 && seen[4].right < seen[4].toNearest);
for (const count of [1000, 4000]) {
  let calls = 0;
  const distance = (a, b) => {
    ++calls;
    let sum = 0;
    for (let i = 0; i < a.length; ++i) sum += (a[i] - b[i]) ** 2;
    return Math.sqrt(sum); // the package's own default, counted
  };
  const data = Array.from({ length: count }, () => [random(), random()]);
  new KNN(data, data.map(cell), { k: 5, distance }).predict(queries.slice(0, 50));
  console.log(`${count} rows in 2-D: ${calls / 50} distances a query`);
  assert(calls === 50 * 2 * count);
}
JS
node look.mjs
# Seen on Debian 12, Node 20, amd64:
#   ml-knn 3.0.0
#   k = 1: 0 ties, 0 to the class of the nearest; accuracy 0.882, with ties to the nearest 0.882
#   k = 2: 423 ties, 0 to the class of the nearest; accuracy 0.845, with ties to the nearest 0.882
#   k = 3: 0 ties, 0 to the class of the nearest; accuracy 0.915, with ties to the nearest 0.915
#   k = 4: 208 ties, 29 to the class of the nearest; accuracy 0.909, with ties to the nearest 0.932
#   k = 6: 137 ties, 38 to the class of the nearest; accuracy 0.926, with ties to the nearest 0.940
#   1000 rows in 2-D: 2000 distances a query
#   4000 rows in 2-D: 8000 distances a query
