#include "kernels/scan_loss.h"

#include "bench/study/simt/study.h"

namespace kith::study {
namespace {

using namespace kernels;
using test::normal, test::poison, test::Seed;

Cost run_scan_loss_forward(const Sizes& s, Queue q) {
  const int64_t heads = s["heads"], rows = s["rows"], classes = s["classes"];
  const OnDevice<float> anchors(normal(heads * rows * classes, Seed{1})),
      neighbours(normal(heads * rows * classes, Seed{2})), loss(poison<float>(heads)),
      consistency(poison<float>(heads)), entropy(poison<float>(heads)), pbar(poison<float>(heads * classes));
  scan_loss_forward({.anchors = anchors.data(),
                     .neighbours = neighbours.data(),
                     .heads = heads,
                     .rows = rows,
                     .classes = classes,
                     .lambda = 5.f,
                     .loss = loss.span(),
                     .consistency = consistency.span(),
                     .entropy = entropy.span(),
                     .pbar = {pbar.data(), heads, classes}},
                    q);
  return cost(scan_loss_forward_cost, heads, rows, classes);
}

Cost run_scan_loss_backward(const Sizes& s, Queue q) {
  const int64_t heads = s["heads"], rows = s["rows"], classes = s["classes"];
  const int64_t count = heads * rows * classes;
  const OnDevice<float> anchors(normal(count, Seed{1})), neighbours(normal(count, Seed{2})),
      pbar(filled(heads * classes, 1.f / static_cast<float>(classes))), dloss(filled(heads, 1.f)),
      danchors(poison<float>(count)), dneighbours(poison<float>(count));
  scan_loss_backward({.anchors = anchors.data(),
                      .neighbours = neighbours.data(),
                      .heads = heads,
                      .rows = rows,
                      .classes = classes,
                      .lambda = 5.f,
                      .pbar = {pbar.data(), heads, classes},
                      .dloss = dloss.span(),
                      .danchors = danchors.data(),
                      .dneighbours = dneighbours.data()},
                     q);
  return cost(scan_loss_backward_cost, heads, rows, classes);
}

const Sizes kHeads{{"heads", 2}, {"rows", 512}, {"classes", 10}};
const Entries kScanLossEntries{
    {{"scan_loss_forward", kHeads, run_scan_loss_forward}, {"scan_loss_backward", kHeads, run_scan_loss_backward}}};

}  // namespace
}  // namespace kith::study
