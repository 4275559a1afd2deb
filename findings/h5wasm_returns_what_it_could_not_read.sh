#!/usr/bin/env bash
# Guess: a reader of HDF5 that lacks a compression filter throws, as jsfive does ("filter not supported") and h5py without a plugin.
# Really: h5wasm returns an array of the right type and length that was never filled. It holds what was in that memory: next to nothing at first, and
# after a data set of the same size that one, so that 19 in 20 numbers of the test features are those of the training features. Nothing is
# thrown, the HDF5 library's error goes to standard error (in the browser to the console). LZF, part of every h5py, is such a filter.
# Meets: features and pictures written by h5py with compression="lzf" (or a plugin's filter) and shown or queried in the browser or Node.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check h5py==3.16.0 numpy==2.4.6
cd "$place"
npm init -y >npm.log
npm install --silent --no-audit --no-fund --no-update-notifier h5wasm@0.10.3 jsfive@0.4.2 >>npm.log 2>&1 || { cat npm.log >&2; exit 1; }
venv/bin/python - <<'PYTHON'
import h5py
import numpy as np

print("h5py", h5py.__version__)
rng = np.random.default_rng(0)
train, test = np.maximum(rng.standard_normal((2, 200, 64), dtype=np.float32) - 1, 0)  # as after ReLU: five of six are 0
with h5py.File("features.h5", "w") as file:
    file["truth"] = test
    file.create_dataset("train", data=train, compression="gzip", shuffle=True)
    file.create_dataset("test", data=test, compression="lzf")
with h5py.File("features.h5") as file:
    assert (file["test"][:] == test).all()
PYTHON
cat >look.mjs <<'JS'
import assert from "node:assert";
import fs from "node:fs";
import h5wasm from "h5wasm/node";
import { File } from "jsfive";

await h5wasm.ready;
console.log(["h5wasm", "jsfive"].map((name) => `${name} ${JSON.parse(fs.readFileSync(`node_modules/${name}/package.json`)).version}`).join("  "));
const file = new h5wasm.File("features.h5", "r");
const share = (a, b) => a.filter((v, i) => v !== 0 && v === b[i]).length / b.filter((v) => v !== 0).length;
const fresh = file.get("test").value;
const train = file.get("train").value;
const test = file.get("test").value;
const truth = file.get("truth").value;
console.log(`numbers that are not 0: ${truth.filter((v) => v !== 0).length} of ${truth.length}`);
console.log(`test (lzf), read first: ${fresh.constructor.name} of ${fresh.length}, ${share(fresh, truth).toFixed(3)} of them right`);
console.log(`test (lzf), read after train (gzip): ${share(test, truth).toFixed(3)} right, ${share(test, train).toFixed(3)} equal to train`);
assert(fresh.length === 12800 && test.length === 12800 && share(fresh, truth) < 0.01 && share(test, truth) < 0.01 && share(test, train) > 0.9);
let refused = "";
try {
  new File(new Uint8Array(fs.readFileSync("features.h5")).buffer).get("test").value;
} catch (error) {
  refused = String(error.message ?? error);
}
console.log(`jsfive: ${refused}`);
assert(/not supported/.test(refused));
JS
node look.mjs 2>stderr || { cat stderr >&2; exit 1; }
echo "on standard error: $(grep -c 'not registered' stderr) times" "$(grep -m1 -o 'required filter.*' stderr)"
# Seen on Debian 12, Python 3.11, Node 20, amd64:
#   h5py 3.16.0
#   h5wasm 0.10.3  jsfive 0.4.2
#   numbers that are not 0: 2104 of 12800
#   test (lzf), read first: Float32Array of 12800, 0.000 of them right
#   test (lzf), read after train (gzip): 0.000 right, 0.949 equal to train
#   jsfive: NotImplementedError("Filter with id:32000 not supported")
#   on standard error: 2 times required filter 'lzf' is not registered
