// The page of a run that is under way, for a browser on this machine.
//
// Served are one page and one number that says when it has changed, on 127.0.0.1 alone, under a path that begins with 128 random
// bits: no file of the run is reached by its name. Requests by another host name (a foreign page whose name was made to lead
// here) are refused; nothing can be changed. Once the run has finished the page is its report.html.
#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

namespace kith {

class WatchServer {
 public:
  // port 0: any that is free. Error where it is taken or not allowed.
  WatchServer(std::filesystem::path run_dir, int port);
  ~WatchServer();  // requests under way are answered first
  const std::string& url() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kith
