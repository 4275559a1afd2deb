#!/usr/bin/env bash
# Guess: JAX works in 32 bits unless told otherwise, so a NumPy array of 64-bit integers that do not fit is refused, as a list of the same numbers is, or
# there is a warning, as with dtype=jnp.uint64.
# Really: jnp.asarray, jnp.array, device_put and arguments of jitted functions keep the low 32 bits in silence. The digits as 64-bit hashes, a bit a pixel, lose
# the lower half of each picture: 1,750 different hashes become 1,244, 823 rows have a copy for 76, and the label of the nearest by Hamming distance is
# right in .75 for .94.
# Meets: perceptual hashes, binary codes and 64-bit identifiers of pictures compared on an accelerator.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check jax==0.10.2 jaxlib==0.10.2 scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6
JAX_PLATFORMS=cpu "$place/venv/bin/python" -W error - <<'PYTHON'
from importlib.metadata import version

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.datasets import load_digits

print("  ".join(f"{name} {version(name)}" for name in ("jax", "jaxlib", "scikit-learn", "numpy")))
pixels, labels = load_digits(return_X_y=True)
hashes = ((pixels > 7).astype(np.uint64) << np.arange(64, dtype=np.uint64)).sum(axis=1, dtype=np.uint64)


def told(name, different, distance):
    distance = np.asarray(distance).astype(int)
    np.fill_diagonal(distance, 65)
    copies, right = (distance == 0).any(axis=1).sum(), (labels[distance.argmin(axis=1)] == labels).mean()
    print(f"{name}: {different} different hashes, {copies} rows with a copy, nearest right in {right:.3f}")
    return different, copies, right


true = told("NumPy", len(np.unique(hashes)), np.bitwise_count(hashes[:, None] ^ hashes))
held = jnp.asarray(hashes)
got = told(f"JAX, {held.dtype}", len(jnp.unique(held)), jax.lax.population_count(held[:, None] ^ held))
assert true[0] == 1750 and true[1] == 76 and true[2] > 0.93
assert got[0] == 1244 and got[1] == 823 and got[2] < 0.8

low = (hashes & np.uint64(0xFFFFFFFF)).astype(np.uint32)
ways = {"jnp.asarray": jnp.asarray, "jnp.array": jnp.array, "device_put": jax.device_put, "jit": jax.jit(lambda values: values)}
for name, way in ways.items():
    print(f"{name}: the low 32 bits of all: {np.array_equal(way(hashes), low)}")
    assert np.array_equal(way(hashes), low)
for name, way in (("a list", lambda: jnp.asarray(hashes.tolist())), ("dtype=jnp.uint64", lambda: jnp.asarray(hashes, dtype=jnp.uint64))):
    try:
        way()
        raise SystemExit(f"{name}: neither refused nor warned of any more")
    except (OverflowError, UserWarning) as told_of:
        print(f"{name}: {type(told_of).__name__}")
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   jax 0.10.2  jaxlib 0.10.2  scikit-learn 1.9.1  numpy 2.4.6
#   NumPy: 1750 different hashes, 76 rows with a copy, nearest right in 0.943
#   JAX, uint32: 1244 different hashes, 823 rows with a copy, nearest right in 0.745
#   jnp.asarray: the low 32 bits of all: True
#   jnp.array: the low 32 bits of all: True
#   device_put: the low 32 bits of all: True
#   jit: the low 32 bits of all: True
#   a list: OverflowError
#   dtype=jnp.uint64: UserWarning
