#include "cli/prompt_view.hpp"

#include "cli/json_access.hpp"
#include "cli/terminal_text.hpp"

#include <boost/json/serialize.hpp>

namespace relay::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxNote = 160;
constexpr std::size_t kMaxTools = 10'000;  // a turn's titles that are kept for later updates

// A content block that is not text, in a few words.
std::string describe_block(const json::object& block) {
  const std::string_view type = string_at(block, "type");
  std::string_view about = string_at(block, "uri");
  if (about.empty()) about = string_at(block, "mimeType");
  if (const json::object* resource = object_at(block, "resource")) {
    about = string_at(*resource, "uri");
  }
  return "[" + std::string(type.empty() ? "content" : type) + "] " + std::string(about);
}

// The first text of a tool call's content; what a failed tool has to say.
std::string_view first_text(const json::object& update) {
  const json::array* content = array_at(update, "content");
  if (content == nullptr) return {};
  for (const json::value& item : *content) {
    const json::object* object = item.if_object();
    const json::object* block = object != nullptr ? object_at(*object, "content") : nullptr;
    if (block != nullptr && !string_at(*block, "text").empty()) return string_at(*block, "text");
  }
  return {};
}

std::string_view mark_of(std::string_view status) {
  if (status == "completed") return "[x] ";
  if (status == "in_progress") return "[>] ";
  return "[ ] ";
}

}  // namespace

std::string PromptView::dimmed(std::string text) const {
  return options_.err_is_terminal ? "\x1b[2m" + text + "\x1b[0m" : text;
}

void PromptView::close_line(std::vector<Piece>& pieces, Open next) {
  if (open_ == next) return;
  if (open_ == Open::kThought) pieces.push_back({Piece::Stream::kErr, "\n"});
  // Only where both streams meet on a screen does a note need the text's line to end first.
  const bool same_screen = options_.out_is_terminal && options_.err_is_terminal;
  if (open_ == Open::kText && out_mid_line_ && same_screen) {
    pieces.push_back({Piece::Stream::kErr, "\n"});
    out_mid_line_ = false;
  }
  open_ = next;
}

std::vector<Piece> PromptView::note(std::string_view line) {
  std::vector<Piece> pieces;
  close_line(pieces, Open::kNothing);
  pieces.push_back({Piece::Stream::kErr, dimmed(one_line(line, kMaxNote)) + "\n"});
  return pieces;
}

std::vector<Piece> PromptView::finish() {
  std::vector<Piece> pieces;
  if (open_ == Open::kThought) pieces.push_back({Piece::Stream::kErr, "\n"});
  if (out_mid_line_) pieces.push_back({Piece::Stream::kOut, "\n"});
  open_ = Open::kNothing;
  out_mid_line_ = false;
  return pieces;
}

// Whether a text belongs to another message than the one before: its id says so, or what the agent
// did meanwhile.
bool PromptView::begins_another(std::string_view id) {
  const bool is_same = !id.empty() && id == message_;
  const bool is_named = !id.empty() && !message_.empty();
  const bool another = !is_same && (is_named || came_between_);
  message_ = id;
  came_between_ = false;
  return another;
}

std::vector<Piece> PromptView::chunk(const json::object& update, Open kind) {
  const json::object* block = object_at(update, "content");
  if (block == nullptr) return {};
  if (string_at(*block, "type") != "text") return note(describe_block(*block));
  const std::string_view text = string_at(*block, "text");
  if (text.empty()) return {};
  std::vector<Piece> pieces;
  close_line(pieces, kind);
  if (kind == Open::kThought) {
    pieces.push_back({Piece::Stream::kErr, dimmed(visible(text))});
  } else {
    if (begins_another(string_at(update, "messageId")) && out_mid_line_ && text.front() != '\n') {
      pieces.push_back({Piece::Stream::kOut, "\n"});
    }
    pieces.push_back(
        {Piece::Stream::kOut, options_.out_is_terminal ? visible(text) : std::string(text)});
    out_mid_line_ = text.back() != '\n';
  }
  return pieces;
}

std::vector<Piece> PromptView::tool(const json::object& update) {
  const std::string_view id = string_at(update, "toolCallId");
  if (tools_.size() >= kMaxTools && !tools_.contains(id)) return {};
  Tool& known = tools_[std::string(id)];
  const bool first = known.title.empty();
  if (const auto title = string_at(update, "title"); !title.empty()) known.title = title;
  if (known.title.empty()) known.title = id;
  const std::string_view status = string_at(update, "status");
  if (!first && (status.empty() || status == known.status)) return {};
  if (!status.empty()) known.status = status;
  came_between_ = true;
  std::string line = "[tool] " + known.title;
  if (!known.status.empty()) line += ": " + known.status;
  if (status == "failed" && !first_text(update).empty()) {
    line += " (" + std::string(first_text(update)) + ")";
  }
  return note(line);
}

std::vector<Piece> PromptView::plan(const json::object& update) {
  const json::array* entries = array_at(update, "entries");
  if (entries == nullptr) return {};
  came_between_ = true;
  std::vector<Piece> pieces = note("[plan]");
  for (const json::value& entry : *entries) {
    const json::object* step = entry.if_object();
    if (step == nullptr) continue;
    const std::string line = "  " + std::string(mark_of(string_at(*step, "status"))) +
                             std::string(string_at(*step, "content"));
    for (Piece& piece : note(line)) pieces.push_back(std::move(piece));
  }
  return pieces;
}

std::vector<Piece> PromptView::update(const json::object& params) {
  const json::object* found = object_at(params, "update");
  if (found == nullptr) return {};
  const json::object& update = *found;
  const std::string_view kind = string_at(update, "sessionUpdate");
  if (kind == "agent_message_chunk") return chunk(update, Open::kText);
  if (kind == "agent_thought_chunk") return chunk(update, Open::kThought);
  if (kind == "tool_call" || kind == "tool_call_update") return tool(update);
  if (kind == "plan") return plan(update);
  if (kind == "current_mode_update") {
    return note("[mode] " + std::string(string_at(update, "currentModeId")));
  }
  if (kind == "notice") {
    return note("[" + std::string(string_at(update, "severity")) + "] " +
                std::string(string_at(update, "title")));
  }
  return {};
}

std::vector<std::string> policy_notes(const json::object& result) {
  std::vector<std::string> notes;
  const json::object* const meta = object_at(result, "_meta");
  const json::array* const list =
      meta != nullptr ? array_at(*meta, "acp-relay/permissions") : nullptr;
  if (list == nullptr) return notes;
  for (const json::value& item : *list) {
    const json::object* const decision = item.if_object();
    if (decision == nullptr) continue;
    const json::object* const tool = object_at(*decision, "toolCall");
    const std::string_view kind = string_at(*decision, "kind");
    notes.push_back("[permission] " +
                    std::string(tool != nullptr ? string_at(*tool, "title") : "") + ": " +
                    (kind.empty() ? "cancelled" : std::string(kind)) +
                    " by the relay (sessions.permission_default); nobody was asked");
  }
  return notes;
}

}  // namespace relay::cli
