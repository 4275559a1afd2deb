#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <set>
#include <string_view>
#include <utility>

#include "data/dataset/folder_parts.h"
#include "data/dataset/picture_list.h"
#include "data/dataset/readers.h"
#include "data/formats/counted.h"
#include "data/formats/files.h"
#include "data/formats/text.h"

namespace kith::data {
namespace {

namespace fs = std::filesystem;

// The second line of endings is of formats that decode() refuses by name.
constexpr std::array<std::string_view, 26> kEndings = {
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp",  ".dib",  ".gif",  ".tga",  ".icb", ".vda", ".vst",
    ".psd", ".pgm",  ".ppm", ".pnm",  ".pbm", ".tif",  ".tiff", ".avif", ".heic", ".heif", ".jxl", ".jp2", ".j2k"};

bool is_hidden(const std::string& name) { return name.starts_with('.') || name == "__MACOSX"; }

using FolderId = std::pair<dev_t, ino_t>;

FolderId id_of(const fs::path& folder) {
  struct stat about {};
  if (::stat(folder.c_str(), &about) != 0) fail("{}: cannot be read", folder.string());
  return {about.st_dev, about.st_ino};
}

std::string first_names(std::vector<std::string> names) {
  std::ranges::sort(names);  // the system lists them in any order
  for (std::string& name : names) name = printable(name);
  constexpr size_t kShown = 5;
  const std::vector<std::string> shown(names.begin(),
                                       names.begin() + static_cast<int64_t>(std::min(kShown, names.size())));
  return fmt::format("{}{}", fmt::join(shown, ", "), names.size() > kShown ? ", ..." : "");
}

// Pictures and folders below a folder.
class Walk {
 public:
  explicit Walk(const fs::path& root) : root_(root) {
    std::error_code error;
    for (fs::path at = fs::canonical(root, error); !error && !at.empty(); at = at.parent_path()) {
      above_.push_back(id_of(at));
      if (at == at.root_path()) break;
    }
  }

  std::vector<std::string> folders;  // in the root, sorted
  std::vector<std::string> left_out, loops;

  // Pictures that lie in the root, sorted; fills `folders`.
  std::vector<std::string> root_pictures() {
    std::vector<std::string> found;
    const Level level{root_, above_};
    each(level, [&](const std::string& name, const fs::path& path, bool folder) {
      if (!folder)
        add(path, found);
      else if (!is_loop(level, path))
        folders.push_back(name);
    });
    std::ranges::sort(found);
    std::ranges::sort(folders);
    return found;
  }

  // Pictures at any depth below a folder of the root, sorted.
  std::vector<std::string> pictures(const std::string& folder) {
    std::vector<std::string> found;
    Level level{root_ / folder, above_};
    level.above.push_back(id_of(root_ / folder));
    below(level, found);
    std::ranges::sort(found);
    return found;
  }

 private:
  struct Level {
    fs::path folder;
    std::vector<FolderId> above;  // it and those that it lies in
  };

  template <class Visit>
  static void each(const Level& level, const Visit& visit) {
    std::error_code error;
    fs::directory_iterator entries(level.folder, error);
    if (error) fail("{}: cannot be read: {}", level.folder.string(), error.message());
    for (const fs::directory_entry& entry : entries) {
      const std::string name = entry.path().filename().string();
      if (!is_hidden(name)) visit(name, entry.path(), fs::is_directory(entry.path(), error));
    }
  }

  void below(const Level& level, std::vector<std::string>& found) {
    each(level, [&](const std::string&, const fs::path& path, bool folder) {
      if (!folder) return add(path, found);
      if (is_loop(level, path)) return;
      Level deeper{path, level.above};
      deeper.above.push_back(id_of(path));
      below(deeper, found);
    });
  }

  bool is_loop(const Level& level, const fs::path& folder) {
    const bool loop = std::ranges::find(level.above, id_of(folder)) != level.above.end();
    if (loop) loops.push_back(folder.lexically_relative(root_).string());
    return loop;
  }

  void add(const fs::path& path, std::vector<std::string>& found) {
    std::error_code error;
    if (!fs::exists(path, error) && error == std::errc::too_many_symbolic_link_levels)
      loops.push_back(path.lexically_relative(root_).string());
    else if (has_picture_ending(path.string()))
      found.push_back(path.string());
    else
      left_out.push_back(path.lexically_relative(root_).string());
  }

  fs::path root_;
  std::vector<FolderId> above_;  // the root and those that it lies in
};

struct Class {
  std::string folder, name;
};

std::vector<Class> wanted_classes(const std::string& file, const std::vector<std::string>& there) {
  std::vector<Class> out;
  std::vector<std::string> missing;
  std::set<std::string> seen;
  for (const std::string& line : read_lines(file)) {
    const size_t end = std::min(line.find_first_of(" \t"), line.size());
    const size_t name = line.find_first_not_of(" \t", end);
    const std::string folder = line.substr(0, end);
    if (!seen.insert(folder).second) fail("{}: names the folder {} twice", file, folder);
    if (!std::ranges::binary_search(there, folder)) missing.push_back(folder);
    out.push_back({folder, name == std::string::npos ? folder : line.substr(name)});
  }
  if (out.empty()) fail("{}: names no folder, expected one a line", file);
  if (!missing.empty())
    fail("{}: {} of {} folders are missing: {}", file, missing.size(), out.size(), fmt::join(missing, ", "));
  return out;
}

void add_notes(const Walk& walk, PictureList& out) {
  if (!walk.left_out.empty())
    out.notes.push_back(fmt::format("{} without the ending of a picture {} left out: {}",
                                    counted(walk.left_out.size(), "file"), is_or_are(walk.left_out.size()),
                                    first_names(walk.left_out)));
  if (!walk.loops.empty())
    out.notes.push_back(fmt::format("{} left out: {}",
                                    walk.loops.size() == 1 ? "1 link to itself or to a folder that it lies in is"
                                                           : counted(walk.loops.size(), "link") +
                                                                 " to themselves or to folders that they lie in are",
                                    first_names(walk.loops)));
}

void add_class(Walk& walk, const Class& one, PictureList& out, std::vector<std::string>& empty) {
  const std::vector<std::string> found = walk.pictures(one.folder);
  if (found.empty()) empty.push_back(one.folder);
  out.labels.insert(out.labels.end(), found.size(), static_cast<int32_t>(out.class_names.size()));
  out.files.insert(out.files.end(), found.begin(), found.end());
  out.class_names.push_back(one.name);
}

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

bool is_part(const std::string& folder) {
  constexpr std::array<std::string_view, 8> kParts = {"train", "training", "test",       "testing",
                                                      "val",   "valid",    "validation", "dev"};
  return std::ranges::find(kParts, lower(folder)) != kParts.end();
}

}  // namespace

bool has_picture_ending(const std::string& name) {
  return std::ranges::find(kEndings, lower(fs::path(name).extension().string())) != kEndings.end();
}

void expect_no_parts(std::string_view spec, const std::string& classes_file) {
  const fs::path dir = kind_of(spec) == "folder" ? path_of(spec) : "";
  std::error_code ignored;
  if (!fs::is_directory(dir, ignored) || !classes_file.empty()) return;
  Walk walk(dir);
  walk.root_pictures();
  std::vector<std::string> parts = walk.folders;
  const auto others = std::ranges::stable_partition(parts, is_part);
  const std::vector<std::string> beside(others.begin(), others.end());
  parts.erase(others.begin(), others.end());
  const auto tests =
      std::ranges::stable_partition(parts, [](const std::string& part) { return lower(part).starts_with("train"); });
  const bool pair = tests.begin() != parts.begin() && !tests.empty();
  if (parts.empty() || (!beside.empty() && !pair)) return;  // one such name among others may be a class
  std::string asks;
  if (parts.size() > 1)
    asks = fmt::format(", and kith predict --data folder:{} asks about another", (dir / parts[1]).string());
  const std::string named = beside.empty()
                                ? ""
                                : fmt::format(
                                      "; where they are classes like {} beside them, name all of them in a file "
                                      "(data.classes_file)",
                                      first_names(beside));
  fail("{}: {} {} of a data set, and would be taken for {}; --data folder:{} learns from the classes in one{}{}", spec,
       fmt::join(parts, ", "), parts.size() == 1 ? "is a part" : "are parts", parts.size() == 1 ? "a class" : "classes",
       (dir / parts[0]).string(), asks, named);
}

PictureList list_folder(const fs::path& dir, const std::string& classes_file) {
  expect_folder("folder", dir);
  Walk walk(dir);
  PictureList out;
  std::vector<std::string> in_root = walk.root_pictures(), empty;
  std::vector<Class> classes;
  if (!classes_file.empty())
    classes = wanted_classes(classes_file, walk.folders);
  else
    for (const std::string& folder : walk.folders) classes.push_back({folder, folder});
  for (const Class& one : classes) {
    if (!is_utf8(one.name))
      fail("{}: the name of the class folder {} is not UTF-8; rename it", dir.string(), printable(one.name));
    add_class(walk, one, out, empty);
  }
  if (!out.files.empty() && !in_root.empty())
    fail(
        "{}: holds {} beside {} of pictures ({}); expected folders, which are the classes, or "
        "pictures; list:FILE reads those that FILE names, wherever they lie",
        dir.string(), counted(in_root.size(), "picture"), counted(walk.folders.size(), "folder"),
        first_names({in_root.front(), walk.folders.front()}));
  if (out.files.empty() && in_root.empty())
    fail("{}: holds no picture, nor do folders in it{}", dir.string(),
         walk.loops.empty() ? ""
                            : fmt::format("; links to themselves or to folders that they lie in are left out: {}",
                                          first_names(walk.loops)));
  if (!in_root.empty() && classes_file.empty()) {
    out = {.files = std::move(in_root), .class_names = {"unlabelled"}};
    out.labels.assign(out.files.size(), 0);
  } else if (!empty.empty()) {
    fail("{}: {} no picture: {}", dir.string(), counted(empty.size(), "class folder holds", "class folders hold"),
         first_names(empty));
  }
  add_notes(walk, out);
  return out;
}

}  // namespace kith::data
