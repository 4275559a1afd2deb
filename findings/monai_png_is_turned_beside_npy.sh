#!/usr/bin/env bash
# Guess: MONAI's LoadImage gives a picture of 24 rows and 32 columns as [24, 32], or channels first, from whatever file it was.
# Really: from PNG, JPEG and BMP it gives [32, 24], columns first, as the volumes of scanners are held; from .npy and .npz [24, 32]. A square picture as PNG
# and its mask as .npy are loaded with one of them mirrored at the diagonal: the mask of a seven covers 0.07 of what it should. A picture from
# NumPy that SaveImage writes as PNG is mirrored for every other program. PILReader(reverse_indexing=False) is right. No warning.
# Meets: pictures beside arrays of NumPy, networks trained with other loaders, digits and letters.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check monai==1.6.1 torch==2.13.0 pillow==13.0.0 numpy==2.4.6
cd "$place"
venv/bin/python -W error - <<'PYTHON'
from importlib.metadata import version

import numpy as np
from monai.data import PILReader
from monai.transforms import Compose, EnsureChannelFirstd, LoadImage, LoadImaged, SaveImage
from PIL import Image

print("  ".join(f"{name} {version(name)}" for name in ("monai", "torch", "pillow", "numpy")))
rng = np.random.default_rng(0)
wide = rng.integers(0, 256, (24, 32), dtype=np.uint8)
for name in ("wide.png", "wide.jpg", "wide.bmp"):
    Image.fromarray(wide).save(name)
np.save("wide.npy", wide)
np.savez("wide.npz", wide)
for name in ("wide.png", "wide.jpg", "wide.bmp", "wide.npy", "wide.npz"):
    loaded = LoadImage()(name).numpy()
    print(f"{name}: {wide.shape} is loaded as {loaded.shape}")
    assert loaded.shape == (wide.shape if name.endswith(("npy", "npz")) else wide.T.shape)
    if name.endswith(("png", "bmp")):
        assert np.array_equal(loaded, wide.T)
assert np.array_equal(LoadImage(reader=PILReader(reverse_indexing=False))("wide.png").numpy(), wide)

digit = np.zeros((28, 28), np.uint8)  # a seven
digit[4:7, 6:22] = 255
for row in range(7, 24):
    digit[row, 22 - (row - 4) // 2 - 3:22 - (row - 4) // 2] = 255
Image.fromarray(digit).save("digit.png")
np.save("mask.npy", digit > 0)
load = Compose([LoadImaged(keys=["image", "mask"]), EnsureChannelFirstd(keys=["image", "mask"], channel_dim="no_channel")])
both = load({"image": "digit.png", "mask": "mask.npy"})
image, mask = both["image"].numpy()[0] > 0, both["mask"].numpy()[0] > 0
agree = (image & mask).sum() / (image | mask).sum()
turned = (image.T & mask).sum() / (image.T | mask).sum()
print(f"a seven as PNG and its mask as NumPy's file: intersection over union {agree:.2f}, with the picture transposed {turned:.2f}")
assert agree < 0.5 and np.array_equal(image.T, mask)

save = SaveImage(output_dir=".", output_ext=".png", separate_folder=False, output_postfix="saved", print_log=False, resample=False)
save(wide[None])
save(LoadImage(ensure_channel_first=True)("wide.png"))
from_numpy, from_png = (np.asarray(Image.open(name)) for name in ("0_saved.png", "wide_saved.png"))
print(f"SaveImage: {wide.shape} from NumPy is a PNG of {from_numpy.shape}, from a PNG one of {from_png.shape}")
assert np.array_equal(from_numpy, wide.T) and np.array_equal(from_png, wide)
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   monai 1.6.1  torch 2.13.0+cpu  pillow 13.0.0  numpy 2.4.6
#   wide.png: (24, 32) is loaded as (32, 24)
#   wide.jpg: (24, 32) is loaded as (32, 24)
#   wide.bmp: (24, 32) is loaded as (32, 24)
#   wide.npy: (24, 32) is loaded as (24, 32)
#   wide.npz: (24, 32) is loaded as (24, 32)
#   a seven as PNG and its mask as NumPy's file: intersection over union 0.07, with the picture transposed 1.00
#   SaveImage: (24, 32) from NumPy is a PNG of (32, 24), from a PNG one of (24, 32)
