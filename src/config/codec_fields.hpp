// Maps with named fields inside the value of one key.
#pragma once

#include "config/codec.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace relay::config {

// A field, and what takes its value.
struct FieldReader {
  std::string name;
  std::function<void(const Value&, Complaints&)> read;
};

// Reads into `target`, which outlives the reader.
template <class T>
FieldReader field(std::string name, T& target, Codec<T> codec) {
  return {std::move(name),
          [&target, read = std::move(codec.read)](const Value& value, Complaints& complaints) {
            read(value, target, complaints);
          }};
}

// Whether complaints may repeat the name of an unknown field: where secrets stand it may be one
// that lacks its name.
enum class Unknown { kNamed, kNotNamed };

// Reads each field that is there; complaints lie below `path`. `form` says how to write it. False:
// it is no map.
bool read_fields(const Value& value, const std::string& path,
                 const std::vector<FieldReader>& readers, std::string_view form, Unknown unknown,
                 Complaints& complaints);

// Null: it has no such field.
const Value* find_field(const Value& map, std::string_view name);

}  // namespace relay::config
