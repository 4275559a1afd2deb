// Tiles of scores for the searches of topk.cpp, and the two ways to choose candidates by approximate ones. All tiles are
// [height(rows.count)][stride(cols.count)].
#pragma once
#include <memory>
#include <vector>

#include "kernels/cpu/block_pairs.h"
#include "kernels/cpu/topk_approximate_list.h"
#include "kernels/cpu/topk_bf16.h"
#include "kernels/cpu/topk_exact.h"
#include "kernels/cpu/topk_operands.h"
#include "kernels/gemm.h"

namespace kith::kernels::cpu {

using Queries = std::vector<int64_t>;  // rows of the problem's queries

struct TileSize {
  int64_t queries, database;
};

struct ApproximateTiles {
  static int64_t stride(int64_t cols) { return cols; }
  static int64_t height(int64_t rows) { return rows; }
};

// Candidates by f32 products.
class F32Candidates {
 public:
  struct Tiles : ApproximateTiles {
    Matrix<const float> queries, database;
    std::vector<float> storage = {};
    void operator()(Block rows, Block cols, float* tile) const {
      const int64_t dim = queries.cols;
      gemm(Op::none, Op::transpose, rows.count, cols.count, dim, 1, queries.data + rows.first * dim, dim,
           database.data + cols.first * dim, dim, 0, tile, cols.count);
    }
  };

  F32Candidates(const TopK<float>& a, const TopKOperands& operands) : a_(a), operands_(operands) {}

  // A sample of queries is looked at first where there are `kSampled`; the search is made if `kLeast` of 32 are certain.
  static constexpr int64_t kSampled = 4096, kLeast = 16;
  // A tile of scores is half a second-level cache; few queries are cut finer, so that there is work for every thread.
  static int64_t block(int64_t rows) { return rows >= 4096 ? 384 : 128; }
  static TileSize tile(int64_t queries) { return queries >= 4096 ? TileSize{512, 256} : TileSize{128, 1024}; }

  Tiles tiles() const { return {{}, operands_.queries, operands_.database}; }
  Tiles tiles(const Queries& queries) const {
    std::vector<float> rows;
    for (const int64_t q : queries) {
      const auto row = operands_.queries.row(q);
      rows.insert(rows.end(), row.begin(), row.end());
    }
    const Matrix<const float> view{rows.data(), static_cast<int64_t>(queries.size()), operands_.queries.cols};
    return {{}, view, operands_.database, std::move(rows)};
  }
  ApproximateList list(int64_t q) const { return {{&a_, q}, operands_.offset, operands_.slack(q), 0}; }

 private:
  const TopK<float>& a_;
  const TopKOperands& operands_;
};

// Candidates by bf16 products.
class Bf16Candidates {
 public:
  struct Tiles : ApproximateTiles {
    const TopKBf16* operands;
    const bf16* queries;
    AlignedVector<bf16> storage = {};
    void operator()(Block rows, Block cols, float* tile) const {
      operands->products(queries + rows.first * operands->width(), rows.count, cols, tile);
    }
  };

  Bf16Candidates(const TopK<float>& a, const TopKOperands& operands, Rounding rounding, bool itself)
      : a_(a),
        offset_(operands.offset),
        block_rows_(itself ? block(a.queries.rows) : block(a.database.rows)),
        operands_(operands, rounding, block_rows_) {}

  // What is not certain is searched again by products that take about three times as long.
  static constexpr int64_t kSampled = 256, kLeast = 24;
  static int64_t block(int64_t rows) { return rows >= 4096 ? 384 : 128; }
  TileSize tile(int64_t queries) const { return {block(queries), block_rows_}; }

  Tiles tiles() const { return {{}, &operands_, operands_.query(0)}; }
  Tiles tiles(const Queries& queries) const {
    AlignedVector<bf16> rows = operands_.gather(queries);
    const bf16* first = rows.data();
    return {{}, &operands_, first, std::move(rows)};
  }
  // Exact scores on the way, where they are wanted, cost less than half an f32 product of the query with all rows.
  ApproximateList list(int64_t q) const { return {{&a_, q}, offset_, operands_.slack(q), a_.database.rows / 128}; }

 private:
  const TopK<float>& a_;
  const double offset_;
  const int64_t block_rows_;
  const TopKBf16 operands_;
};

// The contract's scores of chosen queries.
struct ExactTiles {
  const TopK<float>& a;
  const Queries& queries;
  static int64_t stride(int64_t cols) { return padded(cols, kDatabasePanel); }
  static int64_t height(int64_t rows) { return padded(rows, kQueryPanel); }
  void operator()(Block rows, Block cols, double* tile) const {
    const int64_t dim = a.queries.cols;
    const auto q = std::make_unique_for_overwrite<double[]>(static_cast<size_t>(height(rows.count) * dim)),
               x = std::make_unique_for_overwrite<double[]>(static_cast<size_t>(stride(cols.count) * dim));
    pack_exact(
        rows.count, dim, kQueryPanel, [&](int64_t i) { return a.queries.row(queries[rows.first + i]).data(); },
        q.get());
    pack_exact(
        cols.count, dim, kDatabasePanel, [&](int64_t j) { return a.database.row(cols.first + j).data(); }, x.get());
    exact_tile(q.get(), rows.count, x.get(), cols.count, dim, tile);
  }
};

}  // namespace kith::kernels::cpu
