// Files of a run directory that more than one stage reads or writes. `split` is "train" or "test".
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "data/formats/npy.h"
#include "scan/run/session.h"

namespace kith {

std::filesystem::path features_path(const std::filesystem::path& run_dir, const std::string& split);
std::filesystem::path neighbours_path(const std::filesystem::path& run_dir, const std::string& split);
std::filesystem::path prototypes_path(
    const std::filesystem::path& run_dir);  // [clusters, features] f32: scan/stages/answers.h
// The files of a split's images, a JSON text a line; there where images come from files.
std::filesystem::path files_path(const std::filesystem::path& run_dir, const std::string& split);

// The neighbours of a split's images, one row per image, of at least `least`; those of the train split may be none (mine.k = 0),
// and fewer than the row is long: -1 to its end. Error, with what makes them anew: missing, cut, of another shape, or no images.
data::NpyArray<int64_t> read_mined_lists(const std::filesystem::path& run_dir, const std::string& split, int64_t rows,
                                         int64_t least);

// Features of a split that the pretext stage wrote, one row per image. Error: missing, of other images, or not finite.
data::NpyArray<float> read_features(const Session&, const std::string& split, int64_t rows);
// The same complaints, for who reads them by pieces: of the file, of its shape, and of rows that begin with `first`.
void expect_features(const std::filesystem::path&);
void expect_feature_shape(const std::filesystem::path&, const std::vector<int64_t>& shape, const std::string& split,
                          int64_t rows);
void expect_finite_features(const std::filesystem::path&, int64_t first, const Matrix<const float>& rows);

}  // namespace kith
