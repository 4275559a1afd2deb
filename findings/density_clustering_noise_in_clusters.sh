#!/usr/bin/env bash
# Guess: DBSCAN's radius and number of points mean the same everywhere, a neighbour at exactly the radius counts, and a point is in one
# cluster or is noise.
# Really: npm's density-clustering compares strictly: on a grid of step 1 with a radius of 1 all is noise, where scikit-learn finds one cluster.
# A border point that is looked at before any core point near it is put down as noise and stays there when a cluster takes it in: of 600 digits
# 39 are in both lists, 228 instead of 189 are noise, and with the rows turned round 210.
# Meets: shares of noise reported from Node; binary codes and counts, whose distances are whole numbers.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6
cd "$place"
npm init -y >npm.log
npm install --silent --no-audit --no-fund --no-update-notifier density-clustering@1.3.0 >>npm.log 2>&1 || { cat npm.log >&2; exit 1; }
cat >scan.js <<'JS'
const fs = require("node:fs");
const { DBSCAN } = require("density-clustering");
const out = JSON.parse(fs.readFileSync("cases.json")).map(({ rows, eps, points }) => {
  const scan = new DBSCAN();
  const clusters = scan.run(rows, eps, points);
  return { clusters, noise: scan.noise };
});
console.log(JSON.stringify({ version: require("density-clustering/package.json").version, out }));
JS
venv/bin/python -W ignore - <<'PYTHON'
import json
import subprocess

import numpy as np
import sklearn
from sklearn.cluster import DBSCAN
from sklearn.datasets import load_digits

grid = np.array([[i, j] for i in range(6) for j in range(6)], dtype=float)
digits = load_digits().data[:600]
cases = {
    "grid, eps 1, 3 points": (grid, 1.0, 3),
    "grid, eps 1.001, 3 points": (grid, 1.001, 3),
    "digits, eps 23, 8 points": (digits, 23.0005, 8),
    "digits turned round": (digits[::-1], 23.0005, 8),
}
with open("cases.json", "w") as file:
    json.dump([{"rows": x.tolist(), "eps": eps, "points": points} for x, eps, points in cases.values()], file)
answer = json.loads(subprocess.run(["node", "scan.js"], check=True, capture_output=True, text=True).stdout)
print("density-clustering", answer["version"], " scikit-learn", sklearn.__version__)
seen = {}
for (title, (x, eps, points)), got in zip(cases.items(), answer["out"]):
    labels = DBSCAN(eps=eps, min_samples=points).fit_predict(x)
    inside = [row for cluster in got["clusters"] for row in cluster]
    both = len(set(inside) & set(got["noise"]))
    seen[title] = (len(got["clusters"]), len(inside), len(got["noise"]), both, int(labels.max()) + 1, int((labels >= 0).sum()), int((labels < 0).sum()))
    a, b, c, d, e, f, g = seen[title]
    print(f"{title}, {len(x)} rows: {a} clusters of {b} rows and {c} of noise, {d} in both; scikit-learn {e} of {f} and {g}")
    assert b == len(set(inside)) and c - d == len(x) - b
assert seen["grid, eps 1, 3 points"] == (0, 0, 36, 0, 1, 36, 0) and seen["grid, eps 1.001, 3 points"][:4] == (1, 36, 0, 0)
plain, turned = seen["digits, eps 23, 8 points"], seen["digits turned round"]
for counts in (plain, turned):
    assert counts[3] > 10 and counts[0] == counts[4] and counts[1] == counts[5] and counts[2] == counts[6] + counts[3]
assert plain[2] != turned[2]
PYTHON
# Seen on Debian 12, Python 3.11, Node 20, amd64:
#   density-clustering 1.3.0  scikit-learn 1.9.1
#   grid, eps 1, 3 points, 36 rows: 0 clusters of 0 rows and 36 of noise, 0 in both; scikit-learn 1 of 36 and 0
#   grid, eps 1.001, 3 points, 36 rows: 1 clusters of 36 rows and 0 of noise, 0 in both; scikit-learn 1 of 36 and 0
#   digits, eps 23, 8 points, 600 rows: 15 clusters of 411 rows and 228 of noise, 39 in both; scikit-learn 15 of 411 and 189
#   digits turned round, 600 rows: 15 clusters of 411 rows and 210 of noise, 21 in both; scikit-learn 15 of 411 and 189
