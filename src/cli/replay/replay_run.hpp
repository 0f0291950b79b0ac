// One run of a replay: the player's rules on one side, a link to an agent on the other.
#pragma once

#include "base/async.hpp"
#include "cli/failure.hpp"
#include "cli/replay/player.hpp"
#include "cli/replay/replay_link.hpp"

#include <boost/asio/signal_set.hpp>

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>

namespace relay::cli {

class ReplayRun {
 public:
  // Told of every turn's end and of every note, as they come.
  struct Listener {
    std::function<void(std::size_t turn)> turn_ended;
    std::function<void(const std::string& note)> note;
  };

  // `silence`: how long the agent may say nothing while it is waited for.
  ReplayRun(asio::any_io_executor executor, std::unique_ptr<ReplayLink> link, Player& player,
            std::chrono::seconds silence, Listener listener);

  // Plays to the end and closes the link. A failure: the replay could not go on to its end.
  Task<Outcome<void>> run();
  // Why nothing more came, where the player has not played all.
  std::string ended() const { return link_->ended(); }

 private:
  Task<Outcome<void>> play();
  Task<void> read();
  Task<void> watch_signals();
  // False: the time has passed without anything new.
  Task<bool> wait(std::chrono::milliseconds time);
  void hear();

  asio::any_io_executor executor_;
  std::unique_ptr<ReplayLink> link_;
  Player& player_;
  std::chrono::seconds silence_;
  Listener listener_;
  asio::signal_set signals_;
  TaskScope tasks_;
  Wakeup progress_;
  std::deque<std::string> inbox_;
  std::size_t turns_told_ = 0;
  bool ended_ = false;  // the link
  bool interrupted_ = false;
};

}  // namespace relay::cli
