"""Golden picture files, with the pixels that Pillow has of them. Writes pictures.safetensors next to this file.

Run with Pillow, NumPy and safetensors. Every array is uint8: file.NAME the bytes, rgb.NAME [height, width, 3] the picture upright
and over white, square.NAME [12, 12, 3] its centre resized. What Pillow cannot write is put together here, and what it reads
otherwise than data/pictures/decode.h says is computed here: 16 bits, whose high byte counts.
"""

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps
from safetensors.numpy import save_file

from place import values

RNG = np.random.default_rng(20261129)
SIZE = 12


def texture(height, width):
    y, x = np.mgrid[0:height, 0:width]
    planes = [128 + 80 * np.sin(0.21 * x * (c + 1) + 0.13 * y) + RNG.normal(0, 6, (height, width)) for c in range(3)]
    return np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def upright(file):
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(file)))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def square(image, box_width, box_height):
    """Across, then down, as every Pillow did before 13 (which begins with the cheaper direction)."""
    side = min(box_width, box_height)
    left, top = (box_width - side) / 2, (box_height - side) / 2
    wide = image.resize((SIZE, image.height), Image.Resampling.BILINEAR, (left, 0, left + side, image.height))
    return np.asarray(wide.resize((SIZE, SIZE), Image.Resampling.BILINEAR, (0, top, SIZE, top + side)))


def put(out, name, file, rgb=None):
    image = upright(file) if rgb is None else Image.fromarray(rgb)
    out[f"file.{name}"] = np.frombuffer(file, np.uint8)
    out[f"rgb.{name}"] = np.asarray(image)
    out[f"square.{name}"] = square(image, *image.size)


def put_scaled(out, name, file, scale):
    """Decoded at 1 / scale, the part of the pixels that is the picture resized."""
    image = Image.open(io.BytesIO(file))
    width, height = image.size
    image.draft("RGB", (width // scale, height // scale))
    assert image.size == (-(-width // scale), -(-height // scale)), image.size
    out[f"file.{name}"] = np.frombuffer(file, np.uint8)
    out[f"square.{name}"] = square(image.convert("RGB"), width / scale, height / scale)


def png(pixels, bits, kind):
    """Of pixels [height, width, channels], filter 0."""
    height, width = pixels.shape[:2]
    rows = pixels.astype(">u2" if bits == 16 else np.uint8).reshape(height, -1)
    data = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(data)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks)


def jpegs(out):
    photo = Image.fromarray(texture(30, 41))
    for name, options in {"444": {"subsampling": 0}, "422": {"subsampling": 1}, "420": {"subsampling": 2},
                          "progressive": {"progressive": True}, "restart": {"restart_marker_blocks": 2}}.items():
        put(out, f"jpeg_{name}", saved(photo, "JPEG", quality=85, **options))
    put(out, "jpeg_gray", saved(photo.convert("L"), "JPEG"))
    put(out, "jpeg_cmyk", saved(photo.convert("CMYK"), "JPEG", quality=85))
    small = Image.fromarray(texture(9, 16))
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        put(out, f"jpeg_turned{orientation}", saved(small, "JPEG", quality=85, exif=exif))
    exif = Image.Exif()
    exif[0x0112] = 6
    put(out, "png_turned6", saved(small, "PNG", exif=exif))
    put(out, "webp_turned6", saved(small, "WEBP", exif=exif))
    large = Image.fromarray(texture(205, 251))
    put_scaled(out, "scaled_8", saved(large, "JPEG", quality=60, subsampling=2), 8)
    put_scaled(out, "scaled_4_of_422", saved(large, "JPEG", quality=60, subsampling=1), 4)
    put_scaled(out, "scaled_2", saved(Image.fromarray(texture(51, 60)), "JPEG", quality=60, subsampling=0), 2)


def transparent(out):
    rgba = np.concatenate([texture(20, 17), RNG.integers(0, 256, (20, 17, 1), np.uint8)], -1)
    rgba[:5, :, 3], rgba[5:9, :, 3] = 0, 255
    image = Image.fromarray(rgba)
    put(out, "png_rgba", saved(image, "PNG"))
    put(out, "png_la", saved(image.convert("LA"), "PNG"))
    put(out, "webp_rgba", saved(image, "WEBP", lossless=True, exact=True))
    put(out, "tga_rgba", saved(image, "TGA"))
    palette = Image.fromarray(texture(20, 17)).quantize(16)
    put(out, "png_palette_transparent", saved(palette, "PNG", transparency=3))
    put(out, "gif_transparent", saved(palette, "GIF", transparency=3, background=3))


def others(out):
    a = texture(20, 17)
    image = Image.fromarray(a)
    put(out, "png_rgb", saved(image, "PNG"))
    put(out, "png_palette", saved(image.quantize(16), "PNG"))
    put(out, "png_bits", saved(image.convert("1"), "PNG"))
    put(out, "bmp", saved(image, "BMP"))
    put(out, "bmp_palette", saved(image.quantize(16), "BMP"))
    put(out, "gif", saved(image.quantize(16), "GIF"))
    put(out, "gif_animated", saved(image.quantize(16), "GIF", save_all=True, append_images=[image.rotate(90).quantize(16)]))
    put(out, "tga", saved(image, "TGA"))
    put(out, "tga_runs", saved(image.quantize(4), "TGA", compression="tga_rle"))
    put(out, "ppm", saved(image, "PPM"))
    put(out, "pgm", saved(image.convert("L"), "PPM"))
    put(out, "webp_lossy", saved(image, "WEBP", quality=70))
    put(out, "webp_animated", saved(image, "WEBP", save_all=True, append_images=[image.rotate(90)]))
    put(out, "png_one_pixel", saved(image.crop((3, 3, 4, 4)), "PNG"))
    deep = a.astype(np.uint16) * 256 + RNG.integers(0, 256, a.shape, np.uint16)
    put(out, "png_16_rgb", png(deep, 16, 2), a)
    put(out, "png_16_gray", png(deep[..., :1], 16, 0), np.repeat(a[..., :1], 3, -1))
    put(out, "pgm_16", b"P5 17 20 65535\n" + deep[..., 0].astype(">u2").tobytes(), np.repeat(a[..., :1], 3, -1))
    psd = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 20, 17, 8, 3) + struct.pack(">III", 0, 0, 0) + struct.pack(">H", 0)
    put(out, "psd", psd + a.transpose(2, 0, 1).tobytes(), a)


def main():
    out = {}
    jpegs(out)
    transparent(out)
    others(out)
    save_file({k: np.ascontiguousarray(v) for k, v in out.items()}, values("pictures"))


if __name__ == "__main__":
    main()
