// Files of containers.
#include "engine/call_target.hpp"
#include "engine/client.hpp"
#include "engine/failure.hpp"
#include "engine/readers.hpp"
#include "engine/refusal_rules.hpp"
#include "engine/tar.hpp"
#include "http/deadline.hpp"

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
  auto archive = co_await read_archive(std::move(id), path, max_bytes + kArchiveOverhead);
  if (!archive) co_return archive.error();
  if (!*archive) co_return std::optional<ArchiveEntry>();
  std::optional<ArchiveEntry> entry = first_entry((*archive)->bytes);
  if ((*archive)->is_cut || (entry && entry->content.size() > max_bytes)) {
    co_return make_error(ErrorType::kInternalError,
                         fmt::format("{} in the container has more than the {} bytes that are read",
                                     path, max_bytes));
  }
  co_return entry;
}

Task<Result<std::optional<EngineClient::Archive>>> EngineClient::read_archive(
    std::string id, std::string path, std::size_t max_bytes) {
  if (!is_container_name(id)) co_return bad_name(id);
  const std::string what = "read " + path + " of a container";
  http::Request request;
  request.target = "/containers/" + id + "/archive?path=" + escaped(path, "/");
  const Result<Opened> opened = co_await open(Call::kFiles, std::move(request));
  if (!opened) co_return opened.error();
  if (opened->refused.status == 404) co_return std::optional<Archive>();
  if (!opened->stream) {
    const std::string message = refusal(opened->refused.body);
    co_return call_failed(address(), what, opened->refused.status, message);
  }
  http::Stream& stream = *opened->stream;
  const http::Deadline deadline(executor_, options_.call_timeout, [&stream] { stream.close(); });
  Archive archive;
  for (;;) {
    const Result<std::string> part = co_await stream.read_some();
    if (!part && deadline.expired()) co_return too_slow(address(), what);
    if (!part) co_return stream_lost(address(), what);
    if (part->empty()) break;
    archive.is_cut = archive.bytes.size() + part->size() > max_bytes;
    if (archive.is_cut) break;
    archive.bytes += *part;
  }
  co_return std::optional<Archive>(std::move(archive));
}

Task<Result<void>> EngineClient::put_program(std::string id, std::string directory,
                                             std::string name, std::string content) {
  if (!is_container_name(id)) co_return bad_name(id);
  if (!is_container_name(name) || name.size() > 99) {
    co_return make_error(ErrorType::kInternalError,
                         "a program's name has letters, digits, _ . and -, at most 99 of them");
  }
  co_return co_await put_archive(std::move(id), std::move(directory),
                                 executable_archive(name, content));
}

Task<Result<void>> EngineClient::put_archive(std::string id, std::string directory,
                                             std::string archive) {
  if (!is_container_name(id)) co_return bad_name(id);
  http::Request request;
  request.method = "PUT";
  // The Engine removes a directory, with what is mounted in it, that a file is to replace.
  request.target =
      "/containers/" + id + "/archive?noOverwriteDirNonDir=true&path=" + escaped(directory, "/");
  request.headers = {{"Content-Type", "application/x-tar"}};
  request.body = std::move(archive);
  const Result<http::Response> answer = co_await call(Call::kFiles, std::move(request));
  if (!answer) co_return answer.error();
  if (answer->status == 200) co_return Result<void>();
  const std::string message = refusal(answer->body);
  co_return refused("put files into " + directory + " of the container", answer->status, message);
}

}  // namespace relay::engine
