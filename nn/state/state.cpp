#include "nn/state/state.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

#include "kernels/core/check.h"

namespace kith {
namespace {

HostArray array_of(Shape shape, std::span<const float> values) {
  HostArray a{.dtype = "F32", .shape = std::move(shape), .bytes = std::vector<std::byte>(values.size_bytes())};
  if (!values.empty()) std::memcpy(a.bytes.data(), values.data(), values.size_bytes());
  return a;
}

// f(index in [out, k, k, in], index in [out, in, k, k])
template <class F>
void each_weight(const Shape& s, F&& f) {
  const int64_t area = s[1] * s[2], in = s[3];
  for (int64_t o = 0; o < s[0]; ++o)
    for (int64_t p = 0; p < area; ++p)
      for (int64_t i = 0; i < in; ++i) f((o * area + p) * in + i, (o * in + i) * area + p);
}

}  // namespace

Shape torch_shape(const Shape& s) { return s.size() == 4 ? Shape{s[0], s[3], s[1], s[2]} : s; }

HostArray to_torch(const Tensor& t) {
  const std::vector<float> ours = t.to_host();
  if (t.rank() != 4) return array_of(t.shape(), ours);
  std::vector<float> theirs(ours.size());
  each_weight(t.shape(), [&](int64_t at, int64_t torch) { theirs[torch] = ours[at]; });
  return array_of(torch_shape(t.shape()), theirs);
}

void from_torch(const HostArray& a, const Tensor& t) {
  if (t.rank() != 4) return from_array(a, t);
  std::vector<float> ours(static_cast<size_t>(t.size()));
  const float* theirs = a.as<float>();
  each_weight(t.shape(), [&](int64_t at, int64_t torch) { ours[at] = theirs[torch]; });
  t.copy_from(ours);
}

HostArray to_array(const Tensor& t) { return array_of(t.shape(), t.to_host()); }

void from_array(const HostArray& a, const Tensor& t) { t.copy_from({a.as<float>(), static_cast<size_t>(a.count())}); }

// As the file has it, and ours behind.
std::string StrictReader::called(const std::string& name) const {
  const auto at = file_.called.find(name);
  return at == file_.called.end() || at->second == name ? name : fmt::format("{} ({})", at->second, name);
}

const HostArray* StrictReader::expect(const std::string& name, const std::string& dtype, const Shape& shape) {
  expected_.push_back(name);
  const auto it = file_.arrays.find(name);
  if (it == file_.arrays.end()) {
    problems_.push_back("missing " + name);
    return nullptr;
  }
  if (it->second.dtype != dtype || it->second.shape != shape) {
    problems_.push_back(fmt::format("{}: {} {} expected, found {} {}", called(name), dtype, to_string(shape),
                                    it->second.dtype, to_string(it->second.shape)));
    return nullptr;
  }
  if (dtype != "F32") return &it->second;
  const std::span<const float> values(it->second.as<float>(), static_cast<size_t>(it->second.count()));
  const bool variance = name.ends_with("running_var");
  const auto bad = std::ranges::find_if(values, [&](float v) { return !std::isfinite(v) || (variance && v < 0); });
  if (bad == values.end()) return &it->second;
  problems_.push_back(fmt::format("{}: element {} is {}, expected finite values{}", called(name), bad - values.begin(),
                                  *bad, variance ? " of at least 0" : ""));
  return nullptr;
}

void StrictReader::finish(const std::string& prefix) {
  const std::set<std::string> expected(expected_.begin(), expected_.end());
  for (const auto& [name, array] : file_.arrays)
    if (name.starts_with(prefix) && !expected.contains(name)) problems_.push_back("unexpected " + called(name));
  if (problems_.empty()) return;
  const std::string file = file_.file.empty() ? "" : file_.file + ": ";
  constexpr size_t kShown = 10;
  const size_t shown = std::min(kShown, problems_.size());
  throw Error(fmt::format("{}{} does not fit: {}{}", file, what_,
                          fmt::join(problems_.begin(), problems_.begin() + static_cast<std::ptrdiff_t>(shown), "; "),
                          problems_.size() > shown ? fmt::format("; and {} more", problems_.size() - shown) : ""));
}

SafeTensors save_state(const StateView& view) {
  SafeTensors out;
  for (const NamedParameter& p : view.parameters) out.arrays[p.name] = to_torch(p.parameter->value);
  for (const NamedBuffer& b : view.buffers) out.arrays[b.name] = to_torch(*b.tensor);
  for (const auto& [name, counter] : view.counters) {
    HostArray a{.dtype = "I64", .shape = {}, .bytes = std::vector<std::byte>(sizeof(int64_t))};
    std::memcpy(a.bytes.data(), counter, sizeof(int64_t));
    out.arrays[name] = std::move(a);
  }
  return out;
}

void load_state(const StateView& view, const SafeTensors& file) {
  StrictReader reader(file, "state");
  std::vector<std::pair<const HostArray*, const Tensor*>> tensors;
  std::vector<std::pair<const HostArray*, int64_t*>> counters;
  for (const NamedParameter& p : view.parameters) {
    const Tensor& t = p.parameter->value;
    tensors.emplace_back(reader.expect(p.name, "F32", torch_shape(t.shape())), &t);
  }
  for (const NamedBuffer& b : view.buffers)
    tensors.emplace_back(reader.expect(b.name, "F32", torch_shape(b.tensor->shape())), b.tensor);
  for (const auto& [name, counter] : view.counters) counters.emplace_back(reader.expect(name, "I64", {}), counter);
  reader.finish("");
  for (const auto& [array, tensor] : tensors) from_torch(*array, *tensor);
  for (const NamedParameter& p : view.parameters) sync_bf16_copy(*p.parameter);
  for (const auto& [array, counter] : counters) std::memcpy(counter, array->bytes.data(), sizeof(int64_t));
}

SafeTensors with_prefix(const SafeTensors& file, const std::string& prefix) {
  SafeTensors out{.arrays = {}, .metadata = file.metadata, .file = file.file, .called = file.called};
  for (const auto& [name, array] : file.arrays)
    if (name.starts_with(prefix)) out.arrays.emplace(name, array);
  return out;
}

}  // namespace kith
