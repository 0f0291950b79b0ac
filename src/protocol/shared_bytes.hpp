// Immutable bytes that many owners share: a message on its way to clients and to the log.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace relay {

// Cheap to copy (one atomic count: the storage thread shares it too). Never null bytes; may be
// empty.
class SharedBytes {
 public:
  SharedBytes() = default;
  explicit SharedBytes(std::string bytes)
      : bytes_(std::make_shared<const std::string>(std::move(bytes))) {}

  std::string_view view() const { return bytes_ ? std::string_view(*bytes_) : std::string_view(); }
  std::size_t size() const { return bytes_ ? bytes_->size() : 0; }
  bool empty() const { return size() == 0; }

 private:
  std::shared_ptr<const std::string> bytes_;
};

}  // namespace relay
