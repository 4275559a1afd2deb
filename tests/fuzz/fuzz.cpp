// Every reader of files under libFuzzer: reading ends with what is in the file or with one line (std::runtime_error), whatever the
// bytes are. tests/fuzz/run builds it and runs it over all of them.
//
//   KITH_READER=a.npy fuzz_readers [libFuzzer's arguments]     one reader; "picture" is the decoder of picture files
//   fuzz_readers --seeds DIR                                   writes DIR/READER/ with valid files and those of the corpus, and ends
//   fuzz_readers --pack DIR FILE                               FILE is the corpus of what lies in DIR/READER/
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <stdexcept>
#include <string>

#include "data/formats/files.h"
#include "data/pictures/decode.h"
#include "data/pictures/resize.h"
#include "nn/state/safetensors.h"
#include "tests/scan/readers.h"

// Two frames of every allocation in place of thirty, little memory kept from being used again and none given back meanwhile, and no
// stacks on the heap, which after each exception cost more than most readers do; every tenth slice of tests/fuzz/run has them.
// What is found is told in full by ASAN_OPTIONS=malloc_context_size=30 fuzz_readers FOUND.
extern "C" const char* __asan_default_options() {
  return "malloc_context_size=2:quarantine_size_mb=1:thread_local_quarantine_size_kb=64:max_malloc_fill_size=0:"
         "allocator_release_to_os_interval_ms=-1:detect_stack_use_after_return=0";
}

// In place of zlib's: readers ask for buffers of 256 KiB, whose pages take ten times as long as files of a few bytes do.
extern "C" int gzbuffer(void*, unsigned) { return 0; }

namespace {

namespace fs = std::filesystem;
using kith::test::Reader;

fs::path folder;  // of this process, in memory, removed at its end
Reader reader;
int file_of_reader = -1;

// Of a few bytes a picture of 4,000 x 4,000 pixels is made, in seconds here, which shows no more than a small one does.
constexpr int kLongestSide = 512;

void decode(std::span<const uint8_t> file) {
  std::vector<uint8_t> square(12 * 12 * 3);
  kith::data::Turn turn(kLongestSide);
  const kith::data::Raster raster = kith::data::decode(file, {.least = 24, .tga = true}, turn);
  kith::data::resize_square(raster, 12, square);
}

// Over the file that is there: data::write_file asks the disk to be done, and renames.
void put(std::span<const uint8_t> file) {
  const auto size = static_cast<ssize_t>(file.size());
  if (ftruncate(file_of_reader, size) != 0 || pwrite(file_of_reader, file.data(), file.size(), 0) != size) {
    std::perror("the file of the reader");
    std::_Exit(2);
  }
}

void unpack(const std::string& packed, const fs::path& to, const std::string& only, const std::string& below) {
  for (const auto& [name, array] : kith::read_safetensors(packed).arrays)
    if (name.starts_with(only)) {
      const fs::path path = to / below / name.substr(only.size());
      fs::create_directories(path.parent_path());
      kith::data::write_file(path, {{reinterpret_cast<const uint8_t*>(array.bytes.data()), array.bytes.size()}});
    }
}

void write_seeds(const fs::path& to) {
  for (const Reader& r : kith::test::readers(folder)) {
    fs::create_directories(to / r.name);
    kith::data::write_file(to / r.name / "valid", {r.valid});
  }
  unpack(KITH_GOLDEN_DIR "/pictures.safetensors", to, "file.", "picture");
  unpack(KITH_FUZZ_CORPUS, to, "", "");
}

void pack(const fs::path& from, const fs::path& to) {
  kith::SafeTensors out;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(from))
    if (entry.is_regular_file()) {
      const std::vector<uint8_t> bytes = kith::data::read_file(entry.path());
      kith::HostArray& array = out.arrays[fs::relative(entry.path(), from).string()];
      array.dtype = "U8";
      array.shape = {static_cast<int64_t>(bytes.size())};
      const auto raw = std::as_bytes(std::span(bytes));
      array.bytes.assign(raw.begin(), raw.end());
    }
  kith::write_safetensors(to, out);
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  const std::string command = *argc > 1 ? (*argv)[1] : "";
  if (command == "--pack" && *argc == 4) {
    pack((*argv)[2], (*argv)[3]);
    std::exit(0);
  }
  folder = fs::path("/dev/shm") / ("kith_fuzz." + std::to_string(getpid()));
  fs::create_directories(folder);
  std::atexit([] { fs::remove_all(folder); });
  if (command == "--seeds" && *argc == 3) {
    write_seeds((*argv)[2]);
    std::exit(0);
  }
  const char* name = std::getenv("KITH_READER");
  if (name != nullptr && std::string(name) == "picture") {
    reader.name = name;
    return 0;
  }
  std::string known = "picture";
  for (Reader& r : kith::test::readers(folder)) {
    known += ", " + r.name;
    if (name != nullptr && r.name == name) reader = std::move(r);
  }
  if (!reader.read) {
    std::fprintf(stderr, "KITH_READER: expected one of %s\n", known.c_str());
    std::exit(2);
  }
  file_of_reader = open((folder / reader.name).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::span<const uint8_t> file(bytes, size);
  try {
    if (!reader.read) {
      decode(file);
      return 0;
    }
    put(file);
    reader.read(folder / reader.name);
  } catch (const std::runtime_error& e) {
    const std::string line = e.what();
    if (line.empty() || line.find('\n') != std::string::npos) {
      std::fprintf(stderr, "not one line: %s\n", line.c_str());
      std::abort();
    }
  }
  return 0;
}
