// What one server-sent event stream of an ACP connection delivers: a mailbox that outlives its
// readers.
//
// A message leaves it when it has been written, so a client that comes back gets what it has not
// got. A second reader takes the stream over: behind a proxy the first may be dead without the
// relay knowing. What was written last is kept for readers that say where they were
// (Last-Event-ID).
#pragma once

#include "http/server.hpp"
#include "session/outbox.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace relay::frontend {

class AcpStream : public std::enable_shared_from_this<AcpStream> {
 public:
  // Events are numbered with what is delivered (a session's stream), or one by one.
  enum class Numbering { kSequence, kCounted };

  // `overflows`: see Outbox.
  AcpStream(asio::any_io_executor executor, OutboxLimits limits, std::uint64_t& overflows,
            Numbering numbering);

  const std::shared_ptr<Outbox>& outbox() const { return outbox_; }
  bool has_reader() const { return reader_ != nullptr; }
  // Of what waits, and of what is kept of the rest.
  std::size_t held_bytes() const;
  // A peer reads it; what it holds is not just forwarded.
  bool is_read() const { return reader_ != nullptr && reader_->is_peer; }
  bool is_idle() const {
    return !has_reader() && waiting_.empty() && unsure_ == 0 && outbox_->queued_bytes() == 0;
  }

  // Writes what there is and what comes, until the stream ends, the peer goes away, or another
  // reader takes over; from behind the event `last` on when the reader names one. Silent streams
  // get a comment every `keep_alive`. False: `last` is not known (any more), nothing was answered.
  Task<bool> serve(http::Exchange& exchange, http::Response head,
                   std::chrono::milliseconds keep_alive, std::optional<std::int64_t> last = {});

  // A kAttachResponse will come. True: nobody takes it, so that it has to be forwarded.
  bool expect_answer();

  // For a client that does not read this stream yet: moves everything up to and with the last
  // kAttachResponse that is expected to another one.
  Task<void> forward_answers(std::shared_ptr<Outbox> to);

  // Responses that a reader lacks which has read up to an event: those of the last ones that were
  // written, and all that wait.
  std::vector<Delivery> answers_behind(std::int64_t event) const;

  // Comes in place of one that has overflowed: its answers that are not written go on here, those
  // that are can be asked for here.
  void take_answers(AcpStream& before);

  // Answers come here that were to come on `before`: `again` is what that gave of them.
  void expect_answers_of(const AcpStream& before, std::span<const Delivery> again);

  // What it holds goes elsewhere: its reader is told good-bye.
  void abandon();

  // What is queued is still written; then readers are told good-bye.
  void close() { outbox_->close(); }

 private:
  struct Written {
    std::int64_t event;  // 0: it has no number
    std::int64_t place;  // that, or the last one before it
    Delivery delivery;
  };
  struct Reader {
    explicit Reader(asio::any_io_executor executor);
    bool is_peer = false;
    TaskScope scope;
    Event over;   // it has to leave, or has nothing to do any more
    Event ended;  // it has left
  };

  Task<std::shared_ptr<Reader>> take_over();
  Task<void> leave(std::shared_ptr<Reader> reader);
  Task<void> write(http::Exchange& exchange, Event& over);
  Task<void> forward(std::shared_ptr<Outbox> to, Event& over);
  Task<void> serve_as(std::shared_ptr<Reader> reader, http::Exchange& exchange, http::Response head,
                      std::chrono::milliseconds keep_alive);
  Task<bool> write_some(http::Exchange& exchange);
  Task<bool> fetch();
  std::string take_batch();
  Delivery take_waiting();
  void note_written();
  void keep_answer(Written answer);
  bool forward_some(Outbox& to);
  // False: `last` is not known. Nothing named: to before what may not have arrived.
  bool rewind(std::optional<std::int64_t> last);

  asio::any_io_executor executor_;
  Numbering numbering_;
  std::shared_ptr<Outbox> outbox_;
  std::deque<Delivery> waiting_;  // taken from the outbox, not written
  std::size_t due_ = 0;           // each kAttachResponse that is expected, or waits
  std::deque<Written> written_;   // the last ones
  std::size_t unsure_ = 0;        // the last so many of these: their write has not succeeded (yet)
  std::size_t written_bytes_ = 0;
  std::deque<Written> answers_;  // the last responses before these: the log does not replay them
  std::size_t answers_bytes_ = 0;
  std::int64_t counted_ = 0;
  std::int64_t last_number_ = 0;  // that was written
  std::shared_ptr<Reader> reader_;
};

}  // namespace relay::frontend
