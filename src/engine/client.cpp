#include "engine/client.hpp"

#include "engine/call_target.hpp"
#include "engine/failure.hpp"
#include "engine/readers.hpp"
#include "engine/texts.hpp"
#include "http/deadline.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace relay::engine {

namespace {

constexpr std::size_t kMaxAnswer = 16u << 20;
constexpr std::size_t kMaxRefusal = 64u << 10;

http::ClientOptions for_streams(const EngineOptions& options) {
  http::ClientOptions out;
  out.connect_timeout = options.connect_timeout;
  out.head_timeout = options.call_timeout;
  return out;
}

// "GET /info": without the query, which says nothing to a person.
std::string name_of(const http::Request& request) {
  return request.method + " " + request.target.substr(0, request.target.find('?'));
}

std::optional<CallFailure> failure_of_answer(const Result<http::Response>& answer) {
  return answer ? failure_of_status(answer->status) : failure_of(answer.error());
}

bool is_stream(int status) { return status == 101 || (status >= 200 && status < 300); }

}  // namespace

EngineClient::EngineClient(asio::any_io_executor executor, http::Endpoint endpoint,
                           EngineOptions options)
    : executor_(executor),
      endpoint_(endpoint),
      options_(options),
      client_(executor, endpoint, within(options, options.call_timeout)),
      streams_(executor, endpoint, for_streams(options)) {}

EngineClient::~EngineClient() = default;

http::ClientOptions EngineClient::within(const EngineOptions& options,
                                         std::chrono::milliseconds limit) {
  http::ClientOptions out;
  out.connect_timeout = std::min(options.connect_timeout, limit);
  out.answer_timeout = limit;
  out.max_body_bytes = kMaxAnswer;
  return out;
}

Task<Result<EngineVersion>> EngineClient::connect() {
  http::Request request;
  request.target = "/version";
  // An Engine that is well answers at once: one that hangs is known as early as one that is gone.
  http::Client asking(executor_, endpoint_, within(options_, options_.connect_timeout));
  const auto state = co_await asio::this_coro::cancellation_state;
  const CallTimer timer(options_.observe, Call::kVersion, state);
  const Result<http::Response> answer = co_await asking.request(request);
  timer.done(failure_of_answer(answer));
  if (!answer) co_return unreachable(answer.error(), endpoint_, "GET /version");
  if (answer->status != 200) {
    const std::string message = refusal(answer->body);
    co_return not_an_engine(endpoint_, answer->status, message);
  }
  Result<EngineVersion> version = read_version(answer->body);
  if (!version) {
    co_return not_an_engine(endpoint_, answer->status, version.error().explanation);
  }
  if (!common_api(*version)) co_return no_common_api(address(), *version);
  version_ = *version;
  co_return version;
}

Task<Result<std::string>> EngineClient::version_prefix() {
  if (!version_) {
    const Result<EngineVersion> version = co_await connect();
    if (!version) co_return version.error();
  }
  // Another call may have found that the Engine is another one, meanwhile.
  const ApiVersion api = version_ ? common_api(*version_).value_or(kOldestApi) : kOldestApi;
  co_return "/v" + api.to_string();
}

bool EngineClient::was_other_version(int status, std::string_view body) {
  if (status != 400) return false;
  const std::string message = refusal(body);
  if (!contains_ignoring_case(message, "client version")) return false;
  version_.reset();
  return true;
}

Task<Result<http::Response>> EngineClient::call(Call kind, http::Request request) {
  co_return co_await call_on(client_, kind, std::move(request));
}

Task<Result<http::Response>> EngineClient::call_on(http::Client& client, Call kind,
                                                   http::Request request) {
  const std::string target = request.target;
  const std::string name = name_of(request);
  const auto state = co_await asio::this_coro::cancellation_state;
  for (bool is_repeated = false;; is_repeated = true) {
    const Result<std::string> prefix = co_await version_prefix();
    if (!prefix) co_return prefix.error();
    request.target = *prefix + target;
    const CallTimer timer(options_.observe, kind, state);
    Result<http::Response> answer = co_await client.request(request);
    timer.done(failure_of_answer(answer));
    if (!answer) co_return unreachable(answer.error(), endpoint_, name);
    if (is_repeated || !was_other_version(answer->status, answer->body)) co_return answer;
  }
}

Task<Result<EngineClient::Opened>> EngineClient::open(Call kind, http::Request request) {
  co_return co_await open_on(streams_, kind, std::move(request));
}

Task<Result<EngineClient::Opened>> EngineClient::open_on(http::Client& client, Call kind,
                                                         http::Request request) {
  const std::string target = request.target;
  const std::string name = name_of(request);
  const auto state = co_await asio::this_coro::cancellation_state;
  for (bool is_repeated = false;; is_repeated = true) {
    const Result<std::string> prefix = co_await version_prefix();
    if (!prefix) co_return prefix.error();
    request.target = *prefix + target;
    const CallTimer timer(options_.observe, kind, state);
    Result<std::unique_ptr<http::Stream>> stream = co_await client.open(request);
    if (!stream) {
      timer.done(failure_of(stream.error()));
      co_return unreachable(stream.error(), endpoint_, name);
    }
    Opened out;
    out.refused = (*stream)->head();
    // A pull has only begun.
    const auto failure = failure_of_status(out.refused.status);
    if (kind != Call::kPull || failure) timer.done(failure);
    if (is_stream(out.refused.status)) {
      out.stream = std::move(*stream);
      co_return out;
    }
    out.refused.body = co_await read_refusal(**stream);
    if (is_repeated || !was_other_version(out.refused.status, out.refused.body)) co_return out;
  }
}

Task<std::string> EngineClient::read_refusal(http::Stream& stream) {
  const http::Deadline deadline(executor_, options_.call_timeout, [&stream] { stream.close(); });
  std::string body;
  while (body.size() < kMaxRefusal) {
    const Result<std::string> part = co_await stream.read_some();
    if (!part || part->empty()) break;
    body += *part;
  }
  co_return body;
}

Task<Result<EngineInfo>> EngineClient::info() {
  http::Request request;
  request.target = "/info";
  const Result<http::Response> answer = co_await call(Call::kInfo, std::move(request));
  if (!answer) co_return answer.error();
  if (answer->status != 200) {
    const std::string message = refusal(answer->body);
    co_return call_failed(address(), "answer GET /info", answer->status, message);
  }
  co_return read_info(answer->body);
}

}  // namespace relay::engine
