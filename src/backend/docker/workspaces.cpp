#include "backend/docker/workspaces.hpp"

#include "backend/docker/way_out.hpp"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

namespace relay {
namespace {

namespace fs = std::filesystem;

Error nothing_to_copy(const SessionId& session) {
  return make_error(ErrorType::kSessionClosed, "the session's directories are not there any more")
      .because("they are removed when a session is closed")
      .suggest("make a session with session/new")
      .with("session_id", session.value());
}

Error too_slow(const std::string& what, const std::string& path, const Error& why) {
  if (why.type != ErrorType::kWorkspaceUnavailable) return name_base_dir(why);  // no thread for it
  Error error =
      make_error(ErrorType::kWorkspaceUnavailable, what + " " + path + ": it takes too long")
          .because("the disk has much to do, or does not answer: " + why.explanation)
          .suggest("try again; if it stays so, look at the disk of container.workspace_base_dir")
          .with("path", path)
          .retryable();
  return name_base_dir(std::move(error));
}

// A local disk answers in microseconds; the loop waits no longer for one that may never.
constexpr std::chrono::milliseconds kDiskAnswers(250);

// Of a disk that has much to do. Longer than a directory may take that is only looked at.
constexpr std::size_t kMakesAtOnce = 8;
constexpr std::chrono::seconds kDiskWrites(30);

}  // namespace

Result<void> make_and_give(const std::vector<std::string>& paths, const ContainerUser& user) {
  for (const std::string& path : paths) {
    if (::mkdir(path.c_str(), 0700) != 0) return workspace_unavailable("cannot make", path, errno);
    // Whatever the umask.
    if (::chmod(path.c_str(), 0700) != 0) return workspace_unavailable("cannot make", path, errno);
  }
  for (auto path = paths.rbegin(); path != paths.rend(); ++path) {
    if (::lchown(path->c_str(), user.uid, user.gid) != 0) {
      return workspace_unavailable("cannot give away", *path, errno);
    }
  }
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
      looks_(executor_),
      room_(executor_, 1, kDiskAnswers) {}

// Made, and not yet the session's: whoever has it last removes it.
struct Workspaces::Unnamed {
  explicit Unnamed(SessionDirectories made) : directories(std::move(made)) {}
  Unnamed(const Unnamed&) = delete;
  Unnamed& operator=(const Unnamed&) = delete;
  ~Unnamed() {
    if (is_there) remove_half_root(directories);
  }

  const SessionDirectories directories;
  std::atomic<bool> is_there = false;
};

// What of it waits for the disk does so on another thread, and has no name yet that counts. Each
// attempt has a directory of its own: one that is given up may go on, and then removes that.
Task<Result<void>> Workspaces::make_root(SessionDirectories directories, SessionId session) {
  std::error_code failure;
  if (fs::exists(fs::symlink_status(directories.root, failure))) {
    co_return workspace_unavailable("cannot make", directories.root, EEXIST);
  }
  const SessionId attempt(session.value() + "." + std::to_string(++attempts_));
  const auto half = std::make_shared<Unnamed>(unfinished(attempt));
  using Made = Result<void>;
  const std::function<Result<Made>()> make = [half, instance = instance_,
                                              hosts = hosts_file(container_host_name(session))] {
    Made made = make_half_root(half->directories, instance, hosts);
    half->is_there = made.has_value();
    if (!made) remove_half_root(half->directories);
    return Result<Made>(made);
  };
  const Result<Made> asked = co_await calls_.run(half->directories.root, make);
  if (!asked) co_return too_slow("cannot make", directories.root, asked.error());
  if (!*asked) co_return *asked;
  if (::rename(half->directories.root.c_str(), directories.root.c_str()) != 0) {
    co_return workspace_unavailable("cannot make", directories.root, errno);
  }
  half->is_there = false;
  co_return Result<void>();
}

SessionDirectories Workspaces::unfinished(const SessionId& session) const {
  return session_directories(options_->workspace_base_dir,
                             SessionId(session.value() + unfinished_suffix()));
}

void Workspaces::remove_unfinished() const {
  for (const SessionId& session : entries()) {
    if (!session.value().ends_with(unfinished_suffix())) continue;
    const auto half = session_directories(options_->workspace_base_dir, session);
    const int error = remove_half_root(half);
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
  // Before the look: a removal that comes and goes meanwhile is seen by it alone.
  const auto copy = copies_.insert(copies_.end(), {from});
  const auto is_there = co_await has(from);
  if (!is_there || !*is_there || copy->is_spoilt) {
    copies_.erase(copy);
    co_return is_there ? nothing_to_copy(from) : is_there.error();
  }
  HelperTask task{{"copy", std::to_string(options_->max_fork_bytes), source.workspace,
                   target.workspace, source.home, target.home},
                  target.root,
                  source.root};
  const auto copied = co_await run_helper(std::move(task), true);
  const bool is_whole = !copy->is_spoilt;
  copies_.erase(copy);
  if (copied && !is_whole) co_return nothing_to_copy(from);
  co_return copied;
}

Task<Result<void>> Workspaces::remove(SessionId session) {
  give_up(session);
  const SessionDirectories directories = session_directories(options_->workspace_base_dir, session);
  const auto found = co_await look_at(directories);
  if (!found) co_return found.error();
  if (!found->is_there) {
    going_.erase(session);
    co_return Result<void>();
  }
  if (!found->is_of_instance) {
    co_return workspace_unavailable("made by someone else, not removed:", directories.root, EPERM);
  }
  const bool own = found->is_own_within;
  const HelperTask task{{"remove", directories.workspace, directories.home}, directories.root, {}};
  auto removed = co_await run_helper(task, !own);
  if (!removed && !removed.error().recoverable && own && ::geteuid() != 0) {
    // Inside may be what belongs to another user of the container. Where one hangs the next would.
    removed = co_await run_helper(task, true);
  }
  if (!removed) co_return removed.error();
  const std::function<Result<int>()> take_away = [directories, half = unfinished(session)] {
    return Result<int>(remove_root(directories, half));
  };
  const auto error = co_await calls_.run(directories.root, take_away);
  if (!error) co_return too_slow("cannot remove", directories.root, error.error());
  if (*error != 0) co_return workspace_unavailable("cannot remove", directories.root, *error);
  going_.erase(session);
  co_return Result<void>();
}

void Workspaces::let_go(const SessionId& session) const {
  const SessionDirectories directories = session_directories(options_->workspace_base_dir, session);
  if (::unlink(directories.marker.c_str()) != 0) return;
  log_.warn("the directories of a session that the database does not know are left to you",
            {{"path", directories.root}});
}

Task<Result<SessionRoot>> Workspaces::look_at(SessionDirectories directories) {
  using Found = Result<SessionRoot>;
  const std::function<Result<Found>()> look = [directories, instance = instance_] {
    return Result<Found>(look_at_root(directories, instance));
  };
  const Result<Found> asked = co_await looks_.run(options_->workspace_base_dir, look);
  if (!asked) co_return name_base_dir(asked.error());
  co_return *asked;
}

Task<Result<bool>> Workspaces::has(SessionId session) {
  if (is_going(session)) co_return false;
  const auto found = co_await look_at(session_directories(options_->workspace_base_dir, session));
  if (!found) co_return found.error();
  co_return found->is_of_instance && !is_going(session);
}

// One that is removed meanwhile gets nothing: what this makes lies within it.
Task<Result<void>> Workspaces::give_way_out(SessionId session, SharedContainerOptions options) {
  const SessionDirectories directories = session_directories(options_->workspace_base_dir, session);
  using Made = Result<void>;
  const std::function<Result<Made>()> make = [directories, options = std::move(options)] {
    return Result<Made>(make_way_out(directories, options->egress));
  };
  const Result<Made> asked = co_await calls_.run(directories.egress, make);
  if (!asked) co_return too_slow("cannot make", directories.egress, asked.error());
  co_return *asked;
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
    const auto ours = is_of_instance(directories, instance_);
    if (ours && *ours) sessions.push_back(session);
    if (ours || !is_own_file(directories.root)) continue;  // as lost+found
    ++unread;
    reason = ours.error().explanation;
  }
  if (unread > 0) {
    log_.warn("directories are left to the next start: nothing says whose they are",
              {{"count", unread}, {"reason", reason}});
  }
  return sessions;
}

Task<bool> Workspaces::disk_is_full() {
  const std::string base = options_->workspace_base_dir;
  const std::function<Result<int>()> look = [ask = usable(base)] { return Result<int>(ask()); };
  const Result<int> failure = co_await room_.run(base, look);
  co_return failure.has_value() && failure.value() == ENOSPC;
}

std::optional<Error> Workspaces::unusable() const {
  const std::string& base = options_->workspace_base_dir;
  const std::optional<int> failure = probe_.ask(usable(base), kDiskAnswers);
  if (!failure) return name_base_dir(does_not_answer(base));
  if (*failure != 0) return workspace_unavailable("cannot write in", base, *failure);
  return std::nullopt;
}

}  // namespace relay
