#include "config/codec.hpp"

#include <cmath>

namespace relay::config {
namespace {

std::string kind_name(const Value& value) {
  switch (value.kind) {
    case Value::Kind::kNull:
      return "nothing";
    case Value::Kind::kScalar:
      return "a single value";
    case Value::Kind::kList:
      return "a list";
    case Value::Kind::kMap:
      return "a map";
  }
  return "nothing";
}

// The shortest decimal text that reads back as the same number.
std::string decimal(double number) {
  char buffer[32];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, number);
  std::string text(buffer, error == std::errc{} ? end : buffer);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

Codec<Milliseconds> duration_codec(Milliseconds min, std::string type,
                                   std::string (*format)(Milliseconds)) {
  return {std::move(type),
          [=](const Value& value, Milliseconds& target, Complaints& complaints) {
            std::string written;
            if (!read_scalar(value, "a duration", written, complaints)) return;
            const auto parsed = parse_duration(written);
            if (!parsed) {
              complaints.push_back({"", value.mark, shown(value) + " is not a duration",
                                    "write 500ms, 30s, 2m, 1h or a plain number of seconds, at "
                                    "most a year"});
            } else if (*parsed < min) {
              complaints.push_back({"", value.mark, shown(value) + " is too short",
                                    "give at least " + format_duration(min)});
            } else {
              target = *parsed;
            }
          },
          [=](const Milliseconds& value) { return Value::bare(format(value)); }};
}

}  // namespace

std::string shown(const Value& value) {
  if (!value.expanded.empty()) return "the value of ${" + value.expanded.front().first + "}";
  constexpr std::size_t kLongest = 40;
  std::string text = value.text.substr(0, kLongest);
  if (value.text.size() > kLongest) text += "...";
  for (char& c : text) {
    if (c == '\n' || c == '\r' || c == '\t') c = ' ';
  }
  return "\"" + text + "\"";
}

bool read_scalar(const Value& value, std::string_view expected, std::string& text,
                 Complaints& complaints, const std::string& path) {
  if (value.kind == Value::Kind::kScalar) {
    text = value.text;
    return true;
  }
  const bool nothing = value.kind == Value::Kind::kNull;
  complaints.push_back({path, value.mark,
                        "expected " + std::string(expected) + ", found " + kind_name(value),
                        nothing ? "give a value or remove the key" : "write the value alone"});
  return false;
}

bool read_size(const Value& value, std::uint64_t min, std::uint64_t max, std::uint64_t& bytes,
               Complaints& complaints) {
  std::string written;
  if (!read_scalar(value, "a size", written, complaints)) return false;
  const auto parsed = parse_size(written);
  if (!parsed) {
    complaints.push_back({"", value.mark, shown(value) + " is not a size",
                          "write 512M, 2G, 64Ki or a plain number of bytes"});
    return false;
  }
  if (*parsed < min || *parsed > max) {
    complaints.push_back({"", value.mark, shown(value) + " is out of range",
                          "give " + format_size(min) + " to " + format_size(max)});
    return false;
  }
  bytes = *parsed;
  return true;
}

Codec<std::string> text() {
  return {"text",
          [](const Value& value, std::string& target, Complaints& complaints) {
            if (value.kind == Value::Kind::kNull) {
              target.clear();
            } else {
              read_scalar(value, "text", target, complaints);
            }
          },
          [](const std::string& value) { return Value::quoted(value); }};
}

Codec<bool> flag() {
  return {"true or false",
          [](const Value& value, bool& target, Complaints& complaints) {
            std::string word;
            if (!read_scalar(value, "true or false", word, complaints)) return;
            if (word == "true" || word == "false") {
              target = word == "true";
            } else {
              complaints.push_back({"", value.mark, shown(value) + " is neither true nor false",
                                    "write true or false"});
            }
          },
          [](const bool& value) { return Value::bare(value ? "true" : "false"); }};
}

Codec<double> number(double min, double max) {
  const std::string range = decimal(min) + " to " + decimal(max);
  return {"number, " + range,
          [=](const Value& value, double& target, Complaints& complaints) {
            std::string written;
            if (!read_scalar(value, "a number", written, complaints)) return;
            double parsed = 0;
            const char* end = written.data() + written.size();
            const auto [stop, error] =
                std::from_chars(written.data(), end, parsed, std::chars_format::fixed);
            if (error != std::errc{} || stop != end || !std::isfinite(parsed) || parsed < min ||
                parsed > max) {
              complaints.push_back({"", value.mark, shown(value) + " is not a number in range",
                                    "give a number from " + range});
              return;
            }
            target = parsed;
          },
          [](const double& value) { return Value::bare(decimal(value)); }};
}

Codec<Milliseconds> duration(Milliseconds min) {
  return duration_codec(min, "duration", format_duration);
}

Codec<Milliseconds> seconds(Milliseconds min) {
  return duration_codec(min, "duration in seconds", format_seconds);
}

Codec<Strings> strings() {
  return {
      "list of text",
      [](const Value& value, Strings& target, Complaints& complaints) {
        if (value.kind == Value::Kind::kNull) {
          target.clear();
          return;
        }
        if (value.kind != Value::Kind::kList) {
          complaints.push_back({"", value.mark, "expected a list, found " + kind_name(value),
                                "write [\"...\"] or one line \"- ...\" for each"});
          return;
        }
        Strings read;
        for (std::size_t i = 0; i < value.items.size(); ++i) {
          std::string item;
          if (!read_scalar(value.items[i], "text", item, complaints, "[" + std::to_string(i) + "]"))
            return;
          read.push_back(std::move(item));
        }
        target = std::move(read);
      },
      [](const Strings& value) {
        Value list = Value::list();
        for (const std::string& item : value) list.items.push_back(Value::quoted(item));
        return list;
      }};
}

Codec<StringMap> string_map() {
  return {"map of text",
          [](const Value& value, StringMap& target, Complaints& complaints) {
            if (value.kind == Value::Kind::kNull) {
              target.clear();
              return;
            }
            if (value.kind != Value::Kind::kMap) {
              complaints.push_back({"", value.mark, "expected a map, found " + kind_name(value),
                                    "write {NAME: value} or one line \"NAME: value\" for each"});
              return;
            }
            StringMap read;
            for (const Value::Field& field : value.fields) {
              std::string item;
              // "NAME:" with nothing behind it is an empty text, as in a shell.
              if (field.value.kind != Value::Kind::kNull &&
                  !read_scalar(field.value, "text", item, complaints, "." + field.name))
                return;
              read.emplace_back(field.name, std::move(item));
            }
            target = std::move(read);
          },
          [](const StringMap& value) {
            Value map = Value::map();
            for (const auto& [name, item] : value)
              map.fields.push_back({name, {}, Value::quoted(item)});
            return map;
          }};
}

}  // namespace relay::config
