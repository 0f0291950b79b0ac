#include "config/codec.hpp"
#include "config/codec_fields.hpp"

#include <algorithm>

namespace relay::config {
namespace {

constexpr const char* kTokenForm = "write {name: ..., token: ... or sha256: ..., role: ...}";

// A text that has to be there.
Codec<std::string> some_text() {
  Codec<std::string> codec = text();
  codec.read = [](const Value& value, std::string& target, Complaints& complaints) {
    read_scalar(value, "text", target, complaints);
  };
  return codec;
}

TokenConfig read_token(const Value& value, const std::string& path, Complaints& complaints) {
  TokenConfig token;
  read_fields(value, path,
              {field("name", token.name, some_text()), field("token", token.token, some_text()),
               field("sha256", token.sha256, some_text()), field("role", token.role, role())},
              kTokenForm, Unknown::kNotNamed, complaints);
  std::transform(token.sha256.begin(), token.sha256.end(), token.sha256.begin(),
                 [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c; });
  return token;
}

Value write_token(const TokenConfig& token) {
  Value map = Value::map();
  map.fields.push_back({"name", {}, Value::quoted(token.name)});
  if (!token.token.empty()) map.fields.push_back({"token", {}, Value::secret(token.token)});
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
