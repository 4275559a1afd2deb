// The images of a run as its results know them, for who looks at the directory where the images are not at hand.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset/dataset.h"
#include "scan/run/provenance.h"

namespace kith {

// "200 of 8 x 8 x 1, DIGEST" (data/dataset/digest.h) without a pixel. None: "none", or another text.
std::optional<data::Images> images_of_part(const std::string&);

// "data.limit_train was 0, now 100": as the configuration has the field, no result was made. Of data.spec the kind (reading_of()).
struct ReadOtherwise {
  std::string field, was, now;
};
std::string to_text(const std::vector<ReadOtherwise>&);  // of all, in one line; empty: of none

struct RecordedImages {
  data::Dataset like;    // as many images, of the same shape, and (nameless) classes, without a pixel
  Origin::Values parts;  // as data::parts_of() had them when the results were made
  std::vector<ReadOtherwise> otherwise;
};
// Of the records, and of weights and checkpoints without one. What nothing tells of is not there.
RecordedImages recorded_images(const std::filesystem::path& run_dir, const RunConfig&);

}  // namespace kith
