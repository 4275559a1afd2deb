#!/usr/bin/env bash
# Guess: SimpleITK.DiscreteGaussian(image, v) smooths with a deviation of v, or of its root once one knows that it takes a variance, as wide as asked.
# Really: v is the variance, and the kernel ends 16 pixels from its middle: a deviation of 20 asked is 15.8, 25 is 16.9. From a variance of about 710
# (27 pixels) on everything is NaN, a uint8 picture all black; maximumKernelWidth=500 mends the former, not the latter. SmoothingRecursiveGaussian
# takes the deviation and is 3 % narrow. Of uint8 both cut fractions off: one level darker. No warning.
# Meets: backgrounds and shading estimated with wide blurs, scale spaces, volumes with a spacing of fractions of a millimetre (widths are physical).
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check SimpleITK==2.5.7 scipy==1.17.1 numpy==2.4.6
"$place/venv/bin/python" -W error - <<'PYTHON'
from importlib.metadata import version

import numpy as np
import SimpleITK as sitk
from scipy.ndimage import gaussian_filter

print("  ".join(f"{name} {version(name)}" for name in ("SimpleITK", "scipy", "numpy")))
point = np.zeros((257, 257), np.float32)
point[128, 128] = 1
places = np.arange(257) - 128
picture = np.random.default_rng(0).integers(0, 200, (128, 128), dtype=np.uint8)


def deviation(pixels):
    return float(np.sqrt((pixels.sum(0) * places**2).sum() / pixels.sum()))


def smooth(method, pixels, *options):
    return sitk.GetArrayFromImage(method(sitk.GetImageFromArray(pixels), *options))


for wanted in (2, 5, 10, 20, 25, 26, 27, 30):
    variance = float(wanted**2)
    plain, wide = (deviation(smooth(sitk.DiscreteGaussian, point, variance, width)) for width in (32, 500))
    default = smooth(sitk.DiscreteGaussian, point, variance)
    recursive, scipy = deviation(smooth(sitk.SmoothingRecursiveGaussian, point, float(wanted))), deviation(gaussian_filter(point, wanted))
    gray = smooth(sitk.DiscreteGaussian, picture, variance)
    print(f"deviation {wanted}: DiscreteGaussian {plain:.2f}, up to 500 wide {wide:.2f}, SmoothingRecursiveGaussian {recursive:.2f}, SciPy {scipy:.2f}; "
          f"mean of uint8 {picture.mean():.1f} to {gray.mean():.1f}")
    assert np.array_equal(default, smooth(sitk.DiscreteGaussian, point, variance, 32), equal_nan=True)
    assert np.isnan(default).all() == (wanted >= 27) == np.isnan(wide) == (gray.max() == 0)
    assert wanted < 20 or np.isnan(plain) or (plain < 0.8 * wanted and abs(wide / wanted - 1) < 0.05)
    assert 0.96 < recursive / wanted < (0.98 if wanted <= 20 else 1) and abs(scipy / wanted - 1) < 0.02
    assert wanted >= 27 or picture.mean() - gray.mean() > 0.5
asked = deviation(smooth(sitk.DiscreteGaussian, point, 10.0))
print(f"DiscreteGaussian(image, 10): deviation {asked:.2f}")
assert asked < 3.3
fine = sitk.GetImageFromArray(point)
fine.SetSpacing((0.1, 0.1))  # a tenth of a millimetre a pixel
for millimetres in (2, 3):
    got = deviation(sitk.GetArrayFromImage(sitk.DiscreteGaussian(fine, float(millimetres**2))))
    print(f"{millimetres} mm at 0.1 mm a pixel: {got / 10:.2f} mm")
    assert np.isnan(got) if millimetres == 3 else got < 17
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   SimpleITK 2.5.7  scipy 1.17.1  numpy 2.4.6
#   deviation 2: DiscreteGaussian 1.93, up to 500 wide 1.93, SmoothingRecursiveGaussian 1.94, SciPy 2.00; mean of uint8 99.3 to 98.3
#   deviation 5: DiscreteGaussian 4.85, up to 500 wide 4.85, SmoothingRecursiveGaussian 4.84, SciPy 5.00; mean of uint8 99.3 to 98.3
#   deviation 10: DiscreteGaussian 9.67, up to 500 wide 9.67, SmoothingRecursiveGaussian 9.69, SciPy 10.00; mean of uint8 99.3 to 98.0
#   deviation 20: DiscreteGaussian 15.77, up to 500 wide 20.13, SmoothingRecursiveGaussian 19.42, SciPy 19.99; mean of uint8 99.3 to 97.7
#   deviation 25: DiscreteGaussian 16.94, up to 500 wide 25.28, SmoothingRecursiveGaussian 24.62, SciPy 24.99; mean of uint8 99.3 to 97.6
#   deviation 26: DiscreteGaussian 17.12, up to 500 wide 26.31, SmoothingRecursiveGaussian 25.68, SciPy 25.99; mean of uint8 99.3 to 97.5
#   deviation 27: DiscreteGaussian nan, up to 500 wide nan, SmoothingRecursiveGaussian 26.73, SciPy 26.99; mean of uint8 99.3 to 0.0
#   deviation 30: DiscreteGaussian nan, up to 500 wide nan, SmoothingRecursiveGaussian 29.85, SciPy 29.98; mean of uint8 99.3 to 0.0
#   DiscreteGaussian(image, 10): deviation 3.05
#   2 mm at 0.1 mm a pixel: 1.58 mm
#   3 mm at 0.1 mm a pixel: nan mm
