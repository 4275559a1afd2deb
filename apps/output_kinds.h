// The kinds of files that commands write, by what stands in them: which an earlier call may have left, and which are somebody's own.
#pragma once
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace kith {

struct OutputKind {
  std::string what;  // "table of kith predict"
  std::function<bool(const std::filesystem::path&)> is;
};

// A file that begins with one of these texts.
OutputKind text_kind(std::string what, std::vector<std::string> beginnings);
// An array of C order in this machine's byte order, as data::write_npy leaves it. kind, bytes: as in data::NpyLayout.
OutputKind array_kind(std::string what, char kind, int bytes, size_t rank);
// An array of f32, [rows, columns], whose first row is one of probabilities.
OutputKind probabilities_kind();
OutputKind graph_kind();    // of kith graph, .npz
OutputKind network_kind();  // of kith export, .onnx

// Error, one line: `file`, named by `option`, is there, and is neither empty nor of the kind. What the same command wrote is
// replaced, as is a pipe or a device written into; anything else stays as it is.
void expect_replaceable(const std::filesystem::path& file, const char* option, const OutputKind&);

}  // namespace kith
