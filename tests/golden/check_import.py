"""Weights of PyTorch models through kith and back: files under the names of torchvision, lightly, solo-learn and the SCAN authors are
imported, kith's features are those of the model, and what kith has written loads strictly into it, to the bit. By hand, from the
repository root (torch, safetensors):

    python tests/golden/check_import.py build/cpu/apps/kith
"""
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from resnet_model import ContrastiveModel

KITH, COUNT = sys.argv[1], 40


def write_data(folder):
    """CIFAR-style records; kith measures mean and deviation on train.bin."""
    draw = np.random.default_rng(3)
    for name in ("train.bin", "test.bin"):
        records = draw.integers(0, 256, (COUNT, 3073), dtype=np.uint8)
        records[:, 0] = np.arange(COUNT) % 10
        records.tofile(folder / name)
    (folder / "class_names.txt").write_text("".join(f"class {i}\n" for i in range(10)))
    return np.fromfile(folder / "train.bin", np.uint8).reshape(COUNT, 3073)[:, 1:].reshape(COUNT, 3, 32, 32)


def random_model(depth, stem, width):
    torch.manual_seed(depth)
    model = ContrastiveModel(dim=16, depth=depth, stem=stem, width=width)
    for name, tensor in model.state_dict().items():
        if "running_mean" in name:
            tensor.normal_(0, 0.1)
        elif "running_var" in name:
            tensor.uniform_(0.5, 2)
        elif "bn" in name or "shortcut.1" in name:
            tensor.add_(0.1 * torch.randn_like(tensor)) if tensor.is_floating_point() else None
    return model.eval()


def sequential(name):
    for i, child in {0: "conv1", 1: "bn1", 4: "layer1", 5: "layer2", 6: "layer3", 7: "layer4"}.items():
        name = name.replace(f"backbone.{child}.", f"backbone.{i}.")
    return name.replace("shortcut", "downsample").replace("contrastive_head", "projection_head.layers")


SCHEMES = {  # depth, stem, name of a tensor of ours
    "authors": (18, "cifar", lambda n: n),
    "authors on several devices": (18, "stl", lambda n: "module." + n),
    "torchvision": (50, "imagenet", lambda n: n.replace("backbone.", "").replace("shortcut", "downsample")
                    .replace("contrastive_head", "fc")),
    "lightly": (34, "imagenet", sequential),
    "solo-learn": (18, "cifar", lambda n: n.replace("shortcut", "downsample").replace("contrastive_head", "projector")),
}

root = Path(tempfile.mkdtemp())
pixels = write_data(root)
scaled = torch.from_numpy(pixels).double() / 255
images = ((scaled - scaled.mean((0, 2, 3), keepdim=True)) / scaled.std((0, 2, 3), keepdim=True, correction=0)).float()
for scheme, (depth, stem, named) in SCHEMES.items():
    model, out, file = random_model(depth, stem, 8), root / scheme.replace(" ", "_"), root / "weights.safetensors"
    state = model.state_dict()
    save_file({named(name): tensor.contiguous() for name, tensor in state.items()}, file)
    subprocess.run([KITH, "import", file, "--data", f"cifar-format:{root}", "--out", out, "--device", "cpu", "--quiet",
                    "--set", "data.size=0", "--set", f"model.stem={stem}", "--set", "evaluate.knn_k=5"],
                   check=True)
    back = load_file(out / "pretext.safetensors")
    assert back.keys() == state.keys() and all(torch.equal(back[name], state[name]) for name in state), scheme
    model.load_state_dict(back, strict=True)
    with torch.no_grad():
        want = model(images)[1].numpy()
    got = np.load(out / "features_train.npy")
    error = np.linalg.norm(got - want) / np.linalg.norm(want)
    # Normalised layers, each a sum of at most 9 * 64 terms, whose roundings are independent; factor 4 in hand.
    limit = 4 * np.sqrt(depth + 3) * np.sqrt(9 * 64) * 2.0**-24
    print(f"{scheme}, ResNet-{depth}, {stem}: back to the bit; features differ by {error:.1e}, at most {limit:.1e}")
    assert error < limit, scheme
