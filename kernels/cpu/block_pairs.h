// Tiles of a symmetric matrix X X^T, each made once and used from both sides. So that no two tiles in flight touch one
// block of rows, pairs of blocks are played like a round-robin tournament: within a round blocks are disjoint, rounds
// follow each other, and every block meets the others in one order, whatever the number of threads.
#pragma once
#include <algorithm>
#include <cstdint>

#include "kernels/core/parallel.h"

namespace kith::kernels::cpu {

struct Block {
  int64_t first, count;
};

// f(I, J) for all pairs of blocks I <= J of `size` rows. (I, I) comes first and is everybody's first pair.
template <class F>
void for_block_pairs(int64_t rows, int64_t size, F&& f) {
  const int64_t blocks = ceil_div(rows, size);
  const auto block = [=](int64_t b) { return Block{b * size, std::min(size, rows - b * size)}; };
  parallel_for(blocks, 1, [&](int64_t b, int64_t) { f(block(b), block(b)); });
  const int64_t players = blocks + blocks % 2;  // with an odd number of blocks one rests each round
  for (int64_t round = 0; round + 1 < players; ++round) {
    parallel_for(players / 2, 1, [&](int64_t pair, int64_t) {
      // Circle method: the last player stays, the others turn by one seat a round.
      const int64_t turning = players - 1;
      const int64_t a = pair == 0 ? turning : (round + pair) % turning, b = (round + turning - pair) % turning;
      if (std::max(a, b) < blocks) f(block(std::min(a, b)), block(std::max(a, b)));
    });
  }
}

}  // namespace kith::kernels::cpu
