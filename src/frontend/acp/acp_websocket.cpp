#include "frontend/acp/acp_websocket.hpp"

#include "frontend/log_room.hpp"
#include "protocol/acp.hpp"
#include "protocol/frames.hpp"
#include "protocol/rpc.hpp"

namespace relay::frontend {

AcpWebSocket::AcpWebSocket(RelayApi& api, Metrics& metrics, const AcpOptions& options,
                           http::WebSocket& socket, AcpCaller caller,
                           asio::any_io_executor executor)
    : api_(api),
      metrics_(metrics),
      options_(options),
      socket_(socket),
      scope_(executor, ignore_failure),
      outbox_(std::make_shared<Outbox>(executor, options.outbox, metrics.slow_clients)),
      connection_(api, metrics, options, *this, std::move(caller), executor) {
  outbox_->when_overflowing([this] {
    metrics_.count_error(fell_behind());
    scope_.spawn("close slow client",
                 [this] { return socket_.close(http::CloseCode::kPolicy, "slow_client"); });
  });
}

Task<void> AcpWebSocket::run() {
  auto serving = failure_of(serve());
  const auto failure = co_await std::move(serving);
  outbox_->when_overflowing({});
  outbox_->close();
  co_await connection_.end();
  scope_.cancel();
  co_await scope_.join();
  if (failure) std::rethrow_exception(failure);
}

Task<void> AcpWebSocket::serve() {
  scope_.spawn("write", [this] { return write(); });
  scope_.spawn("wait for initialize", [this] { return give_up_waiting(); });
  while (true) {
    auto texts = co_await socket_.receive();
    if (texts.empty()) co_return;
    if (connection_.initialized()) {
      wake_together([&] {
        for (std::string& text : texts) {
          for (auto& frame : parse_frames(std::move(text), options_.frame)) take(std::move(frame));
        }
      });
    } else {
      for (std::string& text : texts) {
        for (auto& frame : parse_frames(std::move(text), options_.frame)) {
          const bool goes_on = co_await greet(std::move(frame));
          if (!goes_on) co_return;
        }
      }
    }
    if (!api_.sessions().log_is_behind()) continue;
    const bool goes_on = co_await log_room(api_.sessions(), socket_);
    if (!goes_on) co_return;
  }
}

void AcpWebSocket::take(tl::expected<Frame, FrameError> frame) {
  if (frame) return connection_.take(std::move(*frame));
  const Error error = rpc::to_error(frame.error());
  metrics_.count_error(error);
  outbox_->push({SharedBytes(rpc::error(frame.error().id, error, rpc::Dialect::kAcp)), 0,
                 DeliveryKind::kResponse});
}

// What comes before initialize, that itself, and what came with it. False: the connection has been
// closed.
Task<bool> AcpWebSocket::greet(tl::expected<Frame, FrameError> frame) {
  if (!frame || connection_.initialized()) {
    take(std::move(frame));
    co_return true;
  }
  if (frame->method() == acp::kPing && frame->kind() == FrameKind::kNotification) co_return true;
  if (frame->kind() != FrameKind::kRequest || frame->method() != "initialize") {
    co_await socket_.close(http::CloseCode::kProtocolError, "First message must be initialize");
    co_return false;
  }
  std::string answer = co_await connection_.initialize(*frame);
  outbox_->push({SharedBytes(std::move(answer)), 0, DeliveryKind::kResponse});
  co_return true;
}

// A connection that never says what it wants does not stay.
Task<void> AcpWebSocket::give_up_waiting() {
  const bool waited = co_await sleep_for(options_.initialize_timeout);
  if (!waited || connection_.asked()) co_return;
  co_await socket_.close(http::CloseCode::kPolicy, "no initialize within server.header_timeout");
}

Task<void> AcpWebSocket::write() {
  std::vector<Delivery> items;
  std::vector<std::string> marked;
  std::vector<std::string_view> texts;
  while (true) {
    const bool open = co_await outbox_->pop(items);
    if (!open) co_return;
    texts.clear();
    marked.clear();
    marked.reserve(items.size());  // so that views of them stay
    for (const Delivery& item : items) {
      if (connection_.wants_sequences() && item.sequence > 0) {
        marked.push_back(with_sequence(item.bytes.view(), item.sequence));
        texts.emplace_back(marked.back());
      } else {
        texts.push_back(item.bytes.view());
      }
    }
    const auto sent = co_await socket_.send(texts);
    if (!sent) co_return;
  }
}

}  // namespace relay::frontend
