#include "data/dataset/picture_set.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <iterator>
#include <numeric>
#include <utility>

#include "data/dataset/digest.h"
#include "data/dataset/picture_cache.h"
#include "data/dataset/pictures.h"
#include "data/formats/counted.h"
#include "data/formats/files.h"
#include "data/formats/text.h"

namespace kith::data {
namespace {

namespace fs = std::filesystem;

using Index = std::vector<int64_t>;  // of files in the list

// Files of both splits, in the order of their images.
struct Selection {
  Index train, test;
  Index all() const {
    Index out = train;
    out.insert(out.end(), test.begin(), test.end());
    return out;
  }
};

// Paths, sizes and times of the files; a file that is not there has none. The number in front is that of the pixels that files
// are decoded to: another where they have changed.
std::string state_of(const PictureList& list, const Wanted& wanted) {
  const auto& [size, background, skip_bad] = wanted.pictures;
  std::string text = fmt::format("3 {} {} {} {} {} {} {}\n", size, background[0], background[1], background[2],
                                 wanted.holdout, wanted.train, wanted.test);
  for (const std::string& file : list.files) {
    struct stat about {};
    const bool there = ::stat(file.c_str(), &about) == 0;
    // The time of change tells a file that was exchanged for one of its size whose own time was put back.
    text += file + '\0' + std::to_string(there ? about.st_size : -1);
    for (const timespec& time : {about.st_mtim, about.st_ctim})
      text += fmt::format(" {} {}", there ? time.tv_sec : 0, there ? time.tv_nsec : 0);
    text += '\n';
  }
  return digest(as_bytes(text));
}

// One file for each set and its settings; a change of the pictures replaces it.
fs::path cache_file(const std::string& spec, const Wanted& wanted) {
  const std::string place = fs::absolute(path_of(spec)).lexically_normal().string();
  const auto& [size, background, skip_bad] = wanted.pictures;
  const std::string name = digest(
      as_bytes(fmt::format("{} {} {} {} {} {} {} {} {} {}", kind_of(spec), place, size, background[0], background[1],
                           background[2], wanted.holdout, wanted.train, wanted.test, wanted.classes_file)));
  return wanted.cache / "pictures" / (name + ".pixels");
}

// Evenly spread over all, `limit` of them.
Index limited(const Index& all, int64_t limit) {
  const auto count = static_cast<int64_t>(all.size());
  if (limit <= 0 || limit >= count) return all;
  Index out;
  for (int64_t i = 0; i < limit; ++i) out.push_back(all[static_cast<size_t>(i * count / limit)]);
  return out;
}

// Whether a file belongs to the held-out part. One that cannot be read belongs to the train files, where it is found bad.
bool is_held_out(const std::string& file, double share) {
  try {
    const uint64_t number = std::stoull(digest_of_file(file).substr(0, 16), nullptr, 16);
    return std::ldexp(static_cast<double>(number >> 11), -53) < share;
  } catch (const std::runtime_error&) {
    return false;
  }
}

// Reads all files where a part is held out.
Selection select(const PictureList& list, const Wanted& wanted) {
  const auto count = static_cast<int64_t>(list.files.size());
  std::vector<uint8_t> held_out(list.files.size(), 0);
  if (wanted.holdout > 0) {
#pragma omp parallel for schedule(dynamic)
    for (int64_t i = 0; i < count; ++i)
      held_out[static_cast<size_t>(i)] = is_held_out(list.files[static_cast<size_t>(i)], wanted.holdout);
  }
  Selection out;
  for (int64_t i = 0; i < count; ++i) (held_out[static_cast<size_t>(i)] != 0 ? out.test : out.train).push_back(i);
  out.train = limited(out.train, wanted.train);
  out.test = limited(out.test, wanted.test);
  return out;
}

CachedPictures decode_selection(const PictureList& list, const Wanted& wanted, const std::string& state,
                                const fs::path& path) {
  const Selection selected = select(list, wanted);
  const Index order = selected.all();
  std::vector<std::string> files;
  for (const int64_t i : order) files.push_back(list.files[static_cast<size_t>(i)]);
  const int64_t image_bytes = int64_t{wanted.pictures.size} * wanted.pictures.size * 3;
  const auto count = static_cast<int64_t>(files.size());
  PictureCacheWriter writer(path, count, image_bytes);
  PictureSink sink{.store = [&](int64_t i, std::span<const uint8_t> pixels) { writer.write(i, pixels); }};
  if (wanted.progress) sink.progress = [&](int64_t done) { wanted.progress(done, count); };
  std::vector<BadPicture> bad = decode_pictures(files, wanted.pictures, sink);

  Index kept;
  CacheContents contents{.state = state, .order = {}, .bad = {}};
  for (int64_t i = 0, next = 0; i < count; ++i) {
    if (next < std::ssize(bad) && bad[static_cast<size_t>(next)].index == i) {
      bad[static_cast<size_t>(next++)].index = order[static_cast<size_t>(i)];
      continue;
    }
    kept.push_back(i);
    contents.order.push_back(order[static_cast<size_t>(i)]);
    contents.train += i < std::ssize(selected.train);
  }
  contents.bad = std::move(bad);
  writer.keep(kept);
  return writer.finish(std::move(contents));
}

// Where nothing is to be kept, the pixels lie in a file without a name, on the disk or in memory as the system has it.
CachedPictures find_or_decode(const PictureList& list, const Wanted& wanted, const std::string& spec) {
  const std::string state = state_of(list, wanted);
  if (wanted.cache.empty()) {
    const fs::path path = fs::temp_directory_path() / fmt::format("kith-pictures-{}-{}", ::getpid(), state);
    CachedPictures out = decode_selection(list, wanted, state, path);
    fs::remove(path);
    return out;
  }
  const fs::path path = cache_file(spec, wanted);
  const int64_t image_bytes = int64_t{wanted.pictures.size} * wanted.pictures.size * 3;
  if (std::optional<CachedPictures> found = open_picture_cache(path, state, image_bytes)) return *std::move(found);
  return decode_selection(list, wanted, state, path);
}

void measure_normalisation(Dataset& out) {
  const Statistics measured = statistics(out.train());
  for (int c = 0; c < 3; ++c) {
    out.mean[c] = static_cast<float>(measured.mean[c]);
    out.std[c] = measured.std[c] > 0 ? static_cast<float>(measured.std[c]) : 1.f;  // a channel of one value
  }
}

}  // namespace

void read_pictures(const PictureList& list, const Wanted& wanted, Dataset& out) {
  if (wanted.pictures.size < 1 || wanted.pictures.size > kLargestPicture)
    fail("{}: pictures are decoded to images of one size, 1 to {} pixels: --set data.size=N; found {}", out.spec,
         kLargestPicture, wanted.pictures.size);
  auto [contents, pixels] = find_or_decode(list, wanted, out.spec);
  for (BadPicture& bad : contents.bad) bad.file = printable(list.files[static_cast<size_t>(bad.index)]);
  if (!wanted.pictures.skip_bad && !contents.bad.empty()) fail_for(contents.bad.front());
  if (contents.order.empty())
    fail("{}: none of {} can be decoded; {}: {}", out.spec, counted(contents.bad.size(), "picture file"),
         contents.bad.front().file, contents.bad.front().reason);
  const auto count = std::ssize(contents.order);
  if (wanted.holdout > 0 && (contents.train == 0 || contents.train == count))
    fail("{}: data.holdout = {} of {} leaves {} to learn from and {} to score; take another share", out.spec,
         wanted.holdout, counted(count, "picture"), contents.train, count - contents.train);

  Images all{
      .count = count, .height = wanted.pictures.size, .width = wanted.pictures.size, .channels = 3, .pixels = pixels};
  for (const int64_t i : contents.order) {
    all.files.push_back(list.files[static_cast<size_t>(i)]);
    all.labels.push_back(list.labels[static_cast<size_t>(i)]);
  }
  out.class_names = list.class_names;
  out.edit(Role::train) = all.part(0, contents.train);
  if (wanted.holdout > 0) out.edit(Role::test) = all.part(contents.train, count - contents.train);
  out.notes = list.notes;
  out.bad = std::move(contents.bad);
  measure_normalisation(out);
}

}  // namespace kith::data
