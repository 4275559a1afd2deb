#!/usr/bin/env bash
# Guess: GaussianNoiseTransform(noise_variance=(v, v)) of batchgenerators adds noise of variance v, as its name and its description say, and as
# scikit-image's random_noise(var=v) does.
# Really: v is taken for the standard deviation. A variance of 0.1 asked is one of 0.01; with the default of 0 to 0.1, "uniformly sampled", the mean
# variance is 0.0033 and not 0.05, so that augmentation by noise hardly happens. RicianNoiseTransform does the same.
# Meets: augmentation copied from or to nnU-Net's, settings carried to a library that takes a variance or a deviation.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check batchgenerators==0.25.5 scikit-image==0.26.0 numpy==2.4.6
"$place/venv/bin/python" -W ignore - <<'PYTHON'
from importlib.metadata import version

import numpy as np
from batchgenerators.transforms.noise_transforms import GaussianNoiseTransform, RicianNoiseTransform
from skimage.util import random_noise

print("  ".join(f"{name} {version(name)}" for name in ("batchgenerators", "scikit-image", "numpy")))
np.random.seed(0)
plain = np.full((1, 1, 512, 512), 100.0)


def seen(transform, times=1):
    return float(np.mean([transform(data=plain.copy())["data"].var() for _ in range(times)]))


for asked in (0.01, 0.1, 4.0):
    gauss = seen(GaussianNoiseTransform(noise_variance=(asked, asked)))
    rice = seen(RicianNoiseTransform(noise_variance=(asked, asked)))
    skimage = float(random_noise(plain[0, 0], var=asked, clip=False, rng=0).var())
    print(f"variance {asked}: GaussianNoiseTransform {gauss:.6f}, RicianNoiseTransform {rice:.6f}, scikit-image {skimage:.6f}")
    assert np.isclose(gauss, asked**2, rtol=0.05) and np.isclose(rice, asked**2, rtol=0.05) and np.isclose(skimage, asked, rtol=0.05)
default = seen(GaussianNoiseTransform(), 200)
print(f"default, 0 to 0.1: mean variance {default:.4f}")
assert default < 0.006
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   batchgenerators 0.25.5  scikit-image 0.26.0  numpy 2.4.6
#   variance 0.01: GaussianNoiseTransform 0.000100, RicianNoiseTransform 0.000100, scikit-image 0.010023
#   variance 0.1: GaussianNoiseTransform 0.009963, RicianNoiseTransform 0.009946, scikit-image 0.100229
#   variance 4.0: GaussianNoiseTransform 15.982981, RicianNoiseTransform 16.005741, scikit-image 4.009162
#   default, 0 to 0.1: mean variance 0.0030
