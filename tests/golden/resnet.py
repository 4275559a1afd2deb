"""Golden ResNet-18 and -50: state, two training passes in float64 (features, embeddings, gradients of all parameters, running
statistics), features in eval mode. One file per case. Run from the repository root: python tests/golden/resnet.py"""
import torch
from safetensors.torch import save_file

from resnet_model import ContrastiveModel
from place import values

CASES = {  # stem, width, input channels, depth, batch shape
    "cifar": dict(stem="cifar", width=3, in_channels=3, depth=18, size=(6, 9, 8)),
    "stl": dict(stem="stl", width=2, in_channels=1, depth=18, size=(4, 16, 16)),
    "imagenet": dict(stem="imagenet", width=2, in_channels=3, depth=18, size=(3, 37, 33)),
    "50": dict(stem="cifar", width=2, in_channels=3, depth=50, size=(6, 9, 8)),
}

for name, case in CASES.items():
    torch.manual_seed(7)
    model = ContrastiveModel(dim=4, **{k: v for k, v in case.items() if k != "size"})
    with torch.no_grad():
        for key, p in model.named_parameters():
            if "bn" in key or "shortcut.1" in key:
                p.add_(0.2 * torch.randn_like(p))
    n, h, w = case["size"]
    draw = lambda *shape: torch.randn(*shape).double()
    out = {f"state.{k}": v.clone() for k, v in model.state_dict().items()}
    model.double()
    images = draw(n, case["in_channels"], h, w)
    d_features, d_z = draw(n, model.backbone.features), draw(n, 4)
    features, z = model(images)
    (features * d_features).sum().add((z * d_z).sum()).backward()
    out |= {f"grad.{k}": p.grad for k, p in model.named_parameters()}
    out |= {f"after.{k}": v.clone() for k, v in model.state_dict().items() if "running" in k or "num_batches" in k}
    out |= dict(images=images.permute(0, 2, 3, 1), features=features, z=z, d_features=d_features, d_z=d_z)
    model.eval()
    out["eval_features"] = model.backbone(images)
    save_file({k: (v.detach().float() if v.is_floating_point() else v).contiguous() for k, v in out.items()},
              values(f"resnet_{name}"))
