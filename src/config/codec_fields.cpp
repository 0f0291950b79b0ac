#include "config/codec_fields.hpp"

#include "config/suggest.hpp"

#include <algorithm>

namespace relay::config {
namespace {

Complaint unknown_field(const Value::Field& field, const std::string& path,
                        const std::vector<FieldReader>& readers, Unknown unknown) {
  std::vector<std::string> names;
  std::string list;
  for (const FieldReader& reader : readers) {
    list += (list.empty() ? "" : ", ") + reader.name;
    names.push_back(reader.name);
  }
  const auto meant = nearest(field.name, names);
  return {unknown == Unknown::kNamed ? path + "." + field.name : path, field.mark, "unknown key",
          meant ? "did you mean " + *meant + "?" : "the keys are " + list};
}

}  // namespace

bool read_fields(const Value& value, const std::string& path,
                 const std::vector<FieldReader>& readers, std::string_view form, Unknown unknown,
                 Complaints& complaints) {
  if (value.kind != Value::Kind::kMap) {
    complaints.push_back({path, value.mark, "expected a map", std::string(form)});
    return false;
  }
  for (const Value::Field& field : value.fields) {
    const auto reader = std::ranges::find(readers, field.name, &FieldReader::name);
    if (reader == readers.end()) {
      complaints.push_back(unknown_field(field, path, readers, unknown));
      continue;
    }
    Complaints inner;
    reader->read(field.value, inner);
    for (Complaint& complaint : inner) {
      complaint.path = path + "." + field.name + complaint.path;
      complaints.push_back(std::move(complaint));
    }
  }
  return true;
}

const Value* find_field(const Value& map, std::string_view name) {
  const auto found = std::ranges::find(map.fields, name, &Value::Field::name);
  return found != map.fields.end() ? &found->value : nullptr;
}

}  // namespace relay::config
