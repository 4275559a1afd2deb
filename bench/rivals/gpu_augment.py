"""SimCLR's augmentation of images on the device, every view with random numbers of its own: kith against the same policy as batched
PyTorch (eager and compiled), kornia, and torchvision v2, which draws once for the whole batch and so does less. kith works on
bytes as Pillow does; the others in floating point.

    KITH_TREE=build/cuda python bench/rivals/gpu_augment.py augment.json
"""

import math

import gpu_common

args = gpu_common.start(__doc__)
import torch
import torch.nn.functional as F

c = gpu_common.Comparison("augment", args, "simclr policy; bf16 out on a GPU, f32 on the CPU; torchvision draws once for all views")
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)
IMAGES, VIEWS = (4096, 2) if c.cuda else (256, 2)  # as in bench/kernels/augment.cpp
OUT = torch.bfloat16 if c.cuda else torch.float32


def pixels(side):
    return torch.randint(0, 256, (IMAGES, 3, side, side), dtype=torch.uint8, device=c.device)


def chance(n, p):
    return torch.rand(n, 1, 1, 1, device=c.device) < p


def between(n, low, high):
    return low + (high - low) * torch.rand(n, 1, 1, 1, device=c.device)


def luma(x):
    return (x * x.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)


def hue(x, turn):
    """A turn of the chroma plane (YIQ), as batched implementations have it; exact HSV is dearer."""
    n = x.shape[0]
    to = x.new_tensor([[0.299, 0.587, 0.114], [0.596, -0.274, -0.321], [0.211, -0.523, 0.311]])
    angle = (2 * math.pi * turn).view(n)
    cos, sin, zero, one = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    turned = torch.stack([one, zero, zero, zero, cos, -sin, zero, sin, cos], 1).view(n, 3, 3)
    matrix = torch.linalg.inv(to) @ turned @ to
    return (matrix @ x.flatten(2)).view_as(x)


def batched(images, index):
    """Crop and flip by one bilinear sampling, then jitter in a fixed order, grayscale, normalisation."""
    x = images[index].float() / 255
    n = x.shape[0]
    area, ratio = between(n, 0.2, 1.0), torch.exp(between(n, math.log(3 / 4), math.log(4 / 3)))
    w, h = (area * ratio).sqrt().clamp(max=1), (area / ratio).sqrt().clamp(max=1)
    flip = torch.where(chance(n, 0.5), -1.0, 1.0)
    zero = torch.zeros_like(w)
    theta = torch.cat([flip * w, zero, between(n, -1, 1) * (1 - w), zero, h, between(n, -1, 1) * (1 - h)], 1).view(n, 2, 3)
    x = F.grid_sample(x, F.affine_grid(theta, list(x.shape), align_corners=False), mode="bilinear", padding_mode="border",
                      align_corners=False)
    jittered = (x * between(n, 0.6, 1.4)).clamp(0, 1)
    grey = luma(jittered).mean((2, 3), keepdim=True)
    jittered = (grey + (jittered - grey) * between(n, 0.6, 1.4)).clamp(0, 1)
    grey = luma(jittered)
    jittered = (grey + (jittered - grey) * between(n, 0.6, 1.4)).clamp(0, 1)
    jittered = hue(jittered, between(n, -0.1, 0.1)).clamp(0, 1)
    x = torch.where(chance(n, 0.8), jittered, x)
    x = torch.where(chance(n, 0.2), luma(x), x)
    x = (x - x.new_tensor(MEAN).view(1, 3, 1, 1)) / x.new_tensor(STD).view(1, 3, 1, 1)
    return x.to(OUT).to(memory_format=torch.channels_last)


def pytorch(side, transform):
    def make():
        images, f = pixels(side), transform(batched)
        index = torch.arange(IMAGES, device=c.device).repeat_interleave(VIEWS)
        return lambda: f(images, index)

    return make


def kornia(side):
    def make():
        import kornia.augmentation as K

        policy = torch.nn.Sequential(
            K.RandomResizedCrop((side, side), scale=(0.2, 1.0)), K.RandomHorizontalFlip(),
            K.ColorJitter(0.4, 0.4, 0.4, 0.1, p=0.8), K.RandomGrayscale(p=0.2),
            K.Normalize(mean=torch.tensor(MEAN), std=torch.tensor(STD))).to(c.device)
        images = pixels(side)
        index = torch.arange(IMAGES, device=c.device).repeat_interleave(VIEWS)
        return lambda: policy(images[index].float() / 255).to(OUT)

    return make


def torchvision(side):
    def make():
        from torchvision.transforms import v2

        policy = v2.Compose([v2.RandomResizedCrop(side, scale=(0.2, 1.0)), v2.RandomHorizontalFlip(),
                             v2.RandomApply([v2.ColorJitter(0.4, 0.4, 0.4, 0.1)], 0.8), v2.RandomGrayscale(0.2),
                             v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)])
        images = pixels(side)
        index = torch.arange(IMAGES, device=c.device).repeat_interleave(VIEWS)
        return lambda: policy(images[index]).to(OUT)

    return make


def rivals(side):
    made = {"pytorch": pytorch(side, lambda f: f)}
    for name, mode in c.compile_modes().items() if side == 32 else ():
        made[name] = pytorch(side, lambda f, mode=mode: torch.compile(f, mode=mode, dynamic=False))
    return made | {"kornia": kornia(side), "torchvision": torchvision(side)}


sides = (32, 96) if c.cuda else (32,)
c.compare("augment", [(f"{VIEWS * IMAGES} views of {side} x {side}", [f"run/augment_simclr/side:{side}/channels:3/bf16:{int(c.cuda)}"],
                       rivals(side)) for side in sides])
for row in c.rows:
    row["views_per_s"] = {who: round(VIEWS * IMAGES / us * 1e6) for who, us in row["us"].items()}
c.write()
c.finish()
