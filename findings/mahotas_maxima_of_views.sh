#!/usr/bin/env bash
# Guess: mahotas gives the same for a NumPy view (one channel of a colour picture, a crop, a patch) as for a copy of it, or refuses the view.
# Really: regmax, regmin, locmax and locmin read a view as if its pixels lay one after the other, and template_match does so with its template: of 47 bright
# spots in a crop regmax finds 7, in a blue channel the maxima of view and copy overlap by .01; of 200 patches cut out of a picture none is found where it
# was cut, of their copies all. Dilation, median, edges, distances and texture features are right for views. Nothing is said.
# Meets: cells and spots counted, seeds of a watershed, patches searched, in one channel or a crop of a picture.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check mahotas==1.4.19 scikit-image==0.26.0 scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6 pillow==13.0.0
"$place/venv/bin/python" -W error - <<'PYTHON'
from importlib.metadata import version

import mahotas
import numpy as np
from skimage.morphology import local_maxima
from sklearn.datasets import load_sample_image

print("  ".join(f"{name} {version(name)}" for name in ("mahotas", "scikit-image", "scikit-learn", "numpy")))
rng = np.random.default_rng(0)
places = np.stack(np.meshgrid(np.arange(15, 200, 24), np.arange(15, 200, 24), indexing="ij"), -1).reshape(-1, 2) + rng.integers(-3, 4, (64, 2))
rows, columns = np.mgrid[:200, :200]
spots = sum(200 * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 32) for y, x in places)
colour = np.full((200, 200, 3), 30, np.uint8)
colour[..., 2] = np.rint(spots)
blue = colour[..., 2].copy()


def bright(found, image):
    return found & (image.copy() > 50)


for name, view in {"the whole picture": blue, "blue channel": colour[..., 2], "crop": blue[10:150, 20:180]}.items():
    whole = view.flags.c_contiguous
    pixels = {}
    for each in (mahotas.regmax, mahotas.regmin, mahotas.locmax, mahotas.locmin):
        got, true = each(view), each(view.copy())
        pixels[each.__name__] = (got & true).sum() / (got | true).sum()
        assert (pixels[each.__name__] == 1) == whole
    got, true, other = (mahotas.label(bright(found, view))[1] for found in (mahotas.regmax(view), mahotas.regmax(view.copy()), local_maxima(view) > 0))
    print(f"{name}: {got} bright spots by regmax, {true} in a copy, {other} by scikit-image; overlap of the pixels found: "
          + ", ".join(f"{each} {share:.2f}" for each, share in pixels.items()))
    assert true == other and (name != "crop" or got < true / 2)
    for each in (mahotas.dilate, mahotas.median_filter, mahotas.sobel, mahotas.distance, mahotas.features.haralick):
        assert np.array_equal(each(view), each(view.copy()))

picture = np.ascontiguousarray(load_sample_image("china.jpg")[:200, :200, 1]).astype(float)
corners = rng.integers(0, 200 - 15, (200, 2))


def found(cut):
    right = 0
    for y, x in corners:
        match = mahotas.template_match(picture, cut(picture[y:y + 15, x:x + 15]))
        right += tuple(np.unravel_index(match.argmin(), match.shape)) == (y + 7, x + 7)
    return right


view, copy = found(lambda patch: patch), found(np.copy)
print(f"template_match: {view} of 200 patches found, {copy} of their copies")
assert view < 10 and copy == 200
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   mahotas 1.4.19  scikit-image 0.26.0  scikit-learn 1.9.1  numpy 2.4.6
#   the whole picture: 64 bright spots by regmax, 64 in a copy, 64 by scikit-image; overlap of the pixels found: regmax 1.00, regmin 1.00, locmax 1.00, locmin 1.00
#   blue channel: 64 bright spots by regmax, 64 in a copy, 64 by scikit-image; overlap of the pixels found: regmax 0.01, regmin 0.20, locmax 0.00, locmin 0.30
#   crop: 7 bright spots by regmax, 47 in a copy, 47 by scikit-image; overlap of the pixels found: regmax 0.05, regmin 0.00, locmax 0.04, locmin 0.72
#   template_match: 0 of 200 patches found, 200 of their copies
