#!/usr/bin/env bash
# Guess: difPy's duplicates are pictures whose versions of 50 x 50 are equal up to a rotation, its MSE is the mean of squared differences, and the number
# of pictures changes the time alone.
# Really: pictures are subtracted and squared in uint8. One that is 16, 32 or 64 levels brighter is a duplicate with MSE 0 (10 brighter is none), so are
# different masks of 0 and 128; different masks of 0 and 255 have an MSE of 0.5, so that "similar" (at most 5) takes all of them. Above 5,000
# pictures another comparison begins, in which pictures with the same sum of pixels are duplicates with MSE 0. No warning.
# Meets: removal of near-duplicates from a set before training: masks, drawings, scans, exposures and sets of more than 5,000 pictures.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check difPy==4.2.1 pillow==13.0.0 numpy==2.4.6
cat > "$place/search.py" <<'PYTHON'
import sys
from importlib.metadata import version
from pathlib import Path

import difPy
import numpy as np
from PIL import Image


def groups(name, pictures, px_size=50, **options):
    folder = Path(sys.argv[1]) / name
    folder.mkdir()
    for stem, pixels in pictures.items():
        Image.fromarray(pixels).save(folder / f"{stem}.png")
    built = difPy.build(str(folder), show_progress=False, processes=2, px_size=px_size)
    found = difPy.search(built, show_progress=False, processes=2, **options).result
    return [[Path(first).stem] + [Path(path).stem for path, _ in rest] for first, rest in found.items()], \
        sorted({round(float(mse), 2) for rest in found.values() for _, mse in rest})


def main():
    print("  ".join(f"{name} {version(name)}" for name in ("difPy", "pillow", "numpy")))
    rng = np.random.default_rng(0)
    picture = rng.integers(40, 100, (12, 12, 3), dtype=np.uint8).repeat(20, 0).repeat(20, 1)
    brighter = {f"{levels} brighter": picture + np.uint8(levels) for levels in (0, 10, 16, 32, 64)}
    found, errors = groups("brighter", brighter)
    print(f"duplicates: {', '.join(sorted(found[0]))}; MSE {errors}")
    assert len(found) == 1 and set(found[0]) == set(brighter) - {"10 brighter"} and errors == [0]

    for white in (128, 255):
        masks = {f"mask {k}": np.uint8(white) * (rng.random((50, 50)) < 0.5) for k in range(6)}
        assert len({mask.tobytes() for mask in masks.values()}) == 6
        found, errors = groups(f"masks{white}", masks, similarity="duplicates" if white == 128 else "similar")
        print(f"six different masks of 0 and {white}: {[len(group) for group in found]} in a group, MSE {errors}")
        assert len(found) == 1 and len(found[0]) == 6 and max(errors) < 1

    # 40 different masks with as many pixels set, alone and among pictures that no other one shares its size with
    half = np.repeat(np.uint8([0, 255]), 50)
    masks = {f"mask {k}": rng.permutation(half).reshape(10, 10) for k in range(40)}
    assert len({mask.tobytes() for mask in masks.values()}) == 40
    sizes = [(h, w) for h in range(11, 120) for w in range(h, 120)]
    others = {f"other {k}": rng.integers(0, 256, sizes[k], dtype=np.uint8) for k in range(5000)}
    for pictures in (masks, masks | others):
        found, errors = groups(f"set of {len(pictures)}", pictures, px_size=10)
        print(f"{len(pictures)} pictures: {[len(group) for group in found]} in a group of duplicates, MSE {errors}")
        assert not found if len(pictures) == 40 else len(found) == 1 and len(found[0]) > 35 and errors == [0]


if __name__ == "__main__":
    main()
PYTHON
mkdir "$place/pictures"
"$place/venv/bin/python" "$place/search.py" "$place/pictures"
# Seen on Debian 12, Python 3.11, amd64:
#   difPy 4.2.1  pillow 13.0.0  numpy 2.4.6
#   duplicates: 0 brighter, 16 brighter, 32 brighter, 64 brighter; MSE [0.0]
#   six different masks of 0 and 128: [6] in a group, MSE [0.0]
#   six different masks of 0 and 255: [6] in a group, MSE [0.48, 0.49]
#   40 pictures: [] in a group of duplicates, MSE []
#   5040 pictures: [40] in a group of duplicates, MSE [0.0]
