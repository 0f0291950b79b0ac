#include "backend/process/running_child.hpp"

#include <cerrno>
#include <csignal>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace relay {

namespace {

// More than this in one go would keep the other sessions waiting.
constexpr int kMaxReadsAtOnce = 16;

struct Read {
  ReadResult result;
  std::string_view bytes;
};

Read read_now(int fd, ScratchBuffer& scratch) {
  while (true) {
    const ssize_t count = ::read(fd, scratch.data(), scratch.size());
    if (count > 0) {
      return {ReadResult::kSome, {scratch.data(), static_cast<std::size_t>(count)}};
    }
    if (count == 0) return {ReadResult::kEnd, {}};
    if (errno == EINTR) continue;
    return {errno == EAGAIN ? ReadResult::kNothing : ReadResult::kEnd, {}};
  }
}

}  // namespace

RunningChild::RunningChild(const asio::any_io_executor& executor, ChildProcess child,
                           std::shared_ptr<const ProcessOptions> process_options,
                           std::shared_ptr<ScratchBuffer> scratch_buffer,
                           std::shared_ptr<UnreapedChildren> unreaped, Logger logger)
    : pid(child.pid),
      options(std::move(process_options)),
      scratch(std::move(scratch_buffer)),
      log(std::move(logger)),
      pidfd(executor, child.pidfd.release()),
      input(executor, child.input.release()),
      output(executor, child.output.release()),
      errors(executor, child.errors.release()),
      exit_noticed(executor),
      splitter(options->max_line_bytes),
      unreaped_(std::move(unreaped)),
      tail_(options->max_stderr_bytes),
      lines_(options->stderr_lines_per_second) {}

RunningChild::~RunningChild() { abandon(); }

ReadResult RunningChild::read_output(std::vector<std::string>& lines) {
  if (!output.is_open()) return ReadResult::kEnd;
  const Read read = read_now(output.native_handle(), *scratch);
  if (read.result == ReadResult::kSome) {
    if (exit) read_after_exit += read.bytes.size();
    splitter.push(read.bytes, lines);
  }
  return read.result;
}

ReadResult RunningChild::discard_output() {
  for (int i = 0; i < kMaxReadsAtOnce && output.is_open(); ++i) {
    const Read read = read_now(output.native_handle(), *scratch);
    if (read.result != ReadResult::kSome) return read.result;
  }
  return output.is_open() ? ReadResult::kSome : ReadResult::kEnd;
}

ReadResult RunningChild::read_errors() {
  for (int i = 0; i < kMaxReadsAtOnce && errors.is_open(); ++i) {
    const Read read = read_now(errors.native_handle(), *scratch);
    if (read.result != ReadResult::kSome) return read.result;
    tail_.append(read.bytes);
    log_lines(lines_.push(read.bytes, std::chrono::steady_clock::now()));
  }
  return errors.is_open() ? ReadResult::kSome : ReadResult::kEnd;
}

void RunningChild::finish_errors() {
  if (std::exchange(errors_finished_, true)) return;
  log_lines(lines_.finish(std::chrono::steady_clock::now()));
}

void RunningChild::log_lines(const StderrLines::Output& output_lines) const {
  if (output_lines.suppressed > 0) {
    log.info("agent stderr: lines left out", {{"count", output_lines.suppressed}});
  }
  for (const std::string& line : output_lines.lines) {
    log.info("agent stderr", {{"line", options->redact ? options->redact(line) : line}});
  }
}

std::string RunningChild::stderr_text() const {
  std::string text = tail_.text();
  return options->redact ? options->redact(std::move(text)) : text;
}

void RunningChild::look_for_exit() {
  if (exit || reaped_) return;
  siginfo_t info{};
  const int failure = ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT);
  if (failure == 0 && info.si_pid == 0) return;
  exit.emplace();
  if (failure != 0) return;  // somebody else reaped it: the cause is lost
  if (info.si_code == CLD_EXITED) {
    exit->exit_code = info.si_status;
  } else {
    exit->signal = info.si_status;
  }
}

void RunningChild::signal_group(int signal) const {
  if (reaped_) return;
  ::kill(-pid, signal);
  // It may have gone into the group of a child.
  if (signal == SIGKILL) ::kill(pid, signal);
}

void RunningChild::reap() {
  if (reaped_) return;
  leave_unreaped(pid, *unreaped_);
  reaped_ = true;
}

void RunningChild::close_all() {
  boost::system::error_code ignored;
  input.close(ignored);
  output.close(ignored);
  errors.close(ignored);
  pidfd.close(ignored);
}

void RunningChild::abandon() {
  signal_group(SIGKILL);
  reap();
  stopping = true;
  close_all();
}

}  // namespace relay
