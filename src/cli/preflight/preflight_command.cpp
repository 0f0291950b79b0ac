#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "cli/preflight/engine_surroundings.hpp"
#include "cli/preflight/examination.hpp"
#include "cli/preflight/finding.hpp"
#include "cli/run_task.hpp"
#include "cli/terminal_text.hpp"
#include "config/load.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <csignal>
#include <filesystem>
#include <unistd.h>

namespace relay::cli {
namespace {

using namespace asio::experimental::awaitable_operators;
using preflight::Finding;

constexpr const char* kEraseLine = "\r\033[K";
constexpr int kEndAtOnce = 130;

// Prints findings as they come, or all of them at the end as JSON.
class Report {
 public:
  explicit Report(bool json) : json_(json), out_(STDOUT_FILENO), err_(STDERR_FILENO) {}

  void begin(const std::string& what) {
    if (!json_) out_.write(what + "\n");
  }

  void tell(Finding finding) {
    end_progress();
    if (!json_) out_.write(preflight::line(finding));
    findings_.push_back(std::move(finding));
  }

  void progress(const std::string& what) {
    if (!err_.is_terminal()) return;
    end_progress();
    err_.write("  " + visible(what) + " ...");
    shows_progress_ = true;
  }

  void end_progress() {
    if (shows_progress_) err_.write(kEraseLine);
    shows_progress_ = false;
  }

  ExitCode end() {
    end_progress();
    if (json_) {
      boost::json::array all;
      for (const Finding& finding : findings_) all.push_back(preflight::to_json(finding));
      out_.write(boost::json::serialize(all) + "\n");
    }
    return out_.broken() ? ExitCode::kError : preflight::exit_code(findings_);
  }

 private:
  bool json_;
  Output out_;
  Output err_;
  bool shows_progress_ = false;
  std::vector<Finding> findings_;
};

Finding configuration_finding(const config::LoadResult& loaded, const std::string& name) {
  Finding finding{"configuration", preflight::Verdict::kGood, name + " is valid"};
  const auto add = [&finding](const std::vector<config::Problem>& problems) {
    for (const config::Problem& problem : problems) {
      finding.remedies.push_back("mend " + config::describe(problem));
    }
  };
  if (!loaded.ok()) {
    finding.verdict = preflight::Verdict::kBad;
    finding.told = name + " is not valid";
    add(loaded.problems);
  } else if (!loaded.warnings.empty()) {
    finding.verdict = preflight::Verdict::kWarning;
    add(loaded.warnings);
  }
  return finding;
}

// The first one has everything cleared up; another does not wait for that.
Task<void> interruption(asio::signal_set& signals) {
  co_await signals.async_wait(kNoThrow);
  signals.async_wait([](boost::system::error_code failure, int) {
    if (!failure) ::_exit(kEndAtOnce);
  });
}

Task<ExitCode> examine_until_interrupted(asio::any_io_executor executor,
                                         const config::Config& config, Report& report_of_all) {
  asio::signal_set signals(executor, SIGINT, SIGTERM, SIGHUP);
  const preflight::Audience audience{
      [&report_of_all](Finding finding) { report_of_all.tell(std::move(finding)); },
      [&report_of_all](const std::string& what) { report_of_all.progress(what); }};
  auto examining = preflight::examine(executor, config, audience);
  auto interrupted = interruption(signals);
  const auto first = co_await (std::move(examining) || std::move(interrupted));
  signals.cancel();
  const ExitCode code = report_of_all.end();
  if (first.index() == 0) co_return code;
  co_return report({ExitCode::kCancelled, "interrupted"});
}

}  // namespace

ExitCode run_preflight(const PreflightCommand& command, const Environment& environment) {
  std::error_code failure;
  const bool defaults = !command.config_given && !std::filesystem::exists(command.config, failure);
  const config::LoadResult loaded = defaults ? config::load_text("", "defaults", environment)
                                             : config::load(command.config, environment);
  const std::string name =
      defaults ? "the default one (no " + command.config + " here)" : command.config;
  Report report_of_all(command.json);
  report_of_all.begin("preflight of acp-relay " RELAY_VERSION " as " +
                      preflight::user_name(::geteuid()));
  report_of_all.tell(configuration_finding(loaded, name));
  if (!loaded.ok()) return report_of_all.end();
  return run_task([&](asio::any_io_executor executor) {
    return examine_until_interrupted(std::move(executor), loaded.config, report_of_all);
  });
}

}  // namespace relay::cli
