#include "cli/drain_view.hpp"

#include "cli/json_access.hpp"
#include "cli/terminal_text.hpp"

#include <cstdint>

namespace relay::cli {
namespace {

namespace json = boost::json;

std::string counted(std::int64_t count, const std::string& one, const std::string& many) {
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

}  // namespace

std::string drain_progress(const json::object& state) {
  std::string text = counted(number_at(state, "sessions"), "session open", "sessions open") + ", " +
                     counted(number_at(state, "turns"), "turn running", "turns running");
  if (const auto starting = number_at(state, "starting"); starting > 0) {
    text += ", " + std::to_string(starting) + " starting";
  }
  if (const auto queued = number_at(state, "queuedPrompts"); queued > 0) {
    text += ", " + counted(queued, "prompt queued", "prompts queued");
  }
  if (const auto waits = number_at(state, "permissionWaits"); waits > 0) {
    text += ", " + counted(waits, "permission waited for", "permissions waited for");
  }
  return text;
}

std::string drain_losses(const json::object& state) {
  const std::int64_t ending = number_at(state, "endingSessions");
  if (ending == 0) return {};
  std::string text = counted(ending, "session ends", "sessions end") + " with the relay:";
  const json::array* const ids = array_at(state, "ending");
  std::int64_t named = 0;
  for (const json::value& id : ids != nullptr ? *ids : json::array()) {
    if (!id.is_string()) continue;
    text += " " + one_line(std::string_view(id.get_string()), 100);
    ++named;
  }
  if (named < ending) text += " and " + std::to_string(ending - named) + " more";
  return text;
}

bool is_another_relay(const json::object& answer, const json::object& stopping) {
  return !bool_at(answer, "draining") || number_at(answer, "pid") != number_at(stopping, "pid");
}

}  // namespace relay::cli
