// Picture files into a folder per cluster: what goes where, and putting it there.
//   INTO/3/picture.jpg, or INTO/3_dog/picture.jpg where the cluster has a name; as many digits as the largest cluster needs
//   INTO/unsure/...     images below the least confidence, where one was asked for
//   INTO/.kith_sort.json   what decided it: the network, the least confidence, the names of the clusters, and --invert
// A picture given twice goes there once. Two files of one name in one cluster become picture.jpg and picture~2.jpg, in the order of
// the images.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "apps/answers/predictions.h"

namespace kith {

struct Move {
  std::filesystem::path from, to;
};

std::vector<Move> sorted_places(const NamedAnswers&, const std::filesystem::path& into, float least_confidence);

bool is_unsure(const Move&, const std::filesystem::path& into);

// The text of INTO/.kith_sort.json. `network`: the digest of its weights.
std::string sorting_record(const std::string& network, float least_confidence, const std::vector<std::string>& clusters,
                           bool invert);

// Error, one line: the record in INTO is another one, and pictures would lie in the folders of two sortings; or it is damaged, or
// no file.
void expect_same_sorting(const std::filesystem::path& into, const std::string& record);

enum class SortBy : uint8_t { link, copy };

// Makes the links (to the absolute paths of the files) or copies, and before them the record. What is there already, a link to the
// same file or a copy of the same bytes, stays. Nothing is moved or overwritten. Returns how many are new. Error, before anything is made: another thing has
// the name of a target; a folder of INTO is a link that leads out of it; a file is not there.
int64_t put(const std::vector<Move>&, const std::filesystem::path& into, SortBy, const std::string& record);

}  // namespace kith
