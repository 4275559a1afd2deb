// Exact nearest neighbours of all rows of a table that need not be in memory, found by all ranks of the context.
//
// Rows are read by blocks. Each rank finds the lists of its share of the rows, in parts: block after block of the whole table is
// searched, and its lists are merged with those of the blocks before (kernels/topk.h). Scores are compared before they are
// rounded, equal ones by the row's index in the whole table: the lists are the same, to the bit, for any number of ranks and
// any size of the blocks.
//
// Memory  of a rank: the lists of all rows, (8 + 4 with scores) B an entry; 36 B an entry of a part's lists; and of a block on
//         the CPU 4 dim B a row twice, for the queries and the database, and up to 20 dim B a row more for what the kernel
//         makes of them. By default a block has at most 64 MiB of rows; one rank takes up to 256 MiB on the CPU, and 4 GiB
//         on a device, as one block.
// Cost    on the CPU a block among its own rows takes half the products, and with others all of them: of R ranks and P blocks
//         each rank makes (1 - 1 / (2 P)) / R of the products of all pairs.
// A rank that cannot read throws out of the search, and leaves the others waiting.
#pragma once
#include <functional>

#include "scan/metrics/neighbour_search.h"

namespace kith {

struct BlockedSearch {
  using Read = std::function<void(int64_t first, Matrix<float> out)>;  // rows first .. first + out.rows - 1

  int64_t rows = 0, cols = 0;
  int64_t k = 0;             // 1 .. rows, less one with exclude_self; at most 4096
  bool exclude_self = true;  // a row is not in its own list
  Read database;
  Read queries = {};       // as many rows; empty: the database's
  bool by_first = false;   // rank 0 alone reads, and sends to the others; else every rank does
  bool scores = false;     // wanted
  int64_t block_rows = 0;  // of a block, about; 0: few blocks, in little memory
};

// On every rank, the lists of all rows; score is empty where it is not wanted. uncertified counts a list once for each block.
NeighbourSearch::Lists nearest_in_blocks(Context&, const BlockedSearch&);

}  // namespace kith
