"""Golden ResNet-18: state, two training passes in float64 (features, embeddings, gradients of all parameters, running
statistics), features in eval mode. One file per stem. Run from the repository root: python tests/golden/resnet.py"""
import torch
from safetensors.torch import save_file

from resnet_model import ContrastiveModel
from place import values

CASES = {  # width, input channels, depth, batch shape
    "cifar": dict(width=3, in_channels=3, depth=18, size=(6, 9, 8)),
    "stl": dict(width=2, in_channels=1, depth=18, size=(4, 16, 16)),
    "imagenet": dict(width=2, in_channels=3, depth=18, size=(3, 37, 33)),
}

for stem, case in CASES.items():
    torch.manual_seed(7)
    model = ContrastiveModel(dim=4, stem=stem, **{k: case[k] for k in ("width", "in_channels", "depth")})
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "bn" in name or "shortcut.1" in name:
                p.add_(0.2 * torch.randn_like(p))
    n, h, w = case["size"]
    draw = lambda *shape: torch.randn(*shape).double()
    out = {f"state.{k}": v.clone() for k, v in model.state_dict().items()}
    model.double()
    images = draw(n, case["in_channels"], h, w)
    d_features, d_z = draw(n, 8 * case["width"]), draw(n, 4)
    features, z = model(images)
    (features * d_features).sum().add((z * d_z).sum()).backward()
    out |= {f"grad.{k}": p.grad for k, p in model.named_parameters()}
    out |= {f"after.{k}": v.clone() for k, v in model.state_dict().items() if "running" in k or "num_batches" in k}
    out |= dict(images=images.permute(0, 2, 3, 1), features=features, z=z, d_features=d_features, d_z=d_z)
    model.eval()
    out["eval_features"] = model.backbone(images)
    save_file({k: (v.detach().float() if v.is_floating_point() else v).contiguous() for k, v in out.items()},
              values(f"resnet_{stem}"))
