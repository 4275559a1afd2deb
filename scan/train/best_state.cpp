#include "scan/train/best_state.h"

namespace kith {

void Best::save(Checkpoint& c) const {
  if (epoch < 0) return;
  put_section(c.arrays, "best", state);
  c.state["best"] = {{"loss", loss}, {"epoch", epoch}, {"head", head}};
  if (agreement) c.state["best"]["agreement"] = *agreement;
}

void Best::load(const Checkpoint& c) {
  const auto found = c.state.find("best");
  if (found == c.state.end()) return;
  found->at("loss").get_to(loss);
  found->at("epoch").get_to(epoch);
  found->at("head").get_to(head);
  if (found->contains("agreement")) agreement = found->at("agreement").get<double>();
  state = take_section(c.arrays, "best");
}

}  // namespace kith
