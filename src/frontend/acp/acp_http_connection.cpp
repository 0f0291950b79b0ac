#include "frontend/acp/acp_http_connection.hpp"

#include "frontend/acp/acp_errors.hpp"
#include "protocol/json_scan.hpp"
#include "protocol/rpc.hpp"

#include <algorithm>

namespace relay::frontend {
namespace {

constexpr std::chrono::seconds kStubTime(30);

// What comes on the connection's stream of an answer that has no place on its session's any more.
// One behind a replay that was cut says so.
Delivery on_connection(const Delivery& answer) {
  if (answer.kind != DeliveryKind::kAttachResponse) {
    return {answer.bytes, 0, DeliveryKind::kResponse};
  }
  const std::string_view id = object_member(answer.bytes.view(), "id").value_or("null");
  return {SharedBytes(rpc::error(id, fell_behind(), rpc::Dialect::kAcp)), 0,
          DeliveryKind::kResponse};
}

}  // namespace

AcpHttpConnection::AcpHttpConnection(RelayApi& api, Metrics& metrics, const AcpOptions& options,
                                     std::string id, AcpCaller caller,
                                     asio::any_io_executor executor)
    : metrics_(metrics),
      options_(options),
      id_(std::move(id)),
      executor_(executor),
      scope_(executor, ignore_failure),
      own_(std::make_shared<AcpStream>(executor, options.outbox, metrics.slow_clients,
                                       AcpStream::Numbering::kCounted)),
      connection_(api, metrics, options, *this, std::move(caller), executor),
      used_at_(std::chrono::steady_clock::now()) {}

void AcpHttpConnection::post(Frame frame, std::string_view session) {
  touch();
  if (connection_.initialized()) return connection_.take(std::move(frame), session);
  if (frame.kind() != FrameKind::kRequest) return;
  const Error error = not_initialized(frame.method());
  own_->outbox()->push(
      {SharedBytes(rpc::error(frame.id(), error, rpc::Dialect::kAcp)), 0, DeliveryKind::kResponse});
}

std::shared_ptr<AcpStream> AcpHttpConnection::make_stream() {
  auto stream = std::make_shared<AcpStream>(executor_, options_.outbox, metrics_.slow_clients,
                                            AcpStream::Numbering::kSequence);
  stream->outbox()->when_answers_drop(
      [own = own_->outbox()](const Delivery& answer) { own->push(on_connection(answer)); });
  return stream;
}

Result<std::shared_ptr<AcpStream>> AcpHttpConnection::session_stream(const std::string& id,
                                                                     Claim claim) {
  const auto found = streams_.find(id);
  if (found != streams_.end()) {
    if (claim == Claim::kUsed) found->second.claim = claim;
    auto& stream = found->second.stream;
    if (stream->outbox()->end() != Outbox::End::kOpen) {
      const auto before = std::exchange(stream, make_stream());
      stream->take_answers(*before);
    }
    return stream;
  }
  if (auto full = make_room(claim)) return *full;
  return streams_.emplace(id, SessionStream{make_stream(), claim}).first->second.stream;
}

// For one more stream; those that nobody reads go for it: of sessions that the connection used and
// does not use any more, and those that hold nothing. An attached session would go on in nowhere.
std::optional<Error> AcpHttpConnection::make_room(Claim claim) {
  const auto is_unused = [this](const auto& entry) {
    const auto& [id, one] = entry;
    if (one.stream->has_reader() || connection_.is_attached(id)) return false;
    return one.claim == Claim::kUsed || one.stream->is_idle();
  };
  const auto make = [&](auto counts, std::size_t limit) {
    if (static_cast<std::size_t>(std::ranges::count_if(streams_, counts)) < limit) return true;
    const auto unused = std::ranges::find_if(
        streams_, [&](const auto& entry) { return counts(entry) && is_unused(entry); });
    if (unused == streams_.end()) return false;
    streams_.erase(unused);
    return true;
  };
  const auto is_unknown = [](const auto& entry) { return entry.second.claim == Claim::kNamed; };
  if (claim == Claim::kNamed && !make(is_unknown, options_.max_unknown_streams)) {
    return too_many_unknown_streams(options_.max_unknown_streams);
  }
  const auto any = [](const auto&) { return true; };
  if (!make(any, options_.max_streams)) return too_many_streams(options_.max_streams);
  shed(is_unused);
  return std::nullopt;
}

// What nobody reads any more is kept up to the bound of one client, or one stream that has more;
// the largest go first.
void AcpHttpConnection::shed(const std::function<bool(const Streams::value_type&)>& is_unused) {
  std::vector<std::pair<std::size_t, Streams::iterator>> unused;
  std::size_t bytes = 0;
  for (auto at = streams_.begin(); at != streams_.end(); ++at) {
    if (!is_unused(*at)) continue;
    unused.emplace_back(at->second.stream->held_bytes(), at);
    bytes += unused.back().first;
  }
  std::ranges::sort(unused, std::greater<>(), [](const auto& one) { return one.first; });
  for (const auto& [held, at] : unused) {
    if (bytes <= options_.outbox.bytes || bytes == held) return;
    bytes -= held;
    streams_.erase(at);
  }
}

std::shared_ptr<Outbox> AcpHttpConnection::of_session(const std::string& id, Claim claim) {
  const auto stream = session_stream(id, claim);
  return stream ? (*stream)->outbox() : nullptr;
}

// The answer comes behind the replay, on the same stream: on two, a client may read them in the
// wrong order. For one that does not read the session's stream yet both go on the connection's. So
// does what an outbox drops that overflowed as the client was attached.
void AcpHttpConnection::answer_follows(const std::string& session) {
  const auto found = streams_.find(session);
  if (found == streams_.end()) return;
  const auto stream = found->second.stream;
  if (stream->outbox()->end() != Outbox::End::kOpen || !stream->expect_answer()) return;
  scope_.spawn("replay", [stream, to = own_->outbox()] { return stream->forward_answers(to); });
}

Result<std::shared_ptr<AcpStream>> AcpHttpConnection::stream(const std::string& session) {
  touch();
  if (session.empty()) return own_;
  return session_stream(session, connection_.uses(session) ? Claim::kUsed : Claim::kNamed);
}

// Answers are not in a replay: they come from the stream before.
Result<std::shared_ptr<AcpStream>> AcpHttpConnection::stream_from_log(const std::string& session,
                                                                      std::int64_t last_event) {
  if (session.empty()) {
    return make_error(ErrorType::kInvalidRequest,
                      "the event " + std::to_string(last_event) + " is not known any more")
        .suggest("leave Last-Event-ID out to go on with what was not delivered yet")
        .suggest("initialize another connection and load its sessions");
  }
  const auto claimed = stream(session);
  if (!claimed) return claimed.error();
  const auto found = *claimed;
  const auto fresh = streams_[session].stream = make_stream();
  const std::vector<Delivery> again = found->answers_behind(last_event);
  const auto replayed = connection_.replay(session, last_event, again);
  if (!replayed) {
    streams_[session].stream = found;
    return replayed.error();
  }
  fresh->expect_answers_of(*found, again);
  found->abandon();
  return fresh;
}

bool AcpHttpConnection::expired(std::chrono::steady_clock::time_point now) const {
  if (!connection_.initialized()) return now - used_at_ > kStubTime;
  if (own_->outbox()->end() != Outbox::End::kOpen) return true;  // its client does not read
  const bool read = own_->is_read() || std::ranges::any_of(streams_, [](const auto& entry) {
                      return entry.second.stream->is_read();
                    });
  return !read && now - used_at_ > options_.connection_timeout;
}

Task<void> AcpHttpConnection::end() {
  co_await asio::this_coro::throw_if_cancelled(false);
  const auto self = shared_from_this();
  co_await connection_.end();
  scope_.cancel();
  co_await scope_.join();
  own_->close();
  for (const auto& [session, entry] : streams_) entry.stream->close();
}

}  // namespace relay::frontend
