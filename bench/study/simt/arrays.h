// Device memory of a study, and what became of it: a study that runs twice, on the device and on the CPU, leaves the same.
#pragma once
#include <exception>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "tests/support/device.h"

namespace kith::study {

// What an array held when it was made and when it went out of scope.
struct Array {
  const char* type;
  size_t element_bytes;
  std::vector<unsigned char> before, after;
  bool written() const { return before != after; }
};
using Arrays = std::vector<Array>;  // in the order in which a study makes them

Arrays*& recorded();  // where they are kept; null: nowhere

template <class T>
constexpr const char* type_name() {
  return std::is_same_v<T, float>      ? "f32"
         : std::is_same_v<T, double>   ? "f64"
         : std::is_same_v<T, bf16>     ? "bf16"
         : std::is_same_v<T, int32_t>  ? "int32"
         : std::is_same_v<T, int64_t>  ? "int64"
         : std::is_same_v<T, uint8_t>  ? "uint8"
         : std::is_same_v<T, uint32_t> ? "uint32"
                                       : nullptr;
}

template <class T>
class OnDevice : public test::OnDevice<T> {
  static_assert(type_name<T>() != nullptr, "compare() does not know this type");

 public:
  explicit OnDevice(const std::vector<T>& host) : test::OnDevice<T>(host) {
    if (recorded() == nullptr) return;
    at_ = recorded()->size();
    recorded()->push_back({type_name<T>(), sizeof(T), content(), {}});
  }
  explicit OnDevice(const test::HostMatrix<T>& m) : OnDevice(m.values) { rows_ = m.rows, cols_ = m.cols; }
  ~OnDevice() {
    if (at_ != kNowhere && std::uncaught_exceptions() == 0) (*recorded())[at_].after = content();
  }
  Matrix<T> matrix() const { return {this->data(), rows_, cols_}; }

 private:
  static constexpr auto kNowhere = static_cast<size_t>(-1);

  std::vector<unsigned char> content() const {
    const std::vector<T> values = this->host();
    const auto* bytes = reinterpret_cast<const unsigned char*>(values.data());
    return {bytes, bytes + values.size() * sizeof(T)};
  }
  int64_t rows_ = 0, cols_ = 0;
  size_t at_ = kNowhere;
};

// What the device left beside what the CPU left.
struct Comparison {
  size_t arrays = 0;       // that either of them wrote
  double largest = 0;      // difference of floating-point numbers, of the largest magnitude in their array
  std::string difference;  // the first beyond the tolerance: "array 3 (int64): element 17 is 5, the CPU's 6"
};
// Integers are equal, f32 and f64 within `tolerance` of the largest finite magnitude in the CPU's array, bf16 within kBf16 of it
// where that is more. NaN is equal to NaN alone.
Comparison compare(const Arrays& device, const Arrays& cpu, double tolerance);

// Numbers that differ by no more than these are the same result; of the largest magnitude in the array, as tests/kernels bounds most
// errors by the largest terms. Unit roundoffs u: 2^-24 of f32, 2^-8 of bf16.
//
// f32: 256 u. An exponential errs by its argument's error. The largest arguments of a study, logits over a temperature, are about
// 40; tests/kernels/temi_loss_problem.h counts four roundings of each: 160 u. Sums of up to 4,096 terms in two orders differ by
// sqrt(4096) u, 64 u; 32 u are left for divisions and roots.
inline constexpr double kF32 = 256 * 0x1p-24;
// bf16: both backends round the same operands, but weights and results that they have computed on their own fall on two sides of a
// boundary: 2 u.
inline constexpr double kBf16 = 2 * 0x1p-8;

}  // namespace kith::study
