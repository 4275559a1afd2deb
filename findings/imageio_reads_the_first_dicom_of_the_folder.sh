#!/usr/bin/env bash
# Guess: imageio.v3.imread("b.dcm") gives the picture in b.dcm, as imageio.v2.imread does, with slope and intercept applied or not.
# Really: it walks through the folder of that file and the folders below, sorts what it finds into series and gives the first of them by its UID: twelve
# radiographs of twelve people in one folder are twelve times the same picture, a file above folders of others is a picture of theirs. The slices of
# one scan alone in a folder are themselves. "Found 12 correct series" is all that is said. v2 and plugin="pydicom" are right.
# Meets: data sets of X-rays, one DICOM file a picture, read for training or turned into PNG.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check imageio==2.38.1 pydicom==3.0.2 numpy==2.4.6
# Python hides the warning about the plugin to come from all but __main__
"$place/venv/bin/python" -W error -W ignore::DeprecationWarning - "$place" <<'PYTHON'
import contextlib
import io
import sys
from importlib.metadata import version
from pathlib import Path

import imageio.v2
import imageio.v3
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

print("  ".join(f"{name} {version(name)}" for name in ("imageio", "pydicom", "numpy")))


def write(path, pixels, series, number=1):
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = DigitalXRayImageStorageForPresentation
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid(entropy_srcs=[series, str(number)])
    data.StudyInstanceUID = data.SeriesInstanceUID = generate_uid(entropy_srcs=[series])
    data.PatientID = series
    data.Modality, data.InstanceNumber = "DX", number
    data.ImagePositionPatient, data.ImageOrientationPatient = [0, 0, number], [1, 0, 0, 0, 1, 0]
    data.PixelSpacing, data.SliceThickness = [1, 1], 1
    data.Rows, data.Columns = pixels.shape
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PixelRepresentation = 1, "MONOCHROME2", 0
    data.BitsAllocated = data.BitsStored = 16
    data.HighBit = 15
    data.PixelData = pixels.astype("<u2").tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save_as(path, enforce_file_format=True)


def read(reader, path):
    with contextlib.redirect_stdout(io.StringIO()) as said:
        pixels = np.asarray(reader.imread(path))
    return pixels, said.getvalue()


rng = np.random.default_rng(0)
cases = {
    "twelve people in one folder": [(f"one/{i:02d}.dcm", f"person {i}", 1) for i in range(12)],
    "a folder for each": [(f"each/{i:02d}/{i:02d}.dcm", f"person {i}", 1) for i in range(12)],
    "one person above the folders of eleven": [("above/00.dcm", "person 0", 1)] + [(f"above/{i:02d}/{i:02d}.dcm", f"person {i}", 1) for i in range(1, 12)],
    "twelve slices of one scan": [(f"scan/{i:02d}.dcm", "person 0", i + 1) for i in range(12)],
}
for name, files in cases.items():
    pictures = {Path(sys.argv[1]) / path: rng.integers(0, 4096, (16, 16)) for path, _, _ in files}
    for (path, pixels), (_, series, number) in zip(pictures.items(), files):
        write(path, pixels, series, number)
        assert np.array_equal(pydicom.dcmread(path).pixel_array, pixels)
    old, new = ([read(reader, path)[0] for path in pictures] for reader in (imageio.v2, imageio.v3))
    assert all(np.array_equal(imageio.v3.imread(path, plugin="pydicom"), pixels) for path, pixels in pictures.items())
    right = [sum(np.array_equal(a, b) for a, b in zip(found, pictures.values())) for found in (old, new)]
    different = len({pixels.tobytes() for pixels in new})
    print(f"{name}: right with v2 {right[0]} of 12, with v3 {right[1]}; {different} different pictures from v3")
    assert right[0] == 12
    if name.startswith("twelve people"):
        assert right[1] == different == 1
        print(f"   said: {read(imageio.v3, next(iter(pictures)))[1].split(chr(10))[-2].strip()}")
    elif name.startswith("one person"):
        assert right[1] == different == 11
    else:
        assert right[1] == different == 12
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   imageio 2.38.1  pydicom 3.0.2  numpy 2.4.6
#   twelve people in one folder: right with v2 12 of 12, with v3 1; 1 different pictures from v3
#      said: Found 12 correct series.
#   a folder for each: right with v2 12 of 12, with v3 12; 12 different pictures from v3
#   one person above the folders of eleven: right with v2 12 of 12, with v3 11; 11 different pictures from v3
#   twelve slices of one scan: right with v2 12 of 12, with v3 12; 12 different pictures from v3
