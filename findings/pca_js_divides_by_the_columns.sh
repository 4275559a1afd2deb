#!/usr/bin/env bash
# Guess: the eigenvalues of pca-js are variances along the components: divided by the number of rows, or by that less one.
# Really: they are divided by the number of columns: 160 rows of 8 give 20 times the variance, and all rows twice over double it. Vectors and
# shares of the whole are right, so that explained variance looks as it should; components divided by the root of their eigenvalue have a
# deviation of 0.22 instead of 1, and eigenvalues of sets of other sizes cannot be compared.
# Meets: whitening of features in Node and the browser, components chosen by "eigenvalue above 1".
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
npm init -y >npm.log
npm install --silent --no-audit --no-fund --no-update-notifier pca-js@2.0.6 ml-pca@4.1.1 >>npm.log 2>&1 || { cat npm.log >&2; exit 1; }
cat >look.mjs <<'JS'
import assert from "node:assert";
import fs from "node:fs";
import { PCA } from "ml-pca";
import pca from "pca-js";

for (const name of ["pca-js", "ml-pca"]) console.log(name, JSON.parse(fs.readFileSync(`node_modules/${name}/package.json`)).version);
let state = 1;
const random = () => (state = (state * 16807) % 2147483647) / 2147483647;
const rows = Array.from({ length: 160 }, () => Array.from({ length: 8 }, (_, j) => (random() - 0.5) * (j + 1)));
const close = (a, b) => assert(Math.abs(a - b) < 1e-6 * Math.abs(b), `${a} ${b}`);
for (const [title, data] of [["160 rows of 8", rows], ["the same rows twice", [...rows, ...rows]]]) {
  const vectors = pca.getEigenVectors(data.map((row) => [...row]));
  const other = new PCA(data); // variances, divided by rows - 1
  const [first] = vectors;
  const mean = first.eigenvector.map((_, j) => data.reduce((sum, row) => sum + row[j], 0) / data.length);
  const along = data.map((row) => row.reduce((sum, v, j) => sum + (v - mean[j]) * first.eigenvector[j], 0));
  const variance = along.reduce((sum, v) => sum + v * v, 0) / (data.length - 1);
  const share = pca.computePercentageExplained(vectors, first);
  const whitened = Math.sqrt(variance / first.eigenvalue);
  console.log(
    `${title}: first eigenvalue ${first.eigenvalue.toFixed(2)}, variance along its vector ${variance.toFixed(2)}, ml-pca's ` +
    `${other.getEigenvalues()[0].toFixed(2)}; share ${share.toFixed(3)} and ${other.getExplainedVariance()[0].toFixed(3)}; ` +
    `deviation after whitening ${whitened.toFixed(2)}`);
  close(other.getEigenvalues()[0], variance);
  close(share, other.getExplainedVariance()[0]);
  close(first.eigenvalue, (variance * (data.length - 1)) / 8); // eight columns
}
JS
node look.mjs
# Seen on Debian 12, Node 20, amd64:
#   pca-js 2.0.6
#   ml-pca 4.1.1
#   160 rows of 8: first eigenvalue 104.20, variance along its vector 5.24, ml-pca's 5.24; share 0.325 and 0.325; deviation after whitening 0.22
#   the same rows twice: first eigenvalue 208.40, variance along its vector 5.23, ml-pca's 5.23; share 0.325 and 0.325; deviation after whitening 0.16
