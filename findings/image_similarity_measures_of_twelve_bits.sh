#!/usr/bin/env bash
# Guess: image-similarity-measures takes the range of the pixels from their type, 255 for uint8, as scikit-image does; its RMSE is in levels of gray, and
# sam is the mean angle between the colours of two pictures.
# Really: psnr, rmse and ssim take 4095, the maximum of twelve bits, unless max_p is given: a PSNR is 24 dB too high, noise that leaves an SSIM of .26 has
# .96, and the RMSE is a share of 4095. sam multiplies uint8 pixels in eight bits and tells 84 degrees for 4; of floats it is right, until one pixel of
# 160,000 is black: then it is 0, that of equal pictures, since the mean is unknown and "unknown" is replaced by 0.
# Meets: near-duplicates, compressed, augmented and generated pictures judged by these numbers, beside those of scikit-image and of papers.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check image-similarity-measures==0.3.6 scikit-image==0.20.0 scikit-learn==1.5.2 scipy==1.15.3 numpy==1.26.4 pillow==13.0.0
"$place/venv/bin/python" -W ignore - <<'PYTHON'
from importlib.metadata import version

import numpy as np
from image_similarity_measures.quality_metrics import psnr, rmse, sam, ssim
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from sklearn.datasets import load_sample_image

print("  ".join(f"{name} {version(name)}" for name in ("image-similarity-measures", "scikit-image", "scikit-learn", "numpy")))
rng = np.random.default_rng(0)
picture = load_sample_image("flower.jpg")[:400, :400]
picture = np.maximum(picture, 1)  # no black pixel


def angle(a, b):
    a, b = a.astype(float), b.astype(float)
    return np.degrees(np.arccos(np.clip((a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1), -1, 1))).mean()


for deviation in (5, 25, 60):
    noisy = np.clip(np.rint(picture + rng.normal(scale=deviation, size=picture.shape)), 1, 255).astype(np.uint8)
    levels = np.sqrt(np.mean((picture - noisy.astype(float)) ** 2))
    got = {"psnr": psnr(picture, noisy), "ssim": ssim(picture, noisy), "rmse": rmse(picture, noisy), "sam": sam(picture, noisy)}
    true = {"psnr": peak_signal_noise_ratio(picture, noisy), "ssim": structural_similarity(picture, noisy, channel_axis=2),
            "rmse": levels, "sam": angle(picture, noisy)}
    floats = sam(picture.astype(float), noisy.astype(float))
    given = psnr(picture, noisy, max_p=255), ssim(picture, noisy, max_p=255)
    print(f"noise of {deviation}: " + ", ".join(f"{name} {got[name]:.4g} for {true[name]:.4g}" for name in got)
          + f"; sam of floats {floats:.4g}; with max_p=255 psnr {given[0]:.4g}, ssim {given[1]:.4g}")
    assert abs(got["psnr"] - true["psnr"] - 20 * np.log10(4095 / 255)) < 0.05
    assert abs(got["rmse"] * 4095 / true["rmse"] - 1) < 0.02 and got["ssim"] > true["ssim"] + 0.03
    assert abs(given[0] - true["psnr"]) < 0.05 and abs(given[1] - true["ssim"]) < 1e-6
    assert abs(floats - true["sam"]) < 1e-6 and got["sam"] > true["sam"] + 20
    holed = picture.astype(float)
    holed[200, 200] = 0
    print(f"  one pixel of 160,000 black: sam {sam(holed, noisy.astype(float))}")
    assert sam(holed, noisy.astype(float)) == 0
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   image-similarity-measures 0.3.6  scikit-image 0.20.0  scikit-learn 1.5.2  numpy 1.26.4
#   noise of 5: psnr 58.67 for 34.56, ssim 0.9982 for 0.8073, rmse 0.001163 for 4.771, sam 84 for 4.278; sam of floats 4.278; with max_p=255 psnr 34.56, ssim 0.8073
#     one pixel of 160,000 black: sam 0.0
#   noise of 25: psnr 45.15 for 21.03, ssim 0.9578 for 0.2582, rmse 0.005515 for 22.65, sam 85.8 for 16.51; sam of floats 16.51; with max_p=255 psnr 21.03, ssim 0.2582
#     one pixel of 160,000 black: sam 0.0
#   noise of 60: psnr 38.34 for 14.23, ssim 0.8175 for 0.1012, rmse 0.01208 for 49.57, sam 86.19 for 27.81; sam of floats 27.81; with max_p=255 psnr 14.23, ssim 0.1012
#     one pixel of 160,000 black: sam 0.0
