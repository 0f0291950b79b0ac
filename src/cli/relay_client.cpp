#include "cli/relay_client.hpp"

#include "cli/error_view.hpp"
#include "cli/rpc.hpp"
#include "cli/terminal_text.hpp"

#include <fstream>

namespace relay::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxTokenBytes = 4096;
constexpr std::size_t kMaxErrorBody = 16u << 20;
constexpr std::size_t kMaxObjectBody = 64u << 20;

// Reads a stream to its end, up to kMaxErrorBody.
Task<std::string> read_rest(http::Stream& stream) {
  std::string body;
  while (body.size() < kMaxErrorBody) {
    const Result<std::string> part = co_await stream.read_some();
    if (!part || part->empty()) break;
    body += *part;
  }
  co_return body;
}

Outcome<http::Endpoint> endpoint_at(const std::string& url) {
  Result<http::Endpoint> endpoint = http::Endpoint::parse(url);
  if (!endpoint) {
    return Failure{ExitCode::kUsage, visible(url) + ": " + explain(endpoint.error())};
  }
  return std::move(*endpoint);
}

}  // namespace

Outcome<RelayAccess> prepare_access(Port port, const RelayAddress& relay,
                                    const Environment& environment) {
  Outcome<http::Endpoint> endpoint =
      relay.config.empty() ? endpoint_at(port == Port::kHttp ? relay.url : relay.management_url)
                           : provable_endpoint(relay.config, port, environment);
  if (!endpoint) return endpoint.error();
  endpoint->ca_file = relay.ca_file;
  RelayAccess access{endpoint->to_string(), std::move(*endpoint), {}};
  access.headers.push_back({"User-Agent", "acp-relay/" RELAY_VERSION});
  const Outcome<std::string> token = read_token(relay, environment);
  if (!token) return token.error();
  if (!token->empty()) access.headers.push_back({"Authorization", "Bearer " + *token});
  return access;
}

Outcome<std::string> read_token(const RelayAddress& relay, const Environment& environment) {
  std::string text, source;
  const auto variable = environment.find("ACP_RELAY_TOKEN");
  if (!relay.token_file.empty()) {
    source = "the token file " + relay.token_file;
    std::ifstream file(relay.token_file, std::ios::binary);
    text.resize(kMaxTokenBytes + 1);
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
    if (!file && !file.eof()) return Failure{ExitCode::kUsage, "cannot read " + source};
    if (text.size() > kMaxTokenBytes) {
      return Failure{ExitCode::kUsage, source + " is longer than 4096 bytes"};
    }
  } else if (variable != environment.end() && !variable->second.empty()) {
    source = "the variable ACP_RELAY_TOKEN";
    text = variable->second;
  } else {
    return std::string();
  }
  return clean_token(text, source);
}

RelayClient::RelayClient(asio::any_io_executor executor, const RelayAccess& access)
    : access_(access), client_(std::move(executor), access.endpoint, http::ClientOptions{}) {}

http::Request RelayClient::post(const std::string& method, json::object params, std::int64_t id,
                                const char* accept) const {
  http::Request request;
  request.method = "POST";
  request.target = "/" + method;
  request.headers = access_.headers;
  request.headers.push_back({"Content-Type", "application/json"});
  request.headers.push_back({"Accept", accept});
  request.body = request_text(id, method, std::move(params));
  return request;
}

Failure RelayClient::no_answer(const Error& error) const {
  Error explained = error;
  if (!access_.endpoint.pinned_file.empty()) {
    explained.suggested_actions.push_back(
        "where " + access_.endpoint.pinned_file +
        " has been renewed since the relay read it: --ca-file with the authority of both");
  }
  explained.suggested_actions.push_back("start the relay: acp-relay serve");
  explained.suggested_actions.push_back(
      "or say where it is: --config, --url, --management-url, ACP_RELAY_URL, "
      "ACP_RELAY_MANAGEMENT_URL; https:// where it has server.tls");
  std::string text = "no answer from " + visible(access_.url) + ": " + explain(explained);
  return Failure{ExitCode::kCannotConnect, std::move(text)};
}

Task<Outcome<json::object>> RelayClient::call(std::string method, json::object params) {
  http::Request request = post(method, std::move(params), next_id_++, "application/json");
  const Result<http::Response> response = co_await client_.request(std::move(request));
  if (!response) co_return no_answer(response.error());
  co_return read_result(*response, access_.url);
}

Task<Outcome<std::unique_ptr<http::Stream>>> RelayClient::open_request(http::Request request) {
  Result<std::unique_ptr<http::Stream>> opened = co_await client_.open(std::move(request));
  if (!opened) co_return no_answer(opened.error());
  std::unique_ptr<http::Stream> stream = std::move(*opened);
  if (stream->head().status == 200) co_return stream;
  http::Response response = stream->head();
  response.body = co_await read_rest(*stream);
  const Outcome<json::object> result = read_result(response, access_.url);
  if (!result) co_return result.error();
  co_return Failure{ExitCode::kError, "the relay answered HTTP " + std::to_string(response.status) +
                                          " where 200 is due"};
}

Task<Outcome<std::unique_ptr<http::Stream>>> RelayClient::open(std::string method,
                                                               json::object params,
                                                               std::int64_t id) {
  http::Request request = post(method, std::move(params), id, "application/x-ndjson");
  co_return co_await open_request(std::move(request));
}

Task<Outcome<std::unique_ptr<http::Stream>>> RelayClient::get(std::string target) {
  http::Request request;
  request.target = std::move(target);
  request.headers = access_.headers;
  co_return co_await open_request(std::move(request));
}

Task<Outcome<json::object>> RelayClient::get_object(std::string target) {
  Outcome<std::unique_ptr<http::Stream>> opened = co_await get(std::move(target));
  if (!opened) co_return opened.error();
  const std::unique_ptr<http::Stream> stream = std::move(*opened);
  std::string body;
  while (body.size() < kMaxObjectBody) {
    const Result<std::string> bytes = co_await stream->read_some();
    if (!bytes) co_return Failure{ExitCode::kError, "the relay's answer was cut off"};
    if (bytes->empty()) break;
    body += *bytes;
  }
  const std::optional<json::object> object = parse_object(body);
  if (!object) co_return Failure{ExitCode::kError, "the relay's answer is not a JSON object"};
  co_return *object;
}

Task<Outcome<json::object>> RelayClient::upload(std::string target, const char* type,
                                                std::string body) {
  http::Request request;
  request.method = "POST";
  request.target = std::move(target);
  request.headers = access_.headers;
  request.headers.push_back({"Content-Type", type});
  request.body = std::move(body);
  co_return co_await object_of(std::move(request));
}

Task<Outcome<json::object>> RelayClient::ask(std::string method, std::string target) {
  http::Request request;
  request.method = std::move(method);
  request.target = std::move(target);
  request.headers = access_.headers;
  co_return co_await object_of(std::move(request));
}

Task<Outcome<json::object>> RelayClient::object_of(http::Request request) {
  const Result<http::Response> response = co_await client_.request(std::move(request));
  if (!response) co_return no_answer(response.error());
  if (response->status == 200) {
    const std::optional<json::object> object = parse_object(response->body);
    if (object) co_return *object;
  }
  const Outcome<json::object> result = read_result(*response, access_.url);
  if (!result) co_return result.error();
  co_return Failure{ExitCode::kError, "the relay answered something else than it should"};
}

}  // namespace relay::cli
