#!/usr/bin/env bash
# Guess: a matrix that is double in MATLAB is float64 after scipy.io.loadmat.
# Really: MATLAB writes doubles that are whole numbers in the smallest integers that hold them, and loadmat returns those unless mat_dtype=True is
# given: pixels of 0 to 255 are uint8, class indices too; one fraction among them makes the matrix float64 again. Differences and products then
# wrap at 256 without a warning: the nearest neighbour is right in .867 of the digits instead of .983, class 1 less 2 is 255. Logical masks
# come as uint8, too, and used as a mask they pick rows 1 and 0.
# Meets: the .mat files of COIL-20, ORL, Yale, USPS and of clustering benchmarks, distances and kernels computed by hand.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check scipy==1.17.1 scikit-learn==1.9.1 numpy==2.4.6
"$place/venv/bin/python" -W error - <<'PYTHON'
import pathlib
import struct
from importlib.metadata import version

import numpy as np
import scipy.io
from sklearn.datasets import load_digits

print("  ".join(f"{name} {version(name)}" for name in ("scipy", "scikit-learn", "numpy")))

# files that MATLAB 7.4 and MATLAB 8 wrote, of scipy's own tests
data = pathlib.Path(scipy.io.__file__).parent / "matlab/tests/data"
for file, name, true in (("testmatrix_7.4_GLNX86.mat", "testmatrix", np.float64), ("testbool_8_WIN64.mat", "testbools", np.bool_)):
    plain, asked = (scipy.io.loadmat(data / file, mat_dtype=given)[name] for given in (False, True))
    print(f"{file}: {name} is {plain.dtype}, with mat_dtype=True {asked.dtype}")
    assert plain.dtype == np.uint8 and asked.dtype == true and (plain == asked).all()
rows = np.array([10, 20])
print(f"rows {rows.tolist()} by the mask {asked[:, 0].tolist()}: {rows[asked[:, 0]].tolist()}, by the one read without: {rows[plain[:, 0]].tolist()}")
assert rows[asked[:, 0]].tolist() == [10] and rows[plain[:, 0]].tolist() == [20, 10]


# the same layout for digits: class double (6), numbers stored as miUINT8 (2) or miDOUBLE (9)
def element(kind, body):
    return struct.pack("<II", kind, len(body)) + body + bytes(-len(body) % 8)


def matrix(name, values):
    whole = (values == values.astype(np.uint8)).all()
    body = values.astype(np.uint8 if whole else "<f8").tobytes(order="F")
    parts = element(6, struct.pack("<II", 6, 0)) + element(5, struct.pack("<ii", *values.shape)) + element(1, name) + element(2 if whole else 9, body)
    return element(14, parts)


X, y = load_digits(return_X_y=True)
X = np.round(X * (255 / 16))  # eight bits, as the pictures of such files have
file = pathlib.Path("digits.mat")
file.write_bytes(b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + matrix(b"fea", X) + matrix(b"half", X + 0.5) + matrix(b"gnd", y[:, None] + 1.0))


def accuracy(rows, labels):
    right = 0
    for i in range(300):
        distances = ((rows - rows[i]) ** 2).sum(1)
        distances[i] = distances.max()
        right += labels[distances.argmin()] == labels[i]
    return right / 300


plain, asked = scipy.io.loadmat(file), scipy.io.loadmat(file, mat_dtype=True)
print(f"fea {plain['fea'].dtype}, half {plain['half'].dtype}, gnd {plain['gnd'].dtype}")
assert plain["fea"].dtype == plain["gnd"].dtype == np.uint8 and plain["half"].dtype == np.float64
assert all(asked[name].dtype == np.float64 for name in ("fea", "half", "gnd")) and (plain["fea"] == X).all()
found = [accuracy(read["fea"], read["gnd"][:, 0]) for read in (plain, asked)]
products = [float(read["fea"][0] @ read["fea"][1]) for read in (plain, asked)]
print(f"accuracy of the nearest neighbour {found[0]:.3f}, with mat_dtype=True {found[1]:.3f}; product of two rows {products[0]:.0f} and {products[1]:.0f}")
assert found[0] < 0.9 < 0.97 < found[1] and products[0] < 256 < products[1]
shifted = plain["gnd"][:, 0] - 2
print(f"classes 1 to 10 less 2: {shifted.min()} to {shifted.max()}")
assert shifted.max() == 255
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   scipy 1.17.1  scikit-learn 1.9.1  numpy 2.4.6
#   testmatrix_7.4_GLNX86.mat: testmatrix is uint8, with mat_dtype=True float64
#   testbool_8_WIN64.mat: testbools is uint8, with mat_dtype=True bool
#   rows [10, 20] by the mask [True, False]: [10], by the one read without: [20, 10]
#   fea uint8, half float64, gnd uint8
#   accuracy of the nearest neighbour 0.867, with mat_dtype=True 0.983; product of two rows 201 and 473545
#   classes 1 to 10 less 2: 0 to 255
