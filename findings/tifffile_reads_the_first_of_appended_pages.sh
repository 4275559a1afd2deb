#!/usr/bin/env bash
# Guess: five pictures written one by one into a TIFF, with append=True or by TiffWriter, are read back by imread as five.
# Really: each call begins a series of its own, and imread gives the first series alone: one picture, in imageio too. All five pages are in the file: OpenCV
# reads them, Pillow counts them. One array of five pages, contiguous=True for uncompressed ones and imread(key=range(5)) are right. Without
# tifffile's own description (metadata=None) the same five pages of one size are one series again. No warning.
# Meets: frames of a camera, masks or slices written while they are made, results appended picture by picture.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check tifffile==2026.3.3 imageio==2.38.1 pillow==13.0.0 opencv-python-headless==5.0.0.93 \
  numpy==2.4.6
"$place/venv/bin/python" -W error - "$place" <<'PYTHON'
import sys
from importlib.metadata import version

import cv2
import imageio.v3
import numpy as np
import tifffile
from PIL import Image

print("  ".join(f"{name} {version(name)}" for name in ("tifffile", "imageio", "pillow", "opencv-python-headless", "numpy")))
frames = np.random.default_rng(0).integers(0, 256, (5, 24, 32), dtype=np.uint8)
path = sys.argv[1] + "/frames.tif"


def appended(**options):
    for i, frame in enumerate(frames):
        tifffile.imwrite(path, frame, append=i > 0, **options)


def by_writer(**options):
    with tifffile.TiffWriter(path) as writer:
        for frame in frames:
            writer.write(frame, **options)


ways = {
    "one array": (lambda: tifffile.imwrite(path, frames), 5),
    "append=True": (appended, 1),
    "append=True, zlib": (lambda: appended(compression="zlib"), 1),
    "append=True, metadata=None": (lambda: appended(metadata=None), 5),
    "TiffWriter": (by_writer, 1),
    "TiffWriter, zlib": (lambda: by_writer(compression="zlib"), 1),
    "TiffWriter, contiguous=True": (lambda: by_writer(contiguous=True), 5),
}
for name, (write, wanted) in ways.items():
    write()
    read = tifffile.imread(path)
    opencv = np.stack(cv2.imreadmulti(path, flags=cv2.IMREAD_UNCHANGED)[1])
    with Image.open(path) as image:
        pillow = image.n_frames
    whole = imageio.v3.imread(path)
    print(f"{name}: imread gives {read.shape}, imageio {whole.shape}, OpenCV {opencv.shape}, Pillow counts {pillow}")
    assert np.array_equal(opencv, frames) and pillow == 5
    assert np.array_equal(tifffile.imread(path, key=range(5)), frames)
    assert np.array_equal(read, frames if wanted == 5 else frames[0])
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   tifffile 2026.3.3  imageio 2.38.1  pillow 13.0.0  opencv-python-headless 5.0.0.93  numpy 2.4.6
#   one array: imread gives (5, 24, 32), imageio (5, 24, 32), OpenCV (5, 24, 32), Pillow counts 5
#   append=True: imread gives (24, 32), imageio (24, 32), OpenCV (5, 24, 32), Pillow counts 5
#   append=True, zlib: imread gives (24, 32), imageio (24, 32), OpenCV (5, 24, 32), Pillow counts 5
#   append=True, metadata=None: imread gives (5, 24, 32), imageio (5, 24, 32), OpenCV (5, 24, 32), Pillow counts 5
#   TiffWriter: imread gives (24, 32), imageio (24, 32), OpenCV (5, 24, 32), Pillow counts 5
#   TiffWriter, zlib: imread gives (24, 32), imageio (24, 32), OpenCV (5, 24, 32), Pillow counts 5
#   TiffWriter, contiguous=True: imread gives (5, 24, 32), imageio (5, 24, 32), OpenCV (5, 24, 32), Pillow counts 5
