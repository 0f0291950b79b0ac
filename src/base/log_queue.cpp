#include "base/log_queue.hpp"

#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <poll.h>
#include <unistd.h>
#include <utility>

namespace relay {
namespace {

using LogClock = std::chrono::steady_clock;

// What one write takes: room comes back in steps of this.
constexpr std::size_t kWriteBytes = 64u << 10;

// Waits for as long as it takes. False: nobody will ever read it.
bool write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {
      // Somebody who shares the stream has made it so.
      pollfd wanted{descriptor, POLLOUT, 0};
      ::poll(&wanted, 1, -1);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

}  // namespace

struct LogQueue::State {
  State(int to, LogQueueLimits bounds, Note writes_note)
      : descriptor(to), limits(bounds), note(std::move(writes_note)) {}

  bool has_room_for(const std::string& text) const {
    return lines.size() < limits.max_lines && bytes + text.size() <= limits.max_bytes;
  }
  void add(std::string text) {
    if (!has_room_for(text)) {
      ++untold;
      ++counts.dropped;
      return;
    }
    bytes += text.size();
    lines.push_back(std::move(text));
    work.notify_one();
  }
  void next_window() {
    for (const LogLoss& loss : repeats.next_window(LogClock::now())) add(note(loss));
  }
  bool is_idle() const { return lines.empty() && !is_writing; }

  const int descriptor;
  const LogQueueLimits limits;
  const Note note;

  std::mutex mutex;
  std::condition_variable work, idle;
  std::deque<std::string> lines;
  std::size_t bytes = 0;
  bool is_writing = false;
  bool is_ending = false;
  std::uint64_t untold = 0;  // dropped since the last line that told of it
  LogCounts counts;
  LogRepeats repeats;
};

LogQueue::LogQueue(int descriptor, LogQueueLimits limits, Note note)
    : state_(std::make_shared<State>(descriptor, limits, std::move(note))),
      thread_([state = state_] { write_lines(*state); }) {}

LogQueue::~LogQueue() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->next_window();
  }
  const bool is_written = flush(kLastLines);
  {
    const std::lock_guard lock(state_->mutex);
    state_->is_ending = true;
    state_->work.notify_one();
  }
  if (is_written) {
    thread_.join();
  } else {
    thread_.detach();
  }
}

bool LogQueue::admit(std::string_view event, std::span<const LogField> fixed) {
  const std::lock_guard lock(state_->mutex);
  if (state_->repeats.is_over(LogClock::now())) state_->next_window();
  if (state_->repeats.admit(event, fixed)) return true;
  ++state_->counts.repeated;
  state_->work.notify_one();  // it waits for the window's end from now on
  return false;
}

void LogQueue::push(std::string text) {
  const std::lock_guard lock(state_->mutex);
  state_->add(std::move(text));
}

bool LogQueue::flush(std::chrono::milliseconds limit) {
  std::unique_lock lock(state_->mutex);
  return state_->idle.wait_for(lock, limit, [&] { return state_->is_idle(); });
}

LogCounts LogQueue::counts() const {
  const std::lock_guard lock(state_->mutex);
  return state_->counts;
}

void LogQueue::write_lines(State& state) {
  std::unique_lock lock(state.mutex);
  while (true) {
    const auto has_work = [&] { return !state.lines.empty() || state.is_ending; };
    while (!has_work()) {
      if (!state.repeats.owes()) {
        state.work.wait(lock);
      } else if (state.work.wait_until(lock, state.repeats.window_end()) ==
                 std::cv_status::timeout) {
        state.next_window();
      }
    }
    if (state.lines.empty()) return;
    std::string batch;
    std::size_t count = 0;
    while (!state.lines.empty() && batch.size() < kWriteBytes) {
      batch += state.lines.front();
      state.lines.pop_front();
      ++count;
    }
    state.is_writing = true;
    lock.unlock();
    const bool is_written = write_all(state.descriptor, batch);
    lock.lock();
    state.is_writing = false;
    state.bytes -= batch.size();
    if (!is_written) {
      state.untold += count;
      state.counts.dropped += count;
    } else if (state.untold > 0) {
      LogLoss loss;
      loss.lines = std::exchange(state.untold, 0);
      state.add(state.note(loss));
    }
    if (state.is_idle()) state.idle.notify_all();
  }
}

}  // namespace relay
