#include "apps/commands/watch_server.h"

#include <fmt/format.h>
#include <httplib.h>
#include <sys/random.h>

#include <array>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "data/formats/files.h"
#include "kernels/core/check.h"
#include "scan/config/run_command.h"
#include "scan/report/page.h"
#include "scan/run/made.h"
#include "scan/run/progress.h"
#include "scan/stages/outlook.h"
#include "scan/stages/run_page.h"

namespace kith {
namespace {

// Asks every two seconds whether there is more, and puts the new page's content in place of the old one's.
constexpr char kScript[] = R"js(<script>
let seen = %VERSION%;
async function look() {
  try {
    const state = await (await fetch("state", {cache: "no-store"})).json();
    if (state.finished) return location.reload();
    if (state.version !== seen) {
      const page = new DOMParser().parseFromString(await (await fetch("./", {cache: "no-store"})).text(), "text/html");
      document.querySelector("main").replaceWith(page.querySelector("main"));
      seen = state.version;
    }
    document.title = document.querySelector("h1").textContent;
  } catch (error) {
    document.title = "no longer served";
  }
  setTimeout(look, 2000);
}
setTimeout(look, 2000);
</script>
)js";

constexpr char kPolicy[] =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

std::string random_token() {
  std::array<uint8_t, 16> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    throw Error("the system gives no random numbers");
  std::string out;
  for (const uint8_t b : bytes) out += fmt::format("{:02x}", b);
  return out;
}

// Changes whenever the page does.
size_t version_of(const RunProgress& p) {
  size_t version = 2 * p.lines.size() + (p.worked_on ? 1 : 0);
  for (const StageProgress& s : p.stages) version = 3 * version + static_cast<size_t>(s.state);
  return version & 0xffffffff;
}

std::string page_of(const std::filesystem::path& run_dir, const RunProgress& p) {
  const RunConfig& c = p.config;
  PageInput page{.title = c.data.spec.empty()
                              ? run_dir.filename().string() + ", just begun"
                              : fmt::format("{}, preset {}, seed {}{}", shown_data(c.data.spec), c.preset, c.seed,
                                            p.worked_on ? "" : ": nobody works on it"),
                 .metrics = p.lines,
                 .refined = c.refine.enabled};
  if (!c.data.spec.empty()) page.command = run_command(c, run_dir.string()), page.config = to_toml(c);
  if (!p.worked_on)
    page.facts.emplace_back(
        "State", fmt::format("idle{}: nobody works on it; {}", p.written == 0 ? "" : " since " + local_time(p.written),
                             advice(outlook(run_dir), run_dir, "continues it")));
  for (const StageProgress& s : p.stages)
    page.facts.emplace_back(
        s.name, s.text.empty() ? std::string(name_of(s.state)) : fmt::format("{}: {}", name_of(s.state), s.text));
  if (!p.lost.empty()) page.facts.emplace_back("Log", p.lost);
  std::string html = render_page(page), script = kScript;
  script.replace(script.find("%VERSION%"), 9, std::to_string(version_of(p)));
  return html.insert(html.rfind("</body>"), script);
}

}  // namespace

struct WatchServer::Impl {
  std::filesystem::path run_dir;
  std::string token = random_token(), host, url = {};
  httplib::Server server = {};
  std::thread thread = {};

  explicit Impl(std::filesystem::path dir) : run_dir(std::move(dir)) {}

  void answer(const httplib::Request& request, httplib::Response& response) const {
    const std::string asked = request.get_header_value("Host");
    if (asked != host && asked != "localhost" + host.substr(host.find(':'))) {
      response.status = 403;
      return;
    }
    for (const auto& [name, value] : {std::pair{"Cache-Control", "no-store"},
                                      {"Content-Security-Policy", kPolicy},
                                      {"Referrer-Policy", "no-referrer"},
                                      {"X-Content-Type-Options", "nosniff"}})
      response.set_header(name, value);
    const std::string page = "/" + token + "/";
    if (request.path != page && request.path != page + "state") {
      response.status = 404;
      return;
    }
    try {
      const RunProgress progress = read_progress(run_dir);
      if (request.path != page) {
        response.set_content(nlohmann::json{{"version", version_of(progress)}, {"finished", progress.finished}}.dump(),
                             "application/json");
      } else if (progress.finished) {
        const std::vector<uint8_t> report = data::read_file(run_dir / "report.html");
        response.set_content(reinterpret_cast<const char*>(report.data()), report.size(), "text/html; charset=utf-8");
      } else {
        response.set_content(page_of(run_dir, progress), "text/html; charset=utf-8");
      }
    } catch (const std::exception& e) {  // a file that is being exchanged: asked again in two seconds
      response.status = 503;
      response.set_content(e.what(), "text/plain; charset=utf-8");
    }
  }
};

WatchServer::WatchServer(std::filesystem::path run_dir, int port) : impl_(std::make_unique<Impl>(std::move(run_dir))) {
  Impl& s = *impl_;
  s.server.set_payload_max_length(0);
  // Before a body is waited for, which may never come.
  s.server.set_pre_routing_handler([](const httplib::Request& request, httplib::Response& response) {
    using enum httplib::Server::HandlerResponse;
    if (request.method == "GET" || request.method == "HEAD") return Unhandled;
    response.status = 405;
    response.set_header("Allow", "GET, HEAD");
    return Handled;
  });
  // The library's own options would let a second program share the port, each getting some of the requests.
  s.server.set_socket_options([](socket_t socket) {
    const int yes = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
  s.server.Get(".*",
               [&s](const httplib::Request& request, httplib::Response& response) { s.answer(request, response); });
  const int bound = port == 0                                  ? s.server.bind_to_any_port("127.0.0.1")
                    : s.server.bind_to_port("127.0.0.1", port) ? port
                                                               : -1;
  if (bound <= 0) throw Error(fmt::format("port {} of 127.0.0.1 cannot be bound: it is taken, or not allowed", port));
  s.host = fmt::format("127.0.0.1:{}", bound);
  s.url = fmt::format("http://{}/{}/", s.host, s.token);
  s.thread = std::thread([&s] { s.server.listen_after_bind(); });
}

WatchServer::~WatchServer() {
  impl_->server.stop();
  impl_->thread.join();
}

const std::string& WatchServer::url() const { return impl_->url; }

}  // namespace kith
