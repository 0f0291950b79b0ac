#include "config/apply.hpp"

#include "config/agent_keys.hpp"
#include "config/moved_keys.hpp"
#include "config/suggest.hpp"

#include <algorithm>
#include <set>

namespace relay::config {
namespace {

// Variables that say where things are rather than what is secret.
const std::set<std::string>& harmless_variables() {
  static const std::set<std::string> kNames{"HOME", "USER",   "LOGNAME",  "PATH", "PWD",
                                            "LANG", "TMPDIR", "HOSTNAME", "SHELL"};
  return kNames;
}

void collect_expanded(const Value& value, Strings& into) {
  for (const auto& [variable, text] : value.expanded) {
    const bool known = std::find(into.begin(), into.end(), text) != into.end();
    if (!known && !harmless_variables().contains(variable)) into.push_back(text);
  }
  for (const Value& item : value.items) collect_expanded(item, into);
  for (const Value::Field& field : value.fields) collect_expanded(field.value, into);
}

// Only what lies in parts that may carry a secret.
void collect_from_parts(const Value& value, const Value& written, Strings& into) {
  if (written.secrecy == Secrecy::kMayCarry) collect_expanded(value, into);
  if (written.secrecy != Secrecy::kOpen) return;
  for (std::size_t i = 0; i < std::min(value.items.size(), written.items.size()); ++i)
    collect_from_parts(value.items[i], written.items[i], into);
  for (const Value::Field& field : value.fields) {
    const auto part = std::ranges::find(written.fields, field.name, &Value::Field::name);
    if (part != written.fields.end()) collect_from_parts(field.value, part->value, into);
  }
}

void record_places(const Value& value, const std::string& path, const Place& place,
                   Loading& loading) {
  Place here = place;
  here.mark = value.mark;
  loading.places[path] = here;
  for (std::size_t i = 0; i < value.items.size(); ++i)
    record_places(value.items[i], path + "[" + std::to_string(i) + "]", place, loading);
  for (const Value::Field& field : value.fields)
    record_places(field.value, path + "." + field.name, place, loading);
}

// What may stand below `prefix` ("" or "server."): keys and sections, without the prefix.
std::vector<std::string> names_below(const std::string& prefix) {
  std::set<std::string> names;
  for (const Key& key : all_keys()) {
    for (const std::string& path : spellings(key)) {
      if (!path.starts_with(prefix)) continue;
      const std::string rest = path.substr(prefix.size());
      names.insert(rest.substr(0, rest.find('.')));
    }
  }
  if (prefix.empty()) names.emplace(kAgents);
  return {names.begin(), names.end()};
}

// A file that is no configuration has thousands of unknown keys, and advice on each helps nobody.
constexpr std::size_t kMostSuggestions = 100;

std::string remedy_for_unknown(const std::string& name, const std::string& prefix) {
  if (const auto remedy = moved_to(prefix + name); !remedy.empty()) return std::string(remedy);
  const auto siblings = names_below(prefix);
  for (const Key& key : all_keys()) {
    if (key.path.ends_with("." + name)) return "did you mean " + key.path + "?";
  }
  if (const auto meant = nearest(name, siblings)) return "did you mean " + *meant + "?";
  std::string list;
  for (const std::string& sibling : siblings) list += (list.empty() ? "" : ", ") + sibling;
  return "the keys here are " + list;
}

class FileApplier {
 public:
  FileApplier(const std::string& source, Loading& loading) : source_(source), loading_(loading) {}

  void section(const Value& value, const std::string& prefix) {
    for (const Value::Field& field : value.fields) {
      const std::string path = prefix + field.name;
      if (const Key* key = find_key(path)) {
        leaf(*key, field, path);
      } else if (path == kAgents) {
        loading_.agents = field.value;
      } else if (is_section(path)) {
        subsection(field, path);
      } else {
        const bool advise = loading_.problems.size() < kMostSuggestions;
        complain(field.mark, path, "unknown key",
                 advise ? remedy_for_unknown(field.name, prefix) : "remove it");
      }
    }
  }

 private:
  void leaf(const Key& key, const Value::Field& field, const std::string& path) {
    const auto [first, is_first] = seen_.emplace(key.path, path);
    if (!is_first) {
      complain(field.mark, path, "the same as " + first->second + ", which is there too",
               "remove one of the two");
      return;
    }
    apply_key(key, field.value, source_, "", loading_);
  }

  void subsection(const Value::Field& field, const std::string& path) {
    // A section whose keys are all commented out is empty.
    if (field.value.kind == Value::Kind::kNull) return;
    if (field.value.kind != Value::Kind::kMap) {
      complain(field.value.mark, path, "expected a section with keys of its own",
               "indent its keys below \"" + field.name + ":\"");
      return;
    }
    section(field.value, path + ".");
  }

  void complain(Mark mark, const std::string& key, std::string message, std::string remedy) {
    loading_.problems.push_back(
        {source_, mark.line, mark.column, key, std::move(message), std::move(remedy)});
  }

  const std::string& source_;
  Loading& loading_;
  std::map<std::string, std::string> seen_;  // canonical path -> as written
};

}  // namespace

void apply_key(const Key& key, const Value& value, const std::string& source,
               const std::string& name, Loading& loading) {
  Complaints complaints;
  key.read(value, loading.config, complaints);
  note_value(key.path, key.secrecy, value, key.write(loading.config), {source, {}, name},
             complaints, loading);
}

void note_value(const std::string& path, Secrecy secrecy, const Value& value, const Value& written,
                const Place& place, Complaints& complaints, Loading& loading) {
  for (Complaint& complaint : complaints) {
    const bool in_file = place.name.empty();
    const Mark mark = in_file ? complaint.mark : Mark{};
    loading.problems.push_back({place.source, mark.line, mark.column,
                                in_file ? path + complaint.path : place.name,
                                std::move(complaint.message), std::move(complaint.remedy)});
  }
  Value parts = written;
  if (secrecy != Secrecy::kOpen) parts.secrecy = secrecy;
  collect_from_parts(value, parts, loading.config.expanded_secrets);
  // Places of a value that this one replaces must not be found any more.
  std::erase_if(loading.places, [&](const auto& entry) {
    const std::string& known = entry.first;
    return known.starts_with(path) &&
           (known.size() == path.size() || known[path.size()] == '.' || known[path.size()] == '[');
  });
  record_places(value, path, place, loading);
}

void apply_file(const Value& root, const std::string& source, Loading& loading) {
  if (root.kind == Value::Kind::kNull) return;
  if (root.kind != Value::Kind::kMap) {
    loading.problems.push_back({source, root.mark.line, root.mark.column, "",
                                "expected sections with keys",
                                "begin with \"server:\", for example"});
    return;
  }
  FileApplier(source, loading).section(root, "");
}

Problem locate(const Loading& loading, const std::string& key, const std::string& message,
               const std::string& remedy) {
  std::string path = key;
  while (!path.empty()) {
    if (const auto found = loading.places.find(path); found != loading.places.end()) {
      const Place& place = found->second;
      return {place.source,      place.mark.line,
              place.mark.column, place.name.empty() ? key : place.name,
              message,           remedy};
    }
    const auto cut = path.find_last_of(".[");
    path.resize(cut == std::string::npos ? 0 : cut);
  }
  return {"", 0, 0, key, message, remedy};
}

}  // namespace relay::config
