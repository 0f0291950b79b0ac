#include "http/connection_watch.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>

#include <utility>

namespace relay::http {
namespace {

constexpr std::chrono::milliseconds kProbePause{2'000};

}  // namespace

ConnectionWatch::ConnectionWatch(ServerConnection& connection, PeerEvents events,
                                 std::function<bool()> probe)
    : connection_(connection), events_(std::move(events)), probe_(std::move(probe)) {
  wait();
}

ConnectionWatch::~ConnectionWatch() {
  connection_.readiness().forget();
  failure_unwanted_.emit(asio::cancellation_type::terminal);
}

void ConnectionWatch::wait() {
  connection_.readiness().call([this](bool readable) {
    if (readable) {
      look();
    } else {
      end();
    }
  });
}

void ConnectionWatch::look() {
  switch (connection_.read_ahead()) {
    case ServerConnection::Ahead::kMore:
      return wait();
    case ServerConnection::Ahead::kEnd:
      return probe_ ? listens_on() : end();
    case ServerConnection::Ahead::kLost:
      return end();
  }
}

// A peer that has closed both sides resets the connection when something comes. One that listens
// may close later, which says nothing by itself.
void ConnectionWatch::listens_on() {
  auto on_failure = [this, alive = std::weak_ptr(alive_)](const boost::system::error_code&) {
    if (!alive.expired()) end();
  };
  connection_.transport().socket().async_wait(
      Transport::Socket::wait_error,
      asio::bind_cancellation_slot(failure_unwanted_.slot(), std::move(on_failure)));
  pause_.emplace(connection_.transport().executor());
  if (events_.half_closed) events_.half_closed();
  probe_again();
}

void ConnectionWatch::probe_again() {
  if (!probe_()) return end();
  pause_->expires_after(kProbePause);
  pause_->async_wait(
      [this, alive = std::weak_ptr(alive_)](const boost::system::error_code& failure) {
        if (!failure && !alive.expired()) probe_again();
      });
}

void ConnectionWatch::end() {
  const auto gone = std::exchange(events_.gone, {});
  if (gone) gone();
}

}  // namespace relay::http
