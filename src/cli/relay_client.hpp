// The relay as commands call it: JSON-RPC over the relay HTTP dialect, and the management
// API. Failures come as text for a person with the exit code that belongs to them.
#pragma once

#include "base/async.hpp"
#include "cli/command.hpp"
#include "cli/configured_relay.hpp"
#include "cli/failure.hpp"
#include "cli/options.hpp"
#include "cli/relay_answer.hpp"
#include "http/client.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace relay::cli {

// Address and headers of every request. Holds the token: never print it.
struct RelayAccess {
  std::string url;
  http::Endpoint endpoint;
  http::Headers headers;
};

// Checks the address and reads the token: --token-file before ACP_RELAY_TOKEN; none is fine.
Outcome<RelayAccess> prepare_access(Port port, const RelayAddress& relay,
                                    const Environment& environment);

// --token-file before ACP_RELAY_TOKEN; empty: there is none.
Outcome<std::string> read_token(const RelayAddress& relay, const Environment& environment);

// One call at a time; make several for several at once.
class RelayClient {
 public:
  RelayClient(asio::any_io_executor executor, const RelayAccess& access);

  const std::string& url() const { return access_.url; }

  // POST /<method>; the result object.
  Task<Outcome<boost::json::object>> call(std::string method, boost::json::object params);

  // POST /<method> whose answer is read as lines. `id` is that of the request.
  Task<Outcome<std::unique_ptr<http::Stream>>> open(std::string method, boost::json::object params,
                                                    std::int64_t id);

  // GET of the management API, streamed.
  Task<Outcome<std::unique_ptr<http::Stream>>> get(std::string target);

  // GET of the management API; the object that it answers with.
  Task<Outcome<boost::json::object>> get_object(std::string target);

  // POST to the management API; the object that it answers with.
  Task<Outcome<boost::json::object>> upload(std::string target, const char* type, std::string body);

  // The same with another method, or without a body.
  Task<Outcome<boost::json::object>> ask(std::string method, std::string target);

 private:
  Task<Outcome<boost::json::object>> object_of(http::Request request);
  http::Request post(const std::string& method, boost::json::object params, std::int64_t id,
                     const char* accept) const;
  Task<Outcome<std::unique_ptr<http::Stream>>> open_request(http::Request request);
  Failure no_answer(const Error& error) const;

  RelayAccess access_;
  http::Client client_;
  std::int64_t next_id_ = 1;
};

}  // namespace relay::cli
