#!/usr/bin/env bash
# Guess: nlohmann::json refuses what a type cannot hold, writes a NaN as NaN or throws, and value(key, default) covers a missing number.
# Really: get<int>() of 20.9 is 20, get<unsigned>() of -1 is 4294967295 and a uint8_t from 300 is 44, without an error. A NaN or infinity is
# written as null; read back, both get<double>() and value("loss", default) throw, for the key is there. A float 0.1f is written as
# 0.10000000149011612. Python's json writes NaN instead, which nlohmann's parser refuses: the two can't exchange a diverged loss.
# Meets: whoever reads settings, labels or bounding boxes and writes training logs in C++ with it.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
apt-get download -qq nlohmann-json3-dev=3.11.2-2 2>apt.log || { cat apt.log >&2; exit 1; }
dpkg-deb -x nlohmann-json3-dev_*.deb .
cat >look.cpp <<'CPP'
#include <cmath>
#include <cstdint>
#include <iostream>
#include <limits>
#include <nlohmann/json.hpp>
using nlohmann::json;
template <class F>
bool throws(F f) {
  try {
    f();
  } catch (const json::exception& e) {
    std::cout << "  " << e.what() << '\n';
    return true;
  }
  return false;
}
int main() {
  std::cout << "nlohmann-json " << NLOHMANN_JSON_VERSION_MAJOR << '.' << NLOHMANN_JSON_VERSION_MINOR << '.' << NLOHMANN_JSON_VERSION_PATCH << '\n';
  const json given = json::parse(R"({"epochs": 20.9, "clusters": -1, "label": 300})");
  const int epochs = given["epochs"].get<int>();
  const unsigned clusters = given["clusters"].get<unsigned>();
  const int label = given["label"].get<std::uint8_t>();
  std::cout << "20.9 as int " << epochs << ", -1 as unsigned " << clusters << ", 300 as uint8_t " << label << '\n';
  const json log{{"loss", std::nan("")}, {"norm", std::numeric_limits<double>::infinity()}, {"lr", 0.1f}};
  const std::string text = log.dump();
  std::cout << text << '\n';
  const json back = json::parse(text);
  const bool get = throws([&] { (void)back["loss"].get<double>(); });
  const bool value = throws([&] { (void)back.value("loss", 0.0); });
  const bool nan = throws([&] { const json unread = json::parse(R"({"loss": NaN})"); });
  const bool as_found = epochs == 20 && clusters == 4294967295U && label == 44 && get && value && nan &&
                        text == R"({"loss":null,"lr":0.10000000149011612,"norm":null})";
  return as_found ? 0 : 1;
}
CPP
g++ -std=c++17 -O0 -Iusr/include look.cpp -o look
./look
# Seen on Debian 12, Python 3.11, amd64:
#   nlohmann-json 3.11.2
#   20.9 as int 20, -1 as unsigned 4294967295, 300 as uint8_t 44
#   {"loss":null,"lr":0.10000000149011612,"norm":null}
#     [json.exception.type_error.302] type must be number, but is null
#     [json.exception.type_error.302] type must be number, but is null
#     [json.exception.parse_error.101] parse error at line 1, column 10: syntax error while parsing value - invalid literal; last read: '"loss": N'
