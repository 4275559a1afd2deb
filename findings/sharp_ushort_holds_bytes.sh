#!/usr/bin/env bash
# Guess: raw({ depth: "ushort" }) of a 16-bit gray PNG gives its 16-bit values, which metadata() and stats() tell too.
# Really: the pipeline turns the picture into 8-bit sRGB before it changes the depth: 20,000 to 51,500 become 78 to 201 in three channels, in an array of
# 16-bit numbers; depth "float" has the same whole numbers. PNG and TIFF written after a resize have 8 bits. No error, no warning.
# toColourspace("grey16") keeps the bits in raw numbers and PNG; a TIFF has 8 bits all the same.
# Meets: depth maps, X-rays, microscope and satellite pictures, label maps of more than 255 classes, prepared in Node.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
npm init -y >npm.log
npm install --silent --no-audit --no-fund --no-update-notifier sharp@0.35.5 pngjs@7.0.0 >>npm.log 2>&1 || { cat npm.log >&2; exit 1; }
cat >look.mjs <<'JS'
import assert from "node:assert";
import fs from "node:fs";
import { PNG } from "pngjs";
import sharp from "sharp";

const names = ["sharp", "pngjs"];
console.log(names.map((name) => `${name} ${JSON.parse(fs.readFileSync(`node_modules/${name}/package.json`)).version}`).join("  "));
const side = 8;
const values = Uint16Array.from({ length: side * side }, (_, i) => 20000 + 500 * i);
const file = PNG.sync.write({ width: side, height: side, data: Buffer.from(values.buffer) }, { bitDepth: 16, colorType: 0, inputColorType: 0, inputHasAlpha: false });
const { depth, space, channels } = await sharp(file).metadata();
const stats = (await sharp(file).stats()).channels;
console.log(`file: depth ${depth}, space ${space}, ${channels} channel, maximum by stats() ${stats[0].max}`);
assert(depth === "ushort" && channels === 1 && stats[0].max === 51500);
const read = async (picture, depth) => {
  const { data, info } = await picture.raw({ depth }).toBuffer({ resolveWithObject: true });
  const numbers = new (depth === "float" ? Float32Array : Uint16Array)(data.buffer.slice(data.byteOffset, data.byteOffset + data.length));
  const [first, last] = [numbers[0], numbers[numbers.length - 1]];
  console.log(`   ${info.channels} channels of ${info.depth}, ${numbers.length} numbers: ${first} to ${last}, ${new Set(numbers).size} levels`);
  return { numbers, first, last, channels: info.channels };
};
for (const depth of ["ushort", "float"]) {
  console.log(`raw({ depth: "${depth}" })`);
  const found = await read(sharp(file), depth);
  assert(found.channels === 3 && found.first === 78 && found.last === 201);
  console.log(`   after toColourspace("grey16")`);
  const right = await read(sharp(file).toColourspace("grey16"), depth);
  assert(right.channels === 1 && right.numbers.every((v, i) => v === values[i]));
}
for (const format of ["png", "tiff"]) {
  const resized = [sharp(file), sharp(file).toColourspace("grey16")].map((picture) => picture.resize(4, 4).toFormat(format).toBuffer());
  const depths = (await Promise.all((await Promise.all(resized)).map((buffer) => sharp(buffer).metadata()))).map((found) => found.depth);
  console.log(`${format} of a resized picture: ${depths[0]}, after toColourspace("grey16") ${depths[1]}`);
  assert(depths[0] === "uchar" && depths[1] === (format === "png" ? "ushort" : "uchar"));
}
JS
node look.mjs
# Seen on Debian 12, Node 20, amd64:
#   sharp 0.35.5  pngjs 7.0.0
#   file: depth ushort, space grey16, 1 channel, maximum by stats() 51500
#   raw({ depth: "ushort" })
#      3 channels of ushort, 192 numbers: 78 to 201, 64 levels
#      after toColourspace("grey16")
#      1 channels of ushort, 64 numbers: 20000 to 51500, 64 levels
#   raw({ depth: "float" })
#      3 channels of float, 192 numbers: 78 to 201, 64 levels
#      after toColourspace("grey16")
#      1 channels of float, 64 numbers: 20000 to 51500, 64 levels
#   png of a resized picture: uchar, after toColourspace("grey16") ushort
#   tiff of a resized picture: uchar, after toColourspace("grey16") uchar
