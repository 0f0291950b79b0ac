#include "frontend/acp/acp_connection.hpp"

#include "base/finally.hpp"
#include "base/random_id.hpp"
#include "frontend/acp/acp_errors.hpp"
#include "frontend/acp/acp_rules.hpp"
#include "protocol/acp.hpp"
#include "protocol/relay_ids.hpp"
#include "protocol/rpc.hpp"

#include <algorithm>

namespace relay::frontend {

AcpConnection::AcpConnection(RelayApi& api, Metrics& metrics, const AcpOptions& options,
                             AcpStreams& streams, AcpCaller caller, asio::any_io_executor executor)
    : api_(api),
      metrics_(metrics),
      options_(options),
      streams_(streams),
      principal_(std::move(caller.principal)),
      agent_(std::move(caller.agent)),
      scope_(std::move(executor), ignore_failure),
      budget_(options.max_running_calls, options.outbox.bytes) {}

Task<void> AcpConnection::end() {
  co_await asio::this_coro::throw_if_cancelled(false);
  has_ended_ = true;
  detach_all();
  scope_.cancel();
  co_await scope_.join();
  detach_all();  // what a call has attached that was done in the moment of the end
}

void AcpConnection::detach_all() {
  sessions_.detach_all();
  aside_.detach_all();
}

// Errors

std::string AcpConnection::response(std::string_view id, const Result<std::string>& result) {
  if (result) return rpc::result(id, *result);
  metrics_.count_error(result.error());
  return rpc::error(id, result.error(), rpc::Dialect::kAcp);
}

void AcpConnection::reply(std::string text) {
  streams_.of_connection()->push({SharedBytes(std::move(text)), 0, DeliveryKind::kResponse});
}

// On the session's stream where one is named: clients expect answers where they expect messages.
void AcpConnection::answer(const Frame& frame, const Result<std::string>& result,
                           std::string_view session) {
  std::shared_ptr<Outbox> stream;
  if (can_name_session(session)) {
    stream = streams_.of_session(std::string(session), AcpStreams::Claim::kNamed);
  }
  if (!stream) stream = streams_.of_connection();
  stream->push({SharedBytes(response(frame.id(), result)), 0, DeliveryKind::kResponse});
}

// Nobody waits for an answer to a notification.
void AcpConnection::refuse(const Frame& frame, const Error& error, std::string_view session) {
  if (frame.kind() == FrameKind::kRequest) answer(frame, error, session);
}

// The way in

Task<std::string> AcpConnection::initialize(const Frame& request) {
  asked_ = true;
  auto wanted = read_acp_initialize(request.params());
  if (!wanted) co_return response(request.id(), wanted.error());
  const auto profile = co_await api_.sessions().agent_profile(agent_);
  if (!profile) co_return response(request.id(), profile.error());
  client_ = std::move(*wanted);
  initialized_ = true;
  const SessionContext& agent = *api_.sessions().agents().find(agent_);
  const AcpOffer offer{options_.keeps_messages, to_string(agent.backend.isolation()),
                       agent.options.keeps_home, options_.max_message_bytes};
  co_return response(request.id(), acp_initialize_result(*profile, offer));
}

void AcpConnection::take(Frame frame, std::string_view session) {
  if (frame.is_response()) return sessions_.route_response(std::move(frame));
  if (frame.method() == "initialize") return refuse(frame, initialized_already());
  if (const Call call = call_of(frame.method())) {
    // A notification can't be answered, and these do nothing else.
    if (frame.kind() == FrameKind::kRequest) start_call(call, std::move(frame));
    return;
  }
  if (frame.method() == acp::kPing) {
    if (frame.kind() == FrameKind::kRequest) answer(frame, std::string("{}"));
    return;
  }
  if (frame.method() == acp::kCancelRequest) {
    // By nature a notification; ids that nobody knows are no error.
    const std::string_view preferred = owning_session(frame.session_id());
    const bool taken =
        sessions_.route_cancel(frame, preferred) || aside_.route_cancel(frame, preferred);
    if (!taken && frame.kind() == FrameKind::kRequest) answer(frame, std::string("{}"));
    return;
  }
  const auto current = sessions_.session(sessions_.current());
  if (frame.method() == "authenticate") {
    const bool asks = frame.kind() == FrameKind::kRequest;
    if (frame.params().size() > kMostOfClient) return refuse(frame, too_large("authenticate"));
    if (current == nullptr && asks) return start_call(&AcpConnection::log_in, std::move(frame));
    if (current == nullptr) return;
    // Later agents are logged in likewise.
    if (asks && !is_observer() && current->record().agent == agent_) login_ = frame.params();
  }
  std::string id(owning_session(frame.session_id().empty() ? session : frame.session_id()));
  if (id.empty() && current != nullptr && !frame.method().starts_with("session/")) {
    return to_agent(current, std::move(frame));
  }
  if (id.empty()) return refuse(frame, no_session_named(frame.method()));
  to_session(std::move(id), std::move(frame));
}

// What names no session is answered on the connection's stream.
void AcpConnection::to_agent(const std::shared_ptr<Session>& session, Frame frame) {
  AttachedSessions& way = streams_.are_one() ? sessions_ : aside_;
  const std::string& id = session->id().value();
  if (way.find(id) == nullptr) {
    Attachment attachment;
    attachment.traits.may_act = !is_observer();
    attachment.traits.can_answer = false;
    attachment.traits.own_turns_only = true;
    attachment.traits.dialect = rpc::Dialect::kAcp;
    attachment.outbox = streams_.of_connection();
    attachment.actor = actor_of(principal_);
    attachment.aside = true;
    const auto attached = way.attach(session, std::move(attachment), AttachedSessions::Chosen::kNo);
    if (!attached) return refuse(frame, attached.error());
  }
  const auto* const one = way.find(id);
  if (one == nullptr) return refuse(frame, fell_behind());
  one->session->submit(one->client, std::move(frame));
}

void AcpConnection::to_session(std::string id, Frame frame) {
  if (const auto* one = sessions_.find_for(frame, id)) {
    return one->session->submit(one->client, std::move(frame));
  }
  if (!can_name_session(id)) return refuse(frame, session_not_found(id));
  // Notifications have no id, and each of them is one more.
  const bool asks = frame.kind() == FrameKind::kRequest;
  const std::string name = "to " + id + " " + (asks ? std::string(frame.id()) : random_uuid());
  start(name, std::move(frame), id,
        [this, id](std::shared_ptr<Frame> kept) { return attach_and_route(id, std::move(kept)); });
}

// What the relay has to do before a message is answered or passed on. `asked` is the session that
// it is about.
void AcpConnection::start(std::string name, Frame frame, std::string_view asked, Work work) {
  const std::size_t size = frame.bytes().size();
  if (!budget_.take(size)) return refuse(frame, too_many_calls(options_.max_running_calls), asked);
  if (!running_.insert(name).second) {
    budget_.give(size);
    return refuse(frame, id_is_in_use(frame.id()), asked);
  }
  auto kept = std::make_shared<Frame>(std::move(frame));
  scope_.spawn("call", [this, name, size, kept, work = std::move(work)]() -> Task<void> {
    const Finally done([this, name, size] {
      running_.erase(name);
      budget_.give(size);
    });
    co_await work(kept);
  });
}

// A session that was made elsewhere may be used without loading it first.
Task<void> AcpConnection::attach_and_route(std::string id, std::shared_ptr<Frame> frame) {
  std::optional<Error> refused;
  const bool prompts = frame->method() == acp::kPrompt && !is_observer();
  auto finding = prompts ? api_.find_for_prompt(principal_, id, *frame) : api_.find(principal_, id);
  const auto session = co_await std::move(finding);
  if (!session) {
    refused = session.error();
  } else if (sessions_.find(id) == nullptr) {
    const auto attached = attach(*session, {}, AttachedSessions::Chosen::kNo);
    if (!attached) refused = attached.error();
  }
  const auto* const one = refused ? nullptr : sessions_.find(id);
  if (one == nullptr) {
    refuse(*frame, refused.value_or(fell_behind()), id);
    co_return;
  }
  one->session->submit(one->client, std::move(*frame));
}

Result<void> AcpConnection::attach(const std::shared_ptr<Session>& session, Attachment attachment,
                                   AttachedSessions::Chosen chosen) {
  attachment.traits.may_act = !is_observer();
  attachment.traits.dialect = rpc::Dialect::kAcp;
  attachment.actor = actor_of(principal_);
  attachment.outbox = streams_.of_session(session->id().value(), AcpStreams::Claim::kUsed);
  if (!attachment.outbox) return too_many_streams(options_.max_streams);
  aside_.forget_closed();
  const auto client = sessions_.attach(session, std::move(attachment), chosen);
  if (!client) return client.error();
  return Result<void>();
}

Result<void> AcpConnection::replay(const std::string& id, storage::Sequence after,
                                   const std::vector<Delivery>& answers) {
  const auto session = sessions_.session(id);
  if (session == nullptr) return session_not_found(id);
  const auto outbox = streams_.of_session(id, AcpStreams::Claim::kUsed);
  if (!outbox) return too_many_streams(options_.max_streams);
  if (const auto* const one = sessions_.find(id)) {
    session->replay(one->client, outbox, after, answers);
    return Result<void>();
  }
  Attachment attachment;
  attachment.after = after;
  auto attached = attach(session, std::move(attachment), AttachedSessions::Chosen::kNo);
  if (attached) std::ranges::for_each(answers, [&](const Delivery& one) { outbox->push(one); });
  return attached;
}

bool AcpConnection::uses(std::string_view session) const {
  return can_name_session(session) && sessions_.session(owning_session(session)) != nullptr;
}

void AcpConnection::forget_closed() {
  sessions_.forget_closed();
  aside_.forget_closed();
}

Greeting AcpConnection::greeting() const {
  return {capabilities_for_agent(client_.client_capabilities, options_.strip_client_disk),
          client_.client_info, login_};
}

}  // namespace relay::frontend
