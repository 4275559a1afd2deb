#!/usr/bin/env python3
"""ONNX files that kith writes, checked by the onnx package and computed by ONNX Runtime: logits, features and probabilities of 1 and of
7 images against kith's. Exits with 77, "skipped", where one of numpy, onnx, onnxruntime, safetensors is not installed.

    python tests/golden/check_onnx.py build/cpu/tests/scan/stages_tests
"""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    import numpy as np
    import onnx
    import onnxruntime
    from safetensors.numpy import load_file
except ImportError as missing:
    print(f"SKIPPED: ONNX files were not computed by ONNX Runtime: {missing}")
    sys.exit(77)


def check(folder):
    model = onnx.load(folder / "net.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert (model.ir_version, model.opset_import[0].version) == (8, 17)
    io = load_file(folder / "io.safetensors")
    images = np.ascontiguousarray(io["images"].transpose(0, 3, 1, 2), np.float32) / np.float32(255)
    weights = [onnx.numpy_helper.to_array(w) for w in model.graph.initializer]
    convolutions = [w for w in weights if w.ndim == 4 and w.shape[0] > 1]
    # Normalised layers, each a sum of at most so many terms, whose roundings are independent; factor 4 in hand.
    limit = 4 * np.sqrt(len(convolutions) * max(w[0].size for w in convolutions)) * 2.0**-24
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    for optimised in (onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL, onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL):
        options.graph_optimization_level = optimised
        session = onnxruntime.InferenceSession(str(folder / "net.onnx"), options, providers=["CPUExecutionProvider"])
        for batch in (images[:1], images):
            for name in ("logits", "features", "probabilities"):
                got, = session.run([name], {"images": batch})
                want = io[name][: len(batch)]
                assert got.shape == want.shape, (got.shape, want.shape)
                error = np.linalg.norm(got - want) / np.linalg.norm(want)
                print(f"{folder.name}: {name} of {len(batch)}, {optimised.name}: differ by {error:.1e}, at most {limit:.1e}")
                assert error < limit
    print(f"{folder.name}: {dict((p.key, p.value) for p in model.metadata_props)}")


with tempfile.TemporaryDirectory() as root:
    subprocess.run([sys.argv[1], "--gtest_filter=Export.ForOnnxRuntime"], check=True, stdout=subprocess.DEVNULL,
                   env=os.environ | {"KITH_EXPORT": root})
    networks = sorted(Path(root).iterdir())
    assert networks
    for network in networks:
        check(network)
