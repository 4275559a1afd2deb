#!/usr/bin/env bash
# Guess: rasterio's read(out_shape=..., resampling=Resampling.average) averages the pixels of the file; overviews are for viewers and change no number.
# Really: where the file has overviews GDAL reads one of them instead, and build_overviews() makes them of every second pixel unless told otherwise: after
# build_overviews([2, 4]) the "average" of 4 x 4 pixels is the one in the corner. Stripes with a mean of 64 are all white, noise has a deviation of
# 74 for 18, a photograph is 14 levels away in the mean; the pixels themselves are as before. The driver "COG" makes overviews by itself, of another
# kind: 2 levels away. Opened with OVERVIEW_LEVEL="NONE" all are averages again.
# Meets: aerial and satellite pictures shrunk for a network, where some files of a set have overviews and others none.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check rasterio==1.4.4 scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6 pillow==13.0.0
"$place/venv/bin/python" -W error - "$place" <<'PYTHON'
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
import rasterio
from rasterio.enums import Resampling
from sklearn.datasets import load_sample_image

print("  ".join(f"{name} {version(name)}" for name in ("rasterio", "numpy")), " GDAL", rasterio.__gdal_version__)
warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
place = Path(sys.argv[1])


def written(name, bands, **options):
    path = place / name
    with rasterio.open(path, "w", width=bands.shape[2], height=bands.shape[1], count=len(bands), dtype=bands.dtype, **options) as file:
        file.write(bands)
    return path


def read(path, size, **options):
    with rasterio.open(path, **options) as file:
        return file.read(out_shape=(file.count, *size), resampling=Resampling.average).astype(float)


def means(bands, factor):
    count, height, width = bands.shape
    return bands.reshape(count, height // factor, factor, width // factor, factor).mean((2, 4))


stripes = np.zeros((1, 512, 512), np.uint8)
stripes[:, :, ::4] = 255
noise = np.random.default_rng(0).integers(0, 256, (1, 512, 512), dtype=np.uint8)
photograph = load_sample_image("china.jpg").transpose(2, 0, 1)[:, :384, :640]
for name, bands in {"stripes": stripes, "noise": noise, "photograph": photograph}.items():
    true = means(bands, 4)
    size = true.shape[1:]
    path = written(f"{name}.tif", bands, driver="GTiff")
    found = {"no overviews": read(path, size)}
    with rasterio.open(path, "r+") as file:
        file.build_overviews([2, 4])
    found["overviews"] = read(path, size)
    found["COG"] = read(written(f"{name}_cog.tif", bands, driver="COG", blocksize=128), size)
    with rasterio.open(path) as file:
        assert np.array_equal(file.read(), bands)
    found["OVERVIEW_LEVEL=NONE"] = read(path, size, OVERVIEW_LEVEL="NONE")
    for kind, got in found.items():
        print(f"{name}, {kind}: mean {got.mean():.1f} for {true.mean():.1f}, deviation {got.std():.1f} for {true.std():.1f}, "
              f"{np.abs(got - true).mean():.1f} away")
    assert np.array_equal(found["overviews"], bands[:, ::4, ::4])
    assert max(np.abs(found[kind] - true).max() for kind in ("no overviews", "OVERVIEW_LEVEL=NONE")) < 1
    assert np.abs(found["COG"] - true).mean() > np.abs(found["no overviews"] - true).mean()
    if name == "stripes":
        assert found["overviews"].min() == 255 and true.mean() < 64
    else:
        assert np.abs(found["overviews"] - true).mean() > 10 and np.abs(found["COG"] - true).mean() > 1.5
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   rasterio 1.4.4  numpy 2.4.6  GDAL 3.10.3
#   stripes, no overviews: mean 64.0 for 63.8, deviation 0.0 for 0.0, 0.2 away
#   stripes, overviews: mean 255.0 for 63.8, deviation 0.0 for 0.0, 191.2 away
#   stripes, COG: mean 64.0 for 63.8, deviation 1.6 for 0.0, 0.5 away
#   stripes, OVERVIEW_LEVEL=NONE: mean 64.0 for 63.8, deviation 0.0 for 0.0, 0.2 away
#   noise, no overviews: mean 127.2 for 127.1, deviation 18.5 for 18.5, 0.3 away
#   noise, overviews: mean 126.8 for 127.1, deviation 73.8 for 18.5, 61.3 away
#   noise, COG: mean 127.1 for 127.1, deviation 14.6 for 18.5, 7.0 away
#   noise, OVERVIEW_LEVEL=NONE: mean 127.2 for 127.1, deviation 18.5 for 18.5, 0.3 away
#   photograph, no overviews: mean 153.4 for 153.4, deviation 81.3 for 81.2, 0.2 away
#   photograph, overviews: mean 154.2 for 153.4, deviation 84.2 for 81.2, 13.6 away
#   photograph, COG: mean 153.4 for 153.4, deviation 81.2 for 81.2, 2.0 away
#   photograph, OVERVIEW_LEVEL=NONE: mean 153.4 for 153.4, deviation 81.3 for 81.2, 0.2 away
