"""ResNet-18/34/50 with the SCAN authors' tensor names, in PyTorch: the other side of resnet.py, check_export.py and the benchmark."""
import torch
import torch.nn as nn
import torch.nn.functional as F


class Block(nn.Module):
    def __init__(self, cin, cout, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(cout)
        self.shortcut = nn.Sequential()
        if stride != 1 or cin != cout:
            self.shortcut = nn.Sequential(nn.Conv2d(cin, cout, 1, stride, bias=False), nn.BatchNorm2d(cout))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class Bottleneck(nn.Module):
    def __init__(self, cin, inner, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(cin, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, 4 * inner, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * inner)
        self.shortcut = nn.Sequential()
        if stride != 1 or cin != 4 * inner:
            self.shortcut = nn.Sequential(nn.Conv2d(cin, 4 * inner, 1, stride, bias=False), nn.BatchNorm2d(4 * inner))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + self.shortcut(x))


class ResNet(nn.Module):
    def __init__(self, width=64, in_channels=3, stem="cifar", depth=18):
        super().__init__()
        kernel, stride, padding = (7, 2, 3) if stem == "imagenet" else (3, 1, 1)
        self.conv1 = nn.Conv2d(in_channels, width, kernel, stride, padding, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.pool = {"cifar": nn.Identity(), "stl": nn.MaxPool2d(2, 2, 1), "imagenet": nn.MaxPool2d(3, 2, 1)}[stem]
        cin, kind, expansion = width, *((Bottleneck, 4) if depth == 50 else (Block, 1))
        for i, blocks in enumerate({18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}[depth]):
            layer = []
            for b in range(blocks):
                layer.append(kind(cin, width << i, 2 if i and b == 0 else 1))
                cin = expansion * (width << i)
            setattr(self, f"layer{i + 1}", nn.Sequential(*layer))
        self.features = cin

    def forward(self, x):
        y = self.pool(F.relu(self.bn1(self.conv1(x))))
        y = self.layer4(self.layer3(self.layer2(self.layer1(y))))
        return y.mean((2, 3))


class ContrastiveModel(nn.Module):
    def __init__(self, dim=128, **backbone):
        super().__init__()
        self.backbone = ResNet(**backbone)
        features = self.backbone.features
        self.contrastive_head = nn.Sequential(nn.Linear(features, features), nn.ReLU(), nn.Linear(features, dim))

    def forward(self, x):
        features = self.backbone(x)
        return features, F.normalize(self.contrastive_head(features), dim=1)
