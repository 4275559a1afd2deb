// Read and write whole files; fail() throws std::runtime_error.
#pragma once
#include <fmt/format.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <span>
#include <stdexcept>
#include <vector>

namespace kith::data {

// Throws std::runtime_error with one line: what names hold that is no UTF-8, and control characters, as \xNN.
[[noreturn]] void fail_with(const std::string& what);
template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> text, Args&&... args) {
  fail_with(fmt::format(text, std::forward<Args>(args)...));
}

using Bytes = std::span<const uint8_t>;

inline Bytes as_bytes(std::string_view text) { return {reinterpret_cast<const uint8_t*>(text.data()), text.size()}; }

std::ifstream open_file(const std::filesystem::path&);  // Error: absent, a folder, or a pipe, which has no size
std::vector<uint8_t> read_file(const std::filesystem::path&);
// The parts one after another: written to PATH.partial, fsynced, renamed. On failure PATH is as it was. A link is followed; a
// pipe or a device is written into.
void write_file(const std::filesystem::path&, std::initializer_list<Bytes> parts);

// The file that a link leads to, by however many, be it there or not; what is no link is itself.
std::filesystem::path behind_links(std::filesystem::path);

// The folder, if there is one, under this name or under the one that write_file() fills before: nothing can be written there. Empty:
// there is none.
std::filesystem::path folder_in_place_of(const std::filesystem::path&);

// True if writing `output` would change `file`, under this name or another name of the same file.
bool would_touch(const std::filesystem::path& output, const std::filesystem::path& file);

}  // namespace kith::data
