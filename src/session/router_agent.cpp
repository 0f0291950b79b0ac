// MessageRouter's side towards the agent: answers, notifications, and requests to clients.
#include "protocol/acp.hpp"
#include "protocol/json_scan.hpp"
#include "protocol/json_text.hpp"
#include "protocol/own_id.hpp"
#include "protocol/rpc.hpp"
#include "protocol/splice.hpp"
#include "session/agent_failure.hpp"
#include "session/agent_state.hpp"
#include "session/message_router.hpp"

#include <algorithm>

namespace relay {
namespace {

using storage::MessageKind;
using storage::Origin;

constexpr std::size_t kQuotedId = 64;
constexpr std::size_t kMostToldOfPolicy = 32;  // in the result of one turn

constexpr std::string_view kNothingElicited = R"({"action":"cancel"})";

// One of the protocol's stop reasons; anything else is "other", so that the set stays bounded.
std::string_view stop_reason(const Frame& response) {
  if (response.kind() == FrameKind::kError) return "error";
  const auto json = object_member(response.result(), "stopReason");
  if (!json || json->size() < 2) return "other";
  const std::string_view reason = json->substr(1, json->size() - 2);
  for (const std::string_view known :
       {"end_turn", "max_tokens", "max_turn_requests", "refusal", "cancelled"}) {
    if (reason == known) return known;
  }
  return "other";
}

// The response with what the relay has to tell of the turn in its result's _meta.
Frame with_told(Frame response, std::string_view members, std::string_view watched_id) {
  const std::string result = with_meta(response.result(), members);
  Edits edits;
  edits.push_back({response.envelope().result, result});
  FrameLimits limits = kAccepted;
  limits.watched_id = watched_id;
  auto changed = Frame::parse(splice(response.bytes(), std::move(edits)), limits);
  return changed ? std::move(*changed) : std::move(response);
}

// Of the turn to a person.
bool is_question(const AgentCall& call) {
  return call.kind == acp::ReverseKind::kPermission ||
         (call.kind == acp::ReverseKind::kElicitation && !call.of_request);
}

std::string_view cancelled_answer(acp::ReverseKind kind) {
  return kind == acp::ReverseKind::kPermission ? std::string_view(acp::kCancelledOutcome)
                                               : kNothingElicited;
}

std::string answer_to_agent(std::string_view id, std::string_view member, std::string_view json) {
  std::string out = R"({"jsonrpc":"2.0","id":)";
  out.append(id).append(",\"").append(member).append("\":").append(json).append("}");
  return out;
}

}  // namespace

// An error without an id is JSON-RPC's way to say that a request could not be read: it answers the
// only one that waits. Where some are not waited for any more, it may be theirs.
std::optional<std::int64_t> MessageRouter::asked_id(const Frame& response) const {
  if (response.kind() != FrameKind::kError || response.id() != "null") return own_id(response.id());
  if (given_up_ > 0) return std::nullopt;
  return client_calls_.only_one_but(
      [this](std::int64_t relay_id) { return prompts_.holds(relay_id); });
}

// Members for the _meta of its result: why the relay cancelled it, and what the policy answered.
std::string MessageRouter::told_of_turn() const {
  std::string members;
  if (!turn_->cancelled_because.empty()) {
    members = R"("acp-relay/cancelled":)" + json_string(turn_->cancelled_because);
  }
  if (turn_->by_policy.empty()) return members;
  members.append(members.empty() ? "" : ",").append(R"("acp-relay/permissions":[)");
  for (const std::string& decision : turn_->by_policy) {
    members.append(members.back() == '[' ? "" : ",").append(decision);
  }
  members += ']';
  if (turn_->more_by_policy > 0) {
    members += R"(,"acp-relay/more_permissions":)" + std::to_string(turn_->more_by_policy);
  }
  return members;
}

// Nobody asked for it, as far as can be known. Where somebody waits for an answer, everybody is
// told; not of one that comes too late.
void MessageRouter::unasked_response(const Frame& frame, Effects& effects) {
  ++effects.skipped.unknown_id;
  const auto relay_id = own_id(frame.id());
  const bool is_late = relay_id && may_be_given_up(*relay_id);
  if (is_late || !someone_waits()) return;
  effects.misunderstood.push_back(
      make_error(ErrorType::kAgentProtocolError,
                 "the agent sent a response that belongs to no request that waits")
          .because("its id is not one that the relay has asked with")
          .suggest("cancel the turn if nothing more comes")
          .with("response_id", std::string(frame.id().substr(0, kQuotedId)))
          .retryable());
}

void MessageRouter::agent_response(Frame frame, Effects& effects) {
  const auto relay_id = asked_id(frame);
  // What waits in the queue was not asked yet, and can't be answered.
  const bool asked = relay_id && !prompts_.holds(*relay_id);
  auto call = asked ? client_calls_.take(*relay_id) : std::nullopt;
  if (!call) return unasked_response(frame, effects);
  const bool ends_turn = turn_ && turn_->relay_id == *relay_id;
  const std::string_view reason = ends_turn ? stop_reason(frame) : std::string_view();
  if (ends_turn && frame.kind() == FrameKind::kResult) {
    const std::string members = told_of_turn();
    if (!members.empty()) frame = with_told(std::move(frame), members, session_ids_.watched());
  }
  Edits edits;
  edits.push_back({frame.envelope().id, call->id});
  session_ids_.to_clients(frame, edits);
  respond(Origin::kAgent, call->client, call->id,
          SharedBytes(splice(frame.bytes(), std::move(edits))), effects, {*relay_id});
  const bool is_error = frame.kind() == FrameKind::kError;
  if (!is_error) tell_of_setting(*call, frame.result(), effects);
  if (ends_turn) {
    const bool failed = is_error && is_agents_failure(frame.result());
    end_turn({reason, failed, is_error, frame.result()}, effects);
  }
}

// Not every agent tells of a setting that a client has changed; the other clients, and those that
// come later, learn it here.
void MessageRouter::tell_of_setting(const ClientCall& call, std::string_view result,
                                    Effects& effects) {
  std::string update;
  if (call.changes == ClientCall::Changes::kMode && !call.mode.empty()) {
    update = R"("current_mode_update","currentModeId":)" + call.mode;
  } else if (const auto options = call.changes == ClientCall::Changes::kOptions
                                      ? object_member(result, "configOptions")
                                      : std::nullopt) {
    update = R"("config_option_update","configOptions":)" + std::string(*options);
  } else {
    return;
  }
  const SharedBytes bytes(
      rpc::notification(acp::kUpdate, R"({"sessionId":)" + session_ids_.relay() +
                                          R"(,"update":{"sessionUpdate":)" + update + "}}"));
  effects.states.push_back(bytes);
  notify(Origin::kRelay, acp::kUpdate, bytes, effects, {.except = call.client});
}

void MessageRouter::agent_notification(Frame frame, Effects& effects) {
  const std::string method(frame.method());
  bind_child(frame, effects);
  Edits edits;
  std::string request;
  ClientId to;
  if (method == acp::kCancelRequest) {
    const auto id = agent_calls_.id_of(frame.request_id());
    if (!id) return;  // finished or unknown: ignored, as the protocol says
    if (agent_calls_.find(*id)->asked.empty()) {  // nobody can answer any more, so the relay does
      return settle_with_error(*id, acp::kRequestCancelled, "the request was cancelled", effects);
    }
    request = std::to_string(*id);
    edits.push_back({frame.envelope().request_id, request});
    agent_calls_.find(*id)->is_withdrawn = true;
  } else if (method == "elicitation/complete") {
    to = elicited_;
  }
  session_ids_.to_clients(frame, edits);
  const bool is_state = method == acp::kUpdate && AgentState::tells(frame.update_kind());
  SharedBytes bytes(splice(std::move(frame), std::move(edits)));
  if (is_state) effects.states.push_back(bytes);
  notify(Origin::kAgent, method, std::move(bytes), effects, {.only = to});
}

void MessageRouter::bind_child(const Frame& notification, Effects& effects) {
  if (session_ids_.observe(notification) != SessionIds::Bound::kTooMany) return;
  effects.misunderstood.push_back(
      make_error(ErrorType::kAgentProtocolError,
                 "the agent has announced more than " + std::to_string(limits_.max_subagents) +
                     " sub-agents, and clients can't tell the last one from those of others")
          .because("the ids of so many are not kept")
          .suggest("raise sessions.max_subagents")
          .with("limit", static_cast<std::int64_t>(limits_.max_subagents)));
}

void MessageRouter::agent_request(Frame frame, Effects& effects) {
  if (agent_calls_.id_of(frame.id())) {
    ++effects.skipped.unknown_id;  // an id that is in use names nothing
    return;
  }
  AgentCall call;
  call.agent_id = frame.id();
  call.kind = acp::reverse_kind(frame.method());
  call.since = moment_.steady;
  call.turn = turn_ ? turn_->relay_id : 0;
  call.of_request = acp::is_of_request(call.kind, frame.envelope().request_id.present());
  const bool is_late = is_question(call) && turn_ && turn_->cancelled;
  if (!is_late) call.asked = recipients(frame, call);
  if (call.kind == acp::ReverseKind::kPermission) ++effects.permissions_asked;

  const std::int64_t id = ids_.next();
  const std::string id_text = std::to_string(id);
  std::string owner_id;
  Edits edits;
  edits.push_back({frame.envelope().id, id_text});
  if (call.of_request) {
    // The request during which it is asked is known to its client by the client's own id.
    const auto relay_id = own_id(frame.request_id());
    if (const ClientCall* owner = relay_id ? client_calls_.find(*relay_id) : nullptr) {
      owner_id = owner->id;
      edits.push_back({frame.envelope().request_id, owner_id});
    }
  }
  session_ids_.to_clients(frame, edits);
  call.to_client = SharedBytes(splice(frame.bytes(), std::move(edits)));
  call.sequence = note(Origin::kAgent, MessageKind::kRequest, true, frame.method(), id_text,
                       call.to_client, effects, {id, call.agent_id});
  call.place = call.sequence;
  if (call.kind == acp::ReverseKind::kElicitation && !call.asked.empty()) {
    elicited_ = call.asked.front();
  }
  AgentCall& kept = agent_calls_.add(id, std::move(call));
  if (!kept.has_room) kept.asked.clear();
  for (const ClientId asked : kept.asked) {
    if (!clients_.at(asked).caught_up) continue;
    send(asked, kept.to_client, kept.sequence, DeliveryKind::kRequest, effects);
  }
  if (is_late) {  // it crossed the client's cancel
    return settle_with(id, cancelled_answer(kept.kind), effects);
  }
  if (kept.asked.empty()) settle_without_clients(id, effects);
}

std::vector<ClientId> MessageRouter::recipients(const Frame& frame, const AgentCall& call) const {
  if (agent_calls_.all().size() >= limits_.max_pending_requests) return {};
  if (call.kind == acp::ReverseKind::kClientDisk && limits_.strip_client_disk) return {};
  if (call.kind == acp::ReverseKind::kElicitation) return elicited_by(frame, call);
  std::vector<ClientId> able = able_to_answer(call.kind);
  if (call.kind == acp::ReverseKind::kPermission) return able;
  const ClientId first_choice = originator(frame);
  if (std::ranges::find(able, first_choice) != able.end()) return {first_choice};
  if (call.kind != acp::ReverseKind::kOther) return {};
  if (able.size() > 1) able.resize(1);
  return able;
}

// The client whose turn or request it is, also one that catches up: it is shown it at the end of
// that.
std::vector<ClientId> MessageRouter::elicited_by(const Frame& frame, const AgentCall& call) const {
  ClientId owner = turn_ ? turn_->client : ClientId();
  if (call.of_request) {
    const auto relay_id = own_id(frame.request_id());
    const ClientCall* const asked_by = relay_id ? client_calls_.find(*relay_id) : nullptr;
    owner = asked_by != nullptr ? asked_by->client : ClientId();
  }
  const auto found = clients_.find(owner);
  if (found == clients_.end()) return {};
  const ClientTraits& traits = found->second.traits;
  return traits.may_act && traits.can_answer ? std::vector{owner} : std::vector<ClientId>();
}

std::vector<ClientId> MessageRouter::able_to_answer(acp::ReverseKind kind) const {
  std::vector<ClientId> able;
  for (const auto& [id, one] : clients_) {
    const ClientTraits& traits = one.traits;
    if (one.caught_up && traits.may_act && traits.can_answer &&
        (traits.knows_extensions || kind != acp::ReverseKind::kOther) &&
        (!traits.own_turns_only || (turn_ && turn_->client == id))) {
      able.push_back(id);
    }
  }
  return able;
}

ClientId MessageRouter::originator(const Frame& frame) const {
  if (const auto relay_id = own_id(frame.request_id())) {
    if (const ClientCall* call = client_calls_.find(*relay_id)) return call->client;
    if (may_be_given_up(*relay_id)) return kGoneClient;
  }
  if (turn_) return turn_->client;
  return clients_.size() == 1 ? clients_.begin()->first : ClientId();
}

// A question to a person waits for someone to attach, unless its turn belongs to a caller that can
// only wait for the answer.
bool MessageRouter::someone_may_come() const {
  if (!turn_) return true;
  const auto found = clients_.find(turn_->client);
  return found == clients_.end() || found->second.traits.can_answer;
}

bool MessageRouter::is_over(const AgentCall& elicitation) const {
  if (elicitation.of_request) return true;
  const bool is_in_its_turn = turn_ && turn_->relay_id == elicitation.turn && !turn_->cancelled;
  return elicitation.turn != 0 && !is_in_its_turn;
}

// What nobody has been shown when its turn ends.
void MessageRouter::cancel_unseen(Effects& effects) {
  std::vector<std::int64_t> over;
  for (const auto& [id, call] : agent_calls_.all()) {
    if (call.is_open && call.asked.empty() && is_over(call)) over.push_back(id);
  }
  for (const std::int64_t id : over) settle_without_clients(id, effects);
}

// Whose it was is not there: from here on it is asked like a permission.
void MessageRouter::open_to_all(AgentCall& elicitation, Effects& effects) {
  elicitation.is_open = true;
  elicited_ = {};
  for (const ClientId id : able_to_answer(elicitation.kind)) show(id, elicitation, effects);
}

void MessageRouter::settle_without_clients(std::int64_t id, Effects& effects) {
  AgentCall* const call = agent_calls_.find(id);
  if (!call->has_room || agent_calls_.all().size() > limits_.max_pending_requests) {
    return settle_with_error(id, rpc::kInternalError,
                             "more than " + std::to_string(limits_.max_pending_requests) +
                                 " requests of the agent, or " +
                                 std::to_string(limits_.max_pending_bytes) +
                                 " bytes of them, wait for an answer",
                             effects);
  }
  if (call->is_withdrawn) {
    return settle_with_error(id, acp::kRequestCancelled, "the request was cancelled", effects);
  }
  switch (call->kind) {
    case acp::ReverseKind::kElicitation:
      if (is_over(*call)) return settle_with(id, kNothingElicited, effects);
      if (!call->is_open && someone_may_come()) open_to_all(*call, effects);
      if (!call->asked.empty()) return;
      [[fallthrough]];
    case acp::ReverseKind::kPermission:
      if (someone_may_come() && limits_.permission_timeout.count() > 0) {
        call->deadline = moment_.steady + limits_.permission_timeout;
        return;
      }
      return settle_by_policy(id, effects);
    case acp::ReverseKind::kClientDisk:
      if (limits_.strip_client_disk) {
        return settle_with_error(id, rpc::kMethodNotFound,
                                 "clients of this relay offer no files and no terminals", effects);
      }
      return settle_with_error(id, rpc::kInternalError,
                               "the client that could answer is not connected", effects);
    case acp::ReverseKind::kOther:
      return settle_with_error(id, rpc::kMethodNotFound,
                               "no client is connected that could know this request", effects);
  }
}

// Whoever waits for the turn's result is told: nothing else shows that nobody was asked.
void MessageRouter::settle_by_policy(std::int64_t id, Effects& effects) {
  const AgentCall* const call = agent_calls_.find(id);
  if (call->kind == acp::ReverseKind::kElicitation) {
    return settle_with(id, kNothingElicited, effects);
  }
  const std::string answer = policy_answer(call->params(), limits_.permission_default);
  if (turn_ && turn_->by_policy.size() < kMostToldOfPolicy) {
    turn_->by_policy.push_back(policy_decision(call->params(), answer));
  } else if (turn_) {
    ++turn_->more_by_policy;
  }
  settle_with(id, answer, effects);
}

bool MessageRouter::accepts(std::int64_t request_id, std::string_view member,
                            std::string_view json) {
  const AgentCall* const call = agent_calls_.find(request_id);
  if (call == nullptr) return false;
  if (call->kind == acp::ReverseKind::kPermission) {
    return member == "result" && is_decision(json, call->params());
  }
  return !call->is_open || member == "result";
}

bool MessageRouter::answer(std::int64_t request_id, std::string_view member, std::string_view json,
                           Effects& effects) {
  if (agent_calls_.find(request_id) == nullptr) return false;
  settle(request_id, {member, json, Origin::kClient}, effects);
  return true;
}

void MessageRouter::settle_with(std::int64_t id, std::string_view result, Effects& effects) {
  settle(id, {"result", result}, effects);
}

void MessageRouter::settle_with_error(std::int64_t id, int code, std::string_view message,
                                      Effects& effects) {
  const std::string json = JsonObject().number("code", code).text("message", message).take();
  settle(id, {"error", json}, effects);
}

// Answers the agent and tells the clients that were asked too and did not answer.
void MessageRouter::settle(std::int64_t id, Answer answer, Effects& effects) {
  const AgentCall call = *agent_calls_.take(id);
  const std::string id_text = std::to_string(id);
  if (answer.origin == Origin::kClient) {
    if (auto words = audit_words_of_answer(call.kind, answer.member, answer.json)) {
      effects.answered.push_back({answer.by, std::move(*words)});
    }
  }
  note(answer.origin, MessageKind::kResponse, false, {}, id_text,
       SharedBytes(answer_to_agent(id_text, answer.member, answer.json)), effects, {id});
  effects.to_agent.push_back(
      answer.as_sent.size() > 0
          ? std::move(answer.as_sent)
          : SharedBytes(answer_to_agent(call.agent_id, answer.member, answer.json)));
  const SharedBytes bytes(
      rpc::notification(acp::kCancelRequest, R"({"requestId":)" + id_text + "}"));
  for (const ClientId asked : call.asked) {
    if (asked != answer.by) send(asked, bytes, 0, DeliveryKind::kNotification, effects);
  }
}

// A client that cancels a turn owes `cancelled` to each permission request of it; the relay pays
// for all, and for elicitations that nobody has been shown. A child session's are those that name
// it.
void MessageRouter::cancel_questions(std::string_view child_json, Effects& effects) {
  std::vector<std::pair<std::int64_t, std::string_view>> answers;
  for (const auto& [id, call] : agent_calls_.all()) {
    if (!child_json.empty() && call.session != child_json) continue;
    if (call.kind == acp::ReverseKind::kPermission) {
      answers.emplace_back(id, acp::kCancelledOutcome);
    } else if (is_question(call) && call.asked.empty()) {
      answers.emplace_back(id, kNothingElicited);
    }
  }
  for (const auto& [id, answer] : answers) settle_with(id, answer, effects);
}

}  // namespace relay
