#include "http/websocket_connection.hpp"

#include "http/frame_batch.hpp"

#include <boost/asio/this_coro.hpp>
#include <openssl/rand.h>

#include <algorithm>
#include <system_error>
#include <utility>

namespace relay::http {

namespace {

constexpr std::chrono::seconds kCloseGrace{2};     // for the peer to answer a close
constexpr std::size_t kMaxControlQueue = 1024;     // pongs beyond it are dropped
constexpr std::size_t kMaxPumpedBytes = 4u << 20;  // then other connections get their turn
// An empty message takes more memory than its six bytes; with this many, no more is read. One read
// may bring some more.
constexpr std::size_t kMaxPumpedMessages = 1024;

Error closed_error() { return make_error(ErrorType::kInternalError, "the WebSocket is closed"); }

class Raised {
 public:
  explicit Raised(bool& flag) : flag_(flag) { flag_ = true; }
  Raised(const Raised&) = delete;
  Raised& operator=(const Raised&) = delete;
  ~Raised() { flag_ = false; }

 private:
  bool& flag_;
};

}  // namespace

WebSocketConnection::WebSocketConnection(Transport& transport, Scratch& scratch,
                                         const WebSocketOptions& options, std::string peer,
                                         Side role, IncomingLimits limits)
    : transport_(transport),
      scratch_(scratch),
      options_(options),
      peer_(std::move(peer)),
      role_(role),
      pace_(limits.pace),
      decoder_(options.max_message_bytes, role == Side::kServer ? Side::kClient : Side::kServer),
      pending_(limits.budget),
      more_(transport.is_tls()),
      heard_at_(Clock::now()) {}

void WebSocketConnection::feed(std::span<char> bytes) {
  decoder_.feed(bytes, decoded_);
  settle();
}

Task<std::vector<std::string>> WebSocketConnection::receive() {
  const Raised reading(reading_);
  began_to_read_ = true;
  for (;;) {
    if (!decoded_.messages.empty()) {
      std::vector<std::string> messages = std::move(decoded_.messages);
      decoded_.messages.clear();
      co_return messages;
    }
    if (lost_ || peer_closed_) co_return std::vector<std::string>();
    if (decoder_.pending_bytes() > 0) waiting_since_ = Clock::now();
    if (more_) {
      co_await asio::post(transport_.executor(), asio::use_awaitable);  // others get their turn
      if (lost_) continue;
    } else {
      const auto [failure] = co_await transport_.wait(wait_for_);
      if (failure) co_return std::vector<std::string>();
    }
    if (waiting_since_ != Clock::time_point()) waited_ += Clock::now() - waiting_since_;
    waiting_since_ = Clock::time_point();
    pump();
    if (!decoded_.messages.empty()) waited_ = Clock::duration();
  }
}

// Takes in what has arrived, up to a bound.
void WebSocketConnection::pump() {
  std::size_t total = 0;
  more_ = false;
  while (total < kMaxPumpedBytes && decoded_.messages.size() < kMaxPumpedMessages &&
         !decoder_.ended()) {
    const IoStep step = transport_.try_read(scratch_.in);
    more_ = step.more;
    if (step.state != IoState::kDone) {
      if (would_block(step.state)) {
        wait_for_ = step.state;
      } else {
        lost_ = true;
        note_end({WebSocketEnd::Kind::kLost, std::nullopt, {}});
      }
      break;
    }
    total += step.bytes;
    decoder_.feed(std::span(scratch_.in).first(step.bytes), decoded_);
    if (!step.more) break;
  }
  if (total > 0) {
    heard_ = true;
    settle();
  }
}

// Acts on what the decoder found besides messages.
void WebSocketConnection::settle() {
  if (decoded_.ping) {
    if (!close_queued_) queue_control(Opcode::kPong, *decoded_.ping);
    decoded_.ping.reset();
  }
  decoded_.pong = false;
  if (close_queued_) decoded_.messages.clear();
  if (decoded_.close && !peer_closed_) {
    peer_closed_ = true;
    note_end({WebSocketEnd::Kind::kClosedByPeer, decoded_.close->code, decoded_.close->reason});
    const auto code = static_cast<CloseCode>(decoded_.close->code.value_or(1000));
    begin_close(code, "");
  } else if (decoded_.failure && !peer_closed_) {
    peer_closed_ = true;
    note_end({WebSocketEnd::Kind::kProtocolError,
              static_cast<std::uint16_t>(decoded_.failure->code), decoded_.failure->explanation});
    begin_close(decoded_.failure->code, decoded_.failure->explanation);
  }
  count_pending();
}

void WebSocketConnection::count_pending() {
  if (pending_.resize(decoder_.pending_bytes())) return;
  give_up_message(CloseCode::kTryAgainLater,
                  "the messages under way are as large as may be: try again, or raise "
                  "server.max_bodies_bytes");
}

void WebSocketConnection::give_up_message(CloseCode code, std::string_view reason) {
  decoder_.give_up();
  pending_.resize(0);
  peer_closed_ = true;
  begin_close(code, reason);
}

// Until when more of the message has to come. Only a server hurries its peer.
WebSocketConnection::Clock::time_point WebSocketConnection::message_deadline() const {
  if (role_ == Side::kClient || waiting_since_ == Clock::time_point()) {
    return Clock::time_point::max();
  }
  const Clock::time_point began = waiting_since_ - waited_;
  return pace_.deadline(began, began, decoder_.pending_bytes(), waiting_since_);
}

void WebSocketConnection::queue_control(Opcode opcode, std::string_view payload) {
  if (control_.size() > kMaxControlQueue) return;
  append_frame(control_, opcode, payload, mask());
  flush_control();
}

// Without waiting; what the socket does not take stays for the next writer or the next tick.
void WebSocketConnection::flush_control() {
  if (writing_ || lost_ || control_.empty()) return;
  const iovec part{control_.data(), control_.size()};
  const IoStep step = transport_.try_write(std::span(&part, 1));
  if (step.state == IoState::kDone) {
    control_.erase(0, step.bytes);
    if (control_.empty()) control_ = std::string();
  } else if (!would_block(step.state)) {
    lose();
  }
}

void WebSocketConnection::lose(WebSocketEnd::Kind kind) {
  lost_ = true;
  note_end({kind, std::nullopt, {}});
  transport_.cancel();
}

// The first cause is the one that counts.
void WebSocketConnection::note_end(WebSocketEnd end) {
  if (end_.kind == WebSocketEnd::Kind::kOpen) end_ = std::move(end);
}

// RFC 6455 wants masks that nobody can foresee.
std::optional<std::array<unsigned char, 4>> WebSocketConnection::mask() const {
  if (role_ == Side::kServer) return std::nullopt;
  std::array<unsigned char, 4> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) {
    throw std::system_error(std::make_error_code(std::errc::io_error), "no random bytes");
  }
  return bytes;
}

// Appends messages as masked frames until it is enough for one write; returns how many.
std::size_t WebSocketConnection::encode(std::span<const std::string_view> messages,
                                        std::string& out) {
  std::size_t count = 0;
  while (count < messages.size() && out.size() < kBatchBytes) {
    append_frame(out, Opcode::kText, messages[count++], mask());
  }
  return count;
}

Task<Result<void>> WebSocketConnection::send(std::span<const std::string_view> messages) {
  if (lost_ || close_queued_ || writing_) co_return closed_error();
  bool sent = true;
  {
    const Raised writing(writing_);
    while (sent && !messages.empty()) {
      if (close_queued_) {
        sent = false;
        break;
      }
      std::string encoded;
      FrameBatch batch(scratch_.out);
      batch.add_encoded(control_);
      control_ = std::string();
      if (role_ == Side::kServer) {
        messages = messages.subspan(batch.add_texts(messages));
      } else {
        messages = messages.subspan(encode(messages, encoded));
        batch.add_external(encoded);
      }
      while (!batch.empty()) {
        const IoStep step = transport_.try_write(batch.left());
        if (step.state == IoState::kDone) {
          batch.advance(step.bytes);
          continue;
        }
        if (!would_block(step.state)) {
          lose();
          co_return closed_error();
        }
        batch.keep();
        const auto [failure] = co_await transport_.wait(step.state);
        if (failure || lost_) {
          // A frame may have been cut: nothing can follow it.
          lose();
          co_return closed_error();
        }
        heard_ = true;
      }
    }
  }
  flush_control();
  if (!sent) co_return closed_error();
  co_return Result<void>();
}

Task<void> WebSocketConnection::close(CloseCode code, std::string reason) {
  begin_close(code, reason);
  co_return;
}

void WebSocketConnection::begin_close(CloseCode code, std::string_view reason) {
  if (close_queued_) return;
  close_queued_ = true;
  close_deadline_ = Clock::now() + kCloseGrace;
  append_close_frame(control_, code, reason, mask());
  flush_control();
}

void WebSocketConnection::tick(Clock::time_point now) {
  if (lost_) return;
  const bool began_to_read = std::exchange(began_to_read_, false);
  if (std::exchange(heard_, false)) {
    heard_at_ = now;
    ping_due_answer_ = false;
  } else if (!reading_ && !writing_) {
    ping_due_answer_ = false;  // it may have come, and nobody has looked
  } else if (began_to_read) {
    pinged_at_ = now;  // likewise, until now
  }
  flush_control();
  if (!close_queued_ && now >= message_deadline()) {
    give_up_message(CloseCode::kPolicy, "the message came too slowly");
  }
  if (close_queued_) {
    if (now >= close_deadline_) lose(WebSocketEnd::Kind::kNotClosed);
  } else if (ping_due_answer_) {
    if (now - pinged_at_ >= options_.pong_deadline) lose(WebSocketEnd::Kind::kSilent);
  } else if (options_.ping_interval.count() > 0 &&
             now - std::max(heard_at_, pinged_at_) >= options_.ping_interval) {
    ping_due_answer_ = true;
    pinged_at_ = now;
    queue_control(Opcode::kPing, "");
  }
}

Task<void> WebSocketConnection::finish() {
  begin_close(CloseCode::kNormal, "");
  while (!lost_ && !control_.empty()) {
    const auto [failure] = co_await transport_.wait(IoState::kWaitWrite);
    if (failure) co_return;
    flush_control();
  }
  if (lost_) co_return;
  transport_.shutdown_send();
  // Closing a socket with unread input resets it, and the peer might not see the close frame.
  while (!lost_ && drain_now()) {
    const auto [failure] = co_await transport_.wait(IoState::kWaitRead);
    if (failure) co_return;
  }
}

// Throws away what has arrived. False at the end.
bool WebSocketConnection::drain_now() {
  for (std::size_t total = 0; total < kMaxPumpedBytes;) {
    const IoStep step = transport_.try_read(scratch_.in);
    if (would_block(step.state)) return true;
    if (step.state != IoState::kDone) return false;
    total += step.bytes;
  }
  return true;
}

void WebSocketConnection::abandon() {
  if (lost_) return;
  begin_close(CloseCode::kGoingAway, "the server is stopping");
  transport_.shutdown_send();
  drain_now();
  lost_ = true;
}

}  // namespace relay::http
