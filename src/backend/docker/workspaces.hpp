// The directories of sessions on the host: made for the container's user, removed with the session.
//
// Every session has <container.workspace_base_dir>/<session id>/ with a marker file that names the
// relay's instance; nothing without that marker is ever removed. It is on the disk before the
// directory has its name, which takes as long as the disk does, on another thread: an empty one is
// nobody's. A few directories are made at once; removing what an agent left may take long, and is
// done by acp-workspace-helper as a child process. Where the relay is neither root nor the
// container's user, the helper makes and removes as root in a short-lived container that sees this
// one directory and nothing else. Errors are workspace_unavailable and name
// container.workspace_base_dir.
#pragma once

#include "backend/docker/container_maker.hpp"
#include "backend/docker/container_options.hpp"
#include "backend/docker/container_spec.hpp"
#include "backend/docker/container_user.hpp"
#include "backend/docker/helper_process.hpp"
#include "backend/docker/session_root.hpp"
#include "backend/docker/workspace.hpp"
#include "backend/docker/workspace_base_dir.hpp"
#include "backend/process/unreaped_children.hpp"
#include "base/async.hpp"
#include "base/blocking_calls.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "engine/client.hpp"

#include <list>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace relay {

// Makes directories with mode 0700, those above a directory before it, and then gives them to
// `user` from the last to the first: nobody but the relay can reach into one before those above it
// are given away. Whoever has the user's uid already could otherwise put a link in the place of one
// and have the next made elsewhere, with the relay's rights. On failure some may be left.
Result<void> make_and_give(const std::vector<std::string>& paths, const ContainerUser& user);

// As ExitWatch::wait(), within the limit: workspace_unavailable. Zero: none.
Task<Result<int>> helper_ends(asio::any_io_executor executor, engine::ExitWatch& watch,
                              std::chrono::milliseconds limit);

class Workspaces {
 public:
  // `options` outlives it and may be replaced, but for its base directory, its kind of home and the
  // helper. So does `going`, which all who share the base directory share: see is_going().
  Workspaces(asio::any_io_executor executor, const SharedContainerOptions& options,
             engine::EngineClient& engine, ContainerMaker& maker, std::string instance,
             std::set<SessionId>& going, Logger log);

  Result<void> open() const { return open_workspaces(*options_); }

  // Whether the session has directories that an earlier agent of it worked in, and that stay. Fails
  // where that can't be read, as where there are no descriptors left.
  Task<Result<bool>> has(SessionId session);

  // Whether the session's directories are to go and are not gone: their removal is yet to come,
  // goes on, or has failed, and a part of what was in them may be missing.
  bool is_going(const SessionId& session) const { return going_.contains(session); }

  // On failure nothing is left, and what was there before is as it was.
  Task<Result<void>> make(SessionId session, ContainerUser user, WorkingDirectory where);

  // Gives the directories of `to`, which are made, what is in those of `from`: at most
  // container.max_fork_bytes. Errors: session_closed (there are none to copy,
  // or they are removed meanwhile), workspace_unavailable; then a part may be there.
  Task<Result<void>> copy(SessionId from, SessionId to);

  // The session's directories are to go: is_going() from here on, until remove() has removed them.
  void give_up(const SessionId& session);

  // A session that has no directory is a success. One at a time for each session.
  Task<Result<void>> remove(SessionId session);

  // Leaves the directories as nobody's: no relay knows them or removes them any more.
  void let_go(const SessionId& session) const;

  // Removes what a relay that was killed had begun to make, or not yet ended to remove.
  void remove_unfinished() const;

  // Sessions whose directories this relay's instance has made, as far as that can be read.
  std::vector<SessionId> all() const;

  // What the agent of `options` reaches upstreams by: see way_out.hpp. Also where there is one.
  Task<Result<void>> give_way_out(SessionId session, SharedContainerOptions options);

  // False as well when it does not answer.
  Task<bool> disk_is_full();

  // Why no session can be made there now: the disk is full or does not answer, or the base
  // directory is gone.
  std::optional<Error> unusable() const;

 private:
  Task<Result<SessionRoot>> look_at(SessionDirectories directories);
  Task<Result<void>> make_root(SessionDirectories directories, SessionId session);
  Task<Result<void>> run_helper(HelperTask task, bool as_root);
  Task<Result<HelperEnd>> run_helper_container(HelperTask task);
  Error too_large_to_fork() const;
  // A copy that is under way, and whether what it copies is being removed.
  struct Copy {
    SessionId from;
    bool is_spoilt = false;
  };
  // What has no marker yet, or no longer, is named so that it is known as this relay's all the
  // same: a relay that is killed in between leaves nothing that its next run would not remove.
  std::string unfinished_suffix() const { return "." + instance_ + ".unfinished"; }
  struct Unnamed;
  SessionDirectories unfinished(const SessionId& session) const;
  std::vector<SessionId> entries() const;

  asio::any_io_executor executor_;
  const SharedContainerOptions& options_;
  engine::EngineClient& engine_;
  ContainerMaker& maker_;
  std::string instance_;
  std::set<SessionId>& going_;
  Logger log_;
  std::uint64_t attempts_ = 0;  // to make a directory
  BlockingCalls calls_;
  BlockingCalls looks_;
  BlockingCalls room_;
  mutable Probe probe_;
  std::list<Copy> copies_;
  UnreapedChildren unreaped_;
};

}  // namespace relay
