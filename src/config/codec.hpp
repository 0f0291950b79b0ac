// How each type of value is read from the tree of a file and written back.
//
// A reader assigns only when the value is right; otherwise it complains and leaves the default.
// Readers of secrets never put the value into a complaint.
#pragma once

#include "config/config.hpp"
#include "config/units.hpp"
#include "config/value.hpp"

#include <charconv>
#include <concepts>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace relay::config {

// What is wrong inside the value of one key.
struct Complaint {
  std::string path;  // below the key: "", "[0].role", ".HOME"
  Mark mark;
  std::string message;
  std::string remedy;
};
using Complaints = std::vector<Complaint>;

template <class T>
struct Codec {
  std::string type;  // for people: "port", "duration", "`json` or `text`"
  std::function<void(const Value&, T&, Complaints&)> read;
  std::function<Value(const T&)> write;
};

// The text of a scalar; complains and returns false for anything else, naming `expected`.
bool read_scalar(const Value& value, std::string_view expected, std::string& text,
                 Complaints& complaints, const std::string& path = "");

// The value in quotes for a message, or "the value" when a variable brought it in.
std::string shown(const Value& value);

Codec<std::string> text();
Codec<bool> flag();
Codec<double> number(double min, double max);
Codec<Milliseconds> duration(Milliseconds min);
Codec<Milliseconds> seconds(Milliseconds min);  // written as a plain number
Codec<Strings> strings();
Codec<StringMap> string_map();
Codec<std::vector<TokenConfig>> tokens();
Codec<std::vector<UpstreamConfig>> upstreams();

// The common part of `size` for every integral type.
bool read_size(const Value& value, std::uint64_t min, std::uint64_t max, std::uint64_t& bytes,
               Complaints& complaints);

template <std::integral T>
Codec<T> count(T min, T max) {
  const std::string range = std::to_string(min) + " to " + std::to_string(max);
  return {
      "number, " + range,
      [=](const Value& value, T& target, Complaints& complaints) {
        std::string digits;
        if (!read_scalar(value, "a whole number", digits, complaints)) return;
        T parsed{};
        const char* end = digits.data() + digits.size();
        const auto [stop, error] = std::from_chars(digits.data(), end, parsed);
        if (error != std::errc{} || stop != end || parsed < min || parsed > max) {
          complaints.push_back({"", value.mark, shown(value) + " is not a whole number in range",
                                "give a number from " + range});
          return;
        }
        target = parsed;
      },
      [](const T& value) { return Value::bare(std::to_string(value)); }};
}

template <std::integral T>
Codec<T> size(std::uint64_t min, std::uint64_t max) {
  return {
      "size, " + format_size(min) + " to " + format_size(max),
      [=](const Value& value, T& target, Complaints& complaints) {
        std::uint64_t bytes = 0;
        if (read_size(value, min, max, bytes, complaints)) target = static_cast<T>(bytes);
      },
      [](const T& value) { return Value::bare(format_size(static_cast<std::uint64_t>(value))); }};
}

// Enumerators by name.
template <class E>
Codec<E> choice(std::vector<std::pair<std::string, E>> names) {
  std::string list;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) list += i + 1 == names.size() ? " or " : ", ";
    list += names[i].first;
  }
  return {list,
          [=](const Value& value, E& target, Complaints& complaints) {
            std::string name;
            if (!read_scalar(value, "a name", name, complaints)) return;
            for (const auto& [known, enumerator] : names) {
              if (known == name) {
                target = enumerator;
                return;
              }
            }
            complaints.push_back(
                {"", value.mark, shown(value) + " is not a choice here", "choose " + list});
          },
          [=](const E& value) {
            for (const auto& [known, enumerator] : names) {
              if (enumerator == value) return Value::bare(known);
            }
            return Value{};
          }};
}

Codec<Role> role();

}  // namespace relay::config
