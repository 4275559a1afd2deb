#!/usr/bin/env bash
# Guess: mpi4py's Bcast takes a NumPy array with its strides, or refuses one that is not in C order (as it refuses every second column).
# Really: an array in Fortran order counts as contiguous and its memory is sent as it lies. The receiver's np.empty, in C order, gets the
# matrix transposed (a square one) or jumbled (another); Allreduce adds wrong elements when the ranks' orders differ. Nothing is
# said, and of an orthogonal basis every norm and every product of two rows is right. The lower-case bcast, which pickles, is right.
# Meets: whitening or PCA computed on one rank and sent to the others: components are columns.T, and LAPACK's answers are in Fortran order.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check mpi4py==4.1.2 mpich==5.0.2 numpy==2.4.6
cd "$place"
export OPENBLAS_NUM_THREADS=1
cat > look.py <<'PYTHON'
from importlib.metadata import version

import numpy as np
from mpi4py import MPI

world = MPI.COMM_WORLD
root = world.rank == 0
x = np.random.default_rng(0).standard_normal((500, 4)) @ np.diag([4.0, 3.0, 2.0, 1.0])
components = np.linalg.eigh(np.cov(x.T))[1].T  # the same on both ranks: what the other rank should receive
assert components.flags.f_contiguous and not components.flags.c_contiguous

received = components.copy(order="F") if root else np.empty((4, 4))
world.Bcast(received, root=0)
wide = np.asfortranarray(np.arange(6.0).reshape(2, 3)) if root else np.empty((2, 3))
world.Bcast(wide, root=0)
total = np.empty((2, 3))
mine = np.arange(6.0).reshape(2, 3)
world.Allreduce(np.asfortranarray(mine) if root else mine, total)
pickled = world.bcast(components if root else None, root=0)
part = np.zeros((4, 4))[:, ::2]
try:
    world.Bcast(part, root=0)
    refused = False
except (ValueError, BufferError) as error:
    refused = True
if world.rank == 1:
    print("mpi4py", version("mpi4py"), " numpy", np.__version__, " MPICH", version("mpich"))
    same, turned = np.array_equal(received, components), np.array_equal(received, components.T)
    print(f"Bcast of a 4 x 4 basis: as sent {same}, transposed {turned}; rows still orthonormal {np.allclose(received @ received.T, np.eye(4))}")
    wrong = float(np.abs(x @ received.T - x @ components.T).max())
    print(f"projections wrong by up to {wrong:.1f}")
    print(f"Bcast of {mine.tolist()}: {wide.tolist()}")
    print(f"Allreduce of it and itself, in two orders: {total.tolist()}")
    print(f"bcast (pickled) as sent {np.array_equal(pickled, components)}; every second column refused {refused}")
    assert not same and turned and np.allclose(received @ received.T, np.eye(4)) and wrong > 1
    assert wide.tolist() == [[0, 3, 1], [4, 2, 5]] and total.tolist() == [[0, 4, 3], [7, 6, 10]]
    assert np.array_equal(pickled, components) and refused
PYTHON
venv/bin/mpiexec -n 2 venv/bin/python look.py
# Seen on Debian 12, Python 3.11, amd64:
#   mpi4py 4.1.2  numpy 2.4.6  MPICH 5.0.2
#   Bcast of a 4 x 4 basis: as sent False, transposed True; rows still orthonormal True
#   projections wrong by up to 23.6
#   Bcast of [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]: [[0.0, 3.0, 1.0], [4.0, 2.0, 5.0]]
#   Allreduce of it and itself, in two orders: [[0.0, 4.0, 3.0], [7.0, 6.0, 10.0]]
#   bcast (pickled) as sent True; every second column refused True
