// Typed calls to a Docker Engine (API 1.41 or newer) or a socket compatible with it.
//
// One kept connection for calls, one of its own for every stream. Knows containers and images, not
// agents. Every call fails with a relay Error that says what to do: docker_not_available when the
// Engine can't be reached, is not permitted or is too old; image_not_found; container_start_failed
// with the Engine's own message for what it refuses; internal_error for answers that make no sense.
// The path, permission and address in these texts are those of the endpoint. Calls end within
// EngineOptions::call_timeout, streams and pull() have none of their own but what is given; all
// answers are bounded.
//
// A call on the kept connection is sent once more when the Engine has closed that connection before
// any byte of an answer came (a restart). All those calls may be repeated. The one that may not,
// create, has a connection of its own and is never repeated: when it fails as docker_not_available,
// the container may exist or not, or be made later, when remove() by its name has found nothing.
#pragma once

#include "base/async.hpp"
#include "base/result.hpp"
#include "engine/call.hpp"
#include "engine/json_objects.hpp"
#include "engine/tar.hpp"
#include "engine/values.hpp"
#include "http/client.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relay::engine {

struct EngineOptions {
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds call_timeout{30'000};
  CallObserver observe;  // may be empty; outlives the client
};

// The end of a container, as the Engine's wait call tells it. Destroying it ends the connection.
class ExitWatch {
 public:
  explicit ExitWatch(std::unique_ptr<http::Stream> stream, std::string address = {})
      : stream_(std::move(stream)), address_(std::move(address)) {}
  // The exit code. Fails when the Engine goes away first. Call once.
  Task<Result<int>> wait();
  void close() { stream_->close(); }

 private:
  std::unique_ptr<http::Stream> stream_;
  std::string address_;  // for texts
};

// Events of containers as they happen.
class EventStream {
 public:
  explicit EventStream(std::unique_ptr<http::Stream> stream, std::string address = {})
      : stream_(std::move(stream)), address_(std::move(address)), objects_(kMaxEvent) {}
  // At least one. Fails when the Engine goes away.
  Task<Result<std::vector<EngineEvent>>> next();
  void close() { stream_->close(); }

 private:
  static constexpr std::size_t kMaxEvent = 1u << 20;

  std::unique_ptr<http::Stream> stream_;
  std::string address_;  // for texts
  JsonObjects objects_;
};

class EngineClient {
 public:
  EngineClient(asio::any_io_executor executor, http::Endpoint endpoint, EngineOptions options);
  ~EngineClient();
  EngineClient(const EngineClient&) = delete;
  EngineClient& operator=(const EngineClient&) = delete;

  // Asks for the version and settles on the API version to speak: 1.41 at least, the newest that
  // both know. Other calls do it by themselves when it was not done.
  Task<Result<EngineVersion>> connect();
  Task<Result<EngineInfo>> info();

  // image_not_found when the Engine has no such image. With a limit of its own, which holds for
  // reaching the Engine and again for its answer, the call has a connection of its own, too.
  Task<Result<ImageFacts>> inspect_image(std::string name,
                                         std::optional<std::chrono::milliseconds> limit = {});
  // Told of every line as it comes. image_not_found when the registry has none or refuses.
  Task<Result<void>> pull(std::string image, std::chrono::milliseconds timeout,
                          std::function<void(const PullLine&)> progress);

  // `body` is the JSON of POST /containers/create. The id of the container.
  Task<Result<std::string>> create_container(std::string name, std::string body);
  // stdin, stdout and stderr as one stream of frames (StreamDemuxer); before start nothing is lost.
  Task<Result<std::unique_ptr<http::Stream>>> attach(std::string id);
  // stdout and stderr alone.
  Task<Result<std::unique_ptr<http::Stream>>> attach_output(std::string id);
  // stdin alone: what was written to it arrives also when the relay is killed right afterwards,
  // which is not so where the same stream carries output. Closing it leaves stdin open where the
  // container was made with StdinOnce: false.
  Task<Result<std::unique_ptr<http::Stream>>> attach_input(std::string id);
  // Another command in a container that runs, as its user: stdin, stdout and stderr as one stream
  // of frames (StreamDemuxer). Closing it closes the command's stdin, and does not end it.
  Task<Result<std::unique_ptr<http::Stream>>> exec(std::string id,
                                                   std::vector<std::string> command);
  // What the container has written since its start, as far as its log has it, as a stream of frames
  // (StreamDemuxer); with `follow` it goes on until the container ends. Refused when the log driver
  // can't be read.
  Task<Result<std::unique_ptr<http::Stream>>> logs(std::string id, LogSelection wanted);
  // Posted before start: returns when the Engine has taken it (condition next-exit), which the head
  // of its answer says; Docker and Podman send that at once. One that does not within call_timeout
  // is docker_not_available. For a container that was started before, kNotRunning: one that has
  // ended meanwhile is told at once.
  enum class Until { kNextExit, kNotRunning };
  Task<Result<ExitWatch>> watch_exit(std::string id, Until until = Until::kNextExit);
  Task<Result<void>> start(std::string id);
  // False: it does not run (any more) or does not exist.
  Task<Result<bool>> kill(std::string id, std::string signal);
  // Forced, with anonymous volumes. A container that does not exist (any more) is a success.
  Task<Result<void>> remove(std::string id);
  // Empty: no such container.
  Task<Result<std::optional<ContainerFacts>>> inspect(std::string id);
  // Running and stopped ones that have every one of the labels ("name" or "name=value").
  Task<Result<std::vector<ContainerSummary>>> list(std::vector<std::string> labels);
  // One reading, without waiting for a second sample. Empty: it does not run.
  Task<Result<std::optional<ContainerUsage>>> usage(std::string id);

  // A regular file of the container's file system, at most `max_bytes`; symbolic links are followed
  // within it, 16 at most. Empty: no such file, or something else by that name (a directory).
  Task<Result<std::optional<std::string>>> read_file(std::string id, std::string path,
                                                     std::size_t max_bytes);
  // The tar of what lies at `path`; of a directory with "/." behind it only what is in it. Of an
  // archive with more than `max_bytes` a part, which is nothing to read. Empty: nothing is there.
  struct Archive {
    std::string bytes;
    bool is_cut = false;
  };
  Task<Result<std::optional<Archive>>> read_archive(std::string id, std::string path,
                                                    std::size_t max_bytes);
  // Has the Engine unpack a tar in a directory of the container, which exists. Mounts are there
  // also in a container that does not run yet; a tmpfs is not.
  Task<Result<void>> put_archive(std::string id, std::string directory, std::string archive);
  // Puts an executable file (mode 0755, root's) into a directory of the container, which exists.
  Task<Result<void>> put_program(std::string id, std::string directory, std::string name,
                                 std::string content);

  // Events of containers that have the label.
  Task<Result<EventStream>> events(std::string label);

  // Removes a container by force without waiting for the answer or the loop: for a relay that has
  // no time left. Unix sockets only; false: could not be sent.
  bool remove_now(std::string_view id) noexcept;

  // For texts: "unix:///var/run/docker.sock".
  std::string address() const { return endpoint_.to_string(); }
  // Empty when the Engine is not reached by a Unix socket.
  const std::string& socket_path() const { return endpoint_.socket_path; }

 private:
  // A stream, or the whole answer of an Engine that does not give one.
  struct Opened {
    std::unique_ptr<http::Stream> stream;  // status 2xx or 101
    http::Response refused;                // otherwise
  };

  // For calls that may take as long.
  static http::ClientOptions within(const EngineOptions& options, std::chrono::milliseconds limit);
  // What lies at `path`, a link as itself. Empty: nothing, or neither file nor link.
  Task<Result<std::optional<ArchiveEntry>>> read_entry(std::string id, std::string path,
                                                       std::size_t max_bytes);
  // Targets begin behind the version. Any status is a success.
  Task<Result<http::Response>> call(Call kind, http::Request request);
  Task<Result<http::Response>> call_on(http::Client& client, Call kind, http::Request request);
  Task<Result<Opened>> open(Call kind, http::Request request);
  Task<Result<std::unique_ptr<http::Stream>>> attach_to(std::string id, std::string streams);
  Task<Result<Opened>> open_on(http::Client& client, Call kind, http::Request request);
  // "/v1.41", asking for the version when it is not known.
  Task<Result<std::string>> version_prefix();
  // True: the Engine does not speak this version (any more); the next call asks for it again.
  bool was_other_version(int status, std::string_view body);
  // Until the Engine, which is at it already, has removed the container.
  Task<Result<void>> wait_until_removed(std::string id);
  Task<std::string> read_refusal(http::Stream& stream);

  asio::any_io_executor executor_;
  http::Endpoint endpoint_;
  EngineOptions options_;
  http::Client client_;
  http::Client streams_;
  std::optional<EngineVersion> version_;
};

}  // namespace relay::engine
