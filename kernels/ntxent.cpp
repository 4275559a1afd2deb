#include "kernels/ntxent.h"

#include <fmt/format.h>

#include "kernels/core/check.h"

namespace kith::kernels {
namespace {

template <class Arguments>
void check_problem(const Arguments& a, const char* entry) {
  const int64_t anchors = a.anchors.rows, keys = a.keys.rows;
  if (a.positive.empty()) {
    check(keys >= 4 && keys % 2 == 0,
          fmt::format("{}: {} rows, expected an even number of at least 4 (two views of each image)", entry, keys));
    check(a.self_offset >= 0, fmt::format("{}: without positives anchors must be keys", entry));
  }
  check(a.anchors.cols >= 1, fmt::format("{}: rows are empty", entry));
  check(a.anchors.cols == a.keys.cols,
        fmt::format("{}: anchors of {} columns, keys of {}", entry, a.anchors.cols, a.keys.cols));
  check(a.tau > 0, fmt::format("{}: tau is {}, expected a positive number", entry, a.tau));
  check(a.self_offset >= kNoSelf, fmt::format("{}: self_offset is {}", entry, a.self_offset));
  const bool among = a.self_offset != kNoSelf;
  check(anchors >= 1 && keys >= (among ? 3 : 2),
        fmt::format("{}: {} anchors and {} keys, expected an anchor, its positive and another key", entry, anchors,
                    keys));
  check(!among || a.self_offset <= keys - anchors,
        fmt::format("{}: {} anchors from key {} on, but there are {} keys", entry, anchors, a.self_offset, keys));
}

void check_rows(size_t found, int64_t rows, const char* entry, const char* what) {
  check(static_cast<int64_t>(found) == rows,
        fmt::format("{}: {} has {} entries, expected {}", entry, what, found, rows));
}

// Indices in host memory.
template <class Arguments>
void check_positives(const Arguments& a, const char* entry) {
  for (int64_t i = 0; i < static_cast<int64_t>(a.positive.size()); ++i) {
    const int64_t p = positive_of(a, i);
    check(p >= 0 && p < a.keys.rows,
          fmt::format("{}: the positive of anchor {} is key {} of {}", entry, i, p, a.keys.rows));
    check(a.self_offset == kNoSelf || p != a.self_offset + i,
          fmt::format("{}: the positive of anchor {} is key {}, the anchor itself", entry, i, p));
  }
}

void check_gradient(const Matrix<float>& found, const Matrix<const float>& of, const char* what) {
  check(found.data == nullptr || (found.rows == of.rows && found.cols == of.cols),
        fmt::format("ntxent_backward: {} is [{}, {}], expected [{}, {}]", what, found.rows, found.cols, of.rows,
                    of.cols));
}

}  // namespace

void ntxent_forward(const NtXentForward<float>& a, Queue q) {
  constexpr const char* kEntry = "ntxent_forward";
  check_problem(a, kEntry);
  if (!a.positive.empty()) check_rows(a.positive.size(), a.anchors.rows, kEntry, "positive");
  check_rows(a.lse.size(), a.anchors.rows, kEntry, "lse");
  check_rows(a.loss.size(), a.anchors.rows, kEntry, "loss");
  if (q.device == Device::cuda) return cuda::ntxent_forward(a, q);
  check_positives(a, kEntry);
  cpu::ntxent_forward(a);
}

void ntxent_backward(const NtXentBackward<float>& a, Queue q) {
  constexpr const char* kEntry = "ntxent_backward";
  check_problem(a, kEntry);
  if (!a.positive.empty()) check_rows(a.positive.size(), a.anchors.rows, kEntry, "positive");
  check_rows(a.lse.size(), a.anchors.rows, kEntry, "lse");
  check_rows(a.dloss.size(), a.anchors.rows, kEntry, "dloss");
  check(a.danchors.data != nullptr || a.dkeys.data != nullptr, "ntxent_backward: no gradient is wanted");
  check_gradient(a.danchors, a.anchors, "danchors");
  check_gradient(a.dkeys, a.keys, "dkeys");
  check(a.danchors.data != a.dkeys.data || (a.anchors.data == a.keys.data && a.anchors.rows == a.keys.rows),
        "ntxent_backward: danchors and dkeys are one array, but anchors and keys are two");
  if (q.device == Device::cuda) return cuda::ntxent_backward(a, q);
  check_positives(a, kEntry);
  cpu::ntxent_backward(a);
}

}  // namespace kith::kernels
