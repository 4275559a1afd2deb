#!/usr/bin/env bash
# Guess: hnswlib's get_items gives the rows back as they were added; a space of "cosine" only compares them otherwise.
# Really: with "cosine" the rows are scaled to unit length as they are added, and get_items gives those: lengths are lost, without a word. With
# "l2" and "ip" the rows are as they were.
# Meets: who keeps an index as the one copy of the features and clusters what comes out of it: k-means on unit rows is another one.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check hnswlib==0.8.0 numpy==2.4.6 setuptools
"$place/venv/bin/python" -W error - <<'PYTHON'
from importlib.metadata import version

import hnswlib
import numpy as np

print("hnswlib", version("hnswlib"))
x = np.random.default_rng(0).normal(size=(100, 16)).astype(np.float32)
for space in ("l2", "ip", "cosine"):
    index = hnswlib.Index(space=space, dim=16)
    index.init_index(max_elements=100)
    index.add_items(x, np.arange(100))
    back = np.array(index.get_items(np.arange(100)))
    same = np.array_equal(back, x)
    print(f"{space:6} as added: {same}, lengths {np.linalg.norm(back, axis=1).min():.3f} to {np.linalg.norm(back, axis=1).max():.3f}")
    assert same == (space != "cosine")
assert np.allclose(np.linalg.norm(back, axis=1), 1, atol=1e-5)
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   hnswlib 0.8.0
#   l2     as added: True, lengths 2.412 to 5.394
#   ip     as added: True, lengths 2.412 to 5.394
#   cosine as added: False, lengths 1.000 to 1.000
