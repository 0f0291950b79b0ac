#include "base/blocking_calls.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <condition_variable>
#include <csignal>
#include <system_error>
#include <thread>

namespace relay {
namespace {

// Signals are for the loop's thread. False: the system has no more threads.
bool start_thread(std::function<void()> body) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  bool started = true;
  try {
    std::thread(std::move(body)).detach();
  } catch (const std::system_error&) {
    started = false;
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return started;
}

}  // namespace

Error does_not_answer(const std::string& path) {
  return make_error(ErrorType::kWorkspaceUnavailable, path + " does not answer")
      .because("it lies on a network or FUSE file system whose server is gone")
      .suggest("look at it with: timeout 5 stat " + path)
      .suggest("mount it again (umount -l, mount), or name another directory")
      .with("path", path)
      .retryable();
}

struct BlockingCalls::Call {
  Call(asio::any_io_executor executor, std::function<void()> to_do)
      : body(std::move(to_do)), done(std::move(executor)) {}

  std::function<void()> body;
  Event done;         // the rest is the loop's
  bool late = false;  // nobody waits for it any more
};

struct BlockingCalls::Shared {
  explicit Shared(const asio::any_io_executor& loop) : executor(loop), freed(loop) {}

  std::mutex mutex;
  bool closed = false;  // under the mutex: the loop may be gone
  asio::any_io_executor executor;
  Wakeup freed;
  std::size_t running = 0;
  std::size_t late = 0;
};

BlockingCalls::BlockingCalls(asio::any_io_executor executor, std::size_t most,
                             std::chrono::milliseconds limit)
    : shared_(std::make_shared<Shared>(executor)), most_(most), limit_(limit) {}

BlockingCalls::~BlockingCalls() {
  const std::lock_guard lock(shared_->mutex);
  shared_->closed = true;
}

bool BlockingCalls::start(const std::shared_ptr<Shared>& shared,
                          const std::shared_ptr<Call>& call) {
  return start_thread([shared, call] {
    call->body();
    const std::lock_guard lock(shared->mutex);
    if (shared->closed) return;
    asio::post(shared->executor, [shared, call] {
      --shared->running;
      if (call->late) --shared->late;
      call->done.happen();
      shared->freed.notify();
    });
  });
}

Task<Result<void>> BlockingCalls::run_until_limit(std::string path, std::function<void()> body) {
  using namespace boost::asio::experimental::awaitable_operators;
  const auto shared = shared_;
  const auto deadline = std::chrono::steady_clock::now() + limit_;
  while (shared->running >= most_) {
    const auto left = deadline - std::chrono::steady_clock::now();
    if (shared->late >= most_ || left <= std::chrono::steady_clock::duration::zero()) {
      Error error = does_not_answer(path);
      error.explanation = "cannot look at " + path + ": other directories do not answer";
      co_return error;
    }
    auto turn = shared->freed.wait();
    auto clock = sleep_for(left);
    co_await (std::move(turn) || std::move(clock));
  }
  const auto call = std::make_shared<Call>(shared->executor, std::move(body));
  ++shared->running;
  if (!start(shared, call)) {
    --shared->running;
    co_return make_error(ErrorType::kWorkspaceUnavailable,
                         "the system allows no more threads to look at " + path)
        .suggest("raise the limit of processes (ulimit -u, TasksMax=)")
        .with("path", path)
        .retryable();
  }
  const auto count_as_late = [&shared, &call] {
    call->late = true;
    ++shared->late;
    shared->freed.notify();  // who waits for a turn may wait in vain
  };
  try {
    auto answer = call->done.wait();
    auto clock = sleep_for(deadline - std::chrono::steady_clock::now());
    co_await (std::move(answer) || std::move(clock));
  } catch (...) {
    if (!call->done.happened()) count_as_late();
    throw;
  }
  if (call->done.happened()) co_return Result<void>();
  count_as_late();
  co_return does_not_answer(path);
}

struct Probe::Shared {
  std::mutex mutex;
  std::condition_variable answered;
  std::optional<int> answer;
};

std::optional<int> Probe::ask(std::function<int()> call, std::chrono::milliseconds limit) {
  if (shared_) {
    const std::lock_guard lock(shared_->mutex);
    if (!shared_->answer) return std::nullopt;
  }
  const auto shared = std::make_shared<Shared>();
  shared_ = shared;
  const bool started = start_thread([shared, call = std::move(call)] {
    const int answer = call();
    const std::lock_guard lock(shared->mutex);
    shared->answer = answer;
    shared->answered.notify_all();
  });
  if (!started) {
    shared_.reset();
    return std::nullopt;
  }
  std::unique_lock lock(shared->mutex);
  shared->answered.wait_for(lock, limit, [&shared] { return shared->answer.has_value(); });
  return shared->answer;
}

}  // namespace relay
