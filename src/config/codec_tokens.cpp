#include "config/codec.hpp"
#include "config/suggest.hpp"

#include <algorithm>

namespace relay::config {
namespace {

constexpr const char* kTokenForm = "write {name: ..., token: ... or sha256: ..., role: ...}";

// The name of an unknown field is not repeated: it may be a secret that lacks its "token:".
void complain_about_unknown(const Value::Field& field, const std::string& path,
                            Complaints& complaints) {
  const auto meant = nearest(field.name, {"name", "token", "sha256", "role"});
  complaints.push_back(
      {path, field.mark, "unknown key",
       meant ? "did you mean " + *meant + "?" : "the keys are name, token, sha256 and role"});
}

TokenConfig read_token(const Value& value, const std::string& path, Complaints& complaints) {
  TokenConfig token;
  if (value.kind != Value::Kind::kMap) {
    complaints.push_back({path, value.mark, "expected a map", kTokenForm});
    return token;
  }
  for (const Value::Field& field : value.fields) {
    const std::string below = path + "." + field.name;
    if (field.name == "name") {
      read_scalar(field.value, "text", token.name, complaints, below);
    } else if (field.name == "token") {
      read_scalar(field.value, "text", token.token, complaints, below);
    } else if (field.name == "sha256") {
      read_scalar(field.value, "text", token.sha256, complaints, below);
      std::transform(token.sha256.begin(), token.sha256.end(), token.sha256.begin(),
                     [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c; });
    } else if (field.name == "role") {
      Complaints inner;
      role().read(field.value, token.role, inner);
      for (Complaint& complaint : inner) {
        complaint.path = below;
        complaints.push_back(std::move(complaint));
      }
    } else {
      complain_about_unknown(field, path, complaints);
    }
  }
  return token;
}

Value write_token(const TokenConfig& token) {
  Value map = Value::map();
  map.fields.push_back({"name", {}, Value::quoted(token.name)});
  if (!token.token.empty()) map.fields.push_back({"token", {}, Value::quoted(token.token)});
  if (!token.sha256.empty()) map.fields.push_back({"sha256", {}, Value::quoted(token.sha256)});
  map.fields.push_back({"role", {}, role().write(token.role)});
  return map;
}

}  // namespace

Codec<Role> role() {
  return choice<Role>(
      {{"user", Role::kUser}, {"observer", Role::kObserver}, {"operator", Role::kOperator}});
}

Codec<std::vector<TokenConfig>> tokens() {
  return {"list of tokens",
          [](const Value& value, std::vector<TokenConfig>& target, Complaints& complaints) {
            if (value.kind == Value::Kind::kNull) {
              target.clear();
              return;
            }
            if (value.kind != Value::Kind::kList) {
              complaints.push_back({"", value.mark, "expected a list of tokens",
                                    std::string(kTokenForm) + " for each, in a list"});
              return;
            }
            std::vector<TokenConfig> read;
            for (std::size_t i = 0; i < value.items.size(); ++i)
              read.push_back(read_token(value.items[i], "[" + std::to_string(i) + "]", complaints));
            target = std::move(read);
          },
          [](const std::vector<TokenConfig>& value) {
            Value list = Value::list();
            for (const TokenConfig& token : value) list.items.push_back(write_token(token));
            return list;
          }};
}

}  // namespace relay::config
