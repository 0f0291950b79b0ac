// Files of containers, one at a time.
#include "engine/call_target.hpp"
#include "engine/client.hpp"
#include "engine/failure.hpp"
#include "engine/readers.hpp"
#include "engine/refusal_rules.hpp"
#include "engine/tar.hpp"

#include <fmt/format.h>

#include <filesystem>

namespace relay::engine {

namespace {

// Around the file in an archive: its header, notes before it, padding and the end.
constexpr std::size_t kArchiveOverhead = 32u << 10;

// Where a link at `path` leads, seen from the container's root.
std::string followed(const std::string& path, const std::string& target) {
  const std::filesystem::path above = std::filesystem::path(path).parent_path();
  return ("/" / (above / target).relative_path()).lexically_normal().string();
}

}  // namespace

// The Engine follows links to the directory of a file, and hands out the file as it is: a link that
// stands for it is the caller's to follow.
Task<Result<std::optional<std::string>>> EngineClient::read_file(std::string id, std::string path,
                                                                 std::size_t max_bytes) {
  constexpr int kMaxLinks = 16;
  std::string here = path;
  for (int links = 0; links <= kMaxLinks; ++links) {
    auto entry = co_await read_entry(id, here, max_bytes);
    if (!entry) co_return entry.error();
    if (!*entry) co_return std::optional<std::string>();
    if (!(*entry)->is_link) co_return std::optional<std::string>(std::move((*entry)->content));
    here = followed(here, (*entry)->content);
  }
  co_return make_error(
      ErrorType::kContainerStartFailed,
      fmt::format("{} of the image leads through more than {} symbolic links", path, kMaxLinks))
      .suggest("correct the image that container.image names");
}

Task<Result<std::optional<ArchiveEntry>>> EngineClient::read_entry(std::string id, std::string path,
                                                                   std::size_t max_bytes) {
  if (!is_container_name(id)) co_return bad_name(id);
  http::Request request;
  request.target = "/containers/" + id + "/archive?path=" + escaped(path, "/");
  // Its own client for the sake of its own limit.
  http::ClientOptions options;
  options.connect_timeout = options_.connect_timeout;
  options.answer_timeout = options_.call_timeout;
  options.max_body_bytes = max_bytes + kArchiveOverhead;
  http::Client client(executor_, endpoint_, options);
  const Result<http::Response> answer = co_await call_on(client, std::move(request));
  if (!answer) co_return answer.error();
  if (answer->status == 404) co_return std::optional<ArchiveEntry>();
  if (answer->status != 200) {
    const std::string message = refusal(answer->body);
    co_return call_failed(address(), "read " + path + " of a container", answer->status, message);
  }
  std::optional<ArchiveEntry> entry = first_entry(answer->body);
  if (entry && entry->content.size() > max_bytes) {
    co_return make_error(ErrorType::kInternalError,
                         fmt::format("{} in the container has {} bytes, more than the {} that are "
                                     "read",
                                     path, entry->content.size(), max_bytes));
  }
  co_return entry;
}

Task<Result<void>> EngineClient::put_program(std::string id, std::string directory,
                                             std::string name, std::string content) {
  if (!is_container_name(id)) co_return bad_name(id);
  if (!is_container_name(name) || name.size() > 99) {
    co_return make_error(ErrorType::kInternalError,
                         "a program's name has letters, digits, _ . and -, at most 99 of them");
  }
  http::Request request;
  request.method = "PUT";
  request.target = "/containers/" + id + "/archive?path=" + escaped(directory, "/");
  request.headers = {{"Content-Type", "application/x-tar"}};
  request.body = executable_archive(name, content);
  const Result<http::Response> answer = co_await call(std::move(request));
  if (!answer) co_return answer.error();
  if (answer->status == 200) co_return Result<void>();
  const std::string message = refusal(answer->body);
  co_return refused("put " + name + " into the container", answer->status, message);
}

}  // namespace relay::engine
