// What tests of the journal share. Included by tests only.
#pragma once

#include "storage/journal_codec.hpp"
#include "storage/log_fixture.hpp"

namespace relay::storage {

class JournalTest : public LogTest {
 protected:
  const SessionId kSession{"s"};

  // A log whose database takes nothing: what a start finds is the journal's.
  std::unique_ptr<SqliteLog> open_slow(const std::string& path) {
    LogOptions options;
    options.path = path;
    options.group_commit = std::chrono::hours(1);
    return open(std::move(options));
  }

  // The files as a relay leaves them that is killed here, in a directory of their own.
  std::string killed(const std::string& path) {
    const std::filesystem::path to = directory_.path() / ("copy" + std::to_string(++copies_));
    std::filesystem::create_directory(to);
    for (const auto& entry :
         std::filesystem::directory_iterator(std::filesystem::path(path).parent_path())) {
      const std::string name = entry.path().filename().string();
      if (entry.is_regular_file() && !name.ends_with(".lock") && !name.ends_with("-shm")) {
        std::filesystem::copy_file(entry.path(), to / name);
      }
    }
    return (to / std::filesystem::path(path).filename()).string();
  }

  static MessageRecord call(Sequence sequence, MessageKind kind, std::int64_t number) {
    MessageRecord message = message_record(sequence, R"({"n":)" + std::to_string(sequence) + "}");
    message.kind = kind;
    message.call = number;
    return message;
  }

  // What a file of the journal holds, without the room behind it.
  static std::string entries_in(const std::string& path) {
    const std::string content = content_of(path);
    std::string_view rest = std::string_view(content).substr(content.find('\n') + 1);
    while (next_entry(rest)) continue;
    return content.substr(0, content.size() - rest.size());
  }

  TemporaryDirectory directory_;
  const std::string path_ = directory_.file("log.db");
  int copies_ = 0;
};

}  // namespace relay::storage
