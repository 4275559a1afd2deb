#!/usr/bin/env bash
# Guess: voyager's get_distance(a, b) is what query returns for the same two vectors and depends on nothing else; in Space.Euclidean it is
# the root of the summed squares, as the space's own description says.
# Really: in Space.InnerProduct query returns 1 - a.b, while get_distance falls with every longer vector that the index has taken: for one and
# the same pair -2, then -6, then -83. In Space.Euclidean both return the square. In Space.Cosine both are right.
# Meets: radii, thresholds for duplicates and weights of neighbour graphs taken from an index, pairs ranked by get_distance.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check voyager==2.2.3 numpy==2.4.6
"$place/venv/bin/python" -W error - <<'PYTHON'
from importlib.metadata import version

import numpy as np
from voyager import Index, Space

print("voyager", version("voyager"))
a, b = np.float32([1, 1, 0, 0]), np.float32([1, 2, 0, 0])
fillers = [np.float32([0, 0, 0, length]) for length in (3, 10)]
seen = {}
for space, usual in ((Space.InnerProduct, 1 - a @ b), (Space.Euclidean, np.linalg.norm(a - b * 3)), (Space.Cosine, 1 - a @ b / np.sqrt(10))):
    index = Index(space, num_dimensions=4)
    other = b * 3 if space == Space.Euclidean else b
    index.add_items(np.stack([a, other]))
    got = []
    for filler in [None, *fillers]:
        if filler is not None:
            index.add_item(filler)
        ids, distances = index.query(a, k=len(index))
        asked = float(distances[list(ids).index(1)])
        got.append((asked, index.get_distance(a.tolist(), other.tolist())))
    seen[space.name] = got
    text = ", ".join(f"{asked:.3f} ({given:.3f})" for asked, given in got)
    print(f"{space.name}: expected {usual:.3f}; query (get_distance) of two rows, after one of length 3, after one of length 10: {text}")
inner, euclid, cosine = (np.array(seen[name]) for name in ("InnerProduct", "Euclidean", "Cosine"))
assert np.allclose(inner[:, 0], -2, atol=1e-4) and inner[0, 1] > inner[1, 1] + 1 > inner[2, 1] + 50
assert np.allclose(euclid, 29, atol=1e-4) and np.allclose(cosine, 1 - 3 / np.sqrt(10), atol=1e-4)
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   voyager 2.2.3
#   InnerProduct: expected -2.000; query (get_distance) of two rows, after one of length 3, after one of length 10: -2.000 (-2.000), -2.000 (-6.000), -2.000 (-83.000)
#   Euclidean: expected 5.385; query (get_distance) of two rows, after one of length 3, after one of length 10: 29.000 (29.000), 29.000 (29.000), 29.000 (29.000)
#   Cosine: expected 0.051; query (get_distance) of two rows, after one of length 3, after one of length 10: 0.051 (0.051), 0.051 (0.051), 0.051 (0.051)
