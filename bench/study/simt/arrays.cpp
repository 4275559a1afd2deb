#include "bench/study/simt/arrays.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string_view>

namespace kith::study {

Arrays*& recorded() {
  static Arrays* arrays = nullptr;
  return arrays;
}

namespace {

template <class T>
T element(const std::vector<unsigned char>& bytes, size_t i) {
  T value;
  std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
  return value;
}

// The elements as f(bytes, i) of one type of number: integers as int64_t, the others as double.
template <class F>
void with_elements(std::string_view type, F f) {
  using Bytes = std::vector<unsigned char>;
  if (type == "f32") return f([](const Bytes& b, size_t i) { return static_cast<double>(element<float>(b, i)); });
  if (type == "f64") return f([](const Bytes& b, size_t i) { return element<double>(b, i); });
  if (type == "bf16")
    return f([](const Bytes& b, size_t i) { return static_cast<double>(widen(element<bf16>(b, i))); });
  if (type == "int32") return f([](const Bytes& b, size_t i) { return int64_t{element<int32_t>(b, i)}; });
  if (type == "uint32") return f([](const Bytes& b, size_t i) { return int64_t{element<uint32_t>(b, i)}; });
  if (type == "uint8") return f([](const Bytes& b, size_t i) { return int64_t{b[i]}; });
  return f([](const Bytes& b, size_t i) { return element<int64_t>(b, i); });
}

bool same(int64_t got, int64_t want, double, double, double&) { return got == want; }

bool same(double got, double want, double magnitude, double tolerance, double& largest) {
  if (got == want || (std::isnan(got) && std::isnan(want))) return true;
  const double error = std::abs(got - want);
  if (!(error <= tolerance * magnitude)) return false;  // NaN and infinities too
  largest = std::max(largest, error / magnitude);
  return true;
}

std::string shown_value(std::string_view, int64_t v) { return fmt::format("{}", v); }
std::string shown_value(std::string_view type, double v) {
  return type == "f64" ? fmt::format("{}", v) : fmt::format("{}", static_cast<float>(v));
}

void compare_array(size_t number, const Array& got, const Array& want, double tolerance, Comparison& c) {
  with_elements(want.type, [&](auto value) {
    const size_t count = want.after.size() / want.element_bytes;
    double magnitude = 0;
    for (size_t i = 0; i < count; ++i)
      if (const auto v = static_cast<double>(value(want.after, i)); std::isfinite(v))
        magnitude = std::max(magnitude, std::abs(v));
    for (size_t i = 0; i < count; ++i) {
      const auto g = value(got.after, i), w = value(want.after, i);
      if (same(g, w, magnitude, tolerance, c.largest)) continue;
      c.difference = fmt::format("array {} ({}): element {} is {}, the CPU's {}", number, want.type, i,
                                 shown_value(want.type, g), shown_value(want.type, w));
      return;
    }
  });
}

}  // namespace

Comparison compare(const Arrays& device, const Arrays& cpu, double tolerance) {
  Comparison c;
  if (device.size() != cpu.size())
    c.difference =
        fmt::format("{} arrays, {} on the CPU: the study does not make the same inputs", device.size(), cpu.size());
  for (size_t i = 0; i < cpu.size() && c.difference.empty(); ++i) {
    const Array &got = device[i], &want = cpu[i];
    if (std::string_view(got.type) != want.type || got.before != want.before || got.after.size() != want.after.size())
      c.difference = fmt::format("array {} ({}): the study does not make the same inputs on the CPU", i + 1, want.type);
    else if (got.written() || want.written())
      ++c.arrays, compare_array(i + 1, got, want,
                                std::string_view(want.type) == "bf16" ? std::max(kBf16, tolerance) : tolerance, c);
  }
  return c;
}

}  // namespace kith::study
