#include "egress/credential.hpp"

#include "egress/secret_command.hpp"

#include <boost/asio/this_coro.hpp>

#include <cerrno>
#include <fstream>
#include <functional>
#include <system_error>
#include <utility>

namespace relay::egress {

Result<std::string> read_secret_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    return make_error(ErrorType::kInternalError, "the credential cannot be had from " + path +
                                                     ": " + std::generic_category().message(errno));
  }
  std::string text(kMaxSecretBytes + 1, '\0');
  in.read(text.data(), std::ssize(text));
  text.resize(static_cast<std::size_t>(in.gcount()));
  return clean_secret(std::move(text), path);
}

Task<Result<std::string>> Credential::get() {
  if (source_.file.empty() && source_.command.empty()) co_return source_.value;
  const bool is_fresh = read_at_ && Clock::now() - *read_at_ < source_.refresh;
  if (is_fresh) co_return read_;
  if (!std::exchange(reading_, true)) {
    tasks_.spawn("read a credential", [this] { return read(); });
  }
  while (reading_) {
    const bool notified = co_await done_.wait();
    if (!notified) co_return make_error(ErrorType::kInternalError, "nobody waits any more");
  }
  co_return read_;
}

Task<void> Credential::read() {
  co_await asio::this_coro::throw_if_cancelled(false);
  std::function<Result<std::string>()> call = [file = source_.file] {
    return read_secret_file(file);
  };
  if (source_.file.empty()) {
    call = [command = source_.command] { return run_secret_command(command, kLongest); };
  }
  const std::string name = source_.file.empty() ? source_.command.front() : source_.file;
  read_ = co_await calls_.run(name, std::move(call));
  if (read_) read_at_ = Clock::now();
  reading_ = false;
  done_.notify();
}

Task<void> Credential::close() {
  tasks_.cancel();
  co_await tasks_.join();
}

}  // namespace relay::egress
