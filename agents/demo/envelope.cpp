#include "envelope.hpp"

#include <cstring>

namespace demo {

namespace {

class Scanner {
 public:
  explicit Scanner(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  void skip_blanks() {
    while (at_ < end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\r' || *at_ == '\n')) ++at_;
  }

  bool take(char wanted) {
    skip_blanks();
    if (at_ >= end_ || *at_ != wanted) return false;
    ++at_;
    return true;
  }

  bool at_end() {
    skip_blanks();
    return at_ >= end_;
  }

  // The next value as it stands; empty when there is none or it is cut off.
  std::string_view value() {
    skip_blanks();
    const char* begin = at_;
    if (at_ >= end_) return {};
    bool whole = true;
    if (*at_ == '"') {
      whole = skip_string();
    } else if (*at_ == '{' || *at_ == '[') {
      whole = skip_nested();
    } else {
      while (at_ < end_ && std::strchr(",]} \t\r\n", *at_) == nullptr) ++at_;
    }
    if (!whole) return {};
    return {begin, static_cast<std::size_t>(at_ - begin)};
  }

 private:
  bool skip_string() {
    const char* begin = at_++;
    while (at_ < end_) {
      const void* found = std::memchr(at_, '"', static_cast<std::size_t>(end_ - at_));
      if (found == nullptr) return false;
      const char* quote = static_cast<const char*>(found);
      at_ = quote + 1;
      const char* before = quote - 1;
      while (before > begin && *before == '\\') --before;
      const bool escaped = (quote - 1 - before) % 2 != 0;
      if (!escaped) return true;
    }
    return false;
  }

  bool skip_nested() {
    int depth = 0;
    while (at_ < end_) {
      switch (*at_) {
        case '"':
          if (!skip_string()) return false;
          continue;
        case '{':
        case '[':
          ++depth;
          break;
        case '}':
        case ']':
          --depth;
          break;
        default:
          break;
      }
      ++at_;
      if (depth == 0) return true;
    }
    return false;
  }

  const char* at_;
  const char* end_;
};

std::string_view* part_of(Envelope& envelope, std::string_view key) {
  if (key == "\"jsonrpc\"") return &envelope.jsonrpc;
  if (key == "\"id\"") return &envelope.id;
  if (key == "\"method\"") return &envelope.method;
  if (key == "\"params\"") return &envelope.params;
  if (key == "\"result\"") return &envelope.result;
  if (key == "\"error\"") return &envelope.error;
  return nullptr;
}

}  // namespace

Envelope scan_envelope(std::string_view line) {
  Scanner scanner(line);
  Envelope envelope;
  if (!scanner.take('{')) {
    const std::string_view value = scanner.value();
    if (!value.empty() && scanner.at_end()) envelope.kind = EnvelopeKind::kOther;
    return envelope;
  }
  if (!scanner.take('}')) {
    do {
      const std::string_view key = scanner.value();
      if (!key.starts_with('"') || !scanner.take(':')) return envelope;
      const std::string_view value = scanner.value();
      if (value.empty()) return envelope;
      if (std::string_view* part = part_of(envelope, key)) *part = value;
    } while (scanner.take(','));
    if (!scanner.take('}')) return envelope;
  }
  if (scanner.at_end()) envelope.kind = EnvelopeKind::kObject;
  return envelope;
}

bool is_valid_id(std::string_view raw) {
  if (raw.empty()) return false;
  return raw == "null" || raw[0] == '"' || raw[0] == '-' || (raw[0] >= '0' && raw[0] <= '9');
}

}  // namespace demo
