// An ACP connection over Streamable HTTP: it lives between requests, with a stream for itself and
// one for each session.
#pragma once

#include "frontend/acp/acp_connection.hpp"
#include "frontend/acp/acp_stream.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace relay::frontend {

class AcpHttpConnection final : public std::enable_shared_from_this<AcpHttpConnection>,
                                private AcpStreams {
 public:
  AcpHttpConnection(RelayApi& api, Metrics& metrics, const AcpOptions& options, std::string id,
                    AcpCaller caller, asio::any_io_executor executor);

  const std::string& id() const { return id_; }
  const http::Principal& principal() const { return connection_.principal(); }
  const std::string& agent() const { return connection_.agent(); }

  // Gives the response to the client's first request. When that is an error, the connection stays
  // for a moment as a stub: clients expect one.
  Task<std::string> initialize(const Frame& request) { return connection_.initialize(request); }

  void post(Frame frame, std::string_view session);

  // The stream of the connection, or that of a session (which the connection need not know yet).
  // Fails when there are too many.
  Result<std::shared_ptr<AcpStream>> stream(const std::string& session);

  // One in its place, for a reader that left off where it does not know any more: what follows
  // comes from the log.
  Result<std::shared_ptr<AcpStream>> stream_from_log(const std::string& session,
                                                     std::int64_t last_event);

  // Nobody has used it for that long.
  bool expired(std::chrono::steady_clock::time_point now) const;
  void touch() { used_at_ = std::chrono::steady_clock::now(); }

  Task<void> end();

 private:
  std::shared_ptr<Outbox> of_connection() override { return own_->outbox(); }
  std::shared_ptr<Outbox> of_session(const std::string& id, Claim claim) override;
  bool are_one() const override { return false; }
  void answer_follows(const std::string& session) override;

  struct SessionStream {
    std::shared_ptr<AcpStream> stream;
    Claim claim = Claim::kNamed;
  };

  using Streams = std::map<std::string, SessionStream>;

  Result<std::shared_ptr<AcpStream>> session_stream(const std::string& id, Claim claim);
  std::optional<Error> make_room(Claim claim);
  void shed(const std::function<bool(const Streams::value_type&)>& is_unused);
  std::shared_ptr<AcpStream> make_stream();

  Metrics& metrics_;
  const AcpOptions& options_;
  std::string id_;
  asio::any_io_executor executor_;
  TaskScope scope_;
  std::shared_ptr<AcpStream> own_;
  Streams streams_;  // by session
  AcpConnection connection_;
  std::chrono::steady_clock::time_point used_at_;
};

}  // namespace relay::frontend
