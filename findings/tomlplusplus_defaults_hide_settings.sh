#!/usr/bin/env bash
# Guess: in toml++ config["weight_decay"].value_or(0) gives what the file says, converted, and the default where the key is absent; what cannot be converted
# throws.
# Really: the default also stands for every value that its own type cannot hold without loss. The type is that of the literal: a weight decay of 5e-4 read
# with value_or(0) is 0, with value_or(0.0) 5e-4. epochs = "200" is the default, so are 2.5 and a seed of 2^32 for int, -1 for unsigned, 300 for uint8_t,
# the run's number 7 for a text and 2^53 + 1 for double. 1e3 is 1000 for int and 1 is true for bool. Nothing throws, nothing is said, and
# contains() is true.
# Meets: settings of training runs read in C++, where a run with other settings than its file looks like any other.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
apt-get download -qq libtomlplusplus-dev=3.3.0+ds-1 2>apt.log || { cat apt.log >&2; exit 1; }
dpkg-deb -x libtomlplusplus-dev_*.deb .
cat >settings.toml <<'TOML'
weight_decay = 5e-4
epochs = "200"
neighbours = 2.5
seed = 4_294_967_296
limit = -1
clusters = 300
run = 7
images = 9_007_199_254_740_993
batch = 1e3
nesterov = 1
TOML
cat >look.cpp <<'CPP'
#include <cstdint>
#include <iostream>
#include <string_view>
#include <toml++/toml.h>

toml::table settings;
bool as_found = true;

#define LOOK(key, otherwise, wanted)                                                                                        \
  do {                                                                                                                      \
    const auto got = settings[key].value_or(otherwise);                                                                     \
    std::cout << key << " = " << settings[key] << ": value_or(" #otherwise ") gives " << +got << '\n';                      \
    as_found &= got == wanted && settings.contains(key);                                                                    \
  } while (false)

int main() {
  std::cout << "toml++ " << TOML_LIB_MAJOR << '.' << TOML_LIB_MINOR << '.' << TOML_LIB_PATCH << '\n';
  settings = toml::parse_file("settings.toml");
  LOOK("weight_decay", 0, 0);
  LOOK("weight_decay", 0.0, 5e-4);
  LOOK("epochs", 500, 500);
  LOOK("neighbours", 20, 20);
  LOOK("seed", 1, 1);
  LOOK("seed", std::int64_t{1}, std::int64_t{4294967296});
  LOOK("limit", 100U, 100U);
  LOOK("clusters", std::uint8_t{10}, std::uint8_t{10});
  LOOK("images", 0.0, 0.0);
  LOOK("batch", 256, 1000);
  LOOK("nesterov", false, true);
  const std::string_view run = settings["run"].value_or("none");
  std::cout << "run: " << settings["run"] << " in the file, value_or(\"none\") gives " << run << '\n';
  return as_found && run == "none" ? 0 : 1;
}
CPP
g++ -std=c++17 -O0 -Iusr/include look.cpp -o look
./look
# Seen on Debian 12, Python 3.11, amd64:
#   toml++ 3.3.0
#   weight_decay = 0.00050000000000000001: value_or(0) gives 0
#   weight_decay = 0.00050000000000000001: value_or(0.0) gives 0.0005
#   epochs = '200': value_or(500) gives 500
#   neighbours = 2.5: value_or(20) gives 20
#   seed = 4294967296: value_or(1) gives 1
#   seed = 4294967296: value_or(std::int64_t{1}) gives 4294967296
#   limit = -1: value_or(100U) gives 100
#   clusters = 300: value_or(std::uint8_t{10}) gives 10
#   images = 9007199254740993: value_or(0.0) gives 0
#   batch = 1000.0: value_or(256) gives 1000
#   nesterov = 1: value_or(false) gives 1
#   run: 7 in the file, value_or("none") gives none
