// The parts of a journal entry as bytes: numbers seven bits at a time, the lowest first (small ones
// are one byte), texts with their length before them. Pure.
#pragma once

#include "base/time.hpp"

#include <cstdint>
#include <cstring>
#include <string_view>

namespace relay::storage {

// Where the parts of an entry go: counted, or copied to a place that has their size.
class ByteCounter {
 public:
  void byte(std::uint8_t) { ++size_; }
  void bytes(const void*, std::size_t size) { size_ += size; }
  std::size_t size() const { return size_; }

 private:
  std::size_t size_ = 0;
};
class ByteCopier {
 public:
  explicit ByteCopier(char* place) : place_(place) {}
  void byte(std::uint8_t value) { *place_++ = static_cast<char>(value); }
  void bytes(const void* from, std::size_t size) {
    if (size > 0) std::memcpy(place_, from, size);
    place_ += size;
  }

 private:
  char* place_;
};

template <class Sink>
class EntryWriter {
 public:
  explicit EntryWriter(Sink& sink) : sink_(sink) {}

  void byte(std::uint8_t value) { sink_.byte(value); }
  // Eight bytes, whatever the value.
  void fixed(std::uint64_t value) { sink_.bytes(&value, sizeof value); }
  void number(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) sink_.byte(static_cast<std::uint8_t>(value | 0x80));
    sink_.byte(static_cast<std::uint8_t>(value));
  }
  // Negative ones are rare and take ten bytes.
  void number(std::int64_t value) { number(static_cast<std::uint64_t>(value)); }
  void text(std::string_view value) {
    number(std::uint64_t{value.size()});
    sink_.bytes(value.data(), value.size());
  }
  void time(WallTime value) { number(std::int64_t{value.time_since_epoch().count()}); }

 private:
  Sink& sink_;
};

// Reads what EntryWriter wrote; past the end everything is empty and ok() is false.
class EntryReader {
 public:
  explicit EntryReader(std::string_view bytes) : bytes_(bytes) {}

  std::uint8_t byte() {
    if (bytes_.empty()) {
      ok_ = false;
      return 0;
    }
    const auto value = static_cast<std::uint8_t>(bytes_.front());
    bytes_.remove_prefix(1);
    return value;
  }
  std::uint64_t fixed() {
    std::uint64_t value = 0;
    if (bytes_.size() < sizeof value) {
      ok_ = false;
      return 0;
    }
    std::memcpy(&value, bytes_.data(), sizeof value);
    bytes_.remove_prefix(sizeof value);
    return value;
  }
  template <class Number>
  Number number() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const std::uint8_t part = byte();
      value |= std::uint64_t{part & 0x7fU} << shift;
      if (part < 0x80) break;
    }
    return static_cast<Number>(value);
  }
  std::string_view text() {
    const auto size = number<std::uint64_t>();
    if (size > bytes_.size()) {
      ok_ = false;
      return {};
    }
    const std::string_view value = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return value;
  }
  WallTime time() { return WallTime(std::chrono::milliseconds(number<std::int64_t>())); }

  bool ok() const { return ok_; }
  bool at_end() const { return bytes_.empty(); }

 private:
  std::string_view bytes_;
  bool ok_ = true;
};

}  // namespace relay::storage
