// Containers from create to remove.
#include "engine/call_target.hpp"
#include "engine/client.hpp"
#include "engine/failure.hpp"
#include "engine/readers.hpp"
#include "engine/refusal_rules.hpp"
#include "engine/texts.hpp"
#include "http/deadline.hpp"

#include <boost/json.hpp>

namespace relay::engine {

namespace {

namespace json = boost::json;

http::Request request_of(std::string method, std::string target) {
  http::Request request;
  request.method = std::move(method);
  request.target = std::move(target);
  return request;
}

std::string path_of(const std::string& id) { return "/containers/" + id; }

// The image that a create body asks for; empty when it names none.
std::string image_in(const std::string& body) {
  json::error_code failure;
  const json::value value = json::parse(json::string_view(body.data(), body.size()), failure);
  const json::object* object = failure ? nullptr : value.if_object();
  const json::value* image = object == nullptr ? nullptr : object->if_contains("Image");
  if (image == nullptr || !image->is_string()) return {};
  return {image->get_string().data(), image->get_string().size()};
}

bool says_no_image(int status, const std::string& message) {
  return status == 404 && (contains_ignoring_case(message, "no such image") ||
                           contains_ignoring_case(message, "image not known") ||
                           contains_ignoring_case(message, "manifest unknown"));
}

}  // namespace

Task<Result<std::string>> EngineClient::create_container(std::string name, std::string body) {
  if (!is_container_name(name)) co_return bad_name(name);
  http::Request request = request_of("POST", "/containers/create?name=" + escaped(name));
  request.headers = {{"Content-Type", "application/json"}};
  request.body = std::move(body);
  const std::string image = image_in(request.body);
  http::Client once(executor_, endpoint_, within(options_, options_.call_timeout));
  const Result<http::Response> answer = co_await call_on(once, Call::kCreate, std::move(request));
  if (!answer) co_return answer.error();
  if (answer->status == 201) co_return read_created(answer->body);
  const std::string message = refusal(answer->body);
  if (says_no_image(answer->status, message)) co_return image_missing(image, message);
  co_return refused("create the container", answer->status, message);
}

Task<Result<void>> EngineClient::start(std::string id) {
  if (!is_container_name(id)) co_return bad_name(id);
  http::Request request = request_of("POST", path_of(id) + "/start");
  const Result<http::Response> answer = co_await call(Call::kStart, std::move(request));
  if (!answer) co_return answer.error();
  // 304: it runs already, as after a start that was sent twice.
  if (answer->status == 204 || answer->status == 304) co_return Result<void>();
  const std::string message = refusal(answer->body);
  co_return refused("start the container", answer->status, message);
}

Task<Result<bool>> EngineClient::kill(std::string id, std::string signal) {
  if (!is_container_name(id)) co_return bad_name(id);
  if (!is_signal_name(signal)) co_return bad_signal(signal);
  http::Request request = request_of("POST", path_of(id) + "/kill?signal=" + escaped(signal));
  const Result<http::Response> answer = co_await call(Call::kKill, std::move(request));
  if (!answer) co_return answer.error();
  if (answer->status == 204 || answer->status == 200) co_return true;
  const std::string message = refusal(answer->body);
  // Podman says 500 for a container that has ended in some versions.
  const bool is_over = answer->status == 404 || answer->status == 409 ||
                       contains_ignoring_case(message, "not running") ||
                       contains_ignoring_case(message, "can only kill running");
  if (is_over) co_return false;
  co_return call_failed(address(), "send a signal to a container", answer->status, message);
}

// One that ends by itself just before it is killed is refused, and there is nothing to kill the
// next time.
Task<Result<void>> EngineClient::remove(std::string id) {
  if (!is_container_name(id)) co_return bad_name(id);
  for (bool is_first = true;; is_first = false) {
    http::Request request = request_of("DELETE", path_of(id) + "?force=1&v=1");
    const Result<http::Response> answer = co_await call(Call::kRemove, std::move(request));
    if (!answer) co_return answer.error();
    if (answer->status / 100 == 2 || answer->status == 404) co_return Result<void>();
    const std::string message = refusal(answer->body);
    if (answer->status == 409 && contains_ignoring_case(message, "in progress")) {
      co_return co_await wait_until_removed(id);
    }
    if (is_first && contains_ignoring_case(message, "is not running")) continue;
    co_return call_failed(address(), "remove a container", answer->status, message);
  }
}

Task<Result<void>> EngineClient::wait_until_removed(std::string id) {
  http::Request request = request_of("POST", path_of(id) + "/wait?condition=removed");
  const Result<Opened> opened = co_await open(Call::kWait, std::move(request));
  if (!opened) co_return opened.error();
  if (!opened->stream) co_return Result<void>();  // it is gone by now
  http::Stream& stream = *opened->stream;
  const http::Deadline deadline(executor_, options_.call_timeout, [&stream] { stream.close(); });
  for (;;) {
    const Result<std::string> part = co_await stream.read_some();
    if (!part && deadline.expired()) co_return too_slow(address(), "the removal of a container");
    if (!part) co_return stream_lost(address(), "the removal of a container");
    if (part->empty()) co_return Result<void>();
  }
}

Task<Result<std::optional<ContainerFacts>>> EngineClient::inspect(std::string id) {
  if (!is_container_name(id)) co_return bad_name(id);
  http::Request request = request_of("GET", path_of(id) + "/json");
  const Result<http::Response> answer = co_await call(Call::kInspect, std::move(request));
  if (!answer) co_return answer.error();
  if (answer->status == 404) co_return std::optional<ContainerFacts>();
  if (answer->status != 200) {
    const std::string message = refusal(answer->body);
    // Podman says 500 for a container that is being removed.
    if (contains_ignoring_case(message, "no such container")) {
      co_return std::optional<ContainerFacts>();
    }
    co_return call_failed(address(), "inspect a container", answer->status, message);
  }
  Result<ContainerFacts> facts = read_container(answer->body);
  if (!facts) co_return facts.error();
  co_return std::optional<ContainerFacts>(std::move(*facts));
}

Task<Result<std::vector<ContainerSummary>>> EngineClient::list(std::vector<std::string> labels) {
  http::Request request =
      request_of("GET", "/containers/json?all=1&filters=" + label_filter(labels));
  const Result<http::Response> answer = co_await call(Call::kList, std::move(request));
  if (!answer) co_return answer.error();
  if (answer->status == 200) co_return read_list(answer->body);
  const std::string message = refusal(answer->body);
  co_return call_failed(address(), "list containers", answer->status, message);
}

Task<Result<std::optional<ContainerUsage>>> EngineClient::usage(std::string id) {
  if (!is_container_name(id)) co_return bad_name(id);
  http::Request request = request_of("GET", path_of(id) + "/stats?stream=false&one-shot=true");
  const Result<http::Response> answer = co_await call(Call::kStats, std::move(request));
  if (!answer) co_return answer.error();
  const std::optional<ContainerUsage> none;
  if (answer->status == 404 || answer->status == 409) co_return none;
  if (answer->status != 200) {
    const std::string message = refusal(answer->body);
    co_return call_failed(address(), "read the usage of a container", answer->status, message);
  }
  Result<ContainerUsage> usage = read_usage(answer->body);
  if (!usage) co_return usage.error();
  // What does not run has no counters.
  if (!usage->memory_bytes && !usage->pids) co_return none;
  co_return std::optional<ContainerUsage>(*usage);
}

}  // namespace relay::engine
