// Every reader of files under libFuzzer: reading ends with what is in the file or with one line (std::runtime_error), whatever the
// bytes are. tests/fuzz/run builds it and runs it over all of them.
//
//   KITH_READER=a.npy fuzz_readers [libFuzzer's arguments]     one reader; "picture" is the decoder of picture files
//   fuzz_readers --seeds DIR                                   writes DIR/READER/ with a valid file or more, and ends
#include <unistd.h>

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

namespace {

namespace fs = std::filesystem;
using kith::test::Reader;

fs::path folder;  // of this process, removed at its end
Reader reader;

void decode(std::span<const uint8_t> file) {
  std::vector<uint8_t> square(12 * 12 * 3);
  kith::data::Turn turn;
  const kith::data::Raster raster = kith::data::decode(file, {.least = 24, .tga = true}, turn);
  kith::data::resize_square(raster, 12, square);
}

void write_seeds(const fs::path& to) {
  for (const Reader& r : kith::test::readers(folder)) {
    fs::create_directories(to / r.name);
    kith::data::write_file(to / r.name / "valid", {r.valid});
  }
  fs::create_directories(to / "picture");
  for (const auto& [name, array] : kith::read_safetensors(KITH_GOLDEN_DIR "/pictures.safetensors").arrays)
    if (name.starts_with("file."))
      kith::data::write_file(to / "picture" / name.substr(5),
                             {{reinterpret_cast<const uint8_t*>(array.bytes.data()), array.bytes.size()}});
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  folder = fs::path("/dev/shm") / ("kith_fuzz." + std::to_string(getpid()));
  fs::create_directories(folder);
  std::atexit([] { fs::remove_all(folder); });
  if (*argc == 3 && std::string((*argv)[1]) == "--seeds") {
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
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::span<const uint8_t> file(bytes, size);
  try {
    if (!reader.read) {
      decode(file);
      return 0;
    }
    kith::data::write_file(folder / reader.name, {file});
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
