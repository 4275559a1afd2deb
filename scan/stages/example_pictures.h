// Pictures that show what a run does with single images: what it takes for neighbours, and what it is unsure of.
#pragma once
#include <string>
#include <vector>

#include "scan/report/page.h"
#include "scan/run/session.h"

namespace kith {

// Some train images, evenly spaced in their order, with the first of their mined neighbours and the distances of their unit
// features (those that were mined); frames say whether labels agree, where there are any. Then the scored images whose cluster has
// the least probability, and those whose first two clusters differ least in it. `names`: of the clusters. A section without rows
// shows nothing.
std::vector<PictureSection> example_pictures(const Session&, const Matrix<const float>& probabilities,
                                             const std::vector<std::string>& names);

}  // namespace kith
