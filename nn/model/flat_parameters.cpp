#include "nn/model/flat_parameters.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "kernels/core/check.h"

namespace kith {
namespace {

int kind_of(const NamedParameter& p) { return !p.parameter->bf16_copy.empty() ? 0 : p.is_matrix ? 1 : 2; }

bool starts_at(const Tensor& part, const Tensor& flat, int64_t offset) {
  return !part.empty() && part.data() == flat.data() + offset;
}

}  // namespace

FlatParameters::FlatParameters(Context& ctx, const std::vector<NamedParameter>& parameters) {
  place(parameters);
  int64_t size = 0, copied = 0;
  for (const Entry& e : entries_) {
    size = std::max(size, e.end());
    if (!e.parameter().bf16_copy.empty()) copied = std::max(copied, e.end());
  }
  values_ = ctx.zeros({size});
  grads_ = ctx.zeros({size});
  bf16_copies_ = ctx.zeros({copied}, DType::bf16);
  for (const Entry& e : entries_) bind(e);
}

void FlatParameters::place(const std::vector<NamedParameter>& parameters) {
  std::set<const Parameter*> listed;
  for (const NamedParameter& p : parameters) {
    if (!listed.insert(p.parameter).second) throw Error(fmt::format("{}: a parameter that is listed twice", p.name));
    entries_.push_back({.named = p, .offset = 0, .size = p.parameter->value.size()});
  }
  by_offset_.resize(entries_.size());
  std::iota(by_offset_.begin(), by_offset_.end(), size_t{0});
  std::ranges::stable_sort(by_offset_, {}, [&](size_t i) { return kind_of(entries_[i].named); });
  int64_t end = 0;
  const float* behind = nullptr;  // the address behind the parameter before
  for (const size_t i : by_offset_) {
    Entry& e = entries_[i];
    const float* begin = e.parameter().value.data();
    e.offset = begin == behind ? end : (end + kAligned - 1) / kAligned * kAligned;
    end = e.end();
    behind = begin + e.size;
  }
}

void FlatParameters::bind(const Entry& e) const {
  const auto move = [&](Tensor& tensor, const Tensor& flat) {
    const Tensor to = part(flat, e);
    if (!tensor.empty()) to.copy_from(tensor);
    tensor = to;
  };
  Parameter& p = e.parameter();
  move(p.value, values_);
  move(p.grad, grads_);
  if (!p.bf16_copy.empty()) move(p.bf16_copy, bf16_copies_);
}

int64_t FlatParameters::count() const {
  return std::accumulate(entries_.begin(), entries_.end(), int64_t{0},
                         [](int64_t sum, const Entry& e) { return sum + e.size; });
}

Tensor FlatParameters::part(const Tensor& flat, const Entry& e) const {
  return flat.part(e.offset, e.size).reshape(e.parameter().value.shape());
}

void FlatParameters::expect_bound() const {
  for (const Entry& e : entries_)
    if (!starts_at(e.parameter().value, values_, e.offset) || !starts_at(e.parameter().grad, grads_, e.offset))
      throw Error(
          fmt::format("{}: its value or gradient was given other memory after its optimizer was made", e.named.name));
}

}  // namespace kith
