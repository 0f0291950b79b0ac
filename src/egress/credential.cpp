#include "egress/credential.hpp"

#include "base/finally.hpp"
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

Task<Result<std::string>> Credential::get(std::string refused) {
  if (source_.file.empty() && source_.command.empty()) co_return source_.value;
  read_when_due();
  while (reading_ && !stands(refused)) {
    const bool notified = co_await done_.wait();
    if (!notified) co_return make_error(ErrorType::kInternalError, "nobody waits any more");
  }
  co_return read_;
}

bool Credential::is_due() const {
  if (!tried_at_ || (is_refused_ && !has_failed_)) return true;
  return Clock::now() - *tried_at_ >= (has_failed_ ? source_.retry : source_.refresh);
}

void Credential::read_when_due() {
  if (reading_ || !is_due()) return;
  reading_ = true;
  is_late_ = false;
  ++began_;
  tasks_.spawn("read a credential", [this] { return read(); });
  if (is_refused_) tasks_.spawn("wait for a credential", [this] { return note_late(); });
}

Task<void> Credential::note_late() {
  const auto began = began_;
  const bool slept = co_await sleep_for(source_.patience);
  if (!slept || !reading_ || began_ != began) co_return;
  is_late_ = true;
  done_.notify();
}

void Credential::refused(std::string_view secret) {
  if (!read_ || *read_ != secret) return;
  const Clock::time_point now = Clock::now();
  if (refused_at_ && now - *refused_at_ < source_.retry) return;
  refused_at_ = now;
  is_refused_ = true;
  if (reading_) {
    tasks_.spawn("wait for a credential", [this] { return note_late(); });
  } else {
    read_when_due();
  }
}

Task<void> Credential::read() {
  co_await asio::this_coro::throw_if_cancelled(false);
  const bool was_refused = is_refused_;
  const Finally done([this, was_refused] {
    tried_at_ = Clock::now();
    if (was_refused) is_refused_ = false;
    reading_ = false;
    done_.notify();
  });
  std::function<Result<std::string>()> call = [file = source_.file] {
    return read_secret_file(file);
  };
  if (source_.file.empty()) {
    call = [command = source_.command] { return run_secret_command(command, kLongest); };
  }
  const std::string name = source_.file.empty() ? source_.command.front() : source_.file;
  Result<std::string> read = co_await calls_.run(name, std::move(call));
  const auto state = co_await asio::this_coro::cancellation_state;
  if (!is_cancelled(state)) take(std::move(read));
}

// A store of secrets that is away for a while takes no secret away. Nor does an upstream that
// refuses one: agents choose what they ask, and may not be allowed something.
void Credential::take(Result<std::string> read) {
  if (read && keep_) keep_(*read);
  const bool had_failed = std::exchange(has_failed_, !read);
  const bool is_kept = !read && read_;
  if (is_kept && !had_failed) {
    log_.warn("a credential cannot be read again, the last one is used until it can",
              {{"reason", read.error().explanation}});
  }
  if (read && read_ && *read != *read_) is_refused_ = false;
  if (read && read_ && had_failed) log_.info("a credential can be read again", {});
  if (!is_kept) read_ = std::move(read);
}

Task<void> Credential::close() {
  tasks_.cancel();
  co_await tasks_.join();
}

}  // namespace relay::egress
