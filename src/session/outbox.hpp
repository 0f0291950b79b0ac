// The bounded queue between a session and one client: all that a session knows of a client's
// connection.
//
// The session pushes and never waits. A client that does not take its messages overflows its own
// outbox: the outbox closes, the connection (over ACP's HTTP the use of the session) ends as
// `slow_client`, and nobody else notices. One reader.
#pragma once

#include "base/async.hpp"
#include "base/error.hpp"
#include "metrics/counts.hpp"
#include "protocol/shared_bytes.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <list>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace relay {

// What a delivered message is, for readers that treat kinds differently.
enum class DeliveryKind : std::uint8_t {
  kUpdate,
  kNotification,
  kRequest,
  kResponse,
  // The response to a client that loads or resumes the session: it has its place in the session's
  // stream, behind the replay.
  kAttachResponse,
};

struct Delivery {
  SharedBytes bytes;
  std::int64_t sequence = 0;  // 0: not part of the session's stream
  DeliveryKind kind = DeliveryKind::kNotification;
};

inline bool is_answer(const Delivery& delivery) {
  return delivery.kind == DeliveryKind::kResponse || delivery.kind == DeliveryKind::kAttachResponse;
}

// What a writer takes at a time: a burst of small messages is one batch, and what waits stays
// counted.
constexpr std::size_t kTakenBytes = 1u << 20;

struct OutboxLimits {
  std::size_t bytes = 64u << 20;
  std::size_t frames = 100'000;
};

class Outbox {
 public:
  enum class End { kOpen, kClosed, kOverflow };

  // `overflows` is raised when it does, and outlives it.
  Outbox(asio::any_io_executor executor, OutboxLimits limits, std::uint64_t& overflows);

  // False: the outbox is closed, by close() or by this message being one too many.
  bool push(Delivery delivery);

  // Called once when the outbox overflows, from within the push: its reader may be stuck in a
  // write.
  void when_overflowing(std::function<void()> act) { overflowing_ = std::move(act); }

  // For a client that has another way to be answered: gets the answers that an overflow drops, and
  // those that come after it.
  void when_answers_drop(std::function<void(const Delivery&)> act) { dropping_ = std::move(act); }

  // What is queued is still delivered.
  void close();

  // Closes it as if one message too many had come: what is queued is dropped.
  void overflow();

  // Makes the reader return from pop() with what there is, even nothing: time for a sign of life.
  void poke();

  // What is queued, up to `most` bytes or one message that is larger, waiting for at least one
  // message or a poke(). False: closed and drained, or cancelled. The vector handed in is emptied
  // and reused.
  Task<bool> pop(std::vector<Delivery>& into, std::size_t most = kTakenBytes);

  // The same for a reader that bounds by itself what it keeps.
  Task<bool> pop_all(std::vector<Delivery>& into) {
    return pop(into, std::numeric_limits<std::size_t>::max());
  }

  // Everything that is queued now, without waiting.
  std::vector<Delivery> take_all();
  std::span<const Delivery> queued() const { return std::span(items_).subspan(first_); }

  // The right to add a page of history; ends with its life. The outbox outlives it.
  class Room {
   public:
    explicit Room(Outbox* outbox) : outbox_(outbox) {}
    Room(Room&& other) noexcept : outbox_(std::exchange(other.outbox_, nullptr)) {}
    Room& operator=(Room&&) = delete;
    ~Room();

   private:
    Outbox* outbox_;
  };

  // Waits until what is queued falls below half of the limits, or the outbox is closed. All
  // sessions of a connection share its outbox: any number may wait, and they have room in turn, one
  // at a time, so that their pages do not overflow it together.
  Task<Room> room();

  // Tells how long after `since` what is queued now will have been handed on: when its reader comes
  // for more. One such time is taken at a time, the next ones are not. `into` outlives the outbox.
  void time_from(std::chrono::steady_clock::time_point since, metrics::RelayTimeHistogram& into);

  End end() const { return end_; }
  // Three quarters of a limit are taken.
  bool is_filling() const;
  // The sequence number of the last message of the stream that the reader has taken; 0: none. Where
  // a client that was too slow goes on.
  std::int64_t last_taken() const { return last_taken_; }
  std::size_t queued_bytes() const { return bytes_; }
  std::size_t queued_frames() const { return items_.size() - first_; }

 private:
  struct Timing {
    std::chrono::steady_clock::time_point since;
    metrics::RelayTimeHistogram* into;
    std::size_t waiting;  // so many of those that were queued then still are
  };

  bool above_half() const;
  void end_timing();
  void drop(const Delivery& delivery) const;
  void take(std::vector<Delivery>& into, std::size_t most);
  void note_taken(const std::vector<Delivery>& taken);

  // A place in the queue for each, the next in front. Outlives those who wait.
  std::list<char> waiting_for_room_;
  Wakeup ready_;
  Wakeup drained_;
  std::vector<Delivery> items_;
  std::size_t first_ = 0;  // so many of these have been taken
  std::size_t bytes_ = 0;
  std::int64_t last_taken_ = 0;
  OutboxLimits limits_;
  std::uint64_t& overflows_;
  End end_ = End::kOpen;
  bool room_is_taken_ = false;
  bool poked_ = false;
  std::optional<Timing> timing_;  // of what is queued, or was taken last
  bool timing_taken_ = false;     // all of that
  std::function<void()> overflowing_;
  std::function<void(const Delivery&)> dropping_;
};

// What a client that is closed for it is given.
Error fell_behind();
// What its requests are answered that the agent still works on, where the connection goes on.
Error answer_comes_no_more();

}  // namespace relay
