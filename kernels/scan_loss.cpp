#include "kernels/scan_loss.h"

#include <fmt/format.h>

#include "kernels/core/check.h"

namespace kith::kernels {
namespace {

constexpr int64_t kMostScanHeads = 65535;  // a grid's second extent

template <class Args>
void check_args(const Args& a, const char* entry) {
  check(a.heads >= 1 && a.heads <= kMostScanHeads && a.rows >= 1 && a.classes >= 2,
        fmt::format("{}: heads {}, rows {}, classes {}; expected 1 to {}, at least 1, 2", entry, a.heads, a.rows,
                    a.classes, kMostScanHeads));
  check(a.anchors && a.neighbours, fmt::format("{}: anchors or neighbours missing", entry));
  check(a.pbar.rows == a.heads && a.pbar.cols == a.classes,
        fmt::format("{}: pbar is [{}, {}], expected [{}, {}]", entry, a.pbar.rows, a.pbar.cols, a.heads, a.classes));
}

void check_heads(size_t found, int64_t heads, const char* what) {
  check(static_cast<int64_t>(found) == heads, fmt::format("{}: {} entries, expected {} heads", what, found, heads));
}

}  // namespace

void scan_loss_forward(const ScanLossForward<float>& a, Queue q) {
  check_args(a, "scan_loss_forward");
  check_heads(a.loss.size(), a.heads, "scan_loss_forward: loss");
  check_heads(a.consistency.size(), a.heads, "scan_loss_forward: consistency");
  check_heads(a.entropy.size(), a.heads, "scan_loss_forward: entropy");
  if (q.device == Device::cuda) return cuda::scan_loss_forward(a, q);
  cpu::scan_loss_forward(a);
}

void scan_loss_backward(const ScanLossBackward<float>& a, Queue q) {
  check_args(a, "scan_loss_backward");
  check_heads(a.dloss.size(), a.heads, "scan_loss_backward: dloss");
  if (!a.danchors && !a.dneighbours) return;
  if (q.device == Device::cuda) return cuda::scan_loss_backward(a, q);
  cpu::scan_loss_backward(a);
}

}  // namespace kith::kernels
