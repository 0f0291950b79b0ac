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
#include <deque>
#include <memory>

namespace relay::frontend {

class AcpStream : public std::enable_shared_from_this<AcpStream> {
 public:
  // Events are numbered with what is delivered (a session's stream), or one by one.
  enum class Numbering { kSequence, kCounted };

  AcpStream(asio::any_io_executor executor, OutboxLimits limits, Numbering numbering);

  const std::shared_ptr<Outbox>& outbox() const { return outbox_; }
  bool has_reader() const { return reader_ != nullptr; }
  bool is_idle() const { return !has_reader() && waiting_.empty() && outbox_->queued_bytes() == 0; }

  // Goes back to behind the event with this id. False: it is not known (any more).
  bool rewind(std::int64_t event);

  // Writes what there is and what comes, until the stream ends, the peer goes away, or another
  // reader takes over. Silent streams get a comment every `keep_alive`.
  Task<void> serve(http::Exchange& exchange, http::Response head,
                   std::chrono::milliseconds keep_alive);

  // For a client that does not read this stream yet: moves everything up to and with the next
  // kAttachResponse to another one.
  Task<void> forward_until_response(std::shared_ptr<Outbox> to);

  // Moves responses and requests that nobody has read.
  void move_answers_to(AcpStream& other);

  // What is queued is still written; then readers are told good-bye.
  void close() { outbox_->close(); }

 private:
  struct Written {
    std::int64_t event;
    Delivery delivery;
  };
  struct Reader {
    explicit Reader(asio::any_io_executor executor);
    TaskScope scope;
    Event over;   // it has to leave, or has nothing to do any more
    Event ended;  // it has left
  };

  Task<std::shared_ptr<Reader>> take_over();
  Task<void> leave(std::shared_ptr<Reader> reader);
  Task<void> write(http::Exchange& exchange, Event& over);
  Task<void> forward(std::shared_ptr<Outbox> to, Event& over);
  Task<bool> write_some(http::Exchange& exchange);
  Task<bool> fetch();
  std::int64_t number(const Delivery& delivery);
  void keep(std::int64_t event, Delivery delivery);

  asio::any_io_executor executor_;
  Numbering numbering_;
  std::shared_ptr<Outbox> outbox_;
  std::deque<Delivery> waiting_;  // taken from the outbox, not written
  std::deque<Written> written_;   // the last ones
  std::size_t written_bytes_ = 0;
  std::int64_t counted_ = 0;
  std::shared_ptr<Reader> reader_;
};

}  // namespace relay::frontend
