#include "backend/docker/workspaces.hpp"

#include "backend/docker/way_out.hpp"
#include "base/unique_fd.hpp"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <functional>
#include <memory>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace relay {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kKey = "container.workspace_base_dir";
constexpr mode_t kPassOnly = 0711;  // of the base directory
// Of the directory above what a session's agent may write to: a program that it leaves there with
// the set-user-id bit is then nobody's to run. Whoever gets there is the owner or root: the relay,
// its helper, and the Engine that mounts.
constexpr mode_t kRelayAlone = 0700;

Error unavailable(const std::string& what, const std::string& path, int failure) {
  Error error = make_error(ErrorType::kWorkspaceUnavailable,
                           what + " " + path + ": " + std::strerror(failure))
                    .with("path", path)
                    .with("key", std::string(kKey));
  if (failure == ENOSPC || failure == EDQUOT) {
    error.possible_causes.emplace_back("the disk is full");
    error.suggested_actions.emplace_back("df -h " + path);
    error.recoverable = true;
  } else if (failure == EMFILE || failure == ENFILE) {
    error.possible_causes.emplace_back("the relay or the machine has no file descriptors left");
    error.suggested_actions.emplace_back(
        "close sessions, lower agent.max_concurrent_sessions or raise LimitNOFILE");
    error.recoverable = true;
  } else if (failure == EACCES || failure == EPERM || failure == EROFS) {
    error.possible_causes.emplace_back("the relay's user may not write there");
    error.suggested_actions.emplace_back("set " + std::string(kKey) +
                                         " to a directory that belongs to the relay's user");
  }
  error.suggested_actions.emplace_back("check " + std::string(kKey));
  return error;
}

Error nothing_to_copy(const SessionId& session) {
  return make_error(ErrorType::kSessionClosed, "the session's directories are not there any more")
      .because("they are removed when a session is closed")
      .suggest("make a session with session/new")
      .with("session_id", session.value());
}

Error too_slow(const std::string& path, const Error& why) {
  return make_error(ErrorType::kWorkspaceUnavailable, "cannot make " + path + ": it takes too long")
      .because("the disk has much to do, or does not answer: " + why.explanation)
      .suggest("try again; if it stays so, look at the disk of " + std::string(kKey))
      .with("path", path)
      .with("key", std::string(kKey))
      .retryable();
}

// Nothing is known then of whose the directory is.
Error cannot_read(const std::string& marker, int failure) {
  Error error = unavailable("cannot read", marker, failure);
  error.recoverable = failure != EACCES && failure != EPERM;
  return error;
}

// From now on. Some file systems have no such thing.
bool is_on_disk(int file) { return ::fsync(file) == 0 || errno == EINVAL; }

// It is on the disk when this returns.
Result<void> write_file(const std::string& path, const std::string& content) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file) return unavailable("cannot write", path, errno);
  const ssize_t written = ::write(file.get(), content.data(), content.size());
  if (written < 0) return unavailable("cannot write", path, errno);
  if (static_cast<std::size_t>(written) != content.size()) {
    return unavailable("cannot write", path, ENOSPC);
  }
  ::fchmod(file.get(), 0644);  // whatever the umask
  if (!is_on_disk(file.get())) return unavailable("cannot write", path, errno);
  return Result<void>();
}

// Nobody else's: what is not there is nobody's.
bool is_own(const std::string& path) {
  struct stat owner = {};
  return ::lstat(path.c_str(), &owner) != 0 || owner.st_uid == ::geteuid();
}

bool is_trusted(uid_t owner) { return owner == 0 || owner == ::geteuid(); }

Error others_base(const std::string& base, const std::string& why) {
  return make_error(ErrorType::kWorkspaceUnavailable, base + " " + why)
      .because(
          "another user could put something else in the place of a session's directories, "
          "in which the relay makes, gives away and removes files")
      .suggest("set " + std::string(kKey) +
               " to a directory that only the relay's user or root can write to")
      .suggest(
          "where nobody else uses it, give it to the user that the relay runs as (chown) and "
          "take the right to write from others (chmod o-w)")
      .with("path", base)
      .with("key", std::string(kKey));
}

// Whoever owns the directory, or a link in its place, can replace what is in it; and so can all who
// may write there, unless the sticky bit keeps them from what is not their own. Its group may: it
// is often its owner's alone, and else somebody has chosen it.
std::optional<Error> not_for_the_relay_alone(const std::string& base) {
  std::string itself = base;  // a slash behind it would lead through a link
  while (itself.size() > 1 && itself.back() == '/') itself.pop_back();
  struct stat named = {};
  struct stat facts = {};
  if (::lstat(itself.c_str(), &named) != 0 || ::stat(base.c_str(), &facts) != 0) {
    return unavailable("cannot look at", base, errno);
  }
  for (const uid_t owner : {named.st_uid, facts.st_uid}) {
    if (is_trusted(owner)) continue;
    return others_base(base, "belongs to uid " + std::to_string(owner) +
                                 ", which is neither the relay's nor root's");
  }
  const bool is_open = (facts.st_mode & S_IWOTH) != 0 && (facts.st_mode & S_ISVTX) == 0;
  if (is_open) return others_base(base, "can be written by every user");
  return std::nullopt;
}

// A local disk answers in microseconds; the loop waits no longer for one that may never.
constexpr std::chrono::milliseconds kDiskAnswers(250);

// 0, or an errno that says why nothing can be made in `base`: ENOSPC when the disk is full.
std::function<int()> usable(std::string base) {
  return [base = std::move(base)] {
    constexpr std::uint64_t kTooLittle = 1u << 20;
    if (::access(base.c_str(), W_OK | X_OK) != 0) return errno;
    struct statvfs room = {};
    if (::statvfs(base.c_str(), &room) != 0) return 0;
    const bool full =
        room.f_bavail * room.f_frsize < kTooLittle || (room.f_files > 0 && room.f_favail == 0);
    return full ? ENOSPC : 0;
  };
}

// With its files, which a power cut leaves neither empty nor away once the directory has its name.
Result<void> make_half(const SessionDirectories& half, const std::string& marker,
                       const std::string& hosts) {
  if (::mkdir(half.root.c_str(), kRelayAlone) != 0) {
    return unavailable("cannot make", half.root, errno);
  }
  ::chmod(half.root.c_str(), kRelayAlone);  // whatever the umask
  auto written = write_file(half.marker, marker);
  if (written) written = write_file(half.hosts, hosts);
  if (!written) return written;
  const UniqueFd directory(::open(half.root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const bool is_kept = directory && is_on_disk(directory.get());
  return is_kept ? Result<void>() : unavailable("cannot write", half.root, errno);
}

// Of a disk that has much to do. Longer than a directory may take that is only looked at.
constexpr std::size_t kMakesAtOnce = 8;
constexpr std::chrono::seconds kDiskWrites(30);

}  // namespace

Result<void> make_and_give(const std::vector<std::string>& paths, const ContainerUser& user) {
  for (const std::string& path : paths) {
    if (::mkdir(path.c_str(), 0700) != 0) return unavailable("cannot make", path, errno);
    // Whatever the umask.
    if (::chmod(path.c_str(), 0700) != 0) return unavailable("cannot make", path, errno);
  }
  for (auto path = paths.rbegin(); path != paths.rend(); ++path) {
    if (::lchown(path->c_str(), user.uid, user.gid) != 0) {
      return unavailable("cannot give away", *path, errno);
    }
  }
  return Result<void>();
}

Result<void> open_workspaces(const ContainerOptions& options) {
  if (::access(options.helper_program.c_str(), X_OK) != 0) {
    return make_error(ErrorType::kWorkspaceUnavailable,
                      "cannot run " + options.helper_program + ": " + std::strerror(errno))
        .suggest("install acp-workspace-helper beside acp-relay");
  }
  const std::string& base = options.workspace_base_dir;
  std::error_code failure;
  const bool made = fs::create_directories(base, failure);
  if (failure) return unavailable("cannot make", base, failure.value());
  if (made) ::chmod(base.c_str(), kPassOnly);
  if (!fs::is_directory(base, failure)) return unavailable("no directory:", base, ENOTDIR);
  if (auto others = not_for_the_relay_alone(base)) return *others;
  if (::access(base.c_str(), W_OK | X_OK) != 0) return unavailable("cannot write in", base, errno);
  return Result<void>();
}

Workspaces::Workspaces(asio::any_io_executor executor, const SharedContainerOptions& options,
                       engine::EngineClient& engine, ContainerMaker& maker, std::string instance,
                       std::set<SessionId>& going, Logger log)
    : executor_(std::move(executor)),
      options_(options),
      engine_(engine),
      maker_(maker),
      instance_(std::move(instance)),
      going_(going),
      log_(std::move(log)),
      calls_(executor_, kMakesAtOnce, kDiskWrites),
      looks_(executor_) {}

// Made, and not yet the session's: whoever has it last removes it.
struct Workspaces::Unnamed {
  explicit Unnamed(SessionDirectories made) : directories(std::move(made)) {}
  Unnamed(const Unnamed&) = delete;
  Unnamed& operator=(const Unnamed&) = delete;
  ~Unnamed() {
    if (is_there) remove_unfinished(directories);
  }

  const SessionDirectories directories;
  std::atomic<bool> is_there = false;
};

// What of it waits for the disk does so on another thread, and has no name yet that counts. Each
// attempt has a directory of its own: one that is given up may go on, and then removes that.
Task<Result<void>> Workspaces::make_root(SessionDirectories directories, SessionId session) {
  std::error_code failure;
  if (fs::exists(fs::symlink_status(directories.root, failure))) {
    co_return unavailable("cannot make", directories.root, EEXIST);
  }
  const SessionId attempt(session.value() + "." + std::to_string(++attempts_));
  const auto half = std::make_shared<Unnamed>(unfinished(attempt));
  using Made = Result<void>;
  const std::function<Result<Made>()> make = [half, marker = instance_ + "\n",
                                              hosts = hosts_file(container_host_name(session))] {
    Made made = make_half(half->directories, marker, hosts);
    half->is_there = made.has_value();
    if (!made) remove_unfinished(half->directories);
    return Result<Made>(made);
  };
  const Result<Made> asked = co_await calls_.run(half->directories.root, make);
  if (!asked) co_return too_slow(directories.root, asked.error());
  if (!*asked) co_return *asked;
  if (::rename(half->directories.root.c_str(), directories.root.c_str()) != 0) {
    co_return unavailable("cannot make", directories.root, errno);
  }
  half->is_there = false;
  co_return Result<void>();
}

int Workspaces::remove_root(const SessionDirectories& directories, const SessionId& session) const {
  const SessionDirectories half = unfinished(session);
  if (::rename(directories.root.c_str(), half.root.c_str()) != 0) return errno;
  return remove_unfinished(half);
}

SessionDirectories Workspaces::unfinished(const SessionId& session) const {
  return session_directories(options_->workspace_base_dir,
                             SessionId(session.value() + unfinished_suffix()));
}

int Workspaces::remove_unfinished(const SessionDirectories& half) {
  if (const int error = remove_way_out(half); error != 0) return error;
  ::unlink(half.hosts.c_str());
  ::unlink(half.marker.c_str());
  return ::rmdir(half.root.c_str()) == 0 || errno == ENOENT ? 0 : errno;
}

void Workspaces::remove_unfinished() const {
  for (const SessionId& session : entries()) {
    if (!session.value().ends_with(unfinished_suffix())) continue;
    const auto half = session_directories(options_->workspace_base_dir, session);
    const int error = remove_unfinished(half);
    if (error != 0) {
      log_.warn("a directory is left", {{"path", half.root}, {"reason", std::strerror(error)}});
    }
  }
}

Task<Result<void>> Workspaces::make(SessionId session, ContainerUser user, WorkingDirectory where) {
  const SessionDirectories directories = session_directories(options_->workspace_base_dir, session);
  // What was there before is not this session's to undo.
  const auto root = co_await make_root(directories, session);
  if (!root) co_return root;
  std::vector<std::string> paths{directories.workspace};
  for (std::size_t end = 0; end != std::string::npos && !where.subdirectory.empty();) {
    end = where.subdirectory.find('/', end + 1);
    paths.push_back(directories.workspace + "/" + where.subdirectory.substr(0, end));
  }
  if (options_->home == ContainerHome::kKeep) paths.push_back(directories.home);
  Result<void> made;
  if (::geteuid() == 0 || (user.uid == ::geteuid() && user.gid == ::getegid())) {
    made = make_and_give(paths, user);  // a moment: nothing that would be worth waiting for
  } else {
    paths.insert(paths.begin(), {"make", std::to_string(user.uid), std::to_string(user.gid)});
    HelperTask task{std::move(paths), directories.root, {}};
    made = co_await run_helper(std::move(task), true);
  }
  if (!made) {
    const auto undone = co_await remove(session);
    if (!undone) {
      log_.warn("a directory is left",
                {{"path", directories.root}, {"reason", undone.error().explanation}});
    }
  }
  co_return made;
}

void Workspaces::give_up(const SessionId& session) {
  for (Copy& copy : copies_) copy.is_spoilt |= copy.from == session;
  going_.insert(session);
}

// As root, for inside may be what belongs to any user of the container.
Task<Result<void>> Workspaces::copy(SessionId from, SessionId to) {
  const SessionDirectories source = session_directories(options_->workspace_base_dir, from);
  const SessionDirectories target = session_directories(options_->workspace_base_dir, to);
  const auto is_there = has(from);
  if (!is_there) co_return is_there.error();
  if (!*is_there) co_return nothing_to_copy(from);
  HelperTask task{{"copy", std::to_string(options_->max_fork_bytes), source.workspace,
                   target.workspace, source.home, target.home},
                  target.root,
                  source.root};
  const auto copy = copies_.insert(copies_.end(), {from});
  const auto copied = co_await run_helper(std::move(task), true);
  const bool is_whole = !copy->is_spoilt;
  copies_.erase(copy);
  if (copied && !is_whole) co_return nothing_to_copy(from);
  co_return copied;
}

Task<Result<void>> Workspaces::remove(SessionId session) {
  give_up(session);
  const bool has_answered = co_await answers();
  if (!has_answered) {
    co_return does_not_answer(options_->workspace_base_dir).with("key", std::string(kKey));
  }
  const SessionDirectories directories = session_directories(options_->workspace_base_dir, session);
  std::error_code failure;
  const fs::file_type type = fs::symlink_status(directories.root, failure).type();
  if (type == fs::file_type::none) {
    co_return unavailable("cannot look at", directories.root, failure.value()).retryable();
  }
  if (type == fs::file_type::not_found) {
    going_.erase(session);
    co_return Result<void>();
  }
  const auto ours = is_ours(directories);
  if (!ours) co_return ours.error();
  if (!*ours) {
    co_return unavailable("made by someone else, not removed:", directories.root, EPERM);
  }
  const bool own = is_own(directories.workspace) && is_own(directories.home);
  const HelperTask task{{"remove", directories.workspace, directories.home}, directories.root, {}};
  auto removed = co_await run_helper(task, !own);
  if (!removed && !removed.error().recoverable && own && ::geteuid() != 0) {
    // Inside may be what belongs to another user of the container. Where one hangs the next would.
    removed = co_await run_helper(task, true);
  }
  if (!removed) co_return removed.error();
  const int error = remove_root(directories, session);
  if (error != 0) co_return unavailable("cannot remove", directories.root, error);
  going_.erase(session);
  co_return Result<void>();
}

void Workspaces::let_go(const SessionId& session) const {
  const SessionDirectories directories = session_directories(options_->workspace_base_dir, session);
  if (::unlink(directories.marker.c_str()) != 0) return;
  log_.warn("the directories of a session that the database does not know are left to you",
            {{"path", directories.root}});
}

Result<bool> Workspaces::has(const SessionId& session) const {
  if (is_going(session)) return false;
  return is_ours(session_directories(options_->workspace_base_dir, session));
}

Result<bool> Workspaces::is_ours(const SessionDirectories& directories) const {
  const UniqueFd file(::open(directories.marker.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file && (errno == ENOENT || errno == ENOTDIR)) return false;
  if (!file) return cannot_read(directories.marker, errno);
  const std::string own = instance_ + "\n";
  std::string text(own.size() + 1, '\0');
  const ssize_t size = ::read(file.get(), text.data(), text.size());
  if (size < 0) return cannot_read(directories.marker, errno);
  text.resize(static_cast<std::size_t>(size));
  return text == own;
}

std::vector<SessionId> Workspaces::entries() const {
  std::vector<SessionId> found;
  std::error_code failure;
  for (fs::directory_iterator entry(options_->workspace_base_dir, failure), end;
       !failure && entry != end; entry.increment(failure)) {
    found.emplace_back(entry->path().filename().string());
  }
  return found;
}

std::vector<SessionId> Workspaces::all() const {
  std::vector<SessionId> sessions;
  std::uint64_t unread = 0;
  std::string reason;  // of the last
  for (const SessionId& session : entries()) {
    if (session.value().ends_with(unfinished_suffix())) continue;
    const auto directories = session_directories(options_->workspace_base_dir, session);
    const auto ours = is_ours(directories);
    if (ours && *ours) sessions.push_back(session);
    if (ours || !is_own(directories.root)) continue;  // as lost+found
    ++unread;
    reason = ours.error().explanation;
  }
  if (unread > 0) {
    log_.warn("directories are left to the next start: nothing says whose they are",
              {{"count", unread}, {"reason", reason}});
  }
  return sessions;
}

Task<bool> Workspaces::answers() {
  const std::string base = options_->workspace_base_dir;
  const std::function<Result<int>()> look = [ask = usable(base)] { return Result<int>(ask()); };
  const Result<int> looked = co_await looks_.run(base, look);
  co_return looked.has_value();
}

bool Workspaces::disk_is_full() const {
  return probe_.ask(usable(options_->workspace_base_dir), kDiskAnswers) == ENOSPC;
}

std::optional<Error> Workspaces::unusable() const {
  const std::string& base = options_->workspace_base_dir;
  const std::optional<int> failure = probe_.ask(usable(base), kDiskAnswers);
  if (!failure) return does_not_answer(base).with("key", std::string(kKey));
  if (*failure != 0) return unavailable("cannot write in", base, *failure);
  return std::nullopt;
}

}  // namespace relay
