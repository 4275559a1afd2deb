// The CUDA entries of a build that has none. Each also has an entry in bench/study/simt, where its traffic is counted.
#include <string>

#include "kernels/augment.h"
#include "kernels/batch_norm.h"
#include "kernels/core/check.h"
#include "kernels/elementwise.h"
#include "kernels/kmeans.h"
#include "kernels/l2_normalize.h"
#include "kernels/ntxent.h"
#include "kernels/optim.h"
#include "kernels/pool.h"
#include "kernels/scan_loss.h"
#include "kernels/selflabel_loss.h"
#include "kernels/softmax.h"
#include "kernels/softmax_xent.h"
#include "kernels/topk.h"

namespace kith::kernels::cuda {
namespace {

[[noreturn]] void none(const char* entry) { throw Error(std::string(entry) + ": this build has no CUDA kernels"); }

}  // namespace

void augment(const Augment&, Queue) { none("augment"); }
void batch_norm_forward(const BatchNormForward<float>&, Queue) { none("batch_norm_forward"); }
void batch_norm_forward(const BatchNormForward<float, bf16>&, Queue) { none("batch_norm_forward"); }
void batch_norm_backward(const BatchNormBackward<float>&, Queue) { none("batch_norm_backward"); }
void batch_norm_backward(const BatchNormBackward<float, bf16>&, Queue) { none("batch_norm_backward"); }
void add(const Add<float>&, Queue) { none("add"); }
void scale(const Scale<float>&, Queue) { none("scale"); }
void relu_forward(const ReluForward<float>&, Queue) { none("relu_forward"); }
void relu_backward(const ReluBackward<float>&, Queue) { none("relu_backward"); }
void broadcast(const Broadcast<float>&, Queue) { none("broadcast"); }
void sum(const Sum<float>&, Queue) { none("sum"); }
void column_sum(const ColumnSum<float>&, Queue) { none("column_sum"); }
void gather_rows(const GatherRows<float>&, Queue) { none("gather_rows"); }
void swap_axes(const SwapAxes<float>&, Queue) { none("swap_axes"); }
void to_bf16(const ToBf16&, Queue) { none("to_bf16"); }
void to_f32(const ToF32&, Queue) { none("to_f32"); }
KMeansResult kmeans(const KMeans<float>&, Queue) { none("kmeans"); }
void kmeans_assign(const KMeansAssign<float>&, Queue) { none("kmeans_assign"); }
void l2_normalize_forward(const L2NormalizeForward<float>&, Queue) { none("l2_normalize_forward"); }
void l2_normalize_backward(const L2NormalizeBackward<float>&, Queue) { none("l2_normalize_backward"); }
void ntxent_forward(const NtXentForward<float>&, Queue) { none("ntxent_forward"); }
void ntxent_backward(const NtXentBackward<float>&, Queue) { none("ntxent_backward"); }
void sgd_step(const SgdStep<float>&, Queue) { none("sgd_step"); }
void adam_step(const AdamStep<float>&, Queue) { none("adam_step"); }
void lars_step(const LarsStep<float>&, Queue) { none("lars_step"); }
void ema_step(const EmaStep<float>&, Queue) { none("ema_step"); }
void grad_norm(const GradNorm<float>&, Queue) { none("grad_norm"); }
void max_pool_forward(const MaxPoolForward<float>&, Queue) { none("max_pool_forward"); }
void max_pool_forward(const MaxPoolForward<bf16>&, Queue) { none("max_pool_forward"); }
void max_pool_backward(const MaxPoolBackward<float>&, Queue) { none("max_pool_backward"); }
void max_pool_backward(const MaxPoolBackward<bf16>&, Queue) { none("max_pool_backward"); }
void average_pool_forward(const AveragePoolForward<float>&, Queue) { none("average_pool_forward"); }
void average_pool_forward(const AveragePoolForward<bf16>&, Queue) { none("average_pool_forward"); }
void average_pool_backward(const AveragePoolBackward<float>&, Queue) { none("average_pool_backward"); }
void average_pool_backward(const AveragePoolBackward<bf16>&, Queue) { none("average_pool_backward"); }
void global_average_pool_forward(const GlobalAveragePoolForward<float>&, Queue) { none("global_average_pool_forward"); }
void global_average_pool_forward(const GlobalAveragePoolForward<float, bf16>&, Queue) {
  none("global_average_pool_forward");
}
void global_average_pool_backward(const GlobalAveragePoolBackward<float>&, Queue) {
  none("global_average_pool_backward");
}
void global_average_pool_backward(const GlobalAveragePoolBackward<float, bf16>&, Queue) {
  none("global_average_pool_backward");
}
void scan_loss_forward(const ScanLossForward<float>&, Queue) { none("scan_loss_forward"); }
void scan_loss_backward(const ScanLossBackward<float>&, Queue) { none("scan_loss_backward"); }
void selflabel_loss_forward(const SelflabelLossForward<float>&, Queue) { none("selflabel_loss_forward"); }
void selflabel_loss_backward(const SelflabelLossBackward<float>&, Queue) { none("selflabel_loss_backward"); }
void softmax_backward(const SoftmaxBackward<float>&, Queue) { none("softmax_backward"); }
void log_softmax_forward(const LogSoftmaxForward<float>&, Queue) { none("log_softmax_forward"); }
void log_softmax_backward(const LogSoftmaxBackward<float>&, Queue) { none("log_softmax_backward"); }
void softmax_xent_forward(const SoftmaxXentForward<float>&, Queue) { none("softmax_xent_forward"); }
void softmax_xent_backward(const SoftmaxXentBackward<float>&, Queue) { none("softmax_xent_backward"); }
void softmax_rows(const SoftmaxRows<float>&, Queue) { none("softmax_rows"); }
TopKStatus topk(const TopK<float>&, Queue) { none("topk"); }
TopKStatus topk_streamed(const TopKStreamed&, Queue) { none("topk_streamed"); }
void topk_merge(const TopKMerge&, Queue) { none("topk_merge"); }

}  // namespace kith::kernels::cuda
