// The confusion matrix of a page.
#pragma once
#include <string>

#include "scan/metrics/evaluation.h"

namespace kith {

// Clusters down, in the order of the classes that they go by (shown_classes), so that right answers lie on the diagonal; those
// without a class come last. `what`: what is counted, as a sentence begins: "Samples". Empty where clusters or classes are more
// than `largest`.
std::string confusion_section(const Evaluation&, const std::string& what, int largest);

}  // namespace kith
