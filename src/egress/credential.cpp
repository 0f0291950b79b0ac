#include "egress/credential.hpp"

#include "http/header_fields.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

namespace relay::egress {
namespace {

constexpr std::size_t kMaxBytes = 64u << 10;

Error unusable(const std::string& path, const std::string& why) {
  return make_error(ErrorType::kInternalError,
                    "the credential cannot be read from " + path + ": " + why);
}

}  // namespace

Result<std::string> read_secret_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return unusable(path, std::strerror(errno));
  std::string text(kMaxBytes + 1, '\0');
  in.read(text.data(), std::ssize(text));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > kMaxBytes) return unusable(path, "it is larger than 64 KiB");
  const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && is_space(text.back())) text.pop_back();
  while (!text.empty() && is_space(text.front())) text.erase(0, 1);
  if (text.empty()) return unusable(path, "it is empty");
  if (!http::is_safe_value(text)) return unusable(path, "it has more than one line");
  return text;
}

Task<Result<std::string>> Credential::get() {
  if (source_.file.empty()) co_return source_.value;
  const bool is_fresh = read_at_ && Clock::now() - *read_at_ < source_.refresh;
  if (is_fresh) co_return read_;
  std::function<Result<std::string>()> read = [path = source_.file] {
    return read_secret_file(path);
  };
  auto text = co_await calls_.run(source_.file, std::move(read));
  if (!text) co_return text.error();
  read_ = *text;
  read_at_ = Clock::now();
  co_return read_;
}

}  // namespace relay::egress
