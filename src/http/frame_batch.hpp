// Gathers WebSocket text frames for one write: small payloads are copied together, large ones are
// pointed to.
//
// The copies lie in a shared buffer until keep() moves what is left of them into the batch itself,
// which must happen before anything waits. Payloads must live as long as the batch.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <sys/uio.h>

namespace relay::http {

class FrameBatch {
 public:
  // `shared` has room for kBatchBytes; what it holds is dropped.
  explicit FrameBatch(std::string& shared);
  FrameBatch(const FrameBatch&) = delete;
  FrameBatch& operator=(const FrameBatch&) = delete;

  // Frames that are encoded already, at most a few hundred bytes.
  void add_encoded(std::string_view frames);
  // Frames of any size that live as long as the batch.
  void add_external(std::string_view frames) { append_external(frames); }
  // Adds messages until the batch is full; returns how many.
  std::size_t add_texts(std::span<const std::string_view> messages);

  std::span<const iovec> left() const { return left_; }
  bool empty() const { return left_.empty(); }
  void advance(std::size_t bytes);
  void keep();

 private:
  void append_copy(std::string_view bytes);
  void append_external(std::string_view bytes);

  std::string& shared_;
  std::string kept_;
  bool is_kept_ = false;
  // Not many: small messages are one part together, and this lies in a coroutine's frame.
  std::array<iovec, 16> parts_;
  std::size_t count_ = 0;
  std::span<iovec> left_;
};

}  // namespace relay::http
