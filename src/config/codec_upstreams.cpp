// Upstreams as a file has them, with what they take over from their presets.
#include "config/codec.hpp"
#include "config/codec_fields.hpp"
#include "config/entry_name.hpp"
#include "config/suggest.hpp"
#include "config/upstream_presets.hpp"

#include <algorithm>

namespace relay::config {
namespace {

constexpr const char* kNoCredential = "none";
constexpr const char* kCredentialForm =
    "write {header: ..., prefix: ..., value: ... or file: ... or command: [...]}, or none";
constexpr const char* kSourceRemedy = "give one of value, file and command, or credential: none";
constexpr const char* kAllowForm = "write {methods: [POST], path: /v1/chat/**} for each, in a list";
constexpr const char* kBudgetForm = "write {requests: ..., bytes: ..., tokens: ...}";
constexpr const char* kUpstreamForm =
    "write {url: ..., credential: ..., allow: ..., budget: ...}, or the name of a preset with its "
    "credential";
constexpr std::uint64_t kMostOfBudget = 1'000'000'000'000'000;

BudgetConfig read_budget(const Value& value, Complaints& complaints) {
  BudgetConfig budget;
  read_fields(value, "",
              {field("requests", budget.requests, count<std::uint64_t>(0, kMostOfBudget)),
               field("bytes", budget.bytes, size<std::uint64_t>(0, kMostOfBudget)),
               field("tokens", budget.tokens, count<std::uint64_t>(0, kMostOfBudget))},
              kBudgetForm, Unknown::kNamed, complaints);
  return budget;
}

std::vector<AllowConfig> read_allow(const Value& value, Complaints& complaints) {
  std::vector<AllowConfig> rules;
  if (value.kind != Value::Kind::kList) {
    complaints.push_back({"", value.mark, "expected a list of rules", kAllowForm});
    return rules;
  }
  for (std::size_t i = 0; i < value.items.size(); ++i) {
    AllowConfig rule;
    read_fields(value.items[i], "[" + std::to_string(i) + "]",
                {field("methods", rule.methods, strings()), field("path", rule.path, text())},
                kAllowForm, Unknown::kNamed, complaints);
    rules.push_back(std::move(rule));
  }
  return rules;
}

// A secret that an unset variable has left empty would be found out by the upstream only.
void read_secret(const Value& value, std::string& secret, Complaints& complaints) {
  if (!read_scalar(value, "text", secret, complaints) || !secret.empty()) return;
  if (value.empty_variables.empty()) {
    complaints.push_back({"", value.mark, "empty", kSourceRemedy});
  } else {
    const std::string& variable = value.empty_variables.front();
    complaints.push_back({"", value.mark,
                          "the variable " + variable + " is not set or empty, so there is none",
                          "set " + variable + ", or name a file or command"});
  }
}

CredentialConfig read_credential(const Value& value, Complaints& complaints) {
  CredentialConfig credential;
  if (value.kind == Value::Kind::kScalar && value.text == kNoCredential) return credential;
  const FieldReader secret{"value", [&](const Value& given, Complaints& inner) {
                             read_secret(given, credential.value, inner);
                           }};
  const bool is_map = read_fields(
      value, "",
      {field("header", credential.header, text()), field("query", credential.query, text()),
       field("prefix", credential.prefix, text()), secret, field("file", credential.file, text()),
       field("command", credential.command, strings()),
       field("refresh", credential.refresh, duration(Milliseconds(1000)))},
      kCredentialForm, Unknown::kNotNamed, complaints);
  if (!is_map) return credential;
  const auto sources =
      std::ranges::count_if(std::initializer_list<const char*>{"value", "file", "command"},
                            [&](const char* name) { return find_field(value, name) != nullptr; });
  if (sources == 0)
    complaints.push_back({"", value.mark, "says nothing of where it is", kSourceRemedy});
  if (sources > 1)
    complaints.push_back({"", value.mark, "more than one of value, file and command", "keep one"});
  return credential;
}

// What a preset knows and the entry does not say.
void take_over(const UpstreamConfig& preset, const Value& entry, UpstreamConfig& upstream,
               Complaints& complaints) {
  if (find_field(entry, "url") == nullptr) upstream.url = preset.url;
  if (find_field(entry, "allow") == nullptr) upstream.allow = preset.allow;
  const Value* const given = find_field(entry, "credential");
  const CredentialConfig& known = preset.credential;
  if (given == nullptr) {
    if (!known.header.empty() || !known.query.empty())
      complaints.push_back({"." + upstream.name, entry.mark,
                            "the preset " + preset.name + " needs a credential",
                            "write credential: {value: ...}, {file: ...} or {command: [...]}, or "
                            "credential: none"});
    return;
  }
  CredentialConfig& credential = upstream.credential;
  if (given->kind != Value::Kind::kMap) return;
  if (find_field(*given, "header") != nullptr || find_field(*given, "query") != nullptr) return;
  credential.header = known.header;
  credential.query = known.query;
  if (find_field(*given, "prefix") == nullptr) credential.prefix = known.prefix;
}

const UpstreamConfig* preset_of(const UpstreamConfig& upstream, const Value& entry,
                                Complaints& complaints) {
  const Value* const given = find_field(entry, "preset");
  if (given == nullptr) return find_upstream_preset(upstream.name);
  if (upstream.preset.empty()) return nullptr;
  const UpstreamConfig* const preset = find_upstream_preset(upstream.preset);
  if (preset == nullptr) {
    std::vector<std::string> names;
    for (const UpstreamConfig& known : upstream_presets()) names.push_back(known.name);
    const auto meant = nearest(upstream.preset, names);
    complaints.push_back(
        {"." + upstream.name + ".preset", given->mark, shown(*given) + " is not a preset",
         meant ? "did you mean " + *meant + "?" : "the presets are " + upstream_preset_names()});
  }
  return preset;
}

// `entry` is a map.
UpstreamConfig read_upstream(const std::string& name, const Value& entry, Complaints& complaints) {
  UpstreamConfig upstream;
  upstream.name = name;
  const auto reader = [](const char* called, auto& target, auto read) {
    return FieldReader{called, [&target, read](const Value& value, Complaints& inner) {
                         target = read(value, inner);
                       }};
  };
  read_fields(
      entry, "." + name,
      {field("preset", upstream.preset, text()), field("url", upstream.url, text()),
       field("ca_file", upstream.ca_file, text()),
       reader("credential", upstream.credential, read_credential),
       reader("allow", upstream.allow, read_allow), reader("budget", upstream.budget, read_budget),
       field("allow_unsafe", upstream.allow_unsafe, flag())},
      kUpstreamForm, Unknown::kNamed, complaints);
  const UpstreamConfig* const preset = preset_of(upstream, entry, complaints);
  if (preset != nullptr) {
    upstream.preset = preset->name;
    take_over(*preset, entry, upstream, complaints);
  }
  return upstream;
}

void read_upstreams(const Value& value, std::vector<UpstreamConfig>& target,
                    Complaints& complaints) {
  if (value.kind == Value::Kind::kNull) {
    target.clear();
    return;
  }
  if (value.kind != Value::Kind::kMap) {
    complaints.push_back({"", value.mark, "expected a map of upstreams",
                          "write the name of each with its keys indented below it"});
    return;
  }
  if (value.fields.size() > kMaxUpstreams) {
    complaints.push_back({"", value.mark,
                          "more than " + std::to_string(kMaxUpstreams) + " upstreams",
                          "remove some"});
    return;
  }
  std::vector<UpstreamConfig> read;
  for (const Value::Field& entry : value.fields) {
    if (!is_entry_name(entry.name)) {
      complaints.push_back(
          {"." + entry.name, entry.mark, "not a name of an upstream", kEntryNameRemedy});
      continue;
    }
    // A preset without a credential needs no keys.
    Value keys = entry.value;
    if (keys.kind == Value::Kind::kNull) keys.kind = Value::Kind::kMap;
    if (keys.kind != Value::Kind::kMap) {
      complaints.push_back({"." + entry.name, keys.mark, "expected a map", kUpstreamForm});
      continue;
    }
    read.push_back(read_upstream(entry.name, keys, complaints));
  }
  target = std::move(read);
}

void put_text(Value& map, const char* name, const std::string& text) {
  if (!text.empty()) map.fields.push_back({name, {}, Value::quoted(text)});
}

Value write_credential(const CredentialConfig& credential) {
  if (!credential.enabled()) return Value::bare(kNoCredential);
  Value map = Value::map();
  put_text(map, "header", credential.header);
  put_text(map, "query", credential.query);
  put_text(map, "prefix", credential.prefix);
  // Who puts the secret into the prefix, by a variable, has it hidden nevertheless.
  if (!credential.prefix.empty()) map.fields.back().value.secrecy = Secrecy::kMayCarry;
  if (!credential.value.empty())
    map.fields.push_back({"value", {}, Value::secret(credential.value)});
  put_text(map, "file", credential.file);
  if (!credential.command.empty()) {
    Value command = strings().write(credential.command);
    command.secrecy = Secrecy::kMayCarry;
    map.fields.push_back({"command", {}, std::move(command)});
  }
  if (credential.value.empty())
    map.fields.push_back({"refresh", {}, duration({}).write(credential.refresh)});
  return map;
}

Value write_budget(const BudgetConfig& budget) {
  Value map = Value::map();
  map.fields.push_back({"requests", {}, Value::bare(std::to_string(budget.requests))});
  map.fields.push_back({"bytes", {}, Value::bare(format_size(budget.bytes))});
  map.fields.push_back({"tokens", {}, Value::bare(std::to_string(budget.tokens))});
  return map;
}

Value write_allow(const std::vector<AllowConfig>& rules) {
  Value list = Value::list();
  for (const AllowConfig& rule : rules) {
    Value map = Value::map();
    map.fields.push_back({"methods", {}, strings().write(rule.methods)});
    map.fields.push_back({"path", {}, Value::quoted(rule.path)});
    list.items.push_back(std::move(map));
  }
  return list;
}

Value write_upstream(const UpstreamConfig& upstream) {
  Value map = Value::map();
  put_text(map, "preset", upstream.preset);
  map.fields.push_back({"url", {}, Value::quoted(upstream.url)});
  put_text(map, "ca_file", upstream.ca_file);
  map.fields.push_back({"credential", {}, write_credential(upstream.credential)});
  map.fields.push_back({"allow", {}, write_allow(upstream.allow)});
  if (upstream.budget.enabled())
    map.fields.push_back({"budget", {}, write_budget(upstream.budget)});
  if (upstream.allow_unsafe)
    map.fields.push_back({"allow_unsafe", {}, flag().write(upstream.allow_unsafe)});
  return map;
}

}  // namespace

Codec<std::vector<UpstreamConfig>> upstreams() {
  return {"map of upstreams", read_upstreams, [](const std::vector<UpstreamConfig>& all) {
            Value map = Value::map();
            for (const UpstreamConfig& upstream : all)
              map.fields.push_back({upstream.name, {}, write_upstream(upstream)});
            return map;
          }};
}

}  // namespace relay::config
