#!/usr/bin/env bash
# Guess: Jensen-Shannon and Canberra take 0 log 0 and 0 / 0 for 0, as SciPy does, and jensenShannon is SciPy's distance of the same name.
# Really: in ml-distance one zero makes jensenShannon NaN, a place where both vectors are zero makes canberra (clark, divergence) NaN, of a row to itself
# too: of soft assignments written with four digits, 99 % of which have a zero, no two have a distance. jensenShannon is the
# divergence, the square of SciPy's distance. Nothing is said, and every comparison with NaN is false.
# Meets: histograms, bags of visual words and assignments after softmax, compared in Node and the browser, also by ml-knn and others that take a distance.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check scipy==1.17.1 numpy==2.4.6
cd "$place"
npm init -y >npm.log
npm install --silent --no-audit --no-fund --no-update-notifier ml-distance@5.0.0 >>npm.log 2>&1 || { cat npm.log >&2; exit 1; }
cat >look.mjs <<'JS'
import fs from "node:fs";
import { distance } from "ml-distance";

let state = 1;
const random = () => (state = (state * 16807) % 2147483647) / 2147483647;
const softmax = (temperature) => {
  const scores = Array.from({ length: 10 }, () => Math.exp((2 * random() - 1) / temperature));
  const sum = scores.reduce((a, b) => a + b);
  return scores.map((v) => Math.round((v / sum) * 1e4) / 1e4); // as written to a file with four digits
};
const rows = { "full (temperature 1)": 1, "with zeros (temperature 0.1)": 0.1 };
const names = ["jensenShannon", "canberra", "euclidean"];
const out = { version: JSON.parse(fs.readFileSync("node_modules/ml-distance/package.json")).version, sets: {} };
for (const [title, temperature] of Object.entries(rows)) {
  const x = Array.from({ length: 100 }, () => softmax(temperature));
  const matrices = names.map((name) => [name, x.map((a) => x.map((b) => distance[name](a, b)))]);
  out.sets[title] = { x, matrices: Object.fromEntries(matrices) };
}
fs.writeFileSync("out.json", JSON.stringify(out));
JS
node look.mjs
venv/bin/python -W ignore - <<'PYTHON'
import json

import numpy as np
import scipy
from scipy.spatial.distance import cdist

out = json.load(open("out.json"))
print("ml-distance", out["version"], " scipy", scipy.__version__)
for title, seen in out["sets"].items():
    x = np.array(seen["x"])
    zeros = (x == 0).any(1).mean()
    print(f"{title}: {zeros:.2f} of the rows have a zero")
    for name, matrix in seen["matrices"].items():
        mine = np.array([[np.nan if v is None else v for v in row] for row in matrix])  # JSON has null for NaN
        truth = cdist(x / x.sum(1, keepdims=True), x / x.sum(1, keepdims=True), "jensenshannon") if name == "jensenShannon" else cdist(x, x, name)
        lost = np.isnan(mine)
        assert np.isfinite(truth).all()
        print(f"   {name}: NaN for {lost.mean():.2f} of the pairs and for {lost.diagonal().mean():.2f} of the rows with themselves, by SciPy for none")
        assert lost.any() == (zeros > 0 and name != "euclidean")
        if name == "jensenShannon" and not lost.any():
            print(f"      {mine[0, 1]:.4f} for the first two rows, by SciPy {truth[0, 1]:.4f}, its square {truth[0, 1] ** 2:.4f}")
            assert np.allclose(mine, truth**2, atol=1e-4) and not np.allclose(mine, truth, atol=0.05)
        elif lost.any():
            assert lost.mean() > 0.8 and lost.diagonal().mean() > 0.9
PYTHON
# Seen on Debian 12, Python 3.11, Node 20, amd64:
#   ml-distance 5.0.0  scipy 1.17.1
#   full (temperature 1): 0.00 of the rows have a zero
#      jensenShannon: NaN for 0.00 of the pairs and for 0.00 of the rows with themselves, by SciPy for none
#         0.0993 for the first two rows, by SciPy 0.3150, its square 0.0992
#      canberra: NaN for 0.00 of the pairs and for 0.00 of the rows with themselves, by SciPy for none
#      euclidean: NaN for 0.00 of the pairs and for 0.00 of the rows with themselves, by SciPy for none
#   with zeros (temperature 0.1): 0.99 of the rows have a zero
#      jensenShannon: NaN for 1.00 of the pairs and for 0.99 of the rows with themselves, by SciPy for none
#      canberra: NaN for 0.86 of the pairs and for 0.99 of the rows with themselves, by SciPy for none
#      euclidean: NaN for 0.00 of the pairs and for 0.00 of the rows with themselves, by SciPy for none
