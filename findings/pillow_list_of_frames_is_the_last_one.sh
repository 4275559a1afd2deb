#!/usr/bin/env bash
# Guess: list(ImageSequence.Iterator(image)) is a list of the frames of a GIF, TIFF, WebP or PNG file.
# Really: it is the one image object many times, and that stands at the last frame: a TIFF of 200 digits is 200 times the last one, whatever is then done
# with the list (stack, zip with labels, shuffle). Frames taken one by one within the loop, copied there, or from ImageSequence.all_frames are right.
# Meets: stacks of slices, time steps and frames read with Pillow into a list or given to a data loader.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check pillow==13.0.0 scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6
"$place/venv/bin/python" -W error - <<'PYTHON'
import io
from importlib.metadata import version

import numpy as np
from PIL import Image, ImageSequence
from sklearn.datasets import load_digits

print("  ".join(f"{name} {version(name)}" for name in ("pillow", "scikit-learn", "numpy")))
digits, labels = load_digits(return_X_y=True)
pixels = (digits[:200].reshape(-1, 8, 8) * 15).astype(np.uint8)
known, classes = digits[200:] * 15, labels[200:]


def right(stack):
    asked = np.stack([np.asarray(frame.convert("L")) for frame in stack]).reshape(len(stack), -1).astype(float)
    nearest = ((asked[:, None] - known) ** 2).sum(-1).argmin(1)
    return (classes[nearest] == labels[:200]).mean(), len(np.unique(asked, axis=0))


for kind, options in {"TIFF": {}, "GIF": {}, "PNG": {}, "WebP": {"lossless": True}}.items():
    file = io.BytesIO()
    frames = [Image.fromarray(picture) for picture in pixels]
    frames[0].save(file, kind, save_all=True, append_images=frames[1:], **options)
    scores = {}
    for name, way in {
        "list(Iterator)": lambda image: list(ImageSequence.Iterator(image)),
        "copy() of each": lambda image: [frame.copy() for frame in ImageSequence.Iterator(image)],
        "all_frames": ImageSequence.all_frames,
    }.items():
        stack = way(Image.open(io.BytesIO(file.getvalue())))
        assert len(stack) == 200
        score, different = right(stack)
        scores[name] = (different, score)
        print(f"{kind}, {name}: {len(stack)} frames, {len({id(frame) for frame in stack})} objects, {different} different pictures, class right in {score:.3f}")
    assert scores["list(Iterator)"][0] == 1 and scores["list(Iterator)"][1] < 0.2
    assert scores["copy() of each"] == scores["all_frames"] and scores["all_frames"][0] == 200 and scores["all_frames"][1] > 0.9
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   pillow 13.0.0  scikit-learn 1.9.1  numpy 2.4.6
#   TIFF, list(Iterator): 200 frames, 1 objects, 1 different pictures, class right in 0.100
#   TIFF, copy() of each: 200 frames, 200 objects, 200 different pictures, class right in 0.940
#   TIFF, all_frames: 200 frames, 200 objects, 200 different pictures, class right in 0.940
#   GIF, list(Iterator): 200 frames, 1 objects, 1 different pictures, class right in 0.100
#   GIF, copy() of each: 200 frames, 200 objects, 200 different pictures, class right in 0.940
#   GIF, all_frames: 200 frames, 200 objects, 200 different pictures, class right in 0.940
#   PNG, list(Iterator): 200 frames, 1 objects, 1 different pictures, class right in 0.100
#   PNG, copy() of each: 200 frames, 200 objects, 200 different pictures, class right in 0.940
#   PNG, all_frames: 200 frames, 200 objects, 200 different pictures, class right in 0.940
#   WebP, list(Iterator): 200 frames, 1 objects, 1 different pictures, class right in 0.100
#   WebP, copy() of each: 200 frames, 200 objects, 200 different pictures, class right in 0.940
#   WebP, all_frames: 200 frames, 200 objects, 200 different pictures, class right in 0.940
