#!/usr/bin/env bash
# Guess: ml-hclust's agnes with "centroid", "median" and "ward" makes the trees of SciPy's linkage of the same names.
# Really: the update of all three needs squared distances, and agnes feeds it the plain ones that it computes itself. "centroid" is no distance
# of centroids: four clear clusters in 16 dimensions (ARI 1.00 with SciPy) are cut into 97 rows and three single ones (ARI 0.00), by "median"
# likewise; "ward" has other heights, and "ward2" is SciPy's ward. Squared distances as the distanceFunction bring SciPy's trees.
# Meets: hierarchical clustering of embeddings in the browser or in Node, and numbers of clusters read from the heights.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6
cd "$place"
npm init -y >npm.log
npm install --silent --no-audit --no-fund --no-update-notifier ml-hclust@4.0.0 >>npm.log 2>&1 || { cat npm.log >&2; exit 1; }
cat >trees.js <<'JS'
const fs = require("node:fs");
const { agnes } = require("ml-hclust");
const rows = JSON.parse(fs.readFileSync("rows.json"));
const squared = (a, b) => a.reduce((sum, v, i) => sum + (v - b[i]) ** 2, 0);
const out = {};
for (const [title, settings] of Object.entries({
  complete: { method: "complete" }, average: { method: "average" }, ward: { method: "ward" }, ward2: { method: "ward2" },
  centroid: { method: "centroid" }, median: { method: "median" },
  "centroid of squares": { method: "centroid", distanceFunction: squared }, "median of squares": { method: "median", distanceFunction: squared },
})) {
  const tree = agnes(rows, settings);
  const labels = Array(rows.length);
  tree.group(4).children.forEach((part, i) => part.indices().forEach((k) => (labels[k] = i)));
  const heights = [];
  tree.traverse((node) => node.size > 1 && heights.push(node.height));
  out[title] = { labels, heights: heights.sort((a, b) => a - b) };
}
console.log(JSON.stringify({ version: JSON.parse(fs.readFileSync("node_modules/ml-hclust/package.json")).version, out }));
JS
venv/bin/python -W ignore - <<'PYTHON'
import json
import subprocess

import numpy as np
import scipy
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.metrics import adjusted_rand_score

rng = np.random.default_rng(0)
truth = np.repeat(np.arange(4), 25)
x = (rng.standard_normal((4, 16)) * 2**0.5)[truth] + rng.standard_normal((100, 16))
with open("rows.json", "w") as file:
    json.dump(x.tolist(), file)
answer = json.loads(subprocess.run(["node", "trees.js"], check=True, capture_output=True, text=True).stdout)
print("ml-hclust", answer["version"], " scipy", scipy.__version__)
seen = {}
for title, tree in answer["out"].items():
    name = {"ward2": "ward"}.get(title, title.split()[0])
    z = linkage(x, name)
    heights = np.array(tree["heights"]) ** (0.5 if "squares" in title else 1)
    same = np.allclose(heights, np.sort(z[:, 2]), atol=1e-6)
    ari = adjusted_rand_score(truth, tree["labels"]), adjusted_rand_score(truth, fcluster(z, 4, "maxclust"))
    seen[title] = (same, *ari)
    sizes = sorted(np.bincount(tree["labels"]).tolist(), reverse=True)
    print(f"{title}: heights as SciPy's {name} {same}, cut into {sizes}; ARI {ari[0]:.2f}, SciPy {ari[1]:.2f}")
assert [title for title, (same, *_) in seen.items() if not same] == ["ward", "centroid", "median"]
assert seen["centroid"][1] < 0.05 and seen["centroid"][2] > 0.95 and seen["median"][1] < 0.05 and seen["median"][2] > 0.95
assert seen["centroid of squares"][1] > 0.95
PYTHON
# Seen on Debian 12, Python 3.11, Node 20, amd64:
#   ml-hclust 4.0.0  scipy 1.17.1
#   complete: heights as SciPy's complete True, cut into [26, 25, 25, 24]; ARI 0.97, SciPy 0.97
#   average: heights as SciPy's average True, cut into [25, 25, 25, 25]; ARI 1.00, SciPy 1.00
#   ward: heights as SciPy's ward False, cut into [25, 25, 25, 25]; ARI 1.00, SciPy 1.00
#   ward2: heights as SciPy's ward True, cut into [25, 25, 25, 25]; ARI 1.00, SciPy 1.00
#   centroid: heights as SciPy's centroid False, cut into [97, 1, 1, 1]; ARI -0.00, SciPy 1.00
#   median: heights as SciPy's median False, cut into [94, 4, 1, 1]; ARI 0.00, SciPy 1.00
#   centroid of squares: heights as SciPy's centroid True, cut into [25, 25, 25, 25]; ARI 1.00, SciPy 1.00
#   median of squares: heights as SciPy's median True, cut into [25, 25, 25, 25]; ARI 1.00, SciPy 1.00
