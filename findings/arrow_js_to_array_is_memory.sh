#!/usr/bin/env bash
# Guess: toArray() of an Arrow vector in JavaScript gives the values that get() gives, as to_numpy does in Python.
# Really: for columns of numbers it is the memory behind them. A missing label is class 0 where get() says null; float16 features are a Uint16Array of their
# bits, in which 0.5 is 14336, in lists of fixed size too: the nearest neighbour is another one for six rows in seven. Float32, and integers without
# missing values, are right, and so is the iterator of each. No warning.
# Meets: labels with unknown ones among them, features in half precision, sent from Python to the browser or Node as Arrow.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
npm init -y >npm.log
npm install --silent --no-audit --no-fund --no-update-notifier apache-arrow@21.2.0 >>npm.log 2>&1 || { cat npm.log >&2; exit 1; }
cat >look.mjs <<'JS'
import assert from "node:assert";
import fs from "node:fs";
import * as arrow from "apache-arrow";

console.log("apache-arrow", JSON.parse(fs.readFileSync("node_modules/apache-arrow/package.json")).version);
const through = (column) => arrow.tableFromIPC(arrow.tableToIPC(new arrow.Table({ column }))).getChild("column");
const show = (values) => `${values.constructor.name} ${[...values].slice(0, 5).join(" ")}`;

const labels = through(arrow.vectorFromArray([3, null, 1, null, 0], new arrow.Int32()));
console.log(`labels 3 null 1 null 0: toArray() ${show(labels.toArray())}, the iterator ${[...labels].map(String).join(" ")}`);
assert.deepEqual([...labels], [3, null, 1, null, 0]);
assert(labels.nullCount === 2 && labels.toArray().constructor === Int32Array && labels.toArray()[1] === 0 && labels.toArray()[3] === 0);
const scores = through(arrow.vectorFromArray([0.5, null, 0.25], new arrow.Float32()));
console.log(`scores 0.5 null 0.25: toArray() ${show(scores.toArray())}`);
assert(scores.toArray()[1] === 0 && scores.get(1) === null);

const numbers = [0.5, 1, -2, 0.25, 0];
for (const type of [new arrow.Float64(), new arrow.Float32(), new arrow.Float16()]) {
  const vector = through(arrow.vectorFromArray(numbers, type));
  console.log(`${type}: toArray() ${show(vector.toArray())}`);
  assert.deepEqual([...vector], numbers);
  assert.deepEqual([...vector.toArray()], type.precision === arrow.Precision.HALF ? [14336, 15360, 49152, 13312, 0] : numbers);
}

let state = 1;
const uniform = () => (state = (state * 48271) % 2147483647) / 2147483647;
const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
const size = 16;
const rows = Array.from({ length: 300 }, () => Array.from({ length: size }, normal));
const type = new arrow.FixedSizeList(size, new arrow.Field("item", new arrow.Float16()));
const features = through(arrow.vectorFromArray(rows, type));
const read = { iterator: (row) => [...row], toArray: (row) => Array.from(row.toArray()) };
const nearest = (table) =>
  table.map((a, i) => {
    const far = table.map((b, j) => (i === j ? Infinity : a.reduce((sum, v, c) => sum + (v - b[c]) ** 2, 0)));
    return far.indexOf(Math.min(...far));
  });
const right = nearest(rows);
for (const [name, of] of Object.entries(read)) {
  const found = nearest(Array.from({ length: rows.length }, (_, i) => of(features.get(i))));
  const share = found.filter((j, i) => j === right[i]).length / rows.length;
  console.log(`rows of float16 by ${name}: the nearest neighbour is right for ${share.toFixed(2)}`);
  assert(name === "iterator" ? share > 0.97 : share < 0.5);
}
JS
node look.mjs
# Seen on Debian 12, Node 20, amd64:
#   apache-arrow 21.2.0
#   labels 3 null 1 null 0: toArray() Int32Array 3 0 1 0 0, the iterator 3 null 1 null 0
#   scores 0.5 null 0.25: toArray() Float32Array 0.5 0 0.25
#   Float64: toArray() Float64Array 0.5 1 -2 0.25 0
#   Float32: toArray() Float32Array 0.5 1 -2 0.25 0
#   Float16: toArray() Uint16Array 14336 15360 49152 13312 0
#   rows of float16 by iterator: the nearest neighbour is right for 0.99
#   rows of float16 by toArray: the nearest neighbour is right for 0.14
