#!/usr/bin/env bash
# Guess: cv2.warpAffine with INTER_LINEAR blends float images by the exact fraction: a shift of 0.015 pixel blends 1.5 %.
# Really: OpenCV 4 rounds source positions to 1/32 pixel, float images included: the shift of 0.015 returns the input bit for bit and 0.02
# counts as 1/32, an error of up to 3.7 levels of 255. OpenCV 5 interpolates exactly, so the same augmentation code gives other pictures.
# Meets: whoever makes small rotations, shears and translations (RandAugment) with OpenCV, or checks another warp against it.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check numpy==2.4.6
cd "$place"
venv/bin/python -W ignore - <<'PYTHON'
import numpy as np
import subprocess
import sys

program = """
import cv2, numpy as np
image = np.random.default_rng(0).random((64, 64), dtype=np.float32) * 255
inside = slice(2, -2)
print(cv2.__version__)
for shift in (0.01, 0.015, 0.02, 1 / 32, 0.3):
    moved = cv2.warpAffine(image, np.float32([[1, 0, shift], [0, 1, 0]]), (64, 64), flags=cv2.INTER_LINEAR)[:, inside]
    true = (image * (1 - shift) + np.roll(image, 1, axis=1) * shift)[:, inside]
    print(shift, int((moved == image[:, inside]).all()), abs(moved - true).max())
"""
seen = {}
for version in ("4.11.0.86", "5.0.0.93"):
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check", "--no-deps", f"opencv-python-headless=={version}"], check=True)
    first, *lines = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.splitlines()
    print("OpenCV", first)
    for line in lines:
        shift, same, error = map(float, line.split())
        seen[first[0], shift] = bool(same), error
        print(f"  shift {shift:.5f}: {'the input unchanged' if same else 'moved'}, largest error {error:.4f} levels")
assert seen["4", 0.01][0] and seen["4", 0.015][0] and seen["4", 0.015][1] > 3
assert not seen["4", 0.02][0] and seen["4", 0.02][1] > 2
assert seen["4", 1 / 32][1] < 1e-3
assert all(error < 0.01 and not same for (major, _), (same, error) in seen.items() if major == "5")
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   OpenCV 4.11.0
#     shift 0.01000: the input unchanged, largest error 2.4706 levels
#     shift 0.01500: the input unchanged, largest error 3.7058 levels
#     shift 0.02000: moved, largest error 2.7794 levels
#     shift 0.03125: moved, largest error 0.0000 levels
#     shift 0.30000: moved, largest error 3.0882 levels
#   OpenCV 5.0.0
#     shift 0.01000: moved, largest error 0.0004 levels
#     shift 0.01500: moved, largest error 0.0002 levels
#     shift 0.02000: moved, largest error 0.0001 levels
#     shift 0.03125: moved, largest error 0.0000 levels
#     shift 0.30000: moved, largest error 0.0002 levels
