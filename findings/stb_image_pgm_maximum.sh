#!/usr/bin/env bash
# Guess: a binary PGM says in its header what white is (the maximum, any number up to 65,535), and a decoder scales its values by it; or
# one that cannot do so says so.
# Really: stb_image reads the maximum and leaves the values as they are: white of a file with the maximum 100 is 100 of 255. Of values of
# two bytes, which the format has big-endian, it keeps the low byte on x86: a smooth ramp comes out as 0 146 36 182 73 219 109 255.
# Neither is an error. Pillow gives 0 128 255 of the one and the ramp's 16 bits of the other.
# Meets: whoever reads scientific or 10-, 12-, 16-bit gray pictures (PGM is what many cameras' and microscopes' tools write) with the
# decoder that most C++ projects use.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
apt-get download -qq libstb-dev=0.0~git20220908.8b5f1f3+ds-1 2>apt.log || { cat apt.log >&2; exit 1; }
dpkg-deb -x libstb-dev_*.deb .
cat > read.c <<'C'
#define STB_IMAGE_IMPLEMENTATION
#include <stdio.h>
#include "stb_image.h"
int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    int w, h, c;
    unsigned char* p = stbi_load(argv[i], &w, &h, &c, 1);
    if (!p) { printf("error: %s\n", stbi_failure_reason()); continue; }
    for (int x = 0; x < w; ++x) printf("%d%c", p[x], x + 1 < w ? ' ' : '\n');
  }
}
C
gcc -O1 -w -I usr/include/stb -o read read.c -lm
# Black, gray and white where white is 100; and a ramp of eight 16-bit values.
printf 'P5\n3 1\n100\n\x00\x32\x64' > hundred.pgm
printf 'P5\n8 1\n65535\n\x00\x00\x24\x92\x49\x24\x6d\xb6\x92\x49\xb6\xdb\xdb\x6d\xff\xff' > ramp.pgm
./read hundred.pgm ramp.pgm | tee seen
test "$(cat seen)" = "$(printf '0 50 100\n0 146 36 182 73 219 109 255')"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check pillow==13.0.0
venv/bin/python -W ignore - <<'PYTHON'
from PIL import Image, __version__

hundred, ramp = (list(Image.open(name).getdata()) for name in ("hundred.pgm", "ramp.pgm"))
print("Pillow", __version__, hundred, ramp)
assert hundred == [0, 128, 255] and ramp == [0, 9362, 18724, 28086, 37449, 46811, 56173, 65535]
PYTHON
# Seen on Debian 12, amd64, stb_image 2.27:
#   0 50 100
#   0 146 36 182 73 219 109 255
#   Pillow 13.0.0 [0, 128, 255] [0, 9362, 18724, 28086, 37449, 46811, 56173, 65535]
