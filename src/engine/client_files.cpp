// Files of containers, one at a time.
#include "engine/call_target.hpp"
#include "engine/client.hpp"
#include "engine/failure.hpp"
#include "engine/readers.hpp"
#include "engine/refusal_rules.hpp"
#include "engine/tar.hpp"

#include <fmt/format.h>

namespace relay::engine {

namespace {

// Around the file in an archive: its header, notes before it, padding and the end.
constexpr std::size_t kArchiveOverhead = 32u << 10;

}  // namespace

Task<Result<std::optional<std::string>>> EngineClient::read_file(std::string id, std::string path,
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
  if (answer->status == 404) co_return std::optional<std::string>();
  if (answer->status != 200) {
    const std::string message = refusal(answer->body);
    co_return call_failed(address(), "read " + path + " of a container", answer->status, message);
  }
  std::optional<std::string> file = first_file(answer->body);
  if (file && file->size() > max_bytes) {
    co_return make_error(ErrorType::kInternalError,
                         fmt::format("{} in the container has {} bytes, more than the {} that are "
                                     "read",
                                     path, file->size(), max_bytes));
  }
  co_return file;
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
