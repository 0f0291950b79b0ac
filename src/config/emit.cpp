#include "config/emit.hpp"

#include <boost/json.hpp>

namespace relay::config {
namespace {

// A JSON string is a double-quoted YAML scalar.
std::string in_quotes(const std::string& text) {
  return boost::json::serialize(boost::json::value(text));
}

std::string key_text(const std::string& name) {
  const bool plain =
      !name.empty() &&
      name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-.") ==
          std::string::npos &&
      name.front() != '-' && name.front() != '.';
  return plain ? name : in_quotes(name);
}

std::string scalar(const Value& value) {
  return value.style == Value::Style::kText ? in_quotes(value.text) : value.text;
}

}  // namespace

std::string yaml_after_key(const Value& value, std::size_t indent) {
  const std::string margin(indent, ' ');
  switch (value.kind) {
    case Value::Kind::kNull:
      return "\n";
    case Value::Kind::kScalar:
      return " " + scalar(value) + "\n";
    case Value::Kind::kList: {
      if (value.items.empty()) return " []\n";
      std::string text = "\n";
      for (const Value& item : value.items) {
        std::string lines = yaml_after_key(item, indent + 2);
        // A map begins in the line of its dash.
        if (item.kind == Value::Kind::kMap && lines.starts_with("\n"))
          lines = " " + lines.substr(1 + indent + 2);
        text += margin + "-" + lines;
      }
      return text;
    }
    case Value::Kind::kMap: {
      if (value.fields.empty()) return " {}\n";
      std::string text = "\n";
      for (const Value::Field& field : value.fields)
        text += margin + key_text(field.name) + ":" + yaml_after_key(field.value, indent + 2);
      return text;
    }
  }
  return "\n";
}

boost::json::value to_json_value(const Value& value) {
  switch (value.kind) {
    case Value::Kind::kNull:
      return nullptr;
    case Value::Kind::kScalar: {
      if (value.style == Value::Style::kText) return boost::json::value(value.text);
      if (value.text == "true" || value.text == "false") return value.text == "true";
      boost::system::error_code error;
      boost::json::value number = boost::json::parse(value.text, error);
      if (!error && number.is_number()) return number;
      return boost::json::value(value.text);
    }
    case Value::Kind::kList: {
      boost::json::array array;
      for (const Value& item : value.items) array.push_back(to_json_value(item));
      return array;
    }
    case Value::Kind::kMap: {
      boost::json::object object;
      for (const Value::Field& field : value.fields)
        object[field.name] = to_json_value(field.value);
      return object;
    }
  }
  return nullptr;
}

}  // namespace relay::config
