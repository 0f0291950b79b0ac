// One prompt turn from the client's side: reads the stream, shows it, answers the agent's requests,
// cancels on Ctrl-C. Used once.
#pragma once

#include "base/async.hpp"
#include "cli/command.hpp"
#include "cli/failure.hpp"
#include "cli/output.hpp"
#include "cli/permission.hpp"
#include "cli/prompt_view.hpp"
#include "cli/relay_client.hpp"
#include "cli/terminal_reader.hpp"

#include <boost/json/object.hpp>

#include <deque>
#include <memory>
#include <optional>
#include <string>

namespace relay::cli {

class Turn {
 public:
  // The references outlive the turn. `silence` is said when nothing has come for long; may be
  // empty.
  Turn(asio::any_io_executor executor, const RelayAccess& access, const PromptCommand& command,
       std::string session, std::string silence, Output& out, Output& err);

  // The result of session/prompt. A broken stdout cancels the turn and is a failure.
  Task<Outcome<boost::json::object>> run(std::string text);

  // Asks the relay to cancel the turn; returns at once. run() goes on until the turn has ended.
  void cancel();
  bool cancelled() const { return cancelled_; }

 private:
  // Until the turn has ended; what runs beside it is left.
  Task<void> live(std::string text, std::optional<Outcome<boost::json::object>>& result);
  Task<Outcome<boost::json::object>> read(std::string text);
  // The result when the line is the response to the prompt.
  std::optional<Outcome<boost::json::object>> take_line(const std::string& line);
  void take_notification(const boost::json::object& message);
  Task<void> say_silence();
  Task<void> answer_requests();
  Task<boost::json::object> answer_to(boost::json::object request);
  Task<std::optional<PermissionOption>> decide(PermissionRequest request);
  void print(const std::vector<Piece>& pieces);

  asio::any_io_executor executor_;
  const RelayAccess& access_;
  const PromptCommand& command_;
  std::string session_;
  std::string silence_;  // empty: something was shown, or there is nothing to say
  Output& out_;
  Output& err_;
  PromptView view_;
  std::unique_ptr<TerminalReader> terminal_;
  std::deque<boost::json::object> requests_;  // of the agent, in the order they came
  boost::json::value asked_;                  // id of the request that is being answered
  bool withdrawn_ = false;                    // that request needs no answer any more
  bool cancelled_ = false;
  bool ended_ = false;  // calls that still run are cut off
  Wakeup requests_came_;
  TaskScope tasks_;
};

}  // namespace relay::cli
