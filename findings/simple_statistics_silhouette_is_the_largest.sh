#!/usr/bin/env bash
# Guess: simple-statistics' silhouetteMetric is the mean silhouette, as scikit-learn's silhouette_score, and has no value for a single cluster.
# Really: it is the largest silhouette of any row, and one cluster has 1, the best there is, in silhouette() too: the number of clusters with the highest
# score is always 1. From two on, 4, 5 and 6 clusters of four clear ones have the same score (mean: .69, .59 and .52), and where the labels of three of
# the four are drawn by lot it stays at .81 while the mean falls from .68 to .14. The silhouettes of the rows are right from two clusters on.
# Meets: the number of clusters chosen, and k-means or labels compared, in Node and the browser with scores quoted from Python.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
npm init -y >npm.log
npm install --silent --no-audit --no-fund --no-update-notifier simple-statistics@7.12.1 >>npm.log 2>&1 || { cat npm.log >&2; exit 1; }
cat >look.mjs <<'JS'
import assert from "node:assert";
import fs from "node:fs";
import { kMeansCluster, max, mean, silhouette, silhouetteMetric } from "simple-statistics";

console.log("simple-statistics", JSON.parse(fs.readFileSync("node_modules/simple-statistics/package.json")).version);
let state = 1;
const uniform = () => (state = (state * 48271) % 2147483647) / 2147483647;
const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
const distance = (a, b) => Math.hypot(...a.map((v, c) => v - b[c]));
const clusters = [[0, 0], [6, 0], [0, 6], [6, 6]];
const truth = Array.from({ length: 200 }, (_, i) => i % 4);
const rows = truth.map((k) => clusters[k].map((v) => v + normal()));

const own = (labels) =>
  mean(rows.map((row, i) => {
    const groups = [...new Set(labels)].map((k) => {
      const others = rows.filter((_, j) => j !== i && labels[j] === k);
      return { own: k === labels[i], mean: others.length ? mean(others.map((other) => distance(row, other))) : 0 };
    });
    const inside = groups.find((group) => group.own).mean;
    const outside = Math.min(...groups.filter((group) => !group.own).map((group) => group.mean));
    return (outside - inside) / Math.max(outside, inside);
  }));

const best = (k) => {
  const tries = Array.from({ length: 20 }, () => kMeansCluster(rows, k, uniform)).map(({ labels, centroids }) => ({
    labels, inertia: mean(rows.map((row, i) => distance(row, centroids[labels[i]]) ** 2)) }));
  return tries.reduce((a, b) => (b.inertia < a.inertia ? b : a)).labels;
};
const metric = {}, means = {};
for (let k = 1; k <= 6; k++) {
  const labels = best(k);
  metric[k] = silhouetteMetric(rows, labels);
  means[k] = mean(silhouette(rows, labels));
  console.log(`${k} clusters: silhouetteMetric ${metric[k].toFixed(3)}, mean of silhouette() ${means[k].toFixed(3)}`);
  if (k > 1) assert(Math.abs(means[k] - own(labels)) < 1e-9 || new Set(labels).size < k);
  assert(metric[k] === max(silhouette(rows, labels)));
}
assert(metric[1] === 1 && means[1] === 1);
for (const k of [2, 3, 5, 6]) assert(means[4] > means[k] + 0.05);
assert(metric[5] >= metric[4] - 0.001 && metric[6] >= metric[4] - 0.001);

const drawn = truth.map((k) => (k === 0 ? 0 : 1 + Math.floor(3 * uniform())));
const of = (labels) => [silhouetteMetric(rows, labels), mean(silhouette(rows, labels))];
for (const [name, labels] of Object.entries({ "true labels": truth, "three of four clusters drawn": drawn }))
  console.log(`${name}: silhouetteMetric ${of(labels)[0].toFixed(3)}, mean ${of(labels)[1].toFixed(3)}`);
assert(of(drawn)[0] > of(truth)[0] - 0.02 && of(drawn)[1] < of(truth)[1] - 0.3);
JS
node look.mjs
# Seen on Debian 12, Node 20, amd64:
#   simple-statistics 7.12.1
#   1 clusters: silhouetteMetric 1.000, mean of silhouette() 1.000
#   2 clusters: silhouetteMetric 0.573, mean of silhouette() 0.466
#   3 clusters: silhouetteMetric 0.794, mean of silhouette() 0.533
#   4 clusters: silhouetteMetric 0.810, mean of silhouette() 0.688
#   5 clusters: silhouetteMetric 0.810, mean of silhouette() 0.594
#   6 clusters: silhouetteMetric 0.810, mean of silhouette() 0.522
#   true labels: silhouetteMetric 0.812, mean 0.683
#   three of four clusters drawn: silhouetteMetric 0.807, mean 0.137
