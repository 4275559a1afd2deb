"""Golden vectors of the image operations: Pillow on small images. Writes augment.safetensors next to this file.

Run with Pillow, NumPy and safetensors. Every array is uint8; names are OPERATION.IMAGE, the first axis runs over the
parameters below, which tests/kernels/augment_ops.cpp repeats.
"""


import numpy as np
from PIL import Image, ImageEnhance, ImageOps
from safetensors.numpy import save_file

from place import values

RNG = np.random.default_rng(20200524)
SHAPES = {"small": (8, 8), "odd": (11, 7), "large": (33, 31)}  # height, width
FACTORS = [0.0, 0.05, 0.3, 0.6, 1.0, 1.4, 1.85]
BOXES = [(0, 0, 8, 8, 8, 8), (1, 2, 5, 3, 8, 8), (0, 1, 8, 5, 5, 11), (2, 0, 1, 8, 8, 3), (3, 3, 1, 1, 4, 4)]
LARGE_BOXES = [(0, 0, 33, 31, 14, 16), (4, 3, 20, 27, 33, 31), (1, 0, 31, 29, 9, 4), (0, 5, 33, 9, 7, 20)]
ANGLES = [-30.0, -17.25, 0.0, 3.5, 12.0, 29.9]
THRESHOLDS = [0.0, 77.5, 128.0, 255.5, 256.0]
SIGMAS = [0.1, 0.8, 2.0]
SHIFTS = [0, 1, 25, 128, 230, 255]
LARGE = {1: {"rotate", "shear_x", "blur"}, 3: {"autocontrast", "equalize", "flip"}}
SHARES = [-0.1, -0.037, 0.0, 0.05, 0.099]


def make(kind, height, width, channels):
    """Smooth structure plus noise, so that equalize, autocontrast and resizing all have something to do."""
    y, x = np.mgrid[0:height, 0:width]
    planes = []
    for c in range(channels):
        base = 120 + 70 * np.sin(0.3 * x * (c + 1) + 0.2 * y) + RNG.normal(0, 12, (height, width))
        planes.append(np.clip(base, 10 + 5 * c, 230 - 9 * c))
    return np.stack(planes, -1).astype(np.uint8)


def pil(a):
    return Image.fromarray(a[..., 0] if a.shape[-1] == 1 else a)


def array(image):
    a = np.asarray(image, dtype=np.uint8)
    return np.ascontiguousarray(a[..., None] if a.ndim == 2 else a)


def hue(image, shift):
    """torchvision's adjust_hue on a PIL image, with the 8-bit shift given."""
    h, s, v = image.convert("HSV").split()
    h = Image.fromarray((np.asarray(h, dtype=np.int32) + shift & 255).astype(np.uint8))
    return Image.merge("HSV", (h, s, v)).convert("RGB")


def affine(image, matrix):
    return image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.NEAREST)


def blur(a, sigma):
    """The definition in kernels/cpu/augment_image.h, in float64."""
    out = a.astype(np.float64)
    for axis in (1, 0):
        side = a.shape[axis]
        radius = max(1, side // 20)
        t = np.arange(-radius, radius + 1)
        w = np.exp(-0.5 * (t / sigma) ** 2)
        w /= w.sum()
        at = np.abs(np.arange(side)[:, None] + t)
        at = np.where(at >= side, 2 * (side - 1) - at, at)
        out = (np.take(out, at, axis) * (w[:, None] if axis == 1 else w[:, None, None])).sum(axis + 1)
    return np.clip(np.floor(out + 0.5), 0, 255).astype(np.uint8)


def operations(a, out, tag, only=None):
    image = pil(a)
    w, h = image.size

    def put(name, results):
        if only is None or name in only:
            out[f"{name}.{tag}"] = np.stack([array(r) for r in results])

    put("autocontrast", [ImageOps.autocontrast(image)])
    put("equalize", [ImageOps.equalize(image)])
    put("flip", [image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)])
    put("posterize", [ImageOps.posterize(image, bits) for bits in range(4, 9)])
    put("solarize", [ImageOps.solarize(image, threshold) for threshold in THRESHOLDS])
    put("brightness", [ImageEnhance.Brightness(image).enhance(f) for f in FACTORS])
    put("contrast", [ImageEnhance.Contrast(image).enhance(f) for f in FACTORS])
    put("saturation", [ImageEnhance.Color(image).enhance(f) for f in FACTORS])
    put("sharpness", [ImageEnhance.Sharpness(image).enhance(f) for f in FACTORS])
    put("rotate", [image.rotate(angle) for angle in ANGLES])
    put("shear_x", [affine(image, (1, v, 0, 0, 1, 0)) for v in SHARES])
    put("shear_y", [affine(image, (1, 0, 0, v, 1, 0)) for v in SHARES])
    put("translate_x", [affine(image, (1, 0, v * w, 0, 1, 0)) for v in SHARES])
    put("translate_y", [affine(image, (1, 0, 0, 0, 1, v * h)) for v in SHARES])
    put("blur", [pil(blur(a, sigma)) for sigma in SIGMAS])
    if a.shape[-1] == 3:
        put("grayscale", [image.convert("L").convert("RGB")])
        put("hue", [hue(image, shift) for shift in SHIFTS])


def crops(a, boxes, out, tag):
    image = pil(a)
    for i, (top, left, h, w, out_h, out_w) in enumerate(boxes):
        # Horizontally, then vertically, as every Pillow did before 13 (which begins with the cheaper direction).
        wide = image.crop((left, top, left + w, top + h)).resize((out_w, h), Image.Resampling.BILINEAR)
        out[f"crop{i}.{tag}"] = array(wide.resize((out_w, out_h), Image.Resampling.BILINEAR))


def main():
    out = {}
    for name, (height, width) in SHAPES.items():
        for channels in (1, 3):
            tag = f"{name}{channels}"
            a = make(name, height, width, channels)
            out[f"image.{tag}"] = a
            crops(a, LARGE_BOXES if name == "large" else [b for b in BOXES if b[1] + b[3] <= width], out, tag)
            operations(a, out, tag, LARGE[channels] if name == "large" else None)
    # One colour, and two levels: tables without a range or a step.
    for tag, levels, shape in (("flat3", [90], (8, 8, 3)), ("two1", [30, 200], (24, 24, 1))):
        a = RNG.choice(levels, shape).astype(np.uint8)
        out[f"image.{tag}"] = a
        operations(a, out, tag, {"autocontrast", "equalize", "contrast"})
    # Colours in a line: corners, greys, and random ones, through every hue shift that matters.
    corners = [(r, g, b) for r in (0, 1, 128, 254, 255) for g in (0, 1, 128, 254, 255) for b in (0, 1, 128, 254, 255)]
    colours = np.concatenate([np.array(corners), RNG.integers(0, 256, (375, 3))]).astype(np.uint8)[None]
    out["image.colours"] = colours
    operations(colours, out, "colours", {"hue"})
    save_file({k: np.ascontiguousarray(v) for k, v in out.items()}, values("augment"))


if __name__ == "__main__":
    main()
