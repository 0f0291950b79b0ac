#include "http/readiness.hpp"

#include <boost/asio/this_coro.hpp>

#include <cassert>
#include <utility>

namespace relay::http {

struct Readiness::Initiation {
  template <class Handler>
  void operator()(Handler handler) const {
    auto slot = asio::get_associated_cancellation_slot(handler);
    readiness->arm().who = AnyHandler<bool>(std::move(handler));
    if (slot.is_connected()) {
      slot.assign([target = readiness](asio::cancellation_type) { target->cancel(); });
    }
  }

  Readiness* readiness;
};

Readiness::Asked& Readiness::arm() {
  if (const auto asked = asked_.lock()) {
    assert(!asked->who && "one asks at a time");
    return *asked;
  }
  auto asked = std::make_shared<Asked>();
  asked_ = asked;
  transport_.socket().async_wait(Transport::Socket::wait_read,
                                 [asked](const boost::system::error_code& failure) mutable {
                                   AnyHandler<bool> who = std::move(asked->who);
                                   asked.reset();  // who is told may ask again at once
                                   if (!who) return;
                                   who.disarm();
                                   who(!failure);
                                 });
  return *asked_.lock();
}

void Readiness::cancel() {
  const auto asked = asked_.lock();
  if (!asked || !asked->who) return;
  asked->who.disarm();
  asio::post(transport_.executor(), [who = std::move(asked->who)]() mutable { who(false); });
}

Task<bool> Readiness::wait(IoState state) {
  if (state == IoState::kWaitWrite) {
    const auto [failure] = co_await transport_.wait(state);
    co_return !failure;
  }
  const auto caller = co_await asio::this_coro::cancellation_state;
  if (is_cancelled(caller)) co_return false;
  const Initiation initiation{this};
  const bool readable = co_await asio::async_initiate<const asio::use_awaitable_t<>, void(bool)>(
      initiation, asio::use_awaitable);
  co_return readable;
}

void Readiness::call(std::function<void(bool readable)> act) {
  arm().who = AnyHandler<bool>(std::move(act));
}

void Readiness::forget() {
  if (const auto asked = asked_.lock()) asked->who = {};
}

}  // namespace relay::http
