#include "storage/identity.hpp"

#include "base/random_id.hpp"
#include "storage/statement.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace relay::storage {
namespace {

constexpr const char* kIsBackup =
    "SELECT EXISTS (SELECT 1 FROM properties WHERE name = 'is_backup')";
// A backup has no messages in a journal, which would carry the instance.
constexpr const char* kHasJournal = "SELECT EXISTS (SELECT 1 FROM runs WHERE segment > 0)";

// A name that starts with a zero lies in no file system.
struct KernelName {
  explicit KernelName(const std::string& instance) {
    const std::string name = std::string(1, '\0') + "acp-relay/" + instance;
    const std::size_t length = std::min(name.size(), sizeof(address.sun_path));
    std::memcpy(address.sun_path, name.data(), length);
    size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }

  sockaddr_un address{AF_UNIX, {}};
  socklen_t size = 0;
};

// The process that holds it, as the kernel noted it; 0: it can't be said.
pid_t holder_of(const KernelName& name) {
  // It answers nobody: where too many have asked this can't be said.
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  ucred credentials{};
  socklen_t size = sizeof(credentials);
  if (::connect(socket.get(), name.get(), name.size) != 0 ||
      ::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return 0;
  }
  return credentials.pid;
}

struct Claim {
  UniqueFd held{};
  bool is_taken = false;  // by another
  pid_t holder = 0;
};

// This process is no other relay. A kernel that gives no such name for another reason is done
// without.
Claim claim(const std::string& instance) {
  const KernelName name(instance);
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::bind(socket.get(), name.get(), name.size) == 0) {
    ::listen(socket.get(), SOMAXCONN);  // for holder_of()
    return {std::move(socket)};
  }
  if (errno != EADDRINUSE) return {};
  const pid_t holder = holder_of(name);
  return {{}, holder != ::getpid(), holder};
}

Error is_another(const std::string& path, pid_t holder) {
  const std::string process = holder > 0 ? "process " + std::to_string(holder) : "the other relay";
  return make_error(ErrorType::kInternalError,
                    "it is a copy of one that another relay runs with (" + process +
                        "): both would take each other's agents for their own")
      .suggest("stop " + process + ", or set database.path to another file")
      .suggest("make the copy with acp-relay backup: that becomes a relay of its own")
      .with("path", path)
      .with("pid", static_cast<std::int64_t>(holder));
}

Result<std::string> change_instance(Database& database) {
  auto change =
      Statement::prepare(database, "UPDATE properties SET value = ?1 WHERE name = 'instance_id'");
  if (!change) return std::move(change.error());
  std::string fresh = random_hex(16);
  if (change->bind(1, fresh).run() == Step::kDone) return fresh;
  return database.error("cannot keep the instance id");
}

}  // namespace

Result<std::string> instance_of(Database& database) {
  auto insert =
      Statement::prepare(database,
                         "INSERT INTO properties (name, value) VALUES ('instance_id', ?1) "
                         "ON CONFLICT (name) DO NOTHING");
  if (!insert) return std::move(insert.error());
  const std::string fresh = random_hex(16);
  if (insert->bind(1, fresh).run() != Step::kDone) {
    return database.error("cannot keep the instance id");
  }
  auto select =
      Statement::prepare(database, "SELECT value FROM properties WHERE name = 'instance_id'");
  if (!select) return std::move(select.error());
  if (select->step() != Step::kRow) return database.error("cannot read the instance id");
  return select->column_text(0);
}

Result<Identity> take_identity(Database& database, const std::string& path, const Logger& log) {
  auto instance = instance_of(database);
  if (!instance) return std::move(instance.error());
  const auto is_backup = database.number(kIsBackup);
  if (!is_backup) return is_backup.error();
  Identity identity{std::move(*instance), *is_backup != 0};
  Claim claimed = claim(identity.instance);
  if (claimed.is_taken) {
    const auto has_journal = database.number(kHasJournal);
    if (!has_journal) return has_journal.error();
    if (!identity.is_backup || *has_journal != 0) return is_another(path, claimed.holder);
    auto own = change_instance(database);
    if (!own) return std::move(own.error());
    identity.instance = std::move(*own);
    log.warn(
        "this database is a backup of one that another relay runs with: this relay is one of "
        "its own, and leaves the agents and directories of the other's sessions alone",
        {{"path", path}, {"pid", static_cast<std::int64_t>(claimed.holder)}});
    claimed = claim(identity.instance);
  }
  identity.claim = std::move(claimed.held);
  return identity;
}

Result<void> mark_as_backup(Database& database) {
  return database.execute(
      "INSERT OR REPLACE INTO properties (name, value) VALUES ('is_backup', '1')");
}

Result<void> take_over(Database& database) {
  return database.execute("DELETE FROM properties WHERE name = 'is_backup'");
}

}  // namespace relay::storage
