#include "management/management_api.hpp"

#include "http/cors.hpp"
#include "http/judged.hpp"
#include "management/answer.hpp"
#include "management/routes.hpp"
#include "protocol/json_text.hpp"
#include "protocol/rpc.hpp"

namespace relay::management {
namespace {

int http_status(ErrorType type) {
  switch (type) {
    case ErrorType::kParseError:
    case ErrorType::kInvalidRequest:
    case ErrorType::kInvalidParams:
      return 400;
    case ErrorType::kUnauthorized:
      return 401;
    case ErrorType::kForbidden:
      return 403;
    case ErrorType::kMethodNotFound:
    case ErrorType::kSessionNotFound:
      return 404;
    case ErrorType::kShuttingDown:
      return 503;
    default:
      return 500;
  }
}

Error no_such_path(std::string_view path) {
  return make_error(ErrorType::kMethodNotFound,
                    "there is nothing at " + std::string(path.substr(0, 200)))
      .suggest(
          "use /api/health, /api/ready, /api/overview, /api/config, /api/sessions, "
          "/api/sessions/{id}, "
          "/api/sessions/{id}/export, /api/sessions/close, /api/sessions/import, /api/drain, "
          "/api/reload, /api/stop or /metrics")
      .suggest("sessions are made and prompted on server.http_port and server.websocket_port");
}

Error wrong_method(std::string_view method, std::string_view allowed) {
  return make_error(ErrorType::kMethodNotFound,
                    "this path cannot be asked with " + std::string(method.substr(0, 40)))
      .suggest("use one of: " + std::string(allowed));
}

}  // namespace

http::Response ManagementApi::refusal(const Error& error) const {
  context_.metrics.count_error(error);
  const int status = http_status(error.type);
  http::Response response = answer(
      status, JsonObject().raw("error", rpc::error_object(error, rpc::Dialect::kRelay)).take());
  if (status == 401) response.headers.push_back({"WWW-Authenticate", "Bearer"});
  return response;
}

tl::expected<http::Principal, http::Response> ManagementApi::admit(
    const http::Request& head) const {
  if (head.method == "OPTIONS") {  // browsers send no token with it
    const auto admitted = http::admit_origin(*context_.access, head);
    return tl::unexpected(admitted ? http::preflight_response() : refusal(admitted.error()));
  }
  auto principal = http::admit(*context_.access, head);
  if (!principal) return tl::unexpected(refusal(principal.error()));
  const Endpoint endpoint = route_of(head.path).endpoint;
  if (endpoint == Endpoint::kUnknown) return tl::unexpected(refusal(no_such_path(head.path)));
  if (!is_allowed(endpoint, head.method)) {
    const std::string allowed(allowed_methods(endpoint));
    http::Response response = refusal(wrong_method(head.method, allowed));
    response.status = 405;
    response.headers.push_back({"Allow", allowed});
    return tl::unexpected(std::move(response));
  }
  if (is_for_operators(endpoint)) {
    const auto may = http::admit_operator(*context_.access, *principal);
    if (!may) return tl::unexpected(refusal(may.error()));
  }
  return std::move(*principal);
}

http::HeadVerdict ManagementApi::judge(const http::Request& head) const {
  http::HeadVerdict verdict =
      http::judged(head, [this](const auto& request) { return admit(request); });
  // A preflight comes without a token, whatever path it asks of.
  if (head.method != "POST" || route_of(head.path).endpoint != Endpoint::kImport) {
    verdict.max_body_bytes = http::kUnreadBodyBytes;
  }
  return verdict;
}

Task<void> ManagementApi::handle(http::Exchange& exchange) {
  const http::Request& request = exchange.request();
  const Route route = route_of(request.path);
  auto admitted = admit(request);
  http::Response response;
  if (!admitted) {
    response = std::move(admitted.error());
  } else if (route.endpoint == Endpoint::kExport) {
    co_await send_log(exchange, route.session, *admitted);
    co_return;
  } else if (route.endpoint == Endpoint::kHealth) {
    response = health();
  } else if (route.endpoint == Endpoint::kReady) {
    response = co_await ready();
  } else if (route.endpoint == Endpoint::kOverview) {
    response = co_await overview(request.query);
  } else if (route.endpoint == Endpoint::kConfig) {
    response = answer(200, *context_.config_json);
  } else if (route.endpoint == Endpoint::kMetrics) {
    response = co_await scrape();
  } else if (route.endpoint == Endpoint::kSessions) {
    response = co_await list(request.query);
  } else if (route.endpoint == Endpoint::kAudit) {
    response = co_await audit(request.query);
  } else if (route.endpoint == Endpoint::kClose) {
    response = co_await close(request.query, *admitted);
  } else if (route.endpoint == Endpoint::kImport) {
    response = co_await import(exchange.request(), *admitted);
  } else if (route.endpoint == Endpoint::kDrain) {
    response = drain(request.method, *admitted);
  } else if (route.endpoint == Endpoint::kReload) {
    response = co_await reload(*admitted);
  } else if (route.endpoint == Endpoint::kStop) {
    response = stop(request.query, *admitted);
  } else if (request.method == "DELETE") {
    response = co_await remove(route.session, *admitted);
  } else {
    response = co_await show(route.session);
  }
  http::add_cors_headers(request, response);
  // A peer that has gone away needs no answer.
  const auto sent = co_await exchange.respond(std::move(response));
  static_cast<void>(sent);
}

}  // namespace relay::management
