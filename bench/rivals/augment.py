"""Augmentation against the same policies written with Pillow and NumPy, on one core.

Run: python bench/rivals/augment.py [rounds]
"""

import math
import random

import common

threads = common.pin(1)
import numpy as np
import PIL
from PIL import Image, ImageEnhance, ImageOps

IMAGES = 256  # two views each, as in bench/kernels/augment.cpp
MEAN = np.array([0.4914, 0.4822, 0.4465], np.float32)
STD = np.array([0.2023, 0.1994, 0.2010], np.float32)
NEAREST, BILINEAR, AFFINE = Image.Resampling.NEAREST, Image.Resampling.BILINEAR, Image.Transform.AFFINE


def resized_crop_box(width, height):
    """torchvision's RandomResizedCrop; the fall-back of ten failures is the whole image here."""
    area = width * height
    for _ in range(10):
        target = area * random.uniform(0.2, 1.0)
        ratio = math.exp(random.uniform(math.log(3 / 4), math.log(4 / 3)))
        w, h = round(math.sqrt(target * ratio)), round(math.sqrt(target / ratio))
        if 0 < w <= width and 0 < h <= height:
            left, top = random.randint(0, width - w), random.randint(0, height - h)
            return left, top, left + w, top + h
    return 0, 0, width, height


def shift_hue(image, turn):
    if image.mode == "L":
        return image
    h, s, v = image.convert("HSV").split()
    shifted = np.asarray(h) + np.int32(turn * 255).astype(np.uint8)
    return Image.merge("HSV", (Image.fromarray(shifted), s, v)).convert("RGB")


def enhance(kind):
    return lambda image, factor: kind(image).enhance(factor)


JITTER = [
    (enhance(ImageEnhance.Brightness), 0.6, 1.4),
    (enhance(ImageEnhance.Contrast), 0.6, 1.4),
    (enhance(ImageEnhance.Color), 0.6, 1.4),
    (shift_hue, -0.1, 0.1),
]


def normalise(image):
    pixels = np.asarray(image, np.float32) / np.float32(255)
    channels = 1 if pixels.ndim == 2 else 3
    return (pixels.reshape(*pixels.shape[:2], channels) - MEAN[:channels]) / STD[:channels]


def simclr(image):
    image = image.crop(resized_crop_box(*image.size)).resize(image.size, BILINEAR)
    if random.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if random.random() < 0.8:
        for apply, low, high in random.sample(JITTER, 4):
            image = apply(image, random.uniform(low, high))
    if random.random() < 0.2 and image.mode == "RGB":
        image = image.convert("L").convert("RGB")
    return normalise(image)


def sign(v):
    return v if random.random() < 0.5 else -v


def affine(image, *matrix):
    return image.transform(image.size, AFFINE, matrix, NEAREST)


STRONG = [
    (lambda m, v: m, 0, 1),
    (lambda m, v: ImageOps.autocontrast(m), 0, 1),
    (lambda m, v: ImageOps.equalize(m), 0, 1),
    (lambda m, v: m.rotate(sign(v)), -30, 30),
    (lambda m, v: ImageOps.solarize(m, v), 0, 256),
    (enhance(ImageEnhance.Color), 0.05, 0.95),
    (enhance(ImageEnhance.Contrast), 0.05, 0.95),
    (enhance(ImageEnhance.Brightness), 0.05, 0.95),
    (enhance(ImageEnhance.Sharpness), 0.05, 0.95),
    (lambda m, v: affine(m, 1, sign(v), 0, 0, 1, 0), -0.1, 0.1),
    (lambda m, v: affine(m, 1, 0, 0, sign(v), 1, 0), -0.1, 0.1),
    (lambda m, v: affine(m, 1, 0, sign(v) * m.size[0], 0, 1, 0), -0.1, 0.1),
    (lambda m, v: affine(m, 1, 0, 0, 0, 1, sign(v) * m.size[1]), -0.1, 0.1),
    (lambda m, v: ImageOps.posterize(m, int(v)), 4, 8),
]


def strong(image):
    if random.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    for apply, low, high in random.choices(STRONG, k=4):
        image = apply(image, random.uniform(low, high))
    out = normalise(image)
    side, y, x = random.randint(1, image.size[0] // 2), random.randrange(image.size[1]), random.randrange(image.size[0])
    top, left = y - side // 2, x - side // 2
    out[max(0, top) : max(0, top + side), max(0, left) : max(0, left + side)] = 0
    return out


def rival(policy, side, channels):
    shape = (IMAGES, side, side) if channels == 1 else (IMAGES, side, side, channels)
    images = np.random.default_rng(7).integers(0, 256, shape, dtype=np.uint8)
    out = np.empty((2 * IMAGES, side, side, channels), np.float32)

    def batch():
        for i, image in enumerate(images):
            for view in range(2):
                out[2 * i + view] = policy(Image.fromarray(image))

    return batch


def compare(policy, side, channels, rounds):
    batch = rival(policy, side, channels)
    name = f"run/augment_{policy.__name__}/side:{side}/channels:{channels}"
    result = common.interleaved(
        {"kith": lambda: common.ours("augment", name, 0.1), "pillow": lambda: common.timed(batch, 0.1)}, rounds)
    rate = {who: round(2 * IMAGES / result[who]["cpu_ms"]["min"] * 1e3) for who in result}
    return {"policy": policy.__name__, "side": side, "channels": channels, "views per processor second": rate,
            "times": result, "pillow / kith": common.ratio(result, "pillow", "kith")}


random.seed(7)
rounds = common.rounds(7)
sizes = [(14, 1), (16, 3), (28, 1), (32, 3), (96, 3)]
common.write("augment", threads, {"pillow": PIL.__version__, "numpy": np.__version__},
             [compare(policy, side, channels, rounds) for policy in (simclr, strong) for side, channels in sizes])
