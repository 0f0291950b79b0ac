// ACP's remote transport: `/acp`, and `/agents/<name>/acp` for the other configured agents, on the
// HTTP port and on the WebSocket port, Streamable HTTP and WebSocket on both (docs/acp.md; RFD
// "Streamable HTTP & WebSocket Transport").
//
// Statuses are exact, for clients compare them: 200 for initialize, 202 for every other message and
// for DELETE. What goes wrong behind the edge is a JSON-RPC error on a stream, never a status:
// clients take a bad status for the end of the connection.
#pragma once

#include "frontend/acp/acp_http_connection.hpp"
#include "frontend/acp/acp_rules.hpp"
#include "http/access.hpp"
#include "http/server.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace relay::frontend {

class AcpEndpoint {
 public:
  AcpEndpoint(RelayApi& api, Metrics& metrics, AcpOptions options);

  // Whether requests for this path are the endpoint's.
  bool serves(std::string_view path) const { return agent_of(path).has_value(); }

  // What the head of a request decides by itself (http::ServerOptions::judge_head).
  http::HeadVerdict judge(const http::Request& head, const http::AccessRules& access);

  // A request on a port with these rules.
  Task<void> handle(http::Exchange& exchange, const http::AccessRules& access);

  // Ends HTTP connections that nobody uses, until it is cancelled.
  Task<void> sweep();
  // Ends all of them; their sessions stay.
  Task<void> stop();

 private:
  using Connection = std::shared_ptr<AcpHttpConnection>;

  std::optional<std::string> agent_of(std::string_view path) const {
    return acp_agent(path, options_.aliases);
  }
  // Who asks. Or the answer to who may not, to what is asked of nobody, and to a preflight.
  tl::expected<http::Principal, http::Response> admit(const http::Request& head,
                                                      const http::AccessRules& access);
  Task<void> websocket(http::Exchange& exchange, AcpCaller caller);
  Task<http::Response> post(http::Exchange& exchange, AcpCaller caller);
  Task<http::Response> first_message(http::Exchange& exchange, AcpCaller caller, Frame frame);
  Task<void> get(http::Exchange& exchange, http::Principal principal);
  Task<http::Response> end_connection(const http::Request& request, http::Principal principal);

  // The connection that the request names and the principal may use. A refusal has its status.
  tl::expected<Connection, http::Response> find(const http::Request& request,
                                                const http::Principal& principal) const;
  http::Response refusal(int status, const Error& error, std::string_view id = "null");
  void count();

  RelayApi& api_;
  Metrics& metrics_;
  AcpOptions options_;
  std::map<std::string, Connection, std::less<>> connections_;
  std::size_t initializing_ = 0;  // connections that are not in there yet
};

}  // namespace relay::frontend
