// MessageRouter's side towards clients: requests, notifications, the queue of prompts.
#include "protocol/acp.hpp"
#include "protocol/json_scan.hpp"
#include "protocol/own_id.hpp"
#include "protocol/relay_ids.hpp"
#include "protocol/rpc.hpp"
#include "protocol/secrets.hpp"
#include "protocol/splice.hpp"
#include "session/message_router.hpp"

#include <algorithm>

namespace relay {
namespace {

using storage::MessageKind;
using storage::Origin;

Error observer_may_not(std::string_view method) {
  return make_error(ErrorType::kForbidden, "an observer may watch a session, not use it")
      .because("the token's role is observer, or the session was resumed as one")
      .suggest("use a token with role user (auth.tokens[].role)")
      .with("method", std::string(method));
}

Error more_wait_than(std::size_t limit, std::string_view of_what) {
  return make_error(ErrorType::kInvalidRequest, "more than " + std::to_string(limit) + " " +
                                                    std::string(of_what) + " wait for an answer")
      .with("limit", static_cast<std::int64_t>(limit))
      .retryable();
}

Error refused_call(ClientCalls::Refusal refusal, std::string_view id, const RouterLimits& limits) {
  switch (refusal) {
    case ClientCalls::Refusal::kDuplicateId:
      break;
    case ClientCalls::Refusal::kTooMany:
      return more_wait_than(limits.max_pending_requests, "of your requests")
          .suggest("wait for answers, or raise sessions.max_pending_requests");
    case ClientCalls::Refusal::kNoRoom:
      return more_wait_than(limits.max_pending_bytes, "bytes of this session's requests")
          .because("what is known of a request is kept until the agent answers it")
          .suggest("wait for answers, or use shorter ids")
          .suggest("raise sessions.max_pending_bytes");
  }
  return make_error(ErrorType::kInvalidRequest,
                    "a request with the id " + std::string(id) + " is not answered yet")
      .suggest("use an id that no unanswered request of yours has")
      .retryable();
}

// Requests that end others are taken however many of these wait.
bool ends_requests(std::string_view method) {
  return method == acp::kCancel || method == acp::kCancelRequest;
}

Error queue_is_full(const PromptQueue& queue) {
  return make_error(ErrorType::kTurnInProgress,
                    "a turn is running and " + std::to_string(queue.size()) + " prompts of " +
                        std::to_string(queue.bytes()) + " bytes wait behind it")
      .because("prompts of a session run one after another")
      .suggest("wait for a turn to end, or end it with session/cancel")
      .suggest("raise sessions.max_queued_prompts, or sessions.max_pending_bytes")
      .with("queued_prompts", static_cast<std::int64_t>(queue.size()))
      .with("queued_bytes", static_cast<std::int64_t>(queue.bytes()))
      .retryable();
}

Error too_many_blocks(std::size_t blocks, std::size_t limit) {
  return make_error(ErrorType::kInvalidParams,
                    "the prompt has " + std::to_string(blocks) + " content blocks")
      .because("each becomes a message of its own for everybody who watches")
      .suggest("send fewer, larger blocks")
      .suggest("raise sessions.max_prompt_blocks")
      .with("limit", static_cast<std::int64_t>(limit));
}

Error child_takes_no_prompts(std::string_view id) {
  return make_error(ErrorType::kInvalidParams, "a sub-agent's session takes no prompts of clients")
      .because("its agent prompts it")
      .suggest("prompt the session " + std::string(owning_session(id)))
      .with("session_id", std::string(id));
}

Error prompt_without_content() {
  return make_error(ErrorType::kInvalidParams, "the params have no `content` (or `prompt`)")
      .suggest(R"(send "content": [{"type": "text", "text": "..."}])");
}

// What is stored of a client's message: the original, or the original without the secrets in it.
SharedBytes stored_copy(const Frame& frame) {
  return SharedBytes(without_request_secrets(frame.method(), frame.bytes()));
}

std::vector<std::string_view> prompt_blocks(std::string_view request) {
  const auto params = object_member(request, "params");
  const auto prompt = params ? object_member(*params, "prompt") : std::nullopt;
  return array_elements(prompt.value_or("[]"));
}

bool is_session_method(std::string_view method) { return method.starts_with("session/"); }

}  // namespace

void MessageRouter::client_request(ClientId id, Frame frame, Effects& effects) {
  const Client* const asker = client(id);
  if (asker == nullptr) return;
  if (!asker->traits.may_act)
    return refuse(id, frame.id(), observer_may_not(frame.method()), effects);
  ClientCall call = client_call(id, frame.id(), frame.method(), frame.params());
  const bool ends_others = ends_requests(frame.method());
  const auto refusal = client_calls_.refusal(call);
  if (refusal && (!ends_others || *refusal == ClientCalls::Refusal::kDuplicateId)) {
    return refuse(id, frame.id(), refused_call(*refusal, frame.id(), limits_), effects);
  }
  if (frame.method() == acp::kPrompt) return prompt(std::move(call), std::move(frame), effects);

  if (ends_others) {
    note(Origin::kClient, MessageKind::kRequest, false, frame.method(), frame.id(),
         stored_copy(frame), effects);
    // Notifications by nature; who sends them as requests gets an empty answer.
    if (frame.method() == acp::kCancel && is_child_session_id(frame.session_id())) {
      cancel_child(frame.session_id(), effects);
    } else if (frame.method() == acp::kCancel) {
      cancel(id, effects);
    } else {
      cancel_request(id, frame, effects);
    }
    return respond(Origin::kRelay, id, frame.id(), SharedBytes(rpc::result(frame.id(), "{}")),
                   effects);
  }
  const std::int64_t relay_id = ids_.next();
  note(Origin::kClient, MessageKind::kRequest, false, frame.method(), frame.id(),
       stored_copy(frame), effects, {relay_id});
  effects.to_agent.emplace_back(to_agent_bytes(frame, relay_id));
  client_calls_.add(relay_id, std::move(call));
}

void MessageRouter::client_notification(ClientId id, Frame frame, Effects& effects) {
  const Client* const sender = client(id);
  if (sender == nullptr || !sender->traits.may_act) return;
  if (frame.method() == acp::kCancelRequest) return cancel_request(id, frame, effects);
  note(Origin::kClient, MessageKind::kNotification, false, frame.method(), {}, stored_copy(frame),
       effects);
  if (frame.method() == acp::kCancel && is_child_session_id(frame.session_id())) {
    return cancel_child(frame.session_id(), effects);
  }
  if (frame.method() == acp::kCancel) return cancel(id, effects);
  effects.to_agent.emplace_back(to_agent_bytes(frame, std::nullopt));
}

// The id in the params is the client's; the agent knows the request by the relay's.
void MessageRouter::cancel_request(ClientId id, const Frame& frame, Effects& effects) {
  const auto relay_id = client_calls_.relay_id(id, frame.request_id());
  if (!relay_id) return;
  if (prompts_.remove(*relay_id)) {
    client_calls_.take(*relay_id);
    SharedBytes cancelled(
        rpc::plain_error(frame.request_id(), acp::kRequestCancelled, "the request was cancelled"));
    return respond(Origin::kRelay, id, frame.request_id(), std::move(cancelled), effects,
                   {*relay_id});
  }
  const std::string spelled = std::to_string(*relay_id);
  if (frame.kind() == FrameKind::kRequest) {
    effects.to_agent.emplace_back(
        rpc::notification(acp::kCancelRequest, R"({"requestId":)" + spelled + "}"));
    return;
  }
  Edits edits;
  edits.push_back({frame.envelope().request_id, spelled});
  effects.to_agent.emplace_back(splice(frame.bytes(), std::move(edits)));
}

void MessageRouter::prompt(ClientCall call, Frame frame, Effects& effects) {
  const ClientId id = call.client;
  if (is_child_session_id(frame.session_id())) {
    return refuse(id, frame.id(), child_takes_no_prompts(frame.session_id()), effects);
  }
  if (!frame.envelope().prompt.present()) {
    return refuse(id, frame.id(), prompt_without_content(), effects);
  }
  const auto blocks = array_elements(frame.text(frame.envelope().prompt));
  if (blocks.size() > limits_.max_prompt_blocks) {
    return refuse(id, frame.id(), too_many_blocks(blocks.size(), limits_.max_prompt_blocks),
                  effects);
  }
  QueuedPrompt accepted;
  accepted.relay_id = ids_.next();
  accepted.client = id;
  accepted.to_agent = SharedBytes(to_agent_bytes(frame, accepted.relay_id));
  accepted.trace = trace_of(frame);
  if (turn_ && !prompts_.push(accepted)) {
    return refuse(id, frame.id(), queue_is_full(prompts_), effects);
  }
  note(Origin::kClient, MessageKind::kRequest, false, frame.method(), frame.id(),
       stored_copy(frame), effects, {accepted.relay_id});
  client_calls_.add(accepted.relay_id, std::move(call));
  if (!turn_) start_turn(std::move(accepted), blocks, effects);
}

void MessageRouter::start_turn(QueuedPrompt prompt, const std::vector<std::string_view>& blocks,
                               Effects& effects) {
  turn_ = Turn{prompt.relay_id, prompt.client, moment_.steady, {}};
  turn_->trace = std::move(prompt.trace);
  echo_prompt(prompt.client, blocks, effects);
  effects.to_agent.push_back(std::move(prompt.to_agent));
  effects.prompt = prompt.relay_id;
}

// Agents do not repeat prompts, so the others (and later readers of the history) learn of it here.
void MessageRouter::echo_prompt(ClientId from, const std::vector<std::string_view>& blocks,
                                Effects& effects) {
  const auto echo = [&](std::string_view block) {
    std::string params = R"({"sessionId":)" + session_ids_.relay() +
                         R"(,"update":{"sessionUpdate":"user_message_chunk","content":)";
    params.append(block).append("}}");
    notify(Origin::kRelay, acp::kUpdate, SharedBytes(rpc::notification(acp::kUpdate, params)),
           effects, {.except = from});
  };
  for (const std::string_view block : blocks) echo(block);
}

void MessageRouter::fail_turn(const Error& error, bool failed, Effects& effects) {
  const std::string json = rpc::error_object(error, rpc::Dialect::kRelay);
  end_turn({"error", failed, true, json}, effects);
}

// Tells everyone but the one who prompted (that one gets the response), and starts the next prompt.
void MessageRouter::end_turn(const TurnOutcome& outcome, Effects& effects) {
  const ClientId prompted_by = turn_->client;
  effects.turns_ended.push_back({std::string(outcome.stop_reason), moment_.steady - turn_->started,
                                 outcome.failed, turn_->trace});
  turn_.reset();
  cancel_unseen(effects);
  std::string params = R"({"sessionId":)" + session_ids_.relay();
  params += outcome.is_error ? R"(,"error":)" : R"(,"result":)";
  params.append(outcome.json).append("}");
  notify(Origin::kRelay, acp::kTurnComplete,
         SharedBytes(rpc::notification(acp::kTurnComplete, params)), effects,
         {.except = prompted_by});
  if (auto next = prompts_.pop()) {
    const SharedBytes kept = next->to_agent;
    start_turn(std::move(*next), prompt_blocks(kept.view()), effects);
  }
}

// Asks the agent to end the turn, answers its permission requests with `cancelled`, ends queued
// prompts of the client (nobody: all). Does nothing harmful when no turn runs.
void MessageRouter::cancel(ClientId id, Effects& effects) {
  end_queued(id, effects);
  interrupt_agent(effects);
}

// Of what such a client sends, the id is all that matters; the log gets it as any other cancel.
void MessageRouter::cancel_for(std::string_view id, Effects& effects) {
  const std::string params = R"({"sessionId":")" + std::string(id) + "\"}";
  note(Origin::kClient, MessageKind::kNotification, false, acp::kCancel, {},
       SharedBytes(rpc::notification(acp::kCancel, params)), effects);
  if (is_child_session_id(id)) return cancel_child(id, effects);
  cancel({}, effects);
}

// A cancel that comes when the turn is over is not for the next one: the agent does not hear of it.
void MessageRouter::interrupt_agent(Effects& effects) {
  if (turn_) {
    turn_->cancelled = true;
    effects.to_agent.emplace_back(
        rpc::notification(acp::kCancel, R"({"sessionId":)" + session_ids_.agent() + "}"));
    if (turn_->output_lost && !turn_->doubtful_until) doubt_end_of_turn();
  }
  cancel_questions({}, effects);
}

void MessageRouter::cancel_child(std::string_view id, Effects& effects) {
  effects.to_agent.emplace_back(
      rpc::notification(acp::kCancel, R"({"sessionId":)" + session_ids_.child_for_agent(id) + "}"));
  cancel_questions('"' + std::string(id) + '"', effects);
}

void MessageRouter::cancel_because(std::string_view reason, Cancelled extent, Effects& effects) {
  if (!turn_) return;
  turn_->cancelled_because = reason;
  if (extent == Cancelled::kAll) end_queued({}, effects);
  interrupt_agent(effects);
}

void MessageRouter::end_queued(ClientId id, Effects& effects) {
  for (const QueuedPrompt& queued : prompts_.take_of(id)) {
    const auto call = client_calls_.take(queued.relay_id);
    SharedBytes cancelled(rpc::result(call->id, R"({"stopReason":"cancelled"})"));
    respond(Origin::kRelay, call->client, call->id, std::move(cancelled), effects,
            {queued.relay_id});
  }
}

bool MessageRouter::was_asked(std::int64_t request_id, ClientId id) const {
  if (agent_calls_.was_asked(request_id, id)) return true;
  const auto found = clients_.find(id);
  if (found == clients_.end() || found->second.caught_up) return false;
  const ClientTraits& traits = found->second.traits;
  const AgentCall* const call = agent_calls_.find(request_id);
  return call != nullptr && call->is_anybodys() && traits.may_act && traits.can_answer &&
         !traits.own_turns_only;
}

void MessageRouter::client_response(ClientId id, Frame frame, Effects& effects) {
  const Client* const sender = client(id);
  if (sender == nullptr || !sender->traits.may_act) return;
  const auto own = own_id(frame.id());
  if (!own) return;
  const std::int64_t request = *own;
  AgentCall* const call = agent_calls_.find(request);
  if (call == nullptr || !was_asked(request, id)) return;
  const std::string_view member = frame.kind() == FrameKind::kResult ? "result" : "error";
  const bool others_remain =
      std::ranges::any_of(call->asked, [id](ClientId one) { return one != id; });
  if (others_remain && !call->is_withdrawn && !accepts(request, member, frame.result())) {
    std::erase(call->asked, id);  // an error of one of several is no decision
    return;
  }
  // As the client spelled it, but for the ids.
  const std::string agent_id = call->agent_id;
  Edits edits;
  edits.push_back({frame.envelope().id, agent_id});
  session_ids_.to_agent(frame, edits);
  SharedBytes to_agent(splice(frame.bytes(), std::move(edits)));
  settle(request, {member, frame.result(), Origin::kClient, id, std::move(to_agent)}, effects);
}

std::string MessageRouter::to_agent_bytes(const Frame& frame,
                                          std::optional<std::int64_t> relay_id) const {
  const Envelope& envelope = frame.envelope();
  Edits edits;
  std::string id_text;
  std::string session_member;
  if (relay_id) {
    id_text = std::to_string(*relay_id);
    edits.push_back({envelope.id, id_text});
  }
  session_ids_.to_agent(frame, edits);
  if (envelope.prompt_key.present() && frame.method() == acp::kPrompt) {
    edits.push_back({envelope.prompt_key, "prompt"});
  }
  if (!envelope.session_id.present() && is_session_method(frame.method()) &&
      !object_member(frame.params(), "sessionId")) {
    session_member = R"("sessionId":)" + session_ids_.agent();
    const std::string_view params = frame.params();
    if (params.starts_with('{')) {
      const bool empty = params.find_first_not_of(" \t", 1) == params.size() - 1;
      if (!empty) session_member += ',';
      edits.push_back({{envelope.params.offset + 1, 0}, session_member});
    } else if (params.empty()) {
      session_member = R"("params":{)" + session_member + "},";
      edits.push_back({{frame.bytes().find('{') + 1, 0}, session_member});
    }
  }
  return splice(frame.bytes(), std::move(edits));
}

}  // namespace relay
