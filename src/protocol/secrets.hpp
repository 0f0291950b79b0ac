// Keeps secrets out of what is stored, exported and logged.
#pragma once

#include "base/error.hpp"
#include "protocol/json_spelling.hpp"

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relay {

// Replaces every secret string of the configuration by ***, however JSON spells it (\/, \u0026,
// also in JSON within strings of JSON), and the lines of a secret of several lines one by one. What
// was valid JSON remains so: of a number that shows a secret the whole becomes the string "***",
// but for the id of a message. Safe to use from several threads.
//
// A text without secrets costs one search for each secret and one for backslashes.
class SecretRedactor {
 public:
  SecretRedactor();
  explicit SecretRedactor(std::vector<std::string> secrets);

  ~SecretRedactor();

  // Further ones, beside those that it knows.
  void learn(std::vector<std::string> secrets);
  // The next one of a place whose secret changes from time to time: the last kKeptOfEach of it are
  // known.
  void learn_next(const std::string& place, std::string secret);
  static constexpr std::size_t kKeptOfEach = 8;

  // Empty result: there was nothing to replace.
  std::optional<std::string> redact(std::string_view text) const;
  std::string redacted(std::string_view text) const;
  Error redacted(Error error) const;
  // Of a text that was cut where a secret may stand: also hides what is left of one at its ends.
  std::string redacted_piece(std::string_view text) const;

 private:
  struct Known;

  std::shared_ptr<const Known> known() const;
  void know_all();

  mutable std::mutex mutex_;  // of what follows
  std::vector<std::string> lasting_;
  std::map<std::string, std::deque<std::string>> changing_;  // by place; the newest last
  std::shared_ptr<const Known> known_;                       // readers may still use an earlier one
};

// The stored copy of a request that carries secrets by its nature: values of mcpServers[].env and
// mcpServers[].headers at any depth, of the env of session/new, and all params of `authenticate`
// and `providers/*`, become "***". When such a request can't be read, all its params do. Other
// messages come back as they are.
std::string without_request_secrets(std::string_view method, std::string_view message);

}  // namespace relay
