#include "http/frame_batch.hpp"

#include "http/scratch.hpp"
#include "http/sizes.hpp"
#include "http/transport.hpp"
#include "http/websocket_codec.hpp"

namespace relay::http {

FrameBatch::FrameBatch(std::string& shared) : shared_(shared) { shared_.clear(); }

void FrameBatch::add_encoded(std::string_view frames) {
  if (!frames.empty()) append_copy(frames);
}

std::size_t FrameBatch::add_texts(std::span<const std::string_view> messages) {
  std::size_t added = 0;
  for (const std::string_view message : messages) {
    std::array<char, 10> header{};
    const std::size_t header_bytes = encode_frame_header(header, Opcode::kText, message.size());
    const bool copied = message.size() < kCopyBelow;
    const std::size_t room = kBatchBytes - shared_.size();
    if (room < header_bytes + (copied ? message.size() : 0) || count_ + 2 > parts_.size()) break;
    append_copy({header.data(), header_bytes});
    if (copied) {
      append_copy(message);
    } else {
      append_external(message);
    }
    ++added;
  }
  return added;
}

void FrameBatch::append_copy(std::string_view bytes) {
  if (bytes.empty()) return;
  char* end = shared_.data() + shared_.size();
  shared_.append(bytes);
  iovec* last = count_ > 0 ? &parts_[count_ - 1] : nullptr;
  if (last != nullptr && static_cast<char*>(last->iov_base) + last->iov_len == end) {
    last->iov_len += bytes.size();
  } else {
    parts_[count_++] = {end, bytes.size()};
  }
  left_ = std::span(parts_).first(count_);
}

void FrameBatch::append_external(std::string_view bytes) {
  parts_[count_++] = {const_cast<char*>(bytes.data()), bytes.size()};
  left_ = std::span(parts_).first(count_);
}

void FrameBatch::advance(std::size_t bytes) { left_ = http::advance(left_, bytes); }

void FrameBatch::keep() {
  if (is_kept_) return;
  is_kept_ = true;
  const char* begin = shared_.data();
  const char* end = begin + shared_.size();
  for (iovec& part : left_) {
    const char* at = static_cast<const char*>(part.iov_base);
    if (at >= begin && at < end) kept_.append(at, part.iov_len);
  }
  char* copy = kept_.data();
  for (iovec& part : left_) {
    const char* at = static_cast<const char*>(part.iov_base);
    if (at < begin || at >= end) continue;
    part.iov_base = copy;
    copy += part.iov_len;
  }
}

}  // namespace relay::http
