#include "kernels/selflabel_loss.h"

#include "bench/support.h"

namespace kith {
namespace {

template <class T>
struct Problem {
  test::HostMatrix<T> weak, strong, dstrong;
  std::vector<int32_t> target, kept;
  std::vector<T> weight, loss, dloss;

  Problem(test::HostMatrix<T> w, test::HostMatrix<T> s)
      : weak(std::move(w)),
        strong(std::move(s)),
        dstrong(strong.rows, strong.cols),
        target(strong.rows),
        kept(1),
        weight(strong.rows),
        loss(1),
        dloss(1, T(1)) {}
  kernels::SelflabelLossForward<T> forward() {
    return {.weak = std::as_const(weak).view(),
            .strong = std::as_const(strong).view(),
            .threshold = T(0.5),
            .thresholds = {},
            .target = target,
            .weight = weight,
            .loss = loss,
            .kept = kept};
  }
  kernels::SelflabelLossBackward<T> backward() {
    return {.strong = std::as_const(strong).view(),
            .target = target,
            .weight = weight,
            .dloss = dloss,
            .dstrong = dstrong.view()};
  }
};

void selflabel_loss(benchmark::State& state) {
  using bench::operator+;
  const int64_t rows = state.range(0), classes = state.range(1);
  const auto weak = test::normal_rows(rows, classes, {7}, 4.f), strong = test::normal_rows(rows, classes, {8}, 4.f);
  Problem<float> p(weak, strong);
  Problem<double> oracle(widen(weak), widen(strong));
  kernels::selflabel_loss_forward(p.forward(), Queue{}), kernels::selflabel_loss_backward(p.backward(), Queue{});
  kernels::cpu::selflabel_loss_forward(oracle.forward()), kernels::cpu::selflabel_loss_backward(oracle.backward());
  bench::run_verified(state, test::close(p.dstrong.values, oracle.dstrong.values, {.abs = 128 * test::kUnit}),
                      bench::cost(kernels::selflabel_loss_forward_cost, rows, classes) +
                          bench::cost(kernels::selflabel_loss_backward_cost, rows, classes),
                      [&] {
                        kernels::selflabel_loss_forward(p.forward(), Queue{});
                        kernels::selflabel_loss_backward(p.backward(), Queue{});
                      });
}
BENCHMARK(selflabel_loss)->Apply(bench::timing)->Args({1000, 10})->Args({8192, 1000});

}  // namespace
}  // namespace kith
