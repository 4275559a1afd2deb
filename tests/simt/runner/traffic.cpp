// The counting of traffic: lanes that execute one instruction together make one access, as on a GPU.
#include <algorithm>

#include "tests/simt/runner/block.h"

namespace simt {

void Block::gather(uintptr_t a, size_t bytes, Access access, bool shared, const void* site) {
  const uint32_t occurrence = current_->occurrences[site]++;
  Gather& g = warps[current_->warp].gathers[{site, occurrence}];
  g.bytes = static_cast<uint8_t>(bytes);
  g.write = access != Access::read;
  g.shared = shared;
  g.lanes.emplace_back(current_->lane, a);
}

void Block::count_global(const Gather& g) {
  std::vector<uintptr_t> sectors;
  for (const auto& [lane, a] : g.lanes)
    for (uintptr_t s = a / 32; s <= (a + g.bytes - 1) / 32; ++s) sectors.push_back(s);
  std::sort(sectors.begin(), sectors.end());
  const auto distinct = static_cast<uint64_t>(std::unique(sectors.begin(), sectors.end()) - sectors.begin());
  (g.write ? counts.global_store_bytes : counts.global_load_bytes) += g.lanes.size() * g.bytes;
  (g.write ? counts.global_store_sectors : counts.global_load_sectors) += distinct;
}

void Block::count_shared(Gather& g) {
  // 8-byte accesses are served in two passes of 16 lanes, 16-byte ones (and the rows of an ldmatrix) in four of 8.
  const unsigned per_pass = g.bytes >= 16 ? 8 : g.bytes == 8 ? 16 : 32;
  std::sort(g.lanes.begin(), g.lanes.end());
  ++counts.shared_accesses;
  for (size_t i = 0; i < g.lanes.size();) {
    const unsigned pass = g.lanes[i].first / per_pass;
    std::vector<uintptr_t> words;
    for (; i < g.lanes.size() && g.lanes[i].first / per_pass == pass; ++i) {
      const uintptr_t a = g.lanes[i].second;
      for (uintptr_t word = a / 4; word <= (a + g.bytes - 1) / 4; ++word) words.push_back(word);
    }
    std::sort(words.begin(), words.end());
    words.erase(std::unique(words.begin(), words.end()), words.end());
    uint64_t banks[32] = {}, worst = 0;
    for (const uintptr_t word : words) worst = std::max(worst, ++banks[word % 32]);
    counts.shared_wavefronts += worst;
    counts.shared_ideal += 1;
  }
}

void Block::finish_gathers() {
  for (Warp& w : warps) {
    for (auto& [key, g] : w.gathers) g.shared ? count_shared(g) : count_global(g);
    w.gathers.clear();
  }
}

void Counts::add(const Counts& c) {
  global_load_bytes += c.global_load_bytes;
  global_store_bytes += c.global_store_bytes;
  global_load_sectors += c.global_load_sectors;
  global_store_sectors += c.global_store_sectors;
  shared_accesses += c.shared_accesses;
  shared_wavefronts += c.shared_wavefronts;
  shared_ideal += c.shared_ideal;
  block_barriers += c.block_barriers;
  warp_barriers += c.warp_barriers;
  collectives += c.collectives;
  mma += c.mma;
  special += c.special;
  async_bytes += c.async_bytes;
  mma_flops += c.mma_flops;
  wgmma += c.wgmma;
  wgmma_flops += c.wgmma_flops;
  tensor_bytes += c.tensor_bytes;
  atomics += c.atomics;
  global_atomics += c.global_atomics;
  static_shared = std::max(static_shared, c.static_shared);
}

}  // namespace simt
