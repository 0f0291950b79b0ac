#include "session/message_router.hpp"

#include "protocol/acp.hpp"
#include "protocol/rpc.hpp"
#include "protocol/splice.hpp"

#include <algorithm>

namespace relay {
namespace {

Error not_waited_for(const RouterLimits& limits) {
  return make_error(ErrorType::kAgentProtocolError,
                    "the agent did not answer this request in time: its client has left, and more "
                    "than " +
                        std::to_string(limits.max_pending_requests) + " requests, or " +
                        std::to_string(limits.max_pending_bytes) +
                        " bytes of them, of clients that have left wait for the agent")
      .because("the agent leaves requests unanswered; it may do what this one asks all the same")
      .suggest("send it again, and stay until it is answered")
      .suggest("raise sessions.max_pending_requests, or sessions.max_pending_bytes");
}

}  // namespace

MessageRouter::MessageRouter(const SessionId& relay_session, std::string_view agent_session,
                             RouterLimits limits, RequestIds& ids, storage::Sequence last_sequence)
    : session_ids_(relay_session, agent_session, limits.max_subagents),
      limits_(limits),
      ids_(ids),
      sequence_(last_sequence),
      client_calls_(limits.max_pending_requests, limits.max_pending_bytes),
      agent_calls_(limits.max_pending_bytes),
      prompts_(limits.max_queued_prompts, limits.max_pending_bytes) {}

MessageRouter::Client* MessageRouter::client(ClientId id) {
  const auto found = clients_.find(id);
  return found != clients_.end() ? &found->second : nullptr;
}

void MessageRouter::add_client(ClientId id, ClientTraits traits) { clients_[id].traits = traits; }

void MessageRouter::show_pending(ClientId id, Effects& effects, storage::Sequence after,
                                 const OnItsWay& is_on_its_way) {
  Client* const watcher = client(id);
  if (watcher == nullptr) return;
  watcher->caught_up = true;
  const ClientTraits& traits = watcher->traits;
  const bool may_answer = traits.may_act && traits.can_answer && !traits.own_turns_only;
  for (auto& [request, call] : agent_calls_.all()) {
    const bool is_permission = call.kind == acp::ReverseKind::kPermission;
    const bool was_asked = std::ranges::count(call.asked, id) > 0;
    if (was_asked && is_on_its_way && is_on_its_way(call.to_client)) continue;
    // To ask for permission twice is no harm; a terminal would be made twice.
    const bool is_due =
        (call.is_anybodys() && may_answer) || (was_asked && (is_permission || call.place > after));
    if (is_due) show(id, call, effects);
  }
}

void MessageRouter::show(ClientId id, AgentCall& call, Effects& effects) {
  if (std::ranges::find(call.asked, id) == call.asked.end()) call.asked.push_back(id);
  call.deadline.reset();
  call.place = sequence_ + 1;
  send(id, call.to_client, call.sequence, DeliveryKind::kRequest, effects);
}

void MessageRouter::remove_client(ClientId id, Effects& effects) {
  clients_.erase(id);
  for (const ClientCall& call : client_calls_.client_left(id)) {
    given_up_ = std::max(given_up_, call.relay_id);
    refuse(kGoneClient, call.id, not_waited_for(limits_), effects, {call.relay_id});
  }
  stop_asking(id, effects);
}

void MessageRouter::begin_anew(ClientId id, const OnItsWay& is_on_its_way) {
  for (auto& [request, call] : agent_calls_.all()) {
    if (std::ranges::count(call.asked, id) == 0) continue;
    call.place = is_on_its_way(call.to_client) ? sequence_ + 1 : std::min(call.place, sequence_);
  }
}

void MessageRouter::stop_asking(ClientId id, Effects& effects) {
  std::vector<std::int64_t> orphaned;
  for (auto& [request, call] : agent_calls_.all()) {
    if (std::erase(call.asked, id) > 0 && call.asked.empty()) orphaned.push_back(request);
  }
  for (const std::int64_t request : orphaned) settle_without_clients(request, effects);
}

void MessageRouter::from_client(ClientId id, Frame frame, Effects& effects) {
  switch (frame.kind()) {
    case FrameKind::kRequest:
      return client_request(id, std::move(frame), effects);
    case FrameKind::kNotification:
      return client_notification(id, std::move(frame), effects);
    case FrameKind::kResult:
    case FrameKind::kError:
      return client_response(id, std::move(frame), effects);
  }
}

void MessageRouter::from_agent(Frame frame, Effects& effects) {
  settle_doubt(frame);
  switch (frame.kind()) {
    case FrameKind::kRequest:
      return agent_request(std::move(frame), effects);
    case FrameKind::kNotification:
      return agent_notification(std::move(frame), effects);
    case FrameKind::kResult:
    case FrameKind::kError:
      return agent_response(std::move(frame), effects);
  }
}

void MessageRouter::agent_ended(const Error& error, Effects& effects) {
  prompts_.take_of({});  // their calls are answered below, with all others
  // First: the end of the turn would settle some of them as if the agent lived.
  const auto unanswered = agent_calls_.take_all();
  for (const ClientCall& call : client_calls_.take_all()) {
    refuse(call.client, call.id, error, effects, {call.relay_id});
  }
  if (turn_) fail_turn(error, is_service_failure(error.type), effects);
  for (const auto& [request, call] : unanswered) {
    // Nobody's answer: it closes the call in the log.
    const std::string id = std::to_string(request);
    note(storage::Origin::kRelay, storage::MessageKind::kResponse, false, {}, id,
         SharedBytes(rpc::error(id, error, rpc::Dialect::kRelay)), effects, {request});
    const std::string params = R"({"requestId":)" + std::to_string(request) + "}";
    const SharedBytes bytes(rpc::notification(acp::kCancelRequest, params));
    for (const ClientId asked : call.asked) {
      send(asked, bytes, 0, DeliveryKind::kNotification, effects);
    }
  }
}

void MessageRouter::tick(Effects& effects) {
  if (turn_ && turn_->doubtful_until && *turn_->doubtful_until <= moment_.steady) {
    give_up_doubtful_turn(effects);
  }
  std::vector<std::int64_t> due;
  for (const auto& [request, call] : agent_calls_.all()) {
    if (call.deadline && *call.deadline <= moment_.steady) due.push_back(request);
  }
  for (const std::int64_t request : due) settle_by_policy(request, effects);
}

void MessageRouter::announce(std::string_view method, std::string_view params, Effects& effects) {
  notify(storage::Origin::kRelay, method, SharedBytes(rpc::notification(method, params)), effects);
}

void MessageRouter::record(storage::Origin origin, storage::MessageKind kind, bool to_client,
                           std::string_view method, std::string_view id, SharedBytes body,
                           Effects& effects) {
  note(origin, kind, to_client, method, id, std::move(body), effects);
}

std::optional<std::chrono::steady_clock::time_point> MessageRouter::turn_started() const {
  if (!turn_) return std::nullopt;
  return turn_->started;
}

std::optional<TraceContext> MessageRouter::turn_trace() const {
  return turn_ ? turn_->trace : std::nullopt;
}

void MessageRouter::refuse(ClientId to, std::string_view id, const Error& error, Effects& effects,
                           CallMark call) {
  effects.refused.push_back(error);
  const Client* const asker = client(to);
  const auto dialect = asker != nullptr ? asker->traits.dialect : rpc::Dialect::kRelay;
  respond(storage::Origin::kRelay, to, id, SharedBytes(rpc::error(id, error, dialect)), effects,
          call);
}

void MessageRouter::respond(storage::Origin origin, ClientId to, std::string_view id,
                            SharedBytes bytes, Effects& effects, CallMark call) {
  const auto sequence =
      note(origin, storage::MessageKind::kResponse, true, {}, id, bytes, effects, call);
  send(to, std::move(bytes), sequence, DeliveryKind::kResponse, effects);
}

void MessageRouter::notify(storage::Origin origin, std::string_view method, SharedBytes bytes,
                           Effects& effects, Whom whom) {
  const auto sequence =
      note(origin, storage::MessageKind::kNotification, true, method, {}, bytes, effects);
  const auto kind = method == acp::kUpdate ? DeliveryKind::kUpdate : DeliveryKind::kNotification;
  send(whom.only, std::move(bytes), sequence, kind, effects, whom.except);
}

storage::Sequence MessageRouter::note(storage::Origin origin, storage::MessageKind kind,
                                      bool to_client, std::string_view method, std::string_view id,
                                      SharedBytes body, Effects& effects, CallMark call) {
  storage::MessageRecord record;
  record.sequence = ++sequence_;
  record.origin = origin;
  record.kind = kind;
  record.to_client = to_client;
  record.method = method;
  record.rpc_id = id;
  record.body = std::move(body);
  record.time = moment_.wall;
  record.call = call.number;
  record.peer_id = call.peer_id;
  effects.records.push_back(std::move(record));
  return sequence_;
}

void MessageRouter::send(ClientId to, SharedBytes bytes, storage::Sequence sequence,
                         DeliveryKind kind, Effects& effects, ClientId except) const {
  const ClientId turn_of = turn_ ? turn_->client : ClientId();
  effects.to_clients.push_back({{to, except, turn_of}, {std::move(bytes), sequence, kind}});
}

}  // namespace relay
