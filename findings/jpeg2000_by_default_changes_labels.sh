#!/usr/bin/env bash
# Guess: JPEG 2000 is written without loss unless one asks for less, as by Pillow and imagecodecs, and a label map comes back.
# Really: rasterio (GDAL's JP2OpenJPEG) and OpenCV write a quarter of the size by default, with loss: of a map of classes 0 to 9 one pixel in five is of another
# class in rasterio, classes 10 and 11 appear, OpenCV spares it; with labels in steps of 20 it brings up 188 new ones, rasterio 193. QUALITY="100" with
# REVERSIBLE="YES", and IMWRITE_JPEG2000_COMPRESSION_X1000 of 1000, are right. Nothing is said.
# Meets: label maps, masks and cluster maps beside aerial pictures, pictures converted once to save disk space.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check rasterio==1.4.4 opencv-python-headless==5.0.0.93 pillow==13.0.0 imagecodecs==2026.3.6 numpy==2.4.6
"$place/venv/bin/python" -W ignore - "$place" <<'PYTHON'
import io
import sys
from importlib.metadata import version

import cv2
import imagecodecs
import numpy as np
import rasterio
from PIL import Image

print("  ".join(f"{name} {version(name)}" for name in ("rasterio", "opencv-python-headless", "pillow", "imagecodecs", "numpy")), f" GDAL {rasterio.__gdal_version__}")


def by_rasterio(labels, **options):
    path = sys.argv[1] + "/labels.jp2"
    height, width = labels.shape
    with rasterio.open(path, "w", driver="JP2OpenJPEG", width=width, height=height, count=1, dtype=labels.dtype, **options) as file:
        file.write(labels, 1)
    with open(path, "rb") as file:
        return file.read()


def by_pillow(labels):
    file = io.BytesIO()
    Image.fromarray(labels).save(file, "JPEG2000")
    return file.getvalue()


def by_opencv(labels, *options):
    return cv2.imencode(".jp2", labels, options)[1].tobytes()


writers = {
    "Pillow": by_pillow,
    "imagecodecs": imagecodecs.jpeg2k_encode,
    "rasterio": by_rasterio,
    "rasterio, lossless asked": lambda labels: by_rasterio(labels, QUALITY="100", REVERSIBLE="YES"),
    "OpenCV": by_opencv,
    "OpenCV, 1000 asked": lambda labels: by_opencv(labels, cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000),
}
classes = np.random.default_rng(0).integers(0, 10, (64, 64)).repeat(4, 0).repeat(4, 1)
for name, labels in {"0 to 9": classes.astype(np.uint8), "steps of 20": (20 * classes).astype(np.uint8), "uint16 steps of 100": (100 * classes).astype(np.uint16)}.items():
    wrong = {}
    for writer, encode in writers.items():
        data = bytes(encode(labels))
        got = np.asarray(Image.open(io.BytesIO(data)))
        assert np.array_equal(got, imagecodecs.jpeg2k_decode(data)) and got.dtype == labels.dtype
        wrong[writer] = (got != labels).mean()
        new = len(np.setdiff1d(got, labels))
        print(f"labels {name}, {writer}: {len(data)} bytes, {wrong[writer]:.3f} of the pixels wrong, by up to {np.abs(got.astype(int) - labels).max()}, {new} new labels")
    assert all(wrong[writer] == 0 for writer in ("Pillow", "imagecodecs", "rasterio, lossless asked", "OpenCV, 1000 asked"))
    assert wrong["rasterio"] > 0.1 and (wrong["OpenCV"] > 0.5) == (name != "0 to 9")
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   rasterio 1.4.4  opencv-python-headless 5.0.0.93  pillow 13.0.0  imagecodecs 2026.3.6  numpy 2.4.6  GDAL 3.10.3
#   labels 0 to 9, Pillow: 15164 bytes, 0.000 of the pixels wrong, by up to 0, 0 new labels
#   labels 0 to 9, imagecodecs: 15164 bytes, 0.000 of the pixels wrong, by up to 0, 0 new labels
#   labels 0 to 9, rasterio: 16106 bytes, 0.198 of the pixels wrong, by up to 2, 2 new labels
#   labels 0 to 9, rasterio, lossless asked: 17900 bytes, 0.000 of the pixels wrong, by up to 0, 0 new labels
#   labels 0 to 9, OpenCV: 15164 bytes, 0.000 of the pixels wrong, by up to 0, 0 new labels
#   labels 0 to 9, OpenCV, 1000 asked: 15164 bytes, 0.000 of the pixels wrong, by up to 0, 0 new labels
#   labels steps of 20, Pillow: 35303 bytes, 0.000 of the pixels wrong, by up to 0, 0 new labels
#   labels steps of 20, imagecodecs: 35303 bytes, 0.000 of the pixels wrong, by up to 0, 0 new labels
#   labels steps of 20, rasterio: 16442 bytes, 0.893 of the pixels wrong, by up to 26, 193 new labels
#   labels steps of 20, rasterio, lossless asked: 35128 bytes, 0.000 of the pixels wrong, by up to 0, 0 new labels
#   labels steps of 20, OpenCV: 16397 bytes, 0.862 of the pixels wrong, by up to 29, 188 new labels
#   labels steps of 20, OpenCV, 1000 asked: 35303 bytes, 0.000 of the pixels wrong, by up to 0, 0 new labels
#   labels uint16 steps of 100, Pillow: 46030 bytes, 0.000 of the pixels wrong, by up to 0, 0 new labels
#   labels uint16 steps of 100, imagecodecs: 46030 bytes, 0.000 of the pixels wrong, by up to 0, 0 new labels
#   labels uint16 steps of 100, rasterio: 32808 bytes, 0.909 of the pixels wrong, by up to 39, 599 new labels
#   labels uint16 steps of 100, rasterio, lossless asked: 49453 bytes, 0.000 of the pixels wrong, by up to 0, 0 new labels
#   labels uint16 steps of 100, OpenCV: 32396 bytes, 0.767 of the pixels wrong, by up to 10, 167 new labels
#   labels uint16 steps of 100, OpenCV, 1000 asked: 46030 bytes, 0.000 of the pixels wrong, by up to 0, 0 new labels
