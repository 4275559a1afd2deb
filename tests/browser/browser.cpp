#include "tests/browser/browser.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <map>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace kith::test {
namespace {

using nlohmann::json;

// The browser's ends lie above 4, so that 3 and 4, which it reads and writes, are free for them.
std::array<int, 2> high_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  for (int& end : ends) {
    const int moved = ::fcntl(end, F_DUPFD_CLOEXEC, 10);
    ::close(end);
    end = moved;
  }
  return ends;
}

}  // namespace

std::string Browser::program() {
  if (const char* named = std::getenv("KITH_CHROMIUM")) return named;
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');)
    for (const char* name : {"chromium", "chromium-browser", "google-chrome"})
      if (const std::string file = folder + "/" + name; ::access(file.c_str(), X_OK) == 0) return file;
  return "";
}

Browser::Browser(const std::filesystem::path& profile) {
  const std::array<int, 2> commands = high_pipe(), answers = high_pipe();
  std::vector<std::string> words = {
      program(),          "--headless=new", "--remote-debugging-pipe", "--user-data-dir=" + profile.string(),
      "--no-first-run",   "--disable-gpu",  "--disable-dev-shm-usage", "--disable-background-networking",
      "--hide-scrollbars"};
  if (::geteuid() == 0) words.emplace_back("--no-sandbox");  // as root it has none
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, commands[0], 3);
  posix_spawn_file_actions_adddup2(&actions, answers[1], 4);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawnattr_t own_group;  // it starts processes of its own, which end with it
  posix_spawnattr_init(&own_group);
  posix_spawnattr_setflags(&own_group, POSIX_SPAWN_SETPGROUP);
  const int failed = posix_spawn(&child_, argv[0], &actions, &own_group, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&own_group);
  ::close(commands[0]), ::close(answers[1]);
  to_ = commands[1], from_ = answers[0];
  if (failed != 0) throw std::runtime_error("cannot start " + words[0]);
  const json target = call("Target.createTarget", {{"url", "about:blank"}});
  session_ = call("Target.attachToTarget", {{"targetId", target.at("targetId")}, {"flatten", true}}).at("sessionId");
  for (const char* domain : {"Page.enable", "Runtime.enable", "Log.enable"}) call(domain, json::object());
}

Browser::~Browser() {
  ::close(to_), ::close(from_);
  ::kill(-child_, SIGKILL);
  ::waitpid(child_, nullptr, 0);
}

json Browser::next() {
  for (;;) {
    if (const size_t end = read_.find('\0'); end != std::string::npos) {
      json message = json::parse(read_.substr(0, end));
      read_.erase(0, end + 1);
      return message;
    }
    std::array<char, 65536> part{};
    const ssize_t n = ::read(from_, part.data(), part.size());
    if (n <= 0) throw std::runtime_error("the browser has ended");
    read_.append(part.data(), static_cast<size_t>(n));
  }
}

void Browser::note(const json& message) {
  const std::string method = message.value("method", "");
  if (method == "Page.loadEventFired") loaded_ = true;
  const json& of = message.value("params", json::object());
  if (method == "Runtime.exceptionThrown" || (method == "Runtime.consoleAPICalled" && of.at("type") == "error") ||
      (method == "Log.entryAdded" && of.at("entry").at("level") == "error"))
    errors_.push_back(of.dump());
}

json Browser::call(const std::string& method, json parameters) {
  json message = {{"id", ++number_}, {"method", method}, {"params", std::move(parameters)}};
  if (!session_.empty()) message["sessionId"] = session_;
  const std::string text = message.dump();
  for (size_t sent = 0; sent <= text.size();) {  // with the zero at its end
    const ssize_t n = ::write(to_, text.c_str() + sent, text.size() + 1 - sent);
    if (n <= 0) throw std::runtime_error("the browser has ended");
    sent += static_cast<size_t>(n);
  }
  for (;;) {
    const json answer = next();
    if (answer.value("id", 0) != number_) {
      note(answer);
      continue;
    }
    if (answer.contains("error")) throw std::runtime_error(method + ": " + answer.at("error").dump());
    return answer.at("result");
  }
}

void Browser::open(const std::string& url) {
  loaded_ = false;
  const json answer = call("Page.navigate", {{"url", url}});
  if (answer.contains("errorText")) throw std::runtime_error(url + ": " + answer.at("errorText").dump());
  while (!loaded_) note(next());
}

json Browser::value(const std::string& expression) {
  const json answer =
      call("Runtime.evaluate", {{"expression", expression}, {"returnByValue", true}, {"awaitPromise", true}});
  if (answer.contains("exceptionDetails"))
    throw std::runtime_error(expression + ": " + answer.at("exceptionDetails").dump());
  return answer.at("result").value("value", json());
}

bool Browser::becomes_true(const std::string& expression) {
  for (int i = 0; i < 1200; ++i) {
    if (value("!!(" + expression + ")") == true) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return false;
}

void Browser::press(const std::string& key) {
  static const std::map<std::string, int> kCodes = {{"Tab", 9}, {"Escape", 27}, {"End", 35}, {"ArrowRight", 39}};
  for (const char* type : {"rawKeyDown", "keyUp"})
    call("Input.dispatchKeyEvent",
         {{"type", type}, {"key", key}, {"code", key}, {"windowsVirtualKeyCode", kCodes.at(key)}});
}

void Browser::look(int width, int height, const char* scheme) {
  call("Emulation.setDeviceMetricsOverride",
       {{"width", width}, {"height", height}, {"deviceScaleFactor", 1}, {"mobile", width < 600}});
  call("Emulation.setEmulatedMedia",
       {{"features", json::array({{{"name", "prefers-color-scheme"}, {"value", scheme}}})}});
}

}  // namespace kith::test
