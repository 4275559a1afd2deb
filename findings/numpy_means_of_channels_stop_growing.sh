#!/usr/bin/env bash
# Guess: pictures.mean((0, 1, 2)) of float32 pictures [N, H, W, 3] is right to five digits, as NumPy's pairwise sums are: so is pictures.mean().
# Really: pairwise sums are taken along the last axis in memory alone. Where the channels stay, pixel after pixel is added to three float32 numbers, which
# stop at 16,777,216: over 50,000 pictures of 32 x 32 all three means are 0.328, where they are 0.500, 0.439 and 0.378; 1,000 pictures of 224 x 224 are as
# many pixels. Of 20,000 pictures the second digit is wrong, of 10,000 the third, in deviations too. dtype=np.float64, pictures kept as
# [N, 3, H, W] and the mean of each picture first are right. No warning.
# Meets: mean and deviation for normalising a set, taken over channels that lie last. Takes 0.7 GB of memory.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check numpy==2.4.6
"$place/venv/bin/python" -W error - <<'PYTHON'
import numpy as np

print(f"numpy {np.__version__}")
rng = np.random.default_rng(0)
pictures = np.empty((50_000, 32, 32, 3), np.float32)
for first in range(0, 50_000, 1000):
    batch = rng.integers(0, 256, (1000, 32, 32, 3), dtype=np.uint8)
    pictures[first:first + 1000] = batch - batch // 8 * np.array([0, 1, 2], np.uint8)  # the second channel is an eighth darker, the third a quarter
pictures /= 255


def shown(numbers):
    return " ".join(f"{number:.4f}" for number in np.atleast_1d(numbers))


for count in (1000, 10_000, 20_000, 50_000):
    some = pictures[:count]
    true = some.mean((0, 1, 2), dtype=np.float64)
    means = some.mean((0, 1, 2))
    halves = some.mean((1, 2)).mean(0)
    print(f"{count} pictures: mean((0, 1, 2)) {shown(means)}, in float64 {shown(true)}, of each picture first {shown(halves)}; "
          f"mean() {shown(some.mean())} for {shown(true.mean())}")
    assert np.abs(halves - true).max() < 1e-5 and abs(some.mean() - true.mean()) < 1e-5
    error = np.abs(means - true).max()
    assert error < 1e-3 if count <= 1000 else error > 1e-3 if count >= 20_000 else True
assert len(set(means.tolist())) == 1 and means[0] < 0.33
few = pictures[:10_000]
wide = few.std((0, 1, 2), dtype=np.float64)
print(f"deviation of 10000 pictures: std((0, 1, 2)) {shown(few.std((0, 1, 2)))}, in float64 {shown(wide)}")
assert np.abs(few.std((0, 1, 2)) - wide).max() > 1e-4
planes = np.ascontiguousarray(few.transpose(0, 3, 1, 2))
assert np.abs(planes.mean((0, 2, 3)) - few.mean((0, 1, 2), dtype=np.float64)).max() < 1e-5
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   numpy 2.4.6
#   1000 pictures: mean((0, 1, 2)) 0.4996 0.4391 0.3790, in float64 0.4996 0.4389 0.3787, of each picture first 0.4996 0.4389 0.3787; mean() 0.4391 for 0.4391
#   10000 pictures: mean((0, 1, 2)) 0.4999 0.4351 0.3789, in float64 0.4999 0.4391 0.3784, of each picture first 0.4999 0.4391 0.3784; mean() 0.4391 for 0.4391
#   20000 pictures: mean((0, 1, 2)) 0.4999 0.4324 0.3609, in float64 0.4999 0.4392 0.3784, of each picture first 0.4999 0.4392 0.3784; mean() 0.4392 for 0.4392
#   50000 pictures: mean((0, 1, 2)) 0.3277 0.3277 0.3277, in float64 0.4999 0.4393 0.3784, of each picture first 0.4999 0.4393 0.3784; mean() 0.4392 for 0.4392
#   deviation of 10000 pictures: std((0, 1, 2)) 0.2884 0.2521 0.2161, in float64 0.2898 0.2537 0.2174
