// kith watch: in words until a run has finished, and as a page that nobody but its owner reaches.
#include <arpa/inet.h>
#include <httplib.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <future>
#include <optional>
#include <string>

#include "scan/run/metrics_log.h"
#include "tests/apps/run_fixture.h"
#include "tests/apps/terminal.h"

namespace kith::test {
namespace {

// The head of what a server on this machine answers to these very bytes; empty where it closes without a word.
std::string answer_to(int port, const std::string& request) {
  const int at = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string out;
  if (::connect(at, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      ::send(at, request.data(), request.size(), 0) == static_cast<ssize_t>(request.size()))
    for (char part[512]; out.find("\r\n\r\n") == std::string::npos;) {
      const ssize_t n = ::recv(at, part, sizeof part, 0);
      if (n <= 0) break;
      out.append(part, static_cast<size_t>(n));
    }
  ::close(at);
  return out;
}

TEST_F(Runs, AreWatchedUntilTheyHaveFinished) {
  ASSERT_EQ(run("a").status, 0);
  const Outcome o = kith({"watch", (root_ / "a").string()});
  EXPECT_EQ(o.status, 0) << o.err;
  EXPECT_EQ(o.err, "");
  EXPECT_EQ(o.out.find("pretext   finished epoch 3 of 3, loss "), 0u) << o.out;
  EXPECT_NE(o.out.find("\nevaluate  finished\n"), std::string::npos) << o.out;
  EXPECT_EQ(too_wide(o.out), "");

  const Outcome full = kith({"watch", (root_ / "a").string()}, {}, "/dev/full");
  EXPECT_EQ(full.status, 1);
  EXPECT_EQ(full.err, "kith: error: standard output: cannot write: No space left on device\n");

  fs::remove(root_ / "a" / "summary.json");
  const Outcome given_up = kith({"watch", (root_ / "a").string()});
  EXPECT_EQ(given_up.status, 1);
  EXPECT_NE(given_up.err.find("is not finished, and nobody works on it; kith run --out "), std::string::npos);
  const Outcome nothing = kith({"watch", (root_ / "none").string()});
  EXPECT_EQ(nothing.status, 1);
  EXPECT_EQ(nothing.err, "kith: error: " + (root_ / "none").string() +
                             ": no run is there: config.toml or a process at work expected\n");
}

// kith run and kith watch are started in one moment: its folder, its log and the lock of that come after.
TEST_F(Runs, ThatBeginJustNowAreAwaited) {
  for (const bool log_first : {false, true}) {
    const fs::path dir = root_ / (log_first ? "late lock" : "late folder"), shown = root_ / "shown";
    std::ofstream(shown) << "";
    if (log_first) {
      fs::create_directories(dir);
      std::ofstream(dir / "metrics.jsonl") << "";
    }
    std::optional<MetricsLog> at_work;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);  // of a program that gave up
    const auto ready = [&] {
      if (!at_work) {
        std::this_thread::sleep_for(std::chrono::seconds(1));  // it has looked by then
        fs::create_directories(dir);
        at_work.emplace(dir / "metrics.jsonl");
      }
      return text_of(shown).starts_with("pretext   running") || std::chrono::steady_clock::now() > end;
    };
    const Outcome o = kith({"watch", dir.string()}, {.signal = 15, .ready = ready}, shown.c_str());
    EXPECT_EQ(o.status, 143) << dir;
    EXPECT_EQ(o.err, "") << dir;
  }
}

// What a finished run says of an earlier configuration is not compared as that of the one it was begun with again.
TEST_F(Runs, AreNotComparedWhileTheyAreMadeAnew) {
  ASSERT_EQ(run("a").status, 0);
  ASSERT_EQ(kith({"compare", (root_ / "a").string()}).status, 0);
  std::string config = text_of(root_ / "a" / "config.toml");  // as the first checkpoint of the next attempt leaves it
  const std::string before = "[cluster]\nepochs = 3\n";
  ASSERT_NE(config.find(before), std::string::npos);
  config.replace(config.find(before), before.size(), "[cluster]\nepochs = 4\n");
  std::ofstream(root_ / "a" / "config.toml", std::ios::binary) << config;
  const Outcome o = kith({"compare", (root_ / "a").string()});
  EXPECT_EQ(o.status, 1);
  EXPECT_NE(o.err.find("the run has not finished"), std::string::npos) << o.err;
  EXPECT_NE(kith({"watch", (root_ / "a").string()}).err.find("is not finished"), std::string::npos);
}

// An attempt that was killed before its first checkpoint leaves nothing: not its lines either.
TEST_F(Runs, LinesOfAKilledAttemptGo) {
  ASSERT_EQ(run("a").status, 0);
  const std::vector<json> before = log_of(root_ / "a");
  const auto more = [&] { return log_of(root_ / "a").size() > before.size() + 2; };
  kith(command("run", "a", {"--set", "cluster.epochs=5000"}), {.signal = 9, .ready = more});
  ASSERT_GT(log_of(root_ / "a").size(), before.size());
  ASSERT_EQ(text_of(root_ / "a" / "config.toml").find("epochs = 5000"), std::string::npos);
  ASSERT_EQ(run("a").status, 0);
  EXPECT_EQ(log_of(root_ / "a"), before);
}

// Nor where they are as many as the result has: an attempt that ran as long, and was killed before it was on record.
TEST_F(Runs, LinesOfAKilledAttemptGoWhereTheyAreAsMany) {
  ASSERT_EQ(run("a").status, 0);
  const fs::path log = root_ / "a" / "metrics.jsonl";
  const std::vector<json> before = log_of(root_ / "a");
  std::ofstream killed(log, std::ios::app);
  for (json line : before)
    if (line.value("stage", "") == "cluster" && !line.value("finished", false)) {
      line["loss"] = -1.0;
      killed << line.dump() << '\n';
    }
  killed.close();
  ASSERT_GT(log_of(root_ / "a").size(), before.size());
  ASSERT_EQ(run("a").status, 0);
  EXPECT_EQ(log_of(root_ / "a"), before);
}

// Lines that were lost are told in one line by all who read them, and what is left is shown; a whole log has nothing told of it.
TEST_F(Runs, LinesThatTheLogLostAreTold) {
  ASSERT_EQ(run("a").status, 0);
  const fs::path log = root_ / "a" / "metrics.jsonl";
  const std::string whole = text_of(log), dir = (root_ / "a").string();
  const auto compared = [&] { return kith({"compare", dir}); };
  EXPECT_EQ(compared().err, "");
  EXPECT_EQ(kith({"watch", dir}).err, "");
  const std::string begin = "kith: warning: " + log.string() + ": lines are missing (",
                    end = "), what is left is shown\n";
  const auto told = [&](const std::string& what) { return begin + what + end; };

  std::string taken_out = whole;  // an epoch of cluster
  const size_t epoch = taken_out.find(R"("epoch":2,)", taken_out.find(R"("stage":"mine")"));
  ASSERT_NE(epoch, std::string::npos);
  const size_t line = taken_out.rfind('\n', epoch) + 1;
  taken_out.erase(line, taken_out.find('\n', line) + 1 - line);
  std::ofstream(log, std::ios::binary) << taken_out;
  const Outcome side_by_side = compared();
  EXPECT_EQ(side_by_side.status, 0);
  EXPECT_EQ(side_by_side.err, told("cluster: 1 of 4"));
  EXPECT_NE(side_by_side.out.find("SCAN ACC"), std::string::npos) << side_by_side.out;
  const Outcome watched = kith({"watch", dir});
  EXPECT_EQ(watched.status, 0);
  EXPECT_EQ(watched.err, told("cluster: 1 of 4"));
  EXPECT_NE(watched.out.find("cluster   finished epoch 3 of 3, loss "), std::string::npos) << watched.out;

  // Half of it, with half a last line; kith run writes the page anew, and the log stays what it is.
  const size_t half = whole.find(R"("loss")", whole.find(R"("stage":"mine")"));
  std::ofstream(log, std::ios::binary) << whole.substr(0, half);
  const std::string rest = "cluster: all of them; selflabel: all of them";
  EXPECT_EQ(compared().err, told(rest + "; the last line is cut off"));
  EXPECT_EQ(compared().status, 0);
  const Outcome half_watched = kith({"watch", dir});
  EXPECT_EQ(half_watched.status, 0) << "its records say that it has finished";
  EXPECT_TRUE(half_watched.err.starts_with(told(rest + "; the last line is cut off"))) << half_watched.err;
  const Outcome again = run("a", {"--quiet"});
  EXPECT_EQ(again.status, 0);
  EXPECT_TRUE(again.err.ends_with(told(rest))) << again.err;  // behind what is said of the clusters
  EXPECT_NE(
      text_of(root_ / "a" / "report.html").find("<dt>Log</dt><dd>" + log.string() + ": lines are missing (" + rest),
      std::string::npos);
  EXPECT_EQ(compared().err, told(rest));

  fs::remove(log);
  EXPECT_EQ(compared().err, told("pretext: all of them; mine: all of them; " + rest));
  EXPECT_EQ(kith({"watch", dir}).status, 0);
  std::ofstream(log, std::ios::binary) << whole;
  EXPECT_EQ(run("a", {"--quiet"}).err.find("lines are missing"), std::string::npos);
  EXPECT_EQ(text_of(root_ / "a" / "report.html").find("<dt>Log</dt>"), std::string::npos);
}

TEST_F(Runs, OfOtherKindsAreNotWatched) {
  fs::create_directories(root_ / "grid");
  std::ofstream(root_ / "grid" / "grid.toml") << "";
  EXPECT_NE(kith({"watch", (root_ / "grid").string()}).err.find("a folder of runs; expected one of those in it"),
            std::string::npos);
  fs::create_directories(root_ / "dead");
  std::ofstream(root_ / "dead" / "metrics.jsonl") << "";
  fs::last_write_time(root_ / "dead" / "metrics.jsonl", fs::file_time_type::clock::now() - std::chrono::minutes(1));
  EXPECT_NE(kith({"watch", (root_ / "dead").string()}).err.find("ended before it had saved anything"),
            std::string::npos);
}

TEST_F(Runs, AreServedToThisMachineAndNothingElseIs) {
  ASSERT_EQ(run("a").status, 0);
  const fs::path address = root_ / "address";
  std::ofstream(address) << "";
  const auto url = [&] {
    const std::string text = text_of(address);
    return text.ends_with("/\n") ? text.substr(0, text.size() - 1) : "";
  };
  std::promise<void> asked;
  const std::shared_future<void> done = asked.get_future().share();
  std::future<Outcome> served = std::async(std::launch::async, [&] {
    const auto ready = [&] { return done.wait_for(std::chrono::seconds(0)) == std::future_status::ready; };
    return kith({"watch", (root_ / "a").string(), "--serve", "0"}, {.signal = 15, .ready = ready}, address.c_str());
  });
  for (int i = 0; i < 3000 && url().empty(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const std::string at = url(), host = at.substr(0, at.find('/', 7)), path = at.substr(host.size());
  ASSERT_EQ(at.find("http://127.0.0.1:"), 0u) << at;
  EXPECT_EQ(path.size(), 34u) << at;  // 128 bits
  const Outcome second = kith({"watch", (root_ / "a").string(), "--serve", host.substr(host.rfind(':') + 1)});
  EXPECT_EQ(second.status, 1);
  EXPECT_NE(second.err.find("cannot be bound"), std::string::npos) << second.err;

  httplib::Client client(host);
  const auto status = [&](const std::string& asked_for, const httplib::Headers& headers = {}) {
    const auto answer = client.Get(asked_for, headers);
    return answer ? answer->status : 0;
  };
  const auto report = client.Get(path);
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->body == text_of(root_ / "a" / "report.html"));  // it has finished
  EXPECT_EQ(json::parse(client.Get(path + "state")->body).at("finished"), true);
  {
    const MetricsLog at_work(root_ / "a" / "metrics.jsonl");  // as a process that continues it
    const auto page = client.Get(path);
    ASSERT_TRUE(page);
    EXPECT_NE(page->body.find("<dt>pretext</dt><dd>finished: epoch 3 of 3, loss "), std::string::npos) << page->body;
    EXPECT_NE(page->body.find("fetch(\"state\""), std::string::npos);
    EXPECT_NE(page->get_header_value("Content-Security-Policy").find("default-src 'none'"), std::string::npos);
    EXPECT_EQ(json::parse(client.Get(path + "state")->body).at("finished"), false);
  }
  {
    fs::rename(root_ / "a" / "summary.json", root_ / "a" / "away.json");  // an unfinished run, and nobody at work
    const auto page = client.Get(path);
    ASSERT_TRUE(page);
    EXPECT_NE(page->body.find("<dt>State</dt><dd>idle since 20"), std::string::npos) << page->body;
    EXPECT_NE(page->body.find(": nobody works on it; kith run --out " + (root_ / "a").string() + " continues it</dd>"),
              std::string::npos);
    fs::rename(root_ / "a" / "away.json", root_ / "a" / "summary.json");
  }
  for (const std::string& other :
       {std::string("/"), std::string("/report.html"), path.substr(0, 33), path + "config.toml",
        path + "../config.toml", path + "%2e%2e/config.toml", "/" + std::string(32, '0') + "/"})
    EXPECT_EQ(status(other), 404) << other;
  EXPECT_EQ(status(path, {{"Host", "example.com"}}), 403);
  const auto posted = client.Post(path, "x", "text/plain");
  EXPECT_TRUE(posted && posted->status == 405);
  // Without a body, whose end would be that of the connection.
  for (const std::string method : {"POST", "PUT", "DELETE"}) {
    const std::string answer = answer_to(std::stoi(host.substr(host.rfind(':') + 1)),
                                         method + " " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 405 ")) << method << ": " << answer;
    EXPECT_NE(answer.find("Allow: GET, HEAD\r\n"), std::string::npos) << answer;
  }
  asked.set_value();
  EXPECT_EQ(served.get().status, 143);
}

}  // namespace
}  // namespace kith::test
