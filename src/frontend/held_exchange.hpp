// An exchange without a socket. Included by tests only.
#pragma once

#include "http/server.hpp"

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>

namespace relay::frontend {

// A peer that keeps what it is sent, and may let a write wait.
class HeldExchange final : public http::Exchange {
 public:
  explicit HeldExchange(asio::any_io_executor executor)
      : executor_(executor), released_(std::move(executor)) {}

  const http::Request& request() const override { return request_; }
  http::Request& request() override { return request_; }
  Task<Result<void>> respond(http::Response) override { co_return Result<void>(); }
  Task<Result<void>> start_stream(http::Response) override {
    started = true;
    co_return Result<void>();
  }
  Task<Result<void>> write(std::string_view bytes) override {
    const std::string text(bytes);
    if (holds) {
      const bool released = co_await released_.wait();
      if (!released) co_return make_error(ErrorType::kInternalError, "cancelled");
    }
    got += text;
    co_return Result<void>();
  }
  Task<Result<void>> finish() override {
    finished = true;
    co_return Result<void>();
  }
  std::unique_ptr<http::PeerWatch> watch_peer(http::HalfClosed, http::PeerEvents events) override {
    if (breaks) throw std::runtime_error("there is no watch");
    gone = std::move(events.gone);
    return nullptr;
  }
  bool wants_websocket() const override { return false; }
  Task<Result<http::WebSocket*>> accept_websocket(std::string, http::Headers) override {
    co_return make_error(ErrorType::kInternalError, "no WebSocket here");
  }
  asio::any_io_executor executor() const override { return executor_; }

  void release() {
    holds = false;
    released_.notify();
  }

  std::string got;
  std::function<void()> gone;
  bool holds = false;
  bool breaks = false;  // where the peer is to be watched
  bool started = false;
  bool finished = false;

 private:
  asio::any_io_executor executor_;
  Wakeup released_;
  http::Request request_;
};

}  // namespace relay::frontend
