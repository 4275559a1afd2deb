// Several ranks that run one command (nn/device/ranks/collective.h). Each goes through the stages in step with the others:
//   training        a step's batch is shared out; every rank has the same weights, bit for bit
//   looking at all  images of a split pass through a network in shares too (scan/train/inference.h)
//   mining, k-means each has its share of the rows (scan/metrics/blocked_search.h; on CPUs, scan/stages/shared_kmeans.h)
//   all else        evaluation, every file of the run directory: rank 0 alone, the others sleep
// The run directory need be on the machine of rank 0 alone; the data set on all.
#pragma once
#include <functional>
#include <string>

#include "kernels/core/check.h"
#include "nn/device/ranks/collective.h"
#include "nn/state/safetensors.h"
#include "nn/state/state.h"

namespace kith {

// An Error of one rank that ends the command on all of them: that rank throws it, the others SaidByAnother.
struct ErrorOfAll : Error {
  using Error::Error;
};
struct SaidByAnother {};

// f on every rank, with no call of the others in it. Where it throws on some, the lowest of them says so for all, with its number
// (`rank 1: ...`; rank 0 without): ErrorOfAll, SaidByAnother. Interrupted is everybody's.
void together(Collective&, const std::function<void()>& f);

// f on rank 0, which is one rank alone meanwhile; the others sleep until it is done. What it throws as together().
void alone(Collective&, const std::function<void()>& f);

// What f answers on rank 0, on every rank; f as of alone().
bool answer_of_first(Collective&, const std::function<bool()>& f);
std::string text_of_first(Collective&, const std::function<std::string()>& f);  // any bytes
SafeTensors file_of_first(Collective&, const std::function<SafeTensors()>& f);

// Buffers and counters of a model become those of rank 0.
void take_statistics_of_first(Collective&, const StateView&);

// Running statistics become their mean over the ranks, of f64 sums in the order of the ranks: equal ones stay as they are.
void average_statistics(Collective&, const StateView&);

}  // namespace kith
