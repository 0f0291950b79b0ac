// A completion handler of any type, as it is kept by what it waits for. Called at most once.
#pragma once

#include <boost/asio/associated_cancellation_slot.hpp>

#include <memory>
#include <utility>

namespace relay {

template <class Argument>
class AnyHandler {
 public:
  AnyHandler() = default;
  template <class Handler>
  explicit AnyHandler(Handler handler)
      : kept_(std::make_unique<Kept<Handler>>(std::move(handler))) {}

  explicit operator bool() const { return kept_ != nullptr; }
  // Tells it from others, for as long as it is kept.
  const void* identity() const { return kept_.get(); }

  // Cancelling does not reach it any more. Before the call, also where that comes later.
  void disarm() { kept_->disarm(); }
  void operator()(Argument argument) { std::exchange(kept_, nullptr)->call(std::move(argument)); }

 private:
  struct Base {
    virtual ~Base() = default;
    virtual void disarm() = 0;
    virtual void call(Argument argument) = 0;
  };
  template <class Handler>
  struct Kept final : Base {
    explicit Kept(Handler to_keep) : handler(std::move(to_keep)) {}
    void disarm() override {
      auto slot = boost::asio::get_associated_cancellation_slot(handler);
      if (slot.is_connected()) slot.clear();
    }
    void call(Argument argument) override { std::move(handler)(std::move(argument)); }

    Handler handler;
  };

  std::unique_ptr<Base> kept_;
};

}  // namespace relay
