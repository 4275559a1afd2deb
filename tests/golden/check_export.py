"""Loads weights written by kith into PyTorch with strict=True and compares features. By hand:

    KITH_EXPORT=/tmp/kith_export build/cpu/tests/nn/nn_tests --gtest_filter='state.exports_for_pytorch'
    python tests/golden/check_export.py /tmp/kith_export
"""
import sys

import torch
from safetensors.torch import load_file

from resnet_model import ContrastiveModel

state, io = load_file(sys.argv[1] + "/state.safetensors"), load_file(sys.argv[1] + "/io.safetensors")
width, channels = state["backbone.conv1.weight"].shape[:2]
model = ContrastiveModel(dim=len(state["contrastive_head.2.bias"]), width=width, in_channels=channels)
model.load_state_dict(state, strict=True)
model.eval()
with torch.no_grad():
    features, z = model(io["images"].permute(0, 3, 1, 2))
for name, got in (("features", features), ("z", z)):
    error = ((got - io[name]).norm() / io[name].norm()).item()
    print(f"{name}: relative error {error:.2e}")
    assert error < 1e-5, name
print("strict load and features agree; num_batches_tracked", state["backbone.bn1.num_batches_tracked"].item())
