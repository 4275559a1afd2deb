"""Names and shapes of weight files from elsewhere, as the libraries themselves make them: torchvision 0.29.1, lightly 1.5.22, and
solo-learn's SimCLR for CIFAR (solo/methods/base.py, simclr.py at 2023: torchvision's ResNet with another conv1 and no fc).
SCHEME/NAME is the shape, I64. Run from the repository root: python tests/golden/foreign_names.py"""
import torch
import torchvision
from lightly.models import ResNetGenerator
from lightly.models.modules.heads import SimCLRProjectionHead
from safetensors.torch import save_file
from torch import nn

from place import values


def children(net, *more):
    return nn.Sequential(*list(net.children())[:-1], *more)


def solo_learn(hidden):
    backbone = torchvision.models.resnet18()
    backbone.fc = nn.Identity()
    backbone.conv1 = nn.Conv2d(3, 64, kernel_size=3, stride=1, padding=2, bias=False)
    projector = nn.Sequential(nn.Linear(512, hidden), nn.ReLU(), nn.Linear(hidden, 128))
    return nn.ModuleDict(dict(backbone=backbone, classifier=nn.Linear(512, 10), projector=projector))


def lightly(backbone, **head):
    return nn.ModuleDict(dict(backbone=backbone, projection_head=SimCLRProjectionHead(512, 512, 128, **head)))


SCHEMES = {
    "torchvision_18": torchvision.models.resnet18(),
    "torchvision_50": torchvision.models.resnet50(),
    "lightly": lightly(children(torchvision.models.resnet18()), batch_norm=False),
    "lightly_batch_norm": lightly(children(torchvision.models.resnet18())),
    "lightly_own": lightly(children(ResNetGenerator("resnet-18"), nn.AdaptiveAvgPool2d(1)), batch_norm=False),
    "solo_learn": solo_learn(512),
    "solo_learn_2048": solo_learn(2048),
}
save_file({f"{scheme}/{name}": torch.tensor(tensor.shape, dtype=torch.int64)
           for scheme, model in SCHEMES.items() for name, tensor in model.state_dict().items()},
          values("foreign_names"))
