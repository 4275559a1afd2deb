"""Decoding a folder of JPEG files to squares: kith against Pillow as torchvision's ImageFolder and a DataLoader use it.

Run: python bench/rivals/pictures.py [rounds]
600 files of 500 x 375 pixels, in ten folders, become squares of 96 (and of 224) pixels, read from the page cache. kith decodes with
two threads into its cache file, as `kith data info` does; the rival opens, converts, resizes and crops with Pillow in two worker
processes and collates batches of uint8 tensors. Both begin with the process that does the work there: kith's time is that of the
command less that of the same command with the pictures decoded, the rival's that of an epoch of a loader with living workers.
"""

import os
import subprocess
import tempfile
import time
from pathlib import Path

import common

threads = common.pin(2)
import numpy as np
import PIL
import torch
from PIL import Image, features
from torch.utils.data import DataLoader, Dataset

FILES, CLASSES, WIDTH, HEIGHT = 600, 10, 500, 375
torch.set_num_threads(1)


def make(folder):
    """Pictures with the spectrum of photographs (amplitude 1 / f^1.2), in quality 92: about 90 kB each."""
    rng = np.random.default_rng(7)
    f = np.hypot(np.fft.fftfreq(HEIGHT)[:, None], np.fft.rfftfreq(WIDTH)[None])
    f[0, 0] = 1

    def field():
        noise = np.fft.irfft2((rng.normal(size=f.shape) + 1j * rng.normal(size=f.shape)) / f**1.2, (HEIGHT, WIDTH))
        return noise / noise.std()

    for i in range(FILES):
        light = 45 * field()
        image = np.stack([light + 10 * field() + rng.uniform(90, 160) for _ in range(3)], -1)
        path = folder / f"class{i % CLASSES}" / f"{i}.jpg"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.clip(image, 0, 255).astype(np.uint8)).save(path, quality=92)


class Folder(Dataset):
    """torchvision.datasets.ImageFolder with Resize and CenterCrop, as its source does them."""

    def __init__(self, root, size):
        self.files = [(path, label) for label, folder in enumerate(sorted(root.iterdir())) for path in sorted(folder.iterdir())]
        self.size = size

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        path, label = self.files[index]
        with open(path, "rb") as file:
            image = Image.open(file).convert("RGB")
        width, height = image.size
        short, size = min(width, height), self.size
        image = image.resize((size * width // short, size * height // short), Image.Resampling.BILINEAR)
        left, top = round((image.width - size) / 2), round((image.height - size) / 2)
        image = image.crop((left, top, left + size, top + size))
        return torch.from_numpy(np.array(image)), label


def kith(root, size):
    """Wall and processor seconds of decoding all files."""
    def command(cache):
        begin, before = time.perf_counter(), os.times()
        subprocess.run([common.BUILD / "apps/kith", "data", "info", f"folder:{root}", "--size", str(size), "--json"], check=True,
                       stdout=subprocess.DEVNULL, env={**os.environ, "KITH_CACHE": cache})
        after = os.times()
        spent = after.children_user + after.children_system - before.children_user - before.children_system
        return time.perf_counter() - begin, spent

    with tempfile.TemporaryDirectory() as cache:
        decoding, found = command(cache), command(cache)
    return {"wall_ms": 1e3 * (decoding[0] - found[0]) / FILES, "cpu_ms": 1e3 * (decoding[1] - found[1]) / FILES}


def workers_seconds(loader):
    """Processor seconds of the loader's processes."""
    ticks = 0
    for worker in loader._workers:
        fields = Path(f"/proc/{worker.pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK") + time.process_time()


class Rival:
    def __init__(self, root, size):
        data = Folder(root, size)
        self.loader = DataLoader(data, batch_size=128, num_workers=threads, persistent_workers=True)
        self.epoch = iter(self.loader)  # starts the workers
        self.count = sum(len(labels) for _, labels in self.epoch)
        assert self.count == FILES

    def __call__(self):
        iterator = self.loader._iterator
        begin, before = time.perf_counter(), workers_seconds(iterator)
        assert sum(len(labels) for _, labels in self.loader) == FILES
        spent = workers_seconds(iterator) - before
        return {"wall_ms": 1e3 * (time.perf_counter() - begin) / FILES, "cpu_ms": 1e3 * spent / FILES}


def compare(root, size, rounds):
    rival = Rival(root, size)
    result = common.interleaved({"kith": lambda: kith(root, size), "pillow": rival}, rounds)
    rate = {who: round(1e3 / result[who]["wall_ms"]["min"]) for who in result}
    return {"pixels": [WIDTH, HEIGHT], "size": size, "pictures per second": rate, "times of a picture": result,
            "pillow / kith": common.ratio(result, "pillow", "kith")}


rounds = common.rounds(5)
with tempfile.TemporaryDirectory() as folder:
    make(Path(folder))
    rows = [compare(Path(folder), size, rounds) for size in (96, 224)]
common.write("pictures", threads, {"pillow": PIL.__version__, "libjpeg-turbo of Pillow": features.version("libjpeg_turbo"),
                                   "torch": torch.__version__}, rows)
