// Runs that begin with the weights of another run.
#pragma once
#include "scan/stages/import.h"
#include "scan/train/checkpoint.h"
#include "tests/scan/stages/stages_support.h"

namespace kith {

using Arrays = std::map<std::string, HostArray>;

class Imports : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    source_ = new test::TinyRun("import_source");
    (*source_)();
  }
  static void TearDownTestSuite() { delete source_; }

  static SafeTensors weights(const std::string& stage) {
    return {.arrays = read_safetensors(source_->file(stage + ".safetensors")).arrays};
  }
  std::filesystem::path written(const SafeTensors& file, const std::string& name = "elsewhere") const {
    write_safetensors(folder_.path() / (name + ".safetensors"), file);
    return folder_.path() / (name + ".safetensors");
  }
  // What the command does: the configuration, with the fields that the weights decide, and then the import.
  void import(test::TinyRun& to, const std::filesystem::path& file, const std::vector<std::string>& ignore = {},
              std::optional<int> head = {}, ImportAs as = ImportAs::result) const {
    const Import read = read_import(file, ignore, head, as);
    to.config = with_overrides(to.config, fields_of(read));
    Session s{to.ctx, to.config, to.data, to.folder.path(), to.report};
    import_weights(s, read);
  }
  static Ledger::State state(test::TinyRun& of, const std::string& stage) {
    return Ledger(of.config, of.data, of.folder.path()).standing(stage).state;
  }
  static void expect_same_arrays(const std::string& file, const test::TinyRun& to) {
    const Arrays got = read_safetensors(to.file(file)).arrays, want = read_safetensors(source_->file(file)).arrays;
    ASSERT_EQ(got.size(), want.size()) << file;
    for (const auto& [name, array] : want) EXPECT_EQ(got.at(name).bytes, array.bytes) << file << ": " << name;
  }
  static void expect_nothing_in(const test::TinyRun& run) { EXPECT_TRUE(std::filesystem::is_empty(run.folder.path())); }

  static inline test::TinyRun* source_ = nullptr;
  test::Folder folder_{"import_files"};
};

}  // namespace kith
