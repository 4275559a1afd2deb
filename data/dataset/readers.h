// The readers behind load(). Inside data/ only.
#pragma once
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "data/dataset/dataset.h"

namespace kith::data {

enum class CifarLabels { coarse, fine };

// These look for their files in `dir` and in the folder the official archive unpacks to below it.
void read_cifar10(const std::filesystem::path& dir, Dataset&);
void read_cifar100(const std::filesystem::path& dir, CifarLabels, Dataset&);
// A set of one's own in CIFAR-10's records: train.bin and test.bin of any length, and class_names.txt, one name a line.
// test.bin may be absent or empty, unlabeled.bin absent. Sets class_names and the measured mean and std.
void read_cifar_format(const std::filesystem::path& dir, Dataset&);
// The first images of each split, as many as are wanted: 96 x 96 x 3. unlabeled_X.bin may be absent where it is not wanted.
void read_stl10(const std::filesystem::path& dir, const Wanted&, Dataset&);
// MNIST's IDX files, plain or .gz, of any count and size; class names and constants are the caller's. A dot may stand
// before "idx" (Kaggle), and a folder of a file's name may hold that file (7-Zip and file managers unpack so).
void read_idx(std::string_view name, const std::filesystem::path& dir, Dataset&);

// Error: names those of the files that are not in `folder`.
void expect_all(const std::filesystem::path& folder, std::span<const std::string> files);

// The names in a file, one a line, as many as are in `names`, which stand where there is no such file.
void read_names(const std::filesystem::path&, std::vector<std::string>& names);

// Error: `dir` is no folder.
void expect_folder(std::string_view name, const std::filesystem::path& dir);

// `dir` or the first of its subfolders `below` that holds at least one of the files; Error when none does.
std::filesystem::path find_folder(std::string_view name, const std::filesystem::path& dir,
                                  std::span<const char* const> below, std::span<const std::string> files);

}  // namespace kith::data
