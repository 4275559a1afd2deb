#include "kernels/gemm_bf16.h"

#include <fmt/format.h>

#include <oneapi/dnnl/dnnl.hpp>
#include <vector>

#include "kernels/core/check.h"
#include "kernels/core/onednn_isa.h"
#include "kernels/core/onednn_room.h"
#include "kernels/core/parallel.h"

namespace kith::kernels {
namespace {

using Desc = dnnl::memory::desc;
using Tag = dnnl::memory::format_tag;

const dnnl::engine& engine() {
  static const dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

Desc matrix(dnnl::memory::data_type type, int64_t rows, int64_t cols, int64_t row_stride, int64_t col_stride) {
  return {{rows, cols}, type, dnnl::memory::dims{row_stride, col_stride}};
}
Desc operand(Op op, int64_t rows, int64_t cols, int64_t ld) {
  return matrix(dnnl::memory::data_type::bf16, rows, cols, op == Op::none ? ld : 1, op == Op::none ? 1 : ld);
}
Desc result(int64_t rows, int64_t cols, int64_t ld) { return matrix(dnnl::memory::data_type::f32, rows, cols, ld, 1); }

dnnl::matmul::primitive_desc describe(const Desc& a, const Desc& b, const Desc& c, Write write) {
  dnnl::primitive_attr attributes;
  if (write == Write::add) {
    dnnl::post_ops sum;
    sum.append_sum(1.f);
    attributes.set_post_ops(sum);
  }
#if DNNL_VERSION_MAJOR < 3
  return {{a, b, c}, attributes, engine()};
#else
  return {engine(), a, b, c, attributes};
#endif
}

// A primitive, and the memory objects through which it is told where the operands are.
struct Product {
  dnnl::matmul primitive;
  dnnl::memory a, b, c;

  Product(const Desc& a_desc, const Desc& b_desc, const Desc& c_desc, Write write)
      : primitive(describe(a_desc, b_desc, c_desc, write)),
        a(a_desc, engine(), nullptr),
        b(b_desc, engine(), nullptr),
        c(c_desc, engine(), nullptr) {}

  void run(const bf16* a_data, const dnnl::memory& b_memory, float* c_data) {
    static thread_local dnnl::stream stream(engine());
    a.set_data_handle(const_cast<bf16*>(a_data));
    c.set_data_handle(c_data);
    primitive.execute(stream, {{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, b_memory}, {DNNL_ARG_DST, c}});
  }
};

// What this thread has multiplied lately: making a primitive costs as much as a small product.
template <class Key>
class Lately {
 public:
  template <class Make>
  Product& find(const Key& key, const Make& make) {
    for (auto& [k, product] : known_)
      if (k == key) return product;
    if (known_.size() == kMost) known_.clear();
    expect_room_for_code();
    return known_.emplace_back(key, make()).second;
  }

 private:
  static constexpr size_t kMost = 32;
  std::vector<std::pair<Key, Product>> known_;
};

template <class F>
void guarded(const char* what, F&& f) {
  try {
    const OneThread one;  // oneDNN plans for the threads that there are
    f();
  } catch (const dnnl::error& e) {
    if (e.status == dnnl_out_of_memory) throw OutOfMemory(fmt::format("out of memory: {} of bf16", what));
    throw Error(fmt::format("oneDNN: {} of bf16 failed: {}", what, e.what()));
  }
}

std::vector<float> widened(const bf16* x, Op op, int64_t rows, int64_t cols, int64_t ld) {
  const int64_t height = op == Op::none ? rows : cols, width = op == Op::none ? cols : rows;
  std::vector<float> out(static_cast<size_t>(height * width));
  for (int64_t i = 0; i < height; ++i)
    for (int64_t j = 0; j < width; ++j) out[i * width + j] = widen(x[i * ld + j]);
  return out;
}

}  // namespace

bool fast_bf16() {
  static const bool fast = onednn_offers(dnnl::cpu_isa::avx512_core_amx) ||
                           (__builtin_cpu_is("amd") && onednn_offers(dnnl::cpu_isa::avx512_core_bf16));
  return fast;
}

void gemm_bf16(Op op_a, Op op_b, int64_t m, int64_t n, int64_t k, const bf16* a, int64_t lda, const bf16* b,
               int64_t ldb, Write write, float* c, int64_t ldc) {
  if (m == 0 || n == 0) return;
  if (k == 0 || !fast_bf16()) {
    gemm(op_a, op_b, m, n, k, 1, widened(a, op_a, m, k, lda).data(), op_a == Op::none ? k : m,
         widened(b, op_b, k, n, ldb).data(), op_b == Op::none ? n : k, write == Write::add ? 1.f : 0.f, c, ldc);
    return;
  }
  struct Key {
    Op op_a, op_b;
    Write write;
    int64_t m, n, k, lda, ldb, ldc;
    bool operator==(const Key&) const = default;
  };
  static thread_local Lately<Key> lately;
  guarded("a product", [&] {
    Product& product = lately.find({op_a, op_b, write, m, n, k, lda, ldb, ldc}, [&] {
      return Product(operand(op_a, m, k, lda), operand(op_b, k, n, ldb), result(m, n, ldc), write);
    });
    product.b.set_data_handle(const_cast<bf16*>(b));
    product.run(a, product.b, c);
  });
}

struct Bf16Blocks::Packed {
  Matrix<const bf16> rows;
  int64_t block_rows;
  std::vector<dnnl::memory> blocks;  // empty where bf16 is not fast

  int64_t count(int64_t first) const { return std::min(block_rows, rows.rows - first); }
  const bf16* row(int64_t i) const { return rows.data + i * rows.cols; }
};

Bf16Blocks::Bf16Blocks(Matrix<const bf16> rows, int64_t block_rows) {
  const auto all = std::make_shared<Packed>(Packed{rows, block_rows, {}});
  packed_ = all;
  if (!fast_bf16()) return;
  all->blocks.resize(static_cast<size_t>(ceil_div(rows.rows, block_rows)));
  parallel_for(rows.rows, block_rows, [&](int64_t first, int64_t end) {
    guarded("packing", [&] {
      const int64_t n = end - first, k = rows.cols;
      const Desc any({k, n}, dnnl::memory::data_type::bf16, Tag::any), plain = operand(Op::transpose, k, n, k);
      const Desc packed =
          describe(operand(Op::none, block_rows, k, k), any, result(block_rows, n, n), Write::overwrite).weights_desc();
      dnnl::memory from(plain, engine(), const_cast<bf16*>(all->row(first))), to(packed, engine());
      dnnl::stream stream(engine());
      dnnl::reorder(from, to).execute(stream, from, to);
      all->blocks[static_cast<size_t>(first / block_rows)] = to;
    });
  });
}

void Bf16Blocks::products(const bf16* a, int64_t m, int64_t first, float* c) const {
  const int64_t n = packed_->count(first), k = packed_->rows.cols;
  if (packed_->blocks.empty())
    return gemm_bf16(Op::none, Op::transpose, m, n, k, a, k, packed_->row(first), k, Write::overwrite, c, n);
  struct Key {
    int64_t m, n, k, block_rows;
    bool operator==(const Key&) const = default;
  };
  static thread_local Lately<Key> lately;
  guarded("a product", [&] {
    const dnnl::memory& b = packed_->blocks[static_cast<size_t>(first / packed_->block_rows)];
    Product& product = lately.find({m, n, k, packed_->block_rows}, [&] {
      return Product(operand(Op::none, m, k, k), b.get_desc(), result(m, n, n), Write::overwrite);
    });
    product.run(a, b, c);
  });
}

}  // namespace kith::kernels
