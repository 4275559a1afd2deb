#include "kernels/selflabel_loss.h"

#include "bench/support.h"

namespace kith {
namespace {

template <class T>
struct Problem {
  bench::Array<T> weak, strong, dstrong, weight, loss, dloss;
  bench::Array<int32_t> target, kept;

  Problem(Memory& memory, const test::HostMatrix<T>& w, const test::HostMatrix<T>& s)
      : weak(memory, w),
        strong(memory, s),
        dstrong(memory, s.rows, s.cols),
        weight(memory, s.rows),
        loss(memory, 1),
        dloss(memory, std::vector<T>{T(1)}),
        target(memory, s.rows),
        kept(memory, 1) {}
  kernels::SelflabelLossForward<T> forward() const {
    return {.weak = weak.matrix(),
            .strong = strong.matrix(),
            .threshold = T(0.5),
            .target = target.span(),
            .weight = weight.span(),
            .loss = loss.span(),
            .kept = kept.span()};
  }
  kernels::SelflabelLossBackward<T> backward() const {
    return {.strong = strong.matrix(),
            .target = target.span(),
            .weight = weight.span(),
            .dloss = dloss.span(),
            .dstrong = dstrong.matrix()};
  }
};

void selflabel_loss(benchmark::State& state) {
  const int64_t rows = state.range(0), classes = state.range(1);
  const test::HostMatrix<float> weak = bench::draws(rows, classes, {7}, 4.f),
                                strong = bench::draws(rows, classes, {8}, 4.f);
  const Problem<float> p(bench::memory(), weak, strong);
  const Problem<double> oracle(bench::host(), widen(weak), widen(strong));
  const auto forward = [&] { kernels::selflabel_loss_forward(p.forward(), bench::queue()); };
  const auto backward = [&] { kernels::selflabel_loss_backward(p.backward(), bench::queue()); };
  forward(), backward();
  kernels::cpu::selflabel_loss_forward(oracle.forward()), kernels::cpu::selflabel_loss_backward(oracle.backward());
  using bench::operator+;
  bench::run_both_verified(state,
                           test::close(p.dstrong.to_host(), oracle.dstrong.to_host(), {.abs = 128 * test::kUnit}),
                           bench::cost(kernels::selflabel_loss_forward_cost, rows, classes) +
                               bench::cost(kernels::selflabel_loss_backward_cost, rows, classes),
                           forward, backward);
}
const std::vector<std::vector<int64_t>> kSizes = {{1000, 10}, {8192, 1000}};
const bench::Entry kBoth{
    "selflabel_loss", selflabel_loss, {.cpu = kSizes, .cuda = kSizes, .smoke = {{33, 10}, {5, 130}}}};

}  // namespace
}  // namespace kith
