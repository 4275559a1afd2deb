#!/usr/bin/env bash
# Guess: DruidJS's PCA gives centred scores, as ml-pca and scikit-learn do; its "cosine distance" is 1 - cos, as SciPy's is.
# Really: the axes are those of the centred rows, but the rows are projected as they are: scores have the mean's projection in them, and 100 added to
# every feature moves them by 70 and 134. Distances between scores are right. cosine() is the angle in radians: 1.57 for vectors at
# right angles, 3.14 for opposite ones; neighbours are the same, thresholds and average linkage are not.
# Meets: maps of embeddings in the browser laid over each other by their scores, radii for duplicates carried from Python.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
npm init -y >npm.log
npm install --silent --no-audit --no-fund --no-update-notifier @saehrimnir/druidjs@0.9.0 ml-pca@4.1.1 >>npm.log 2>&1 || { cat npm.log >&2; exit 1; }
cat >look.mjs <<'JS'
import assert from "node:assert";
import fs from "node:fs";
import * as druid from "@saehrimnir/druidjs";
import { PCA } from "ml-pca";

for (const name of ["@saehrimnir/druidjs", "ml-pca"])
  console.log(name, JSON.parse(fs.readFileSync(`node_modules/${name}/package.json`)).version);
let state = 1;
const random = () => (state = (state * 16807) % 2147483647) / 2147483647;
const rows = Array.from({ length: 200 }, () => Array.from({ length: 6 }, (_, j) => 1 + (random() - 0.5) * (6 - j)));
const mean = (scores, j) => scores.reduce((sum, row) => sum + row[j], 0) / scores.length;
const text = (values) => values.map((v) => v.toFixed(2)).join(" ");
const seen = {};
for (const added of [0, 100]) {
  const data = rows.map((row) => row.map((v) => v + added));
  const scores = [...new druid.PCA(data, { d: 2 }).transform()].map((row) => [...row]);
  const other = new PCA(data).predict(data, { nComponents: 2 }).to2DArray();
  const apart = (s) => Math.hypot(s[0][0] - s[1][0], s[0][1] - s[1][1]);
  seen[added] = [[0, 1].map((j) => mean(scores, j)), [0, 1].map((j) => mean(other, j)), apart(scores), apart(other)];
  const [mine, theirs, near, far] = seen[added];
  console.log(`${added} added: mean of the scores ${text(mine)}, of ml-pca's ${text(theirs)}; first two rows apart ${text([near])} and ${text([far])}`);
  assert(theirs.every((v) => Math.abs(v) < 1e-6) && Math.abs(near - far) < 1e-4);
}
assert(Math.hypot(...seen[0][0]) > 0.1 && Math.hypot(...seen[100][0]) > 20);
const angles = [[[1, 0], [0, 1]], [[1, 0], [-1, 0]], [[1, 0], [1, 1]]].map(([a, b]) => druid.cosine(a, b));
console.log("cosine of vectors at 90, 180 and 45 degrees:", text(angles), " 1 - cos:", text([1, 2, 1 - Math.SQRT1_2]));
angles.forEach((angle, i) => assert(Math.abs(angle - [Math.PI / 2, Math.PI, Math.PI / 4][i]) < 1e-6));
JS
node look.mjs
# Seen on Debian 12, Node 20, amd64:
#   @saehrimnir/druidjs 0.9.0
#   ml-pca 4.1.1
#   0 added: mean of the scores -0.68 -1.28, of ml-pca's 0.00 0.00; first two rows apart 2.58 and 2.58
#   100 added: mean of the scores -70.79 -135.06, of ml-pca's -0.00 0.00; first two rows apart 2.58 and 2.58
#   cosine of vectors at 90, 180 and 45 degrees: 1.57 3.14 0.79  1 - cos: 1.00 2.00 0.29
