#!/usr/bin/env bash
# Guess: a picture from a FITS file (big-endian numbers, as the format demands) is read right by OpenCV and ONNX Runtime, or refused, as PyTorch,
# Numba and usearch refuse it.
# Really: both look at the type and not at the order of its bytes. int16 pixels come out as other int16 pixels: the picture that cv2.resize
# makes of a smooth galaxy is noise over the whole range. float32 is numbers from 1e-38 to 1e38 and NaN; ONNX Runtime multiplies those and
# gives a class all the same. Nothing is said. NumPy and SciPy are right with the same array, so that statistics before the call look well,
# and uint16 is right too, since astropy makes a new array of it (BZERO).
# Meets: galaxies, spectra and satellite pictures in FITS (astropy's .data as it is), resized or filtered with OpenCV, put through a network.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check astropy==8.0.2 opencv-python-headless==5.0.0.93 \
  onnxruntime==1.32.0 onnx==1.23.2 usearch==2.26.6 scipy==1.17.1 numpy==2.4.6
cd "$place"
venv/bin/python - <<'PYTHON'
from importlib.metadata import version

import cv2
import numpy as np
import onnx
import onnxruntime
from astropy.io import fits
from onnx import TensorProto, helper
from scipy import ndimage
from usearch.index import Index

packages = ("astropy", "opencv-python-headless", "onnxruntime", "scipy", "usearch", "numpy")
print("  ".join(f"{name} {version(name)}" for name in packages))
row, column = np.mgrid[-1:1:64j, -1:1:64j]
galaxy = 1000 * np.exp(-4 * (row**2 + 2 * column**2)) + 100
for dtype in (np.int16, np.uint16, np.float32):
    fits.writeto("galaxy.fits", galaxy.astype(dtype), overwrite=True)
    read = fits.getdata("galaxy.fits")
    native = read.astype(dtype)
    assert np.array_equal(native, galaxy.astype(dtype))
    small, right = (cv2.resize(a, (16, 16), interpolation=cv2.INTER_AREA) for a in (read, native))
    blurred = [cv2.GaussianBlur(a, (5, 5), 1) for a in (read, native)]
    same = np.array_equal(ndimage.gaussian_filter(read, 1.0), ndimage.gaussian_filter(native, 1.0))
    print(f"{np.dtype(dtype).name}: astropy gives {read.dtype.str}, mean {read.mean():.0f}; cv2.resize gives {small.min():.4g} to {small.max():.4g} "
          f"for {right.min():.4g} to {right.max():.4g}; scipy.ndimage right: {same}")
    if read.dtype.isnative:
        assert dtype == np.uint16 and np.array_equal(small, right) and np.array_equal(*blurred)
    else:
        assert same and not np.isclose(small, right, rtol=0.1).mean() > 0.2 and not np.isclose(*blurred, rtol=0.1).mean() > 0.2

rng = np.random.default_rng(0)
weights = rng.normal(size=(64, 10)).astype(np.float32)
graph = helper.make_graph(
    [helper.make_node("MatMul", ["features", "weights"], ["scores"])], "head",
    [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["rows", 64])],
    [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["rows", 10])], [onnx.numpy_helper.from_array(weights, "weights")])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
fits.writeto("features.fits", rng.normal(size=(1000, 64)).astype(np.float32), overwrite=True)
read = fits.getdata("features.fits")
truth = (read @ weights).argmax(1)
found = [session.run(None, {"features": a})[0].argmax(1) for a in (read, read.astype(np.float32))]
agree = [float((labels == truth).mean()) for labels in found]
print(f"ONNX Runtime: classes as NumPy's {agree[0]:.3f}, after astype(float32) {agree[1]:.3f}")
assert agree[0] < 0.3 and agree[1] > 0.99
try:
    Index(ndim=64, dtype="f32").add(np.arange(1000), read)
    raise SystemExit("usearch takes it")
except ValueError as error:
    print("usearch:", error)
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   astropy 8.0.2  opencv-python-headless 5.0.0.93  onnxruntime 1.32.0  scipy 1.17.1  usearch 2.26.6  numpy 2.4.6
#   int16: astropy gives >i2, mean 234; cv2.resize gives -2.728e+04 to 2.914e+04 for 100 to 1039; scipy.ndimage right: True
#   uint16: astropy gives <u2, mean 234; cv2.resize gives 100 to 1039 for 100 to 1039; scipy.ndimage right: True
#   float32: astropy gives >f4, mean 234; cv2.resize gives nan to nan for 100 to 1039; scipy.ndimage right: True
#   ONNX Runtime: classes as NumPy's 0.108, after astype(float32) 1.000
#   usearch: Incompatible scalars in the vectors matrix: >f
