#include "storage/backup.hpp"

#include "base/random_id.hpp"
#include "storage/database.hpp"
#include "storage/database_file.hpp"
#include "storage/identity.hpp"
#include "storage/journal_codec.hpp"
#include "storage/migrations.hpp"
#include "storage/segment_files.hpp"
#include "storage/statement.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <iterator>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace relay::storage {
namespace {

namespace fs = std::filesystem;

// Runs that are copied in one transaction.
constexpr std::int64_t kRunsOfStep = 64;

Error not_written(const std::string& path, int error) {
  return make_error(ErrorType::kInternalError, "cannot write " + path + ": " + std::strerror(error))
      .suggest("choose a file in a directory with room that you may write")
      .with("path", path);
}

Result<void> check_source(const std::string& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) {
    const std::string absolute = fs::absolute(path, ignored).string();
    return make_error(ErrorType::kInternalError, "there is no database " + absolute)
        .suggest(
            "name it with --database FILE; a relative database.path is one of the directory that "
            "the relay was started in")
        .with("path", path);
  }
  return check_database_file(path);
}

// The database alone, as it is at one moment.
Result<void> copy_database(const std::string& path, const std::string& to) {
  auto database = Database::open(path);
  if (!database) return std::move(database.error());
  database->at_close(Database::AtClose::kLeave);
  const auto version = database->number("PRAGMA user_version");
  if (!version) return version.error();
  if (*version != schema_version()) {
    return make_error(ErrorType::kInternalError,
                      "the database " + path + " was written by an earlier version of acp-relay")
        .suggest("start this version once: it brings the database into its form");
  }
  auto made = make_writable_file(to);
  if (!made) return made;
  auto copy = Statement::prepare(*database, "VACUUM INTO ?1");
  if (!copy) return std::move(copy.error());
  return copy->bind(1, to).run() == Step::kDone ? Result<void>()
                                                : database->error("cannot copy the database");
}

// A run keeps the numbers of messages that are not there any more.
std::int64_t count_messages(std::string_view entries, Sequence first, Sequence last) {
  std::int64_t count = 0;
  read_messages(entries, first, [&](const MessageRecord& message) {
    if (message.sequence <= last) ++count;
    return message.sequence < last;
  });
  return count;
}

// Those that are in the database itself.
Result<std::int64_t> count_messages(Database& database) {
  auto runs =
      Statement::prepare(database, "SELECT first, last, entries FROM runs WHERE segment = 0");
  if (!runs) return std::move(runs.error());
  std::int64_t count = 0;
  Step step = Step::kDone;
  while ((step = runs->step()) == Step::kRow) {
    count += count_messages(runs->column_view(2), runs->column_number(0), runs->column_number(1));
  }
  if (step == Step::kFailed) return database.error("cannot count the messages");
  return count;
}

// Brings messages from the journal into the copy, the oldest first.
class Gathering {
 public:
  static Result<Gathering> begin(Database& copy, const std::string& journal_of) {
    auto instance =
        Statement::prepare(copy, "SELECT value FROM properties WHERE name = 'instance_id'");
    if (!instance) return std::move(instance.error());
    if (instance->step() != Step::kRow) return copy.error("cannot read whose the journal is");
    auto next = Statement::prepare(
        copy,
        "SELECT number, segment, entries, first, last, "
        "(SELECT id FROM sessions WHERE sessions.number = runs.session) FROM runs "
        "WHERE segment > 0 ORDER BY segment LIMIT " +
            std::to_string(kRunsOfStep));
    if (!next) return std::move(next.error());
    auto fill =
        Statement::prepare(copy, "UPDATE runs SET segment = 0, entries = ?2 WHERE number = ?1");
    if (!fill) return std::move(fill.error());
    return Gathering(copy, SegmentFiles(journal_of, instance->column_text(0)), std::move(*next),
                     std::move(*fill));
  }

  Result<void> run() {
    while (true) {
      auto found = next_runs();
      if (!found) return std::move(found.error());
      if (found->empty()) return {};
      auto begun = copy_->execute("BEGIN");
      if (!begun) return begun;
      for (const Run& run : *found) {
        auto filled = fill(run);
        if (!filled) return filled;
      }
      auto done = copy_->execute("COMMIT");
      if (!done) return done;
    }
  }

  std::int64_t messages() const { return messages_; }
  // Why messages are a gap.
  std::vector<std::string> take_lost() {
    std::vector<std::string> lost = files_.take_lost();
    std::ranges::move(too_large_, std::back_inserter(lost));
    return lost;
  }

 private:
  struct Run {
    std::int64_t number;
    std::uint32_t segment;
    std::vector<Extent> extents;
    Sequence first, last;
    std::string session;
  };

  Gathering(Database& copy, SegmentFiles files, Statement next, Statement fill)
      : copy_(&copy), files_(std::move(files)), next_(std::move(next)), fill_(std::move(fill)) {}

  Result<std::vector<Run>> next_runs() {
    std::vector<Run> found;
    const ResetAtExit reset(next_);
    Step step = Step::kDone;
    while ((step = next_.step()) == Step::kRow) {
      found.push_back({next_.column_number(0), static_cast<std::uint32_t>(next_.column_number(1)),
                       unpacked(next_.column_view(2)), next_.column_number(3),
                       next_.column_number(4), next_.column_text(5)});
    }
    if (step == Step::kFailed) return copy_->error("cannot read the copy");
    return found;
  }

  Result<void> fill(const Run& run) {
    std::string entries;
    for (const Extent extent : run.extents) {
      const auto bytes = files_.read(run.segment, extent);
      if (!bytes) return bytes.error();
      entries += *bytes;
    }
    if (put(run, entries)) {
      messages_ += count_messages(entries, run.first, run.last);
      return {};
    }
    if (!copy_->is_too_big()) return copy_->error("cannot copy the messages");
    too_large_.push_back("messages " + std::to_string(run.first) + " to " +
                         std::to_string(run.last) + " of the session " + run.session + " have " +
                         std::to_string(entries.size()) +
                         " bytes, more than SQLite takes in a row");
    return put(run, {}) ? Result<void>() : copy_->error("cannot leave messages out");
  }

  bool put(const Run& run, std::string_view entries) {
    return fill_.bind(1, run.number).bind_blob(2, entries).run() == Step::kDone;
  }

  Database* copy_;
  SegmentFiles files_;
  Statement next_, fill_;
  std::int64_t messages_ = 0;
  std::vector<std::string> too_large_;
};

Result<BackupSize> gather(const std::string& path, const std::string& to) {
  auto copy = Database::open(to);
  if (!copy) return std::move(copy.error());
  // It is nobody's yet: an interrupted copy is thrown away.
  auto configured = copy->execute(
      "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
      "DELETE FROM session_entries; DELETE FROM unused; UPDATE audit SET segment = 0");
  if (!configured) return std::move(configured.error());
  auto marked = mark_as_backup(*copy);
  if (!marked) return std::move(marked.error());
  const auto in_database = count_messages(*copy);
  if (!in_database) return in_database.error();
  auto gathering = Gathering::begin(*copy, path);
  if (!gathering) return std::move(gathering.error());
  auto gathered = gathering->run();
  if (!gathered) return std::move(gathered.error());
  const auto sessions = copy->number("SELECT count(*) FROM sessions");
  if (!sessions) return sessions.error();
  return BackupSize{*sessions, *in_database + gathering->messages(), 0, gathering->take_lost()};
}

Result<std::uint64_t> put(const std::string& part, const std::string& to) {
  const UniqueFd file(::open(part.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!file || ::fsync(file.get()) != 0 || ::fstat(file.get(), &status) != 0 ||
      ::renameat2(AT_FDCWD, part.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) != 0) {
    return not_written(to, errno);
  }
  if (!sync_directory_of(to)) return not_written(to, errno);
  return static_cast<std::uint64_t>(status.st_size);
}

}  // namespace

Result<BackupSize> back_up(const std::string& path, const std::string& to) {
  auto usable = check_source(path);
  if (!usable) return std::move(usable.error());
  std::error_code ignored;
  if (fs::exists(to, ignored)) return not_written(to, EEXIST);
  const std::string part = to + "." + random_hex(8) + ".part";
  auto copied = copy_database(path, part);
  auto size = copied ? gather(path, part) : Result<BackupSize>(std::move(copied.error()));
  if (size) {
    auto bytes = put(part, to);
    if (bytes) {
      size->bytes = *bytes;
      return size;
    }
    size = std::move(bytes.error());
  }
  ::unlink(part.c_str());
  return size;
}

}  // namespace relay::storage
