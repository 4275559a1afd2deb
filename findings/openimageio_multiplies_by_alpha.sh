#!/usr/bin/env bash
# Guess: OpenImageIO reads and writes the colours of a PNG or TIFF with transparency as they stand in the file, as Pillow does.
# Really: colours are multiplied by alpha on reading and divided by it on writing, without a word, ImageBuf too. A picture all of colour 200 with a disc of
# alpha has a mean of 42 when alpha is left away, as for a network: black ground and a dark edge. Pixels of NumPy, all of colour 100, come to lie in
# the file as 255 along the edge. Reading and writing once loses all colour under alpha 0. With oiio:UnassociatedAlpha both ways are right.
# Meets: cut-outs, logos and masks kept in the fourth channel, prepared with one library and fed to a network with another.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check OpenImageIO==3.2.2.0 Pillow==13.0.0 numpy==2.4.6
"$place/venv/bin/python" -W error - "$place" <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
import OpenImageIO as oiio
from PIL import Image

print("  ".join(f"{name} {version(name)}" for name in ("OpenImageIO", "Pillow", "numpy")))
down, across = np.mgrid[:64, :64]
alpha = (255 * np.clip(20.5 - np.hypot(down - 32, across - 32), 0, 8) / 8).astype(np.uint8)


def picture(colour):
    return np.dstack([np.full((64, 64, 3), colour, np.uint8), alpha])


def read(path, *settings):
    file = oiio.ImageInput.open(path, *settings)
    pixels = file.read_image(oiio.UINT8)
    file.close()
    return pixels


def write(path, pixels, unassociated=0):
    spec = oiio.ImageSpec(64, 64, 4, oiio.UINT8)
    spec["oiio:UnassociatedAlpha"] = unassociated
    file = oiio.ImageOutput.create(path)
    assert file.open(path, spec) and file.write_image(pixels) and file.close()


as_stored = oiio.ImageSpec()
as_stored["oiio:UnassociatedAlpha"] = 1
for kind in ("png", "tif"):
    path, other = f"{sys.argv[1]}/picture.{kind}", f"{sys.argv[1]}/other.{kind}"
    light, dark = picture(200), picture(100)
    Image.fromarray(light).save(path)
    pillow, got, hinted, buffered = np.asarray(Image.open(path)), read(path), read(path, as_stored), oiio.ImageBuf(path).get_pixels(oiio.UINT8)
    print(f"{kind}, mean colour: stored {light[..., :3].mean():.0f}, Pillow {pillow[..., :3].mean():.0f}, OpenImageIO {got[..., :3].mean():.0f}, "
          f"ImageBuf {buffered[..., :3].mean():.0f}, with the hint {hinted[..., :3].mean():.0f}")
    assert np.array_equal(pillow, light) and np.array_equal(hinted, light) and np.array_equal(buffered, got)
    assert np.abs(got[..., :3] - light[..., :3] * (alpha[..., None] / 255)).max() <= 1 and got[..., :3].mean() < 50

    edge = (alpha > 0) & (alpha < 102)
    write(other, dark)
    plain = np.asarray(Image.open(other))
    write(other, dark, 1)
    hinted = np.asarray(Image.open(other))
    print(f"{kind}, written with colour 100: at the edge {plain[edge][:, :3].min()} to {plain[edge][:, :3].max()}, with the hint {np.unique(hinted[..., :3])}")
    assert plain[edge][:, :3].min() > 240 and np.array_equal(hinted, dark)

    assert oiio.ImageBuf(path).write(other)
    again = np.asarray(Image.open(other))
    print(f"{kind}, read and written: {np.unique(again[alpha == 0][:, :3])} where alpha is 0, {again[32, 32, :3]} in the middle")
    assert (again[alpha == 0] == 0).all() and (again[32, 32] == light[32, 32]).all()
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   OpenImageIO 3.2.2.0  Pillow 13.0.0  numpy 2.4.6
#   png, mean colour: stored 200, Pillow 200, OpenImageIO 42, ImageBuf 42, with the hint 200
#   png, written with colour 100: at the edge 255 to 255, with the hint [100]
#   png, read and written: [0] where alpha is 0, [200 200 200] in the middle
#   tif, mean colour: stored 200, Pillow 200, OpenImageIO 42, ImageBuf 42, with the hint 200
#   tif, written with colour 100: at the edge 255 to 255, with the hint [100]
#   tif, read and written: [0] where alpha is 0, [200 200 200] in the middle
