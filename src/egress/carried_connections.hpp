// An agent's connections that arrive over one pair of streams, as agent_init/carried.hpp says, from
// acp-agent-init --carry: each becomes a socket, as if it had come through a door.
//
// What the other side says is not trusted: who does not keep to the rules is not listened to any
// more. Bounded: connections by twice `most`, each with carried::kWindow bytes towards the relay,
// and what is on its way to the agent by 2 * kOutgoing. Others have their turn after each read.
#pragma once

#include "agent_init/carried.hpp"
#include "base/async.hpp"
#include "http/transport.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace relay::egress {

class CarriedConnections {
 public:
  // None of them throws; reading and writing end when the streams are closed.
  struct Streams {
    std::function<Task<std::string>()> read;            // empty: over
    std::function<Task<bool>(std::string_view)> write;  // false: over
    std::function<void()> close;
  };
  using Admit = std::function<void(http::Transport::Socket)>;

  CarriedConnections(asio::any_io_executor executor, Streams streams, std::size_t most,
                     Admit admit);
  CarriedConnections(const CarriedConnections&) = delete;
  CarriedConnections& operator=(const CarriedConnections&) = delete;

  // Until the other side has said its first word. False: it said something else, or is gone. What
  // comes then is for run().
  Task<bool> wait_until_ready();
  // Until the streams end, or the other side breaks a rule: which one, or empty. Then they are
  // closed. Called once, and awaited to its end; also a cancelled one has that.
  Task<std::string> run();
  // What came instead of the first word.
  const std::string& said_before() const { return early_; }

 private:
  static constexpr std::size_t kOutgoing = 8 * carried::kMaxData;

  struct Connection;
  using Shared = std::shared_ptr<Connection>;

  Task<void> listen();
  bool take(std::string_view bytes);
  bool take_frame(const carried::Head& head);
  bool take_data(std::string_view bytes);
  bool open(std::uint32_t number);
  void give_up_one();
  void stop(Connection& connection);
  bool break_rule(std::string rule);
  void say(carried::Kind kind, const Connection& connection, std::uint32_t length = 0);
  void append(const carried::Head& head, std::string_view data);

  Task<void> write();
  Task<void> carry_to_relay(Shared connection);
  Task<void> carry_to_agent(Shared connection);
  void half_done(const Shared& connection);

  asio::any_io_executor executor_;
  const Streams streams_;
  const std::size_t most_;
  const Admit admit_;
  std::map<std::uint32_t, Shared> connections_;
  std::uint32_t last_number_ = 0;
  std::string broken_rule_;

  std::string early_;  // what came before run()

  // Of the frame that is being read: what is there of its head, or what is missing of its data.
  std::string head_;
  carried::Head current_;
  std::size_t data_left_ = 0;

  std::string outgoing_;
  Wakeup outgoing_grew_;
  Wakeup outgoing_has_room_;
  std::array<char, carried::kMaxData> buffer_;  // for one attempt to read
  TaskScope scope_;
};

}  // namespace relay::egress
