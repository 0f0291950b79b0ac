#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "cli/replay/player.hpp"
#include "cli/replay/replay_link.hpp"
#include "cli/replay/replay_run.hpp"
#include "cli/run_task.hpp"
#include "cli/terminal_text.hpp"
#include "cli/whole_file.hpp"
#include "management/session_import.hpp"

#include <filesystem>
#include <unistd.h>

namespace relay::cli {
namespace {

constexpr std::size_t kShownDifferences = 20;

Task<Outcome<std::unique_ptr<ReplayLink>>> open_link(asio::any_io_executor executor,
                                                     const ReplayCommand& command,
                                                     const std::string& directory,
                                                     const Environment& environment) {
  if (!command.command.empty()) {
    auto link = co_await open_process_link(executor, command.command, directory, environment);
    co_return link;
  }
  ConnectCommand connect;
  connect.relay = command.relay;
  connect.token = command.token;
  connect.agent = command.agent;
  const Outcome<ConnectTarget> target = connect_target(connect, environment);
  if (!target) co_return target.error();
  auto link = co_await open_relay_link(executor, *target);
  co_return link;
}

std::string absolute(const std::string& directory) {
  std::error_code error;
  const auto here = std::filesystem::current_path(error);
  if (error) return directory;
  std::string path = (here / directory).lexically_normal().string();
  if (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

std::string stop_at(const Transcript& transcript, std::size_t turn) {
  const auto& turns = transcript.turns();
  return turn < turns.size() && !turns[turn].stop.empty() ? one_line(turns[turn].stop, 60) : "-";
}

// "turn 2: end_turn, as recorded", or both.
std::string turn_line(const Player& player, std::size_t turn) {
  const std::string recorded = stop_at(player.recording().transcript, turn);
  const std::string replayed = stop_at(player.transcript(), turn);
  return "turn " + std::to_string(turn + 1) + ": " + replayed +
         (recorded == replayed ? ", as recorded" : ", recorded: " + recorded) + "\n";
}

std::size_t turns_of(const Transcript& transcript) {
  std::size_t count = 0;
  for (const TranscriptTurn& turn : transcript.turns()) count += turn.stop.empty() ? 0 : 1;
  return count;
}

std::string difference_text(const TranscriptDifference& difference) {
  const auto shown = [](const std::string& text) {
    return text.empty() ? std::string("nothing") : one_line(text, 300);
  };
  return "turn " + std::to_string(difference.turn) + ", message " +
         std::to_string(difference.message) +
         " differs\n  recorded: " + shown(difference.recorded) +
         "\n  replayed: " + shown(difference.replayed) + "\n";
}

// Whether the agent said what was recorded.
bool check_words(const Player& player, Output& out) {
  const Transcript& recorded = player.recording().transcript;
  const auto found =
      differences(recorded, player.recording().names, player.transcript(), player.names());
  std::size_t shown = 0;
  for (const TranscriptDifference& difference : found) {
    if (shown++ == kShownDifferences) break;
    out.write(difference_text(difference));
  }
  if (found.empty()) {
    out.write("the agent said what was recorded\n");
    return true;
  }
  out.write(std::to_string(found.size()) + (found.size() == 1 ? " turn differs" : " turns differ") +
            " from the recording\n");
  return false;
}

ExitCode conclude(const Player& player, const std::string& ended, bool check, Output& out) {
  const std::size_t wanted = turns_of(player.recording().transcript);
  const std::size_t played = turns_of(player.transcript());
  for (std::size_t turn = played; turn < wanted; ++turn) out.write(turn_line(player, turn));
  const bool is_good = !check || check_words(player, out);
  if (!player.played_all()) {
    return report({ExitCode::kError, "the recording was not played to its end\n  " + ended});
  }
  return is_good ? ExitCode::kOk : ExitCode::kError;
}

}  // namespace

ExitCode run_replay(const ReplayCommand& command, const Environment& environment) {
  Outcome<std::string> file = read_whole(command.file, management::kMaxImportBytes);
  if (!file) return report(file.error());
  Outcome<Recording> recording = read_recording(*file);
  if (!recording) return report(recording.error());
  file->clear();
  PlayerOptions options;
  options.as_recorded = command.as_recorded;
  options.working_directory =
      command.cwd.empty() ? recording->names.working_directory : absolute(command.cwd);
  Output out(STDOUT_FILENO);
  Output err(STDERR_FILENO);
  if (recording->steps.empty()) {
    return report({ExitCode::kError, "the recorded client did nothing: there is nothing to play"});
  }
  if (recording->has_gaps)
    err.write("acp-relay: the recording has gaps; what they held is not played\n");
  return run_task([&](asio::any_io_executor executor) -> Task<ExitCode> {
    Outcome<std::unique_ptr<ReplayLink>> link =
        co_await open_link(executor, command, options.working_directory, environment);
    if (!link) co_return report(link.error());
    Player player(std::move(*recording), options);
    ReplayRun::Listener listener;
    listener.turn_ended = [&](std::size_t turn) { out.write(turn_line(player, turn)); };
    listener.note = [&](const std::string& note) {
      err.write("acp-relay: " + one_line(note, 300) + "\n");
    };
    ReplayRun run(executor, std::move(*link), player, std::chrono::seconds(command.timeout_seconds),
                  std::move(listener));
    const Outcome<void> played = co_await run.run();
    if (!played) co_return report(played.error());
    co_return conclude(player, run.ended(), command.check, out);
  });
}

}  // namespace relay::cli
