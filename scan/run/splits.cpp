#include "scan/run/splits.h"

#include <fmt/format.h>

#include <algorithm>

#include "data/formats/counted.h"

namespace kith {

std::vector<std::string> split_notes(const data::Dataset& data, size_t most_bad) {
  std::vector<std::string> notes = data.notes;
  const size_t bad = data.bad.size(), listed = std::min(bad, most_bad);
  if (bad > 0)
    notes.push_back(
        fmt::format("{} cannot be decoded and {} left out:", data::counted(bad, "picture file"), data::is_or_are(bad)));
  for (size_t i = 0; i < listed; ++i) notes.push_back(fmt::format("  {}: {}", data.bad[i].file, data.bad[i].reason));
  if (bad > listed)
    notes.push_back(fmt::format("  and {} more, all of them by kith data info {} --skip-bad", bad - listed, data.spec));
  const data::Images& scored = data.scored();
  if (const int64_t more = data.of(data::Role::unlabelled).count; more > 0)
    notes.push_back(fmt::format("{}: the pretext learns from them, too", data::counted(more, "unlabelled image")));
  if (data.test().count == 0)
    notes.push_back(fmt::format("no test images: the {} {} scored", data::counted(scored.count, "train image"),
                                data::is_or_are(scored.count)));
  if (scored.labelled()) return notes;
  const bool one = scored.count == 1;
  const std::string why = scored.labels.empty() || data.class_names.size() < 2
                              ? one ? "has no label" : "have no labels"
                              : (one ? "is labelled " : "are all labelled ") +
                                    data.class_names.at(static_cast<size_t>(scored.labels.front()));
  notes.push_back(
      fmt::format("the {} that would be scored {}, so there are no scores and no k-means to compare with; "
                  "clusters are found all the same",
                  data::counted(scored.count, "image"), why));
  return notes;
}

}  // namespace kith
