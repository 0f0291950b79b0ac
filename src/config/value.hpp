// A tree of values between the text of a file and the structs: what YAML is read into and what is
// printed. Knows where it came from, so that every problem can name a line.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace relay::config {

// A place in a file, both from 1; 0 stands for none.
struct Mark {
  int line = 0;
  int column = 0;
};

enum class Secrecy {
  kOpen,
  kSecret,    // every value in it is one
  kMayCarry,  // what ${VAR} brings into it is treated as one
};

struct Value {
  enum class Kind { kNull, kScalar, kList, kMap };
  // Whether a scalar is text, or a number, a flag, a unit value or a name that is written bare.
  enum class Style { kBare, kText };

  struct Field;

  Kind kind = Kind::kNull;
  Style style = Style::kBare;
  std::string text;           // kScalar
  std::vector<Value> items;   // kList
  std::vector<Field> fields;  // kMap, names are unique
  Mark mark;
  // What ${VAR} brought into `text`: (variable, value), only non-empty values.
  std::vector<std::pair<std::string, std::string>> expanded;
  std::vector<std::string> empty_variables;  // of ${VAR}: not set, or empty, and without a default
  // Of a value that a codec wrote: of this one and what lies in it, whatever its key says.
  Secrecy secrecy = Secrecy::kOpen;

  static Value bare(std::string text);
  static Value quoted(std::string text);
  static Value secret(std::string text);
  static Value list();
  static Value map();
};

struct Value::Field {
  std::string name;
  Mark mark;
  Value value;
};

inline Value Value::bare(std::string text) {
  Value value;
  value.kind = Kind::kScalar;
  value.text = std::move(text);
  return value;
}

inline Value Value::quoted(std::string text) {
  Value value = bare(std::move(text));
  value.style = Style::kText;
  return value;
}

inline Value Value::secret(std::string text) {
  Value value = quoted(std::move(text));
  value.secrecy = Secrecy::kSecret;
  return value;
}

inline Value Value::list() {
  Value value;
  value.kind = Kind::kList;
  return value;
}

inline Value Value::map() {
  Value value;
  value.kind = Kind::kMap;
  return value;
}

}  // namespace relay::config
