// Calls that may never answer (of a directory on a dead network mount above all), made on other
// threads, so that the loop goes on.
//
// Belongs to the loop, but for the calls themselves: those run on another thread, and may touch
// nothing but what they own. A call that outlives its asker, or the whole object, is forgotten; its
// thread ends when it is answered. One thread that has nothing to do stays for the next call: for
// 10 s, and no longer than the object. Errors name the path: workspace_unavailable, it takes
// too long; internal_error, there can be no thread for it, or it threw.
#pragma once

#include "base/async.hpp"
#include "base/result.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace relay {

class BlockingCalls {
 public:
  // At most `most` calls at a time; further ones wait for their turn.
  explicit BlockingCalls(asio::any_io_executor executor, std::size_t most = 8,
                         std::chrono::milliseconds limit = std::chrono::seconds(5));
  BlockingCalls(const BlockingCalls&) = delete;
  BlockingCalls& operator=(const BlockingCalls&) = delete;
  ~BlockingCalls();

  // What `call` returns; an error when it throws, when it takes longer than the limit, its turn
  // included, and at once when every thread waits for a call that did.
  template <class T>
  Task<Result<T>> run(std::string path, std::function<Result<T>()> call) {
    struct Answer {
      std::optional<Result<T>> value;
    };
    auto answer = std::make_shared<Answer>();
    std::function<void()> body = [answer, call = std::move(call)] { answer->value = call(); };
    auto ended = co_await run_until_limit(std::move(path), std::move(body));
    if (!ended) co_return ended.error();
    co_return std::move(*answer->value);
  }

 private:
  struct Waiting;
  struct Door;
  struct Call;

  Task<Result<void>> run_until_limit(std::string path, std::function<void()> body);
  static void make(Call& call);
  static bool start(const std::shared_ptr<Door>& door, std::shared_ptr<Call> call);

  std::shared_ptr<Waiting> waiting_;
  std::shared_ptr<Door> door_;
  std::size_t most_;
  std::chrono::milliseconds limit_;
};

// A question of the relay's own about one directory, asked again and again where nothing can wait.
// One thread at most: while a question is unanswered, no other one is asked.
class Probe {
 public:
  // What `call` returns (on another thread: it owns what it touches); nothing when it does not
  // within `limit`, for which this blocks, and at once while an earlier one is still out.
  std::optional<int> ask(std::function<int()> call, std::chrono::milliseconds limit);

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;  // of the last question that was not answered in time
};

// Of a path that did not answer.
Error does_not_answer(const std::string& path);

}  // namespace relay
