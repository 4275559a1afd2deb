// Answers as text: a line per image.
//   CSV         image,cluster,name,confidence,runner_up,runner_up_confidence,distance with a header; fields quoted as RFC 4180
//               says where they hold a comma, a quote or a line end. `name` is the class that the cluster was matched to: there
//               where any cluster has one, and empty for those without. `distance` is there where the network has prototypes
//               (scan/stages/answers.h), and empty for a cluster without one
//   JSON lines  objects of the same names; null where CSV is empty
#pragma once
#include <string>
#include <vector>

#include "apps/answers/answer_options.h"
#include "scan/stages/answers.h"

namespace kith {

struct NamedAnswers {
  std::vector<std::string> images;
  std::vector<Answer> answers;        // of the images
  std::vector<std::string> clusters;  // names of the clusters; empty where a cluster has none
  bool measured = false;              // the answers have distances
  bool named() const;                 // any cluster has a name
  std::string what = "image";         // or "row": the first name
};

// What the run says of all these images; their probabilities one after the other, where asked for.
NamedAnswers named_answers(const Asked&, const std::vector<NamedImages>&, std::vector<float>* probabilities = nullptr);

std::string csv(const NamedAnswers&);
std::vector<std::string> csv_heads();         // the first lines that it may have
std::string json_lines(const NamedAnswers&);  // bytes of names that are no UTF-8 become U+FFFD

}  // namespace kith
