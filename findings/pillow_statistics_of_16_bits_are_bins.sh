#!/usr/bin/env bash
# Guess: ImageStat gives mean and deviation of a 16-bit gray picture in its own values, and convert("RGB"), which every folder loader calls, scales it.
# Really: statistics are taken from a histogram of 256 bins and told as numbers of bins: a picture of 20,000 to 40,000 has a "mean" of 122 in mode
# I;16, and of 128 in modes I and F, where the bins lie between its own minimum and maximum: a picture ten times as bright or as rich in
# contrast has the same mean and deviation. convert("RGB") and convert("L") cut at 255: the picture is plain white. No error, no warning.
# Meets: means and deviations for normalising gray pictures of microscopes, X-rays and depth cameras; such pictures in folders of classes.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check pillow==13.0.0 numpy==2.4.6
venv/bin/python -W error - <<'PYTHON'
from importlib.metadata import version

import numpy as np
from PIL import Image, ImageStat

print("  ".join(f"{name} {version(name)}" for name in ("pillow", "numpy")))
rng = np.random.default_rng(0)
bell = np.clip(rng.normal(0.5, 0.15, (128, 128)), 0, 1)
pictures = {"dark": 300 + 900 * bell, "bright": 20_000 + 20_000 * bell}
found = {}
for name, values in pictures.items():
    pixels = values.astype(np.uint16)
    Image.fromarray(pixels).save(f"{name}.png")
    image = Image.open(f"{name}.png")
    assert image.mode == "I;16" and (np.asarray(image) == pixels).all()
    print(f"{name}, {pixels.min()} to {pixels.max()}: mean {pixels.mean():.1f}, deviation {pixels.std():.1f}")
    for mode in ("I;16", "I", "F"):
        same = image if mode == "I;16" else image.convert(mode)
        assert (np.asarray(same) == pixels).all()
        stat = ImageStat.Stat(same)
        found[name, mode] = stat.mean[0], stat.stddev[0]
        print(f"   ImageStat, mode {mode}: mean {stat.mean[0]:.1f}, deviation {stat.stddev[0]:.1f}, extrema {stat.extrema[0]}")
        assert stat.mean[0] < 256 and stat.extrema[0][1] <= 255
    for mode in ("RGB", "L"):
        white = np.asarray(image.convert(mode))
        print(f"   convert({mode!r}): {white.min()} to {white.max()}")
        assert white.min() == white.max() == 255
for mode in ("I", "F"):
    assert np.allclose(found["dark", mode], found["bright", mode], atol=1)
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   pillow 13.0.0  numpy 2.4.6
#   dark, 300 to 1200: mean 750.3, deviation 134.4
#      ImageStat, mode I;16: mean 65.3, deviation 81.5, extrema (0, 255)
#      ImageStat, mode I: mean 127.1, deviation 38.1, extrema (0, 255)
#      ImageStat, mode F: mean 127.1, deviation 38.1, extrema (0, 255)
#      convert('RGB'): 255 to 255
#      convert('L'): 255 to 255
#   bright, 20000 to 40000: mean 30017.2, deviation 2986.0
#      ImageStat, mode I;16: mean 122.4, deviation 53.3, extrema (0, 255)
#      ImageStat, mode I: mean 127.2, deviation 38.1, extrema (0, 255)
#      ImageStat, mode F: mean 127.2, deviation 38.1, extrema (0, 255)
#      convert('RGB'): 255 to 255
#      convert('L'): 255 to 255
