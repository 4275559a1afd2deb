// The pictures of a gallery: what stands on it, and its files.
//   index.html        a section per cluster: name, size, confidence, the images it is surest and least sure of; each links to its file
//   cluster_3.png     those images of cluster 3, ten in a row, as index.html shows them
#pragma once
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "apps/answers/answer_options.h"

namespace kith {

struct Gallery {
  struct Member {
    size_t part = 0;  // of `parts`
    int64_t index = 0;
    float confidence = 0;
  };
  std::string run;
  std::vector<std::pair<std::string, std::string>> made = {};  // when and on what: made_facts()
  std::string command = {};                                    // as it was given
  std::vector<std::string> clusters;                           // names, or empty
  std::vector<std::vector<Member>> of_cluster;                 // the most confident first
  std::span<const NamedImages> parts;
  int most = 40, least = 10;               // of each cluster
  data::Colour background = data::kWhite;  // of the run: behind transparent pixels
  int tile = 128;  // side, pixels; images that are no files are drawn at the whole multiple of theirs up to it
};

// Into the folder `out`, which is there and empty. Error: a picture file that cannot be read any more; disk full.
void write_gallery(const Gallery&, const std::filesystem::path& out);

}  // namespace kith
