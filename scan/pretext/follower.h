// A network that follows another: its weights are the moving average of the other's, and no gradient reaches them.
//   MoCo's key network (He et al. 2020, arXiv:1911.05722, Eq. 2), BYOL's target network (Grill et al. 2020, Eq. 1)
#pragma once
#include <optional>
#include <string>

#include "nn/model/flat_parameters.h"

namespace kith {

class Follower {
 public:
  // Two models of one architecture, whose parameters and buffers are listed in one order. `own` begins as a copy of
  // `of`. Both models must outlive this.
  Follower(Context&, StateView of, StateView own);
  void copy();  // `own` begins anew, as `of` is now
  // own <- d own + (1 - d) of, d the decay, or that of the step. Running statistics are those of the own passes.
  void update(float decay);
  void update(const LiveStep* live);
  void save(SafeTensors&) const;  // names as of `own`, in the section "follower"
  void load(const SafeTensors&);

 private:
  void update(float decay, const LiveStep*);

  Context& ctx_;
  StateView of_, own_;
  std::optional<FlatParameters> flat_;  // of own_: its bf16 copies are one block
};

}  // namespace kith
