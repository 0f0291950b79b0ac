// Structured log: one line an event, on stderr, with fixed fields. A line is UTF-8, and whoever
// logs never waits: a thread of the log's own writes (base/log_queue.hpp), which drops and counts
// what nobody takes, and leaves out and counts what is said more than a hundred times a second.
//
//   const Logger log = root.with("session", id);
//   log.warn("client is too slow, closing", {{"queued", 12}});
//
// Never log message bodies or values of the environment: the caller redacts before it logs.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace relay {

enum class LogLevel { kDebug, kInfo, kWarn, kError };
enum class LogFormat { kText, kJson };

using LogValue = std::variant<std::string, std::int64_t, double, bool>;

struct LogField {
  LogField(std::string_view key, std::string_view text) : name(key), value(std::string(text)) {}
  LogField(std::string_view key, const char* text) : name(key), value(std::string(text)) {}
  LogField(std::string_view key, const std::string& text) : name(key), value(text) {}
  LogField(std::string_view key, bool flag) : name(key), value(flag) {}
  LogField(std::string_view key, double number) : name(key), value(number) {}
  template <class Integer>
    requires std::is_integral_v<Integer>
  LogField(std::string_view key, Integer number)
      : name(key), value(static_cast<std::int64_t>(number)) {}

  std::string name;
  LogValue value;
};

// Lines that are not in the log since the start.
struct LogCounts {
  std::uint64_t dropped = 0;   // nobody took what waited to be written
  std::uint64_t repeated = 0;  // the same was said too often
};

class LogSink;  // where lines go; shared by all Loggers made from one root

// Cheap to copy. Safe to use from any thread.
class Logger {
 public:
  // Takes secrets out of a line before it is written; empty result: there were none.
  using Redact = std::function<std::optional<std::string>(std::string_view)>;
  // A root that writes to stderr.
  static Logger to_stderr(LogLevel level, LogFormat format, Redact redact = {});
  // A root that drops everything: tests, and commands that must stay quiet.
  static Logger silent();

  Logger with(std::string_view field, std::string_view value) const;
  // The same for a field of one request, of which there are many: lines that are too many are
  // counted without regard to it.
  Logger with_mark(std::string_view field, std::string_view value) const;

  void debug(std::string_view event, std::initializer_list<LogField> fields = {}) const;
  void info(std::string_view event, std::initializer_list<LogField> fields = {}) const;
  void warn(std::string_view event, std::initializer_list<LogField> fields = {}) const;
  void error(std::string_view event, std::initializer_list<LogField> fields = {}) const;

  // For people, as it is, between the lines of the log: what a start prints. Nothing is taken out.
  void text(std::string lines) const;

  bool enabled(LogLevel level) const;
  // Of all Loggers that come from the same root.
  void set_level(LogLevel level) const;

  // Waits until everything is written; false: not within the limit. For an end without destructors.
  bool flush(std::chrono::milliseconds limit) const;
  LogCounts counts() const;

 private:
  explicit Logger(std::shared_ptr<LogSink> sink) : sink_(std::move(sink)) {}
  void write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) const;

  std::shared_ptr<LogSink> sink_;
  std::vector<LogField> fields_;
  std::vector<LogField> marks_;
};

}  // namespace relay
