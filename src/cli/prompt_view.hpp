// What a person sees of a turn: the agent's text on stdout, everything else as short lines on
// stderr. Pure: messages in, pieces of text out.
#pragma once

#include <boost/json/object.hpp>

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace relay::cli {

struct Piece {
  enum class Stream { kOut, kErr };
  Stream stream = Stream::kOut;
  std::string text;
  bool operator==(const Piece&) const = default;
};

struct ViewOptions {
  bool out_is_terminal = false;  // text of the agent is made harmless for terminals
  bool err_is_terminal = false;  // notes are dimmed
};

class PromptView {
 public:
  explicit PromptView(ViewOptions options) : options_(options) {}

  // The pieces for a `session/update`; nothing for updates that a reader does not miss.
  std::vector<Piece> update(const boost::json::object& params);

  // One line of our own on stderr, after whatever is open there or on the same terminal.
  std::vector<Piece> note(std::string_view line);

  // Ends an open line. Call at the end of the turn.
  std::vector<Piece> finish();

 private:
  enum class Open { kNothing, kText, kThought };

  std::vector<Piece> chunk(const boost::json::object& update, Open kind);
  bool begins_another(std::string_view message_id);
  std::vector<Piece> tool(const boost::json::object& update);
  std::vector<Piece> plan(const boost::json::object& update);
  std::string dimmed(std::string text) const;
  void close_line(std::vector<Piece>& pieces, Open next);

  ViewOptions options_;
  Open open_ = Open::kNothing;  // what the last unfinished line belongs to
  bool out_mid_line_ = false;
  std::string message_;        // the agent's id of the one that is shown; empty: it has none
  bool came_between_ = false;  // a tool call or a plan, since that message's last text
  struct Tool {
    std::string title;
    std::string status;
  };
  std::map<std::string, Tool, std::less<>> tools_;
};

// A line for each permission that the relay's policy answered in place of a person, from the result
// of session/prompt.
std::vector<std::string> policy_notes(const boost::json::object& result);

}  // namespace relay::cli
