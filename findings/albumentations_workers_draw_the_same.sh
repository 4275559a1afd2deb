#!/usr/bin/env bash
# Guess: under PyTorch's DataLoader every worker and every epoch draws augmentations of its own, as torchvision's, kornia's and those of
# albumentations 1.3 do; PyTorch seeds torch, random and NumPy anew in each worker for that.
# Really: albumentations 2.0.8 keeps a NumPy generator in the Compose, which every worker copies as it starts. With four workers each crop is drawn
# four times, and as workers start again each epoch, all epochs draw the same: 4 crops over 3 epochs of 16 pictures instead of 48 or so. It
# makes no difference whether a seed is given; persistent_workers=True lets epochs differ, not the workers.
# Meets: SimCLR, BYOL and SCAN trained with albumentations: views of one picture are the same in every epoch, strong augmentation is a fixed set.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check albumentations==1.3.1 opencv-python-headless==4.11.0.86 \
  torch==2.13.0 numpy==1.26.4
cat >"$place/look.py" <<'PYTHON'
import warnings
from importlib.metadata import version

import albumentations
import numpy as np
import torch

print("  ".join(f"{name} {version(name)}" for name in ("albumentations", "torch", "numpy")))
warnings.filterwarnings("ignore", "This DataLoader will create")  # fewer processors than workers
picture = np.stack(np.meshgrid(np.arange(200, dtype=np.uint8), np.arange(200, dtype=np.uint8)) * 2, 2)[..., :3].copy()


class Crops(torch.utils.data.Dataset):
    def __init__(self, **options):
        self.crop = albumentations.Compose([albumentations.RandomCrop(32, 32)], **options)

    def __len__(self):
        return 16

    def __getitem__(self, index):
        return torch.from_numpy(self.crop(image=picture)["image"][0, 0, :2].copy()).long()  # x and y of the crop


old = version("albumentations") < "2"
for options in ({},) if old else ({}, {"seed": 0}):
    for workers, lasting in ((0, False), (4, False), (4, True)):
        torch.manual_seed(0)
        loader = torch.utils.data.DataLoader(Crops(**options), batch_size=1, num_workers=workers, persistent_workers=lasting)
        epochs = [[tuple(place[0].tolist()) for place in loader] for _ in range(3)]
        each, all_of_them = [len(set(epoch)) for epoch in epochs], len(set(sum(epochs, [])))
        same = epochs[0] == epochs[1] == epochs[2]
        text = f"{workers} workers{', persistent' if lasting else ''}{', seed=0' if options else ''}"
        print(f"   {text}: different crops of 16 in each epoch {each}, of 48 in three {all_of_them}; epochs {'equal' if same else 'differ'}")
        if old or workers == 0:
            assert min(each) > 14 and not same
        else:
            assert max(each) == 4 and same == (not lasting) and (all_of_them == 4) == same
PYTHON
export NO_ALBUMENTATIONS_UPDATE=1
"$place/venv/bin/python" "$place/look.py"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check albumentations==2.0.8 opencv-python-headless==4.11.0.86 numpy==1.26.4
"$place/venv/bin/python" "$place/look.py"
# Seen on Debian 12, Python 3.11, amd64:
#   albumentations 1.3.1  torch 2.13.0+cpu  numpy 1.26.4
#      0 workers: different crops of 16 in each epoch [16, 16, 16], of 48 in three 48; epochs differ
#      4 workers: different crops of 16 in each epoch [16, 16, 16], of 48 in three 48; epochs differ
#      4 workers, persistent: different crops of 16 in each epoch [16, 16, 16], of 48 in three 48; epochs differ
#   albumentations 2.0.8  torch 2.13.0+cpu  numpy 1.26.4
#      0 workers: different crops of 16 in each epoch [16, 16, 16], of 48 in three 48; epochs differ
#      4 workers: different crops of 16 in each epoch [4, 4, 4], of 48 in three 4; epochs equal
#      4 workers, persistent: different crops of 16 in each epoch [4, 4, 4], of 48 in three 12; epochs differ
#      0 workers, seed=0: different crops of 16 in each epoch [16, 16, 16], of 48 in three 48; epochs differ
#      4 workers, seed=0: different crops of 16 in each epoch [4, 4, 4], of 48 in three 4; epochs equal
#      4 workers, persistent, seed=0: different crops of 16 in each epoch [4, 4, 4], of 48 in three 12; epochs differ
