#include "base/log.hpp"

#include "base/log_queue.hpp"
#include "base/time.hpp"
#include "base/utf8.hpp"

#include <fmt/format.h>

#include <atomic>
#include <span>
#include <unistd.h>

namespace relay {

namespace {

std::string_view name(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarn:
      return "warn";
    case LogLevel::kError:
      return "error";
  }
  return "error";
}

// A JSON string; also the quoted form of a logfmt value.
void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
          fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

bool needs_quotes(std::string_view text) {
  if (text.empty()) return true;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == '"' || c == '=' || c == '\\' || c == 0x7f) {
      return true;
    }
  }
  return false;
}

void append_value(std::string& out, const LogValue& value, LogFormat format) {
  if (const auto* bytes = std::get_if<std::string>(&value)) {
    // An agent's stderr and an operating system's names are any bytes.
    const std::string text = as_utf8(*bytes);
    if (format == LogFormat::kJson || needs_quotes(text)) {
      append_quoted(out, text);
    } else {
      out += text;
    }
  } else if (const auto* number = std::get_if<std::int64_t>(&value)) {
    out += std::to_string(*number);
  } else if (const auto* real = std::get_if<double>(&value)) {
    out += fmt::format("{:.6g}", *real);
  } else {
    out += std::get<bool>(value) ? "true" : "false";
  }
}

void append_field(std::string& out, const LogField& field, LogFormat format) {
  if (format == LogFormat::kJson) {
    out += ',';
    append_quoted(out, field.name);
    out += ':';
  } else {
    out += ' ';
    out += field.name;
    out += '=';
  }
  append_value(out, field.value, format);
}

std::string compose(LogLevel level, LogFormat format, std::string_view event,
                    std::span<const LogField> fixed, std::span<const LogField> fields,
                    std::span<const LogField> marks = {}) {
  std::string line;
  if (format == LogFormat::kJson) {
    line =
        fmt::format(R"({{"time":"{}","level":"{}","event":)", to_rfc3339(wall_now()), name(level));
    append_quoted(line, event);
  } else {
    line = fmt::format("{} {:<5} {}", to_rfc3339(wall_now()), name(level), event);
  }
  for (const LogField& field : fixed) append_field(line, field, format);
  for (const LogField& field : fields) append_field(line, field, format);
  for (const LogField& field : marks) append_field(line, field, format);
  if (format == LogFormat::kJson) line += '}';
  return line;
}

}  // namespace

class LogSink {
 public:
  LogSink(LogLevel level, LogFormat format, Logger::Redact redact)
      : level_(level),
        format_(format),
        redact_(std::move(redact)),
        queue_(STDERR_FILENO, {}, [format, redact = redact_](const LogLoss& loss) {
          return told(loss, format, redact);
        }) {}

  LogLevel level() const { return level_.load(std::memory_order_relaxed); }
  void set_level(LogLevel level) { level_.store(level, std::memory_order_relaxed); }
  void write(LogLevel level, std::string_view event, std::span<const LogField> fixed,
             std::span<const LogField> fields, std::span<const LogField> marks) {
    if (!queue_.admit(event, fixed)) return;
    queue_.push(clean(compose(level, format_, event, fixed, fields, marks), redact_));
  }
  void text(std::string lines) { queue_.push(std::move(lines)); }
  bool flush(std::chrono::milliseconds limit) { return queue_.flush(limit); }
  LogCounts counts() const { return queue_.counts(); }

 private:
  static std::string clean(std::string line, const Logger::Redact& redact) {
    if (auto changed = redact ? redact(line) : std::nullopt) line = std::move(*changed);
    line += '\n';
    return line;
  }
  static std::string told(const LogLoss& loss, LogFormat format, const Logger::Redact& redact) {
    std::vector<LogField> fields{{"lines", loss.lines}};
    if (loss.event.empty()) {
      fields.emplace_back("why", "nobody took them, or too many kinds came at once");
    } else {
      fields.emplace_back("repeated", loss.event);
    }
    return clean(compose(LogLevel::kWarn, format, "log lines left out", loss.fixed, fields),
                 redact);
  }

  std::atomic<LogLevel> level_;
  LogFormat format_;
  Logger::Redact redact_;
  LogQueue queue_;
};

Logger Logger::to_stderr(LogLevel level, LogFormat format, Redact redact) {
  return Logger(std::make_shared<LogSink>(level, format, std::move(redact)));
}

Logger Logger::silent() { return Logger(nullptr); }

Logger Logger::with(std::string_view field, std::string_view value) const {
  Logger copy = *this;
  copy.fields_.emplace_back(field, value);
  return copy;
}

Logger Logger::with_mark(std::string_view field, std::string_view value) const {
  Logger copy = *this;
  copy.marks_.emplace_back(field, value);
  return copy;
}

bool Logger::enabled(LogLevel level) const { return sink_ && level >= sink_->level(); }

void Logger::write(LogLevel level, std::string_view event,
                   std::initializer_list<LogField> fields) const {
  if (!enabled(level)) return;
  sink_->write(level, event, fields_, {fields.begin(), fields.size()}, marks_);
}

void Logger::set_level(LogLevel level) const {
  if (sink_) sink_->set_level(level);
}

void Logger::text(std::string lines) const {
  if (sink_) sink_->text(std::move(lines));
}

bool Logger::flush(std::chrono::milliseconds limit) const { return !sink_ || sink_->flush(limit); }

LogCounts Logger::counts() const { return sink_ ? sink_->counts() : LogCounts{}; }

void Logger::debug(std::string_view event, std::initializer_list<LogField> fields) const {
  write(LogLevel::kDebug, event, fields);
}
void Logger::info(std::string_view event, std::initializer_list<LogField> fields) const {
  write(LogLevel::kInfo, event, fields);
}
void Logger::warn(std::string_view event, std::initializer_list<LogField> fields) const {
  write(LogLevel::kWarn, event, fields);
}
void Logger::error(std::string_view event, std::initializer_list<LogField> fields) const {
  write(LogLevel::kError, event, fields);
}

}  // namespace relay
