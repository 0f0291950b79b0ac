#include "base/blocking_calls.hpp"

#include "base/finally.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <algorithm>
#include <condition_variable>
#include <csignal>
#include <exception>
#include <set>
#include <thread>
#include <utility>

namespace relay {
namespace {

using Clock = std::chrono::steady_clock;

// How long a thread that has nothing to do waits for another call.
constexpr std::chrono::seconds kIdle(10);

// Signals are for the loop's thread. False: the system has no more threads.
bool start_thread(std::function<void()> body) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const Finally restore([&before] { ::pthread_sigmask(SIG_SETMASK, &before, nullptr); });
  try {
    std::thread(std::move(body)).detach();
  } catch (const std::exception&) {
    return false;
  }
  return true;
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

// The loop's side. Its timers must not outlive the loop, so no thread holds it.
struct BlockingCalls::Waiting {
  explicit Waiting(const asio::any_io_executor& loop) : freed(loop) {}

  Wakeup freed;
  std::multiset<Clock::time_point> running;  // by when each was to have ended
};

struct BlockingCalls::Call {
  std::function<void()> body;
  Clock::time_point deadline;
  std::optional<std::string> failure;  // what it threw
  Event* done = nullptr;               // the loop's; null: nobody waits for it
};

// What a thread comes back through.
struct BlockingCalls::Door {
  Door(asio::any_io_executor loop, std::weak_ptr<Waiting> behind)
      : executor(std::move(loop)), waiting(std::move(behind)) {}

  // What the thread does next. Null: it ends, for another one waits already, or no call came.
  std::shared_ptr<Call> tell(std::shared_ptr<Call> ended) {
    std::unique_lock lock(mutex);
    if (closed) return nullptr;
    post_end(std::move(ended));
    if (is_idle) return nullptr;
    is_idle = true;  // before the asker can know: its next call finds this thread
    handed_over.wait_for(lock, kIdle, [this] { return next != nullptr || closed; });
    is_idle = false;
    return std::exchange(next, nullptr);
  }
  // False: no thread waits for one.
  bool hand_over(const std::shared_ptr<Call>& call) {
    const std::lock_guard lock(mutex);
    if (!is_idle || next != nullptr) return false;
    next = call;
    handed_over.notify_one();
    return true;
  }

  void post_end(std::shared_ptr<Call> ended) const {
    asio::post(executor, [behind = waiting, ended = std::move(ended)] {
      if (ended->done != nullptr) ended->done->happen();
      const std::shared_ptr<Waiting> alive = behind.lock();
      if (!alive) return;
      alive->running.erase(alive->running.find(ended->deadline));
      alive->freed.notify();
    });
  }

  const asio::any_io_executor executor;
  const std::weak_ptr<Waiting> waiting;
  std::mutex mutex;
  std::condition_variable handed_over;
  // Under the mutex:
  bool closed = false;   // the loop may be gone
  bool is_idle = false;  // a thread waits for a call, one at most
  std::shared_ptr<Call> next;
};

BlockingCalls::BlockingCalls(asio::any_io_executor executor, std::size_t most,
                             std::chrono::milliseconds limit)
    : waiting_(std::make_shared<Waiting>(executor)),
      door_(std::make_shared<Door>(executor, waiting_)),
      most_(most),
      limit_(limit) {}

BlockingCalls::~BlockingCalls() {
  const std::lock_guard lock(door_->mutex);
  door_->closed = true;
  door_->handed_over.notify_one();
}

// On the thread. What the call owns goes there as well, before anybody is told that it has ended.
void BlockingCalls::make(Call& call) {
  try {
    call.body();
  } catch (const std::exception& thrown) {
    call.failure = thrown.what();
  } catch (...) {
    call.failure = "unknown exception";
  }
  call.body = nullptr;
}

bool BlockingCalls::start(const std::shared_ptr<Door>& door, std::shared_ptr<Call> call) {
  if (door->hand_over(call)) return true;
  return start_thread([door, call = std::move(call)]() mutable {
    while (call) {
      make(*call);
      call = door->tell(std::move(call));
    }
  });
}

Task<Result<void>> BlockingCalls::run_until_limit(std::string path, std::function<void()> body) {
  using namespace boost::asio::experimental::awaitable_operators;
  const auto waiting = waiting_;
  const auto door = door_;
  const auto most = most_;
  const auto deadline = Clock::now() + limit_;
  while (waiting->running.size() >= most) {
    const auto now = Clock::now();
    const auto all_are_late = *waiting->running.rbegin();
    if (now >= std::min(deadline, all_are_late)) {
      Error error = does_not_answer(path);
      error.explanation = "cannot look at " + path + ": other directories do not answer";
      co_return error;
    }
    auto turn = waiting->freed.wait();
    auto clock = sleep_for(std::min(deadline, all_are_late) - now);
    co_await (std::move(turn) || std::move(clock));
  }
  const auto call = std::make_shared<Call>();
  call->body = std::move(body);
  call->deadline = deadline;
  waiting->running.insert(deadline);
  if (!start(door, call)) {
    waiting->running.erase(waiting->running.find(deadline));
    co_return make_error(ErrorType::kInternalError,
                         "the system allows no more threads to look at " + path)
        .suggest("raise the limit of processes (ulimit -u, TasksMax=)")
        .with("path", path)
        .retryable();
  }
  Event done(door->executor);
  // However this ends: a call that still runs does not find the event any more.
  struct Leaving {
    Call& call;
    ~Leaving() { call.done = nullptr; }
  };
  const Leaving leaving{*call};
  call->done = &done;
  auto answer = done.wait();
  auto clock = sleep_for(deadline - Clock::now());
  co_await (std::move(answer) || std::move(clock));
  if (!done.happened()) co_return does_not_answer(path);
  if (call->failure) {
    co_return make_error(ErrorType::kInternalError,
                         "cannot look at " + path + ": " + *call->failure)
        .with("path", path);
  }
  co_return Result<void>();
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
