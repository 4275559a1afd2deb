#include "scan/run/ranks.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <exception>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>
#include <vector>

#include "scan/run/reporter.h"

namespace kith {
namespace {

enum Outcome : int32_t { done, interrupted, failed };

void broadcast(Collective& ranks, void* data, size_t bytes) {
  ranks.broadcast({static_cast<std::byte*>(data), bytes}, 0, Queue{});
}

std::string packed(const SafeTensors& file) {
  nlohmann::json arrays = nlohmann::json::object();
  for (const auto& [name, array] : file.arrays) {
    const auto* bytes = reinterpret_cast<const uint8_t*>(array.bytes.data());
    arrays[name] = {{"dtype", array.dtype},
                    {"shape", array.shape},
                    {"bytes", nlohmann::json::binary(std::vector<uint8_t>(bytes, bytes + array.bytes.size()))}};
  }
  std::string out;
  nlohmann::json::to_cbor({{"arrays", std::move(arrays)}, {"metadata", file.metadata}, {"file", file.file}}, out);
  return out;
}

SafeTensors unpacked(const std::string& text) {
  const nlohmann::json all = nlohmann::json::from_cbor(text);
  SafeTensors file{.arrays = {}, .metadata = all.at("metadata"), .file = all.at("file")};
  for (const auto& [name, array] : all.at("arrays").items()) {
    HostArray& to = file.arrays[name];
    array.at("dtype").get_to(to.dtype);
    array.at("shape").get_to(to.shape);
    const auto& bytes = array.at("bytes").get_binary();
    to.bytes.resize(bytes.size());
    if (!bytes.empty()) std::memcpy(to.bytes.data(), bytes.data(), bytes.size());
  }
  return file;
}

// Of all buffers one after another: one message.
std::vector<float> joined(const StateView& view) {
  std::vector<float> all;
  for (const NamedBuffer& b : view.buffers) {
    const std::vector<float> one = b.tensor->to_host();
    all.insert(all.end(), one.begin(), one.end());
  }
  return all;
}

void spread(std::span<const float> all, const StateView& view) {
  for (const NamedBuffer& b : view.buffers) {
    const auto count = static_cast<size_t>(b.tensor->size());
    b.tensor->copy_from(all.first(count));
    all = all.subspan(count);
  }
}

}  // namespace

void together(Collective& ranks, const std::function<void()>& f) {
  if (ranks.size() == 1) return f();
  std::string said;
  int32_t outcome = Outcome::done;
  try {
    f();
  } catch (const Interrupted&) {
    outcome = Outcome::interrupted;
  } catch (const std::exception& e) {
    said = e.what(), outcome = Outcome::failed;
  }
  const int32_t worst = ranks.highest(outcome);
  if (worst == Outcome::interrupted) throw Interrupted{};
  if (worst == Outcome::done) return;
  const int lowest = -ranks.highest(outcome == Outcome::failed ? -ranks.rank() : -ranks.size());
  if (lowest != ranks.rank()) throw SaidByAnother{};
  throw ErrorOfAll(lowest == 0 ? said : fmt::format("rank {}: {}", lowest, said));
}

void alone(Collective& ranks, const std::function<void()>& f) {
  if (ranks.size() == 1) return f();
  ranks.barrier();  // nobody reads any more what f may write
  const bool first = ranks.rank() == 0;
  together(ranks, [&] {
    if (!first) return;
    const Collective::AloneScope scope(ranks);
    f();
  });
}

std::string text_of_first(Collective& ranks, const std::function<std::string()>& f) {
  std::string text;
  alone(ranks, [&] { text = f(); });
  if (ranks.size() == 1) return text;
  uint64_t size = text.size();
  broadcast(ranks, &size, sizeof(size));
  text.resize(size);
  broadcast(ranks, text.data(), text.size());
  return text;
}

bool answer_of_first(Collective& ranks, const std::function<bool()>& f) {
  return text_of_first(ranks, [&] { return std::string(f() ? "y" : ""); }) == "y";
}

SafeTensors file_of_first(Collective& ranks, const std::function<SafeTensors()>& f) {
  if (ranks.size() == 1) return f();
  SafeTensors own;
  const std::string text = text_of_first(ranks, [&] {
    own = f();
    return packed(own);
  });
  return ranks.rank() == 0 ? own : unpacked(text);
}

void take_statistics_of_first(Collective& ranks, const StateView& view) {
  if (ranks.size() == 1) return;
  std::vector<float> all = joined(view);
  broadcast(ranks, all.data(), all.size() * sizeof(float));
  spread(all, view);
  for (const auto& [name, counter] : view.counters) broadcast(ranks, counter, sizeof(*counter));
}

void average_statistics(Collective& ranks, const StateView& view) {
  if (ranks.size() == 1 || view.buffers.empty()) return;
  const std::vector<float> own = joined(view);
  std::vector<float> all(own.size() * static_cast<size_t>(ranks.size()));
  std::ranges::copy(own, all.begin() + static_cast<std::ptrdiff_t>(own.size()) * ranks.rank());
  ranks.all_gather(std::as_writable_bytes(std::span(all)), Queue{});
  std::vector<float> mean(own.size());
  for (size_t i = 0; i < own.size(); ++i) {
    double sum = 0;
    for (size_t r = 0; r < static_cast<size_t>(ranks.size()); ++r) sum += all[r * own.size() + i];
    mean[i] = static_cast<float>(sum / ranks.size());
  }
  spread(mean, view);
}

}  // namespace kith
