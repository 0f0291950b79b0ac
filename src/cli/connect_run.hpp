// One run of `acp-relay connect`: stdin and stdout on one side, connections to the relay, one after
// another, on the other, and the bridge's rules between them.
//
// While the editor does not read, at most some MiB are taken from the relay. stderr gets one line
// for each change of the connection.
#pragma once

#include "base/async.hpp"
#include "bridge/bridge.hpp"
#include "cli/connect_target.hpp"
#include "cli/output.hpp"
#include "cli/standard_stream.hpp"
#include "http/websocket_client.hpp"

#include <boost/asio/signal_set.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace relay::cli {

struct ConnectTimes {
  std::chrono::milliseconds first{5'000};  // for the first connection
  std::chrono::milliseconds reconnect{300'000};
  std::chrono::milliseconds grace{5'000};      // after the end of stdin, for open requests
  std::chrono::milliseconds farewell{10'000};  // for the editor to hear why there is no connection
};

class ConnectRun {
 public:
  ConnectRun(asio::any_io_executor executor, ConnectTarget target, ConnectTimes times,
             StandardStream input, StandardStream output);

  Task<ExitCode> run();

 private:
  using Clock = std::chrono::steady_clock;

  Task<void> live();
  Task<void> read_editor();
  Task<void> write_editor();
  Task<void> watch_signals();
  Task<void> keep_connected();
  Task<void> serve(http::WebSocketClient& client);
  Task<void> read_relay(http::WebSocketClient& client, std::optional<Error>& trouble);
  Task<void> write_relay(http::WebSocketClient& client);
  Task<void> wait_for(std::function<bool()> condition, std::chrono::milliseconds time);

  Task<void> finish();
  void from_editor(std::string line);
  void from_relay(http::WebSocketClient& client, std::vector<std::string> messages);
  void hear(const http::WebSocketClient& client);
  void spread();
  void note_greeting();
  void fail(ConnectFailure failure);
  void say(const std::string& text);

  asio::any_io_executor executor_;
  ConnectTarget target_;
  const std::string url_;  // for people
  ConnectTimes times_;
  StandardStream input_;
  StandardStream output_;
  Output err_;
  asio::signal_set signals_;
  bridge::Bridge bridge_;
  TaskScope tasks_;

  Wakeup to_relay_;   // the bridge may have messages
  Wakeup to_editor_;  // `unwritten_` has grown
  Wakeup drained_;    // `unwritten_` has shrunk
  Wakeup progress_;   // anything changed that the end waits for
  Wakeup wanted_;     // there may be something to connect for

  std::string unwritten_;                    // lines for the editor
  std::size_t in_flight_ = 0;                // bytes being written to it
  bool told_editor_ = false;                 // since it failed
  http::WebSocketClient* client_ = nullptr;  // the present connection
  bool was_connected_ = false;
  bool is_greeted_ = false;  // the present connection
  bool was_useful_ = false;  // the last connection
  bool was_cut_ = false;     // likewise, without a word of the relay
  std::optional<Clock::time_point> lost_at_;
  bool input_ended_ = false;
  bool output_broken_ = false;
  bool told_to_end_ = false;
  std::optional<ConnectFailure> last_failure_;  // of an attempt
  std::optional<ConnectFailure> failure_;       // final
};

}  // namespace relay::cli
