// Copies of this program that run beside it, each with a log of its own.
#pragma once
#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace kith {

// A child is in a process group of its own, so that Ctrl-C reaches this program alone, which asks each child once to save and
// stop. Where this program ends otherwise, killed too, the children are asked by the kernel.
class Children {
 public:
  Children() = default;
  ~Children();  // asks those that run to stop, and waits for them
  Children(const Children&) = delete;
  Children& operator=(const Children&) = delete;

  // Standard output and error go to `log`, which is replaced. Error: cannot be started.
  void start(size_t id, const std::vector<std::string>& arguments, const std::filesystem::path& log);
  size_t running() const { return running_.size(); }

  struct Ended {
    size_t id = 0;
    int status = 0;  // exit status, or 128 + signal
  };
  std::optional<Ended> wait(int milliseconds);  // for any; nothing if none ended by then

  void stop();  // SIGTERM, once to each

 private:
  struct Child {
    size_t id;
    pid_t process;
    bool asked = false;
  };
  std::vector<Child> running_;
};

// What a child said of its failure: the last "kith: error: ..." of its log, without that; else its last line.
std::string complaint_in(const std::filesystem::path& log);

}  // namespace kith
