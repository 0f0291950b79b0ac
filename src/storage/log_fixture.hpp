// What tests of the log share: a loop, temporary files, and messages to record. Included by tests
// only.
#pragma once

#include "storage/sqlite_log.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <stdlib.h>
#include <string>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace relay::storage {

// A directory that goes away with its owner.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "relay-log-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = pattern;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string file(const std::string& name) const { return (path_ / name).string(); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The files of the journal, the oldest first.
inline std::vector<std::string> journal_files(const std::string& database_path) {
  std::vector<std::string> paths;
  const auto numbers = journal_segments(database_path);
  if (!numbers) throw std::runtime_error(numbers.error().explanation);
  for (const std::uint32_t number : *numbers) {
    paths.push_back(journal_path(database_path, number));
  }
  return paths;
}

// While it lives a link to `target` is at the path of the file.
class LinkInPlaceOf {
 public:
  LinkInPlaceOf(std::string path, const std::string& target) : path_(std::move(path)) {
    std::filesystem::rename(path_, aside());
    std::filesystem::create_symlink(target, path_);
  }
  LinkInPlaceOf(const LinkInPlaceOf&) = delete;
  LinkInPlaceOf& operator=(const LinkInPlaceOf&) = delete;
  ~LinkInPlaceOf() { std::filesystem::rename(aside(), path_); }
  // Where its content is meanwhile.
  std::string aside() const { return path_ + ".aside"; }

 private:
  std::string path_;
};

// While it lives the file is there and can't be opened, as without descriptors: nothing has to be
// exhausted for that, and it holds for root, too.
class Unopenable : public LinkInPlaceOf {
 public:
  explicit Unopenable(const std::string& path) : LinkInPlaceOf(path, path) {}
};

// While it lives the file can be opened and not be read (EIO), as on a bad disk: no process has
// memory at its first addresses.
class Unreadable : public LinkInPlaceOf {
 public:
  explicit Unreadable(const std::string& path) : LinkInPlaceOf(path, "/proc/self/mem") {}
};

inline SessionRecord session_record(const std::string& id, const std::string& owner = {}) {
  SessionRecord session;
  session.id = SessionId(id);
  session.owner = owner;
  session.isolation = "process";
  session.working_directory = "/w";
  session.created_at = wall_now();
  return session;
}

inline MessageRecord message_record(Sequence sequence, const std::string& body = "{}") {
  MessageRecord message;
  message.sequence = sequence;
  message.method = "session/update";
  message.to_client = true;
  message.body = SharedBytes(body);
  message.time = wall_now();
  return message;
}

// Another process that uses the database, until this goes out of scope: then it is killed.
class OtherRelay {
 public:
  explicit OtherRelay(const std::string& path) {
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0) throw std::runtime_error("pipe");
    UniqueFd told(ends[0]), tells(ends[1]);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      asio::io_context loop;
      LogOptions options;
      options.path = path;
      const auto log = SqliteLog::open(loop.get_executor(), options, Logger::silent());
      const char answer = log ? '+' : '-';
      if (::write(tells.get(), &answer, 1) == 1) ::pause();
      ::_exit(1);
    }
    tells.reset();
    char answer = 0;
    if (::read(told.get(), &answer, 1) != 1 || answer != '+') throw std::runtime_error(path);
  }
  OtherRelay(const OtherRelay&) = delete;
  OtherRelay& operator=(const OtherRelay&) = delete;
  ~OtherRelay() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
};

class LogTest : public testing::Test {
 protected:
  // Runs the loop until the coroutine has its answer; outstanding work makes it wait.
  template <class Answer>
  Answer wait_for(Task<Answer> task) {
    std::optional<Answer> answer;
    std::exception_ptr failure;
    asio::co_spawn(loop_, std::move(task), [&](std::exception_ptr error, Answer value) {
      failure = error;
      answer.emplace(std::move(value));
    });
    loop_.restart();
    loop_.run();
    if (failure) std::rethrow_exception(failure);
    return std::move(*answer);
  }
  void wait_for(Task<void> task) {
    asio::co_spawn(loop_, std::move(task), [](std::exception_ptr error) {
      if (error) std::rethrow_exception(error);
    });
    loop_.restart();
    loop_.run();
  }

  std::unique_ptr<SqliteLog> open(LogOptions options) {
    auto log = SqliteLog::open(loop_.get_executor(), std::move(options), Logger::silent());
    if (!log) throw std::runtime_error(log.error().explanation);
    return std::move(*log);
  }
  std::unique_ptr<SqliteLog> open(const std::string& path = ":memory:") {
    LogOptions options;
    options.path = path;
    return open(options);
  }

  HistoryPage history(MessageLog& log, const std::string& session, Sequence after = 0,
                      std::size_t limit = 10'000, std::size_t max_bytes = 1u << 30) {
    auto page = wait_for(log.history(SessionId(session), after, limit, max_bytes));
    EXPECT_TRUE(page) << page.error().explanation;
    return page ? std::move(*page) : HistoryPage{};
  }
  std::optional<SessionRecord> find(MessageLog& log, const std::string& session) {
    auto found = wait_for(log.find(SessionId(session)));
    EXPECT_TRUE(found) << found.error().explanation;
    return found ? std::move(*found) : std::nullopt;
  }
  std::vector<std::string> ids(const SessionPage& page) {
    std::vector<std::string> all;
    for (const auto& session : page.sessions) all.push_back(session.id.value());
    return all;
  }
  // Asks until the condition holds; every question is a turn of the storage thread.
  bool eventually(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
    }
    return true;
  }

  static std::vector<Sequence> sequences(const HistoryPage& page) {
    std::vector<Sequence> all;
    for (const auto& message : page.messages) all.push_back(message.sequence);
    return all;
  }
  static std::string text(const std::vector<Gap>& gaps) {
    std::string all;
    for (const Gap& gap : gaps) {
      all += "[" + std::to_string(gap.from) + "," + std::to_string(gap.to) + "]";
    }
    return all;
  }

  asio::io_context loop_{1};
};

}  // namespace relay::storage
