// MessageRouter taking up the calls of an agent whose earlier relay ended.
#include "protocol/acp.hpp"
#include "protocol/splice.hpp"
#include "session/message_router.hpp"
#include "session/turn_signs.hpp"

#include <algorithm>
#include <utility>

namespace relay {
namespace {

using storage::MessageRecord;
using storage::Origin;

// A message of the log: it was accepted when it came, whatever the limits are by now.
std::optional<Frame> stored_frame(const MessageRecord& message) {
  auto frame = Frame::parse(std::string(message.body.view()), kAccepted);
  if (!frame) return std::nullopt;
  return std::move(*frame);
}

}  // namespace

void MessageRouter::restore(storage::OpenCalls calls, const storage::Progress& progress,
                            const Error& error, Effects& effects) {
  doubt_error_ = error;
  for (const MessageRecord& answer : calls.unsent_answers) {
    const auto frame = stored_frame(answer);
    if (!frame) continue;
    Edits edits;
    edits.push_back({frame->envelope().id, answer.peer_id});
    session_ids_.to_agent(*frame, edits);
    effects.to_agent.emplace_back(splice(frame->bytes(), std::move(edits)));
  }
  bool ran = true;  // the first prompt without an answer; those behind it were in the queue
  for (const MessageRecord& request : calls.requests) {
    if (request.origin == Origin::kAgent) {
      restore_question(request, effects);
    } else if (request.method == acp::kPrompt) {
      if (std::exchange(ran, false)) {
        restore_turn(request, request.call <= progress.prompt);
      } else {
        refuse(kGoneClient, request.rpc_id, error, effects, {request.call});
      }
    } else {
      restore_request(request, progress, error, effects);
    }
  }
}

void MessageRouter::restore_request(const MessageRecord& request, const storage::Progress& progress,
                                    const Error& error, Effects& effects) {
  if (request.sequence > progress.input) {
    return refuse(kGoneClient, request.rpc_id, error, effects, {request.call});
  }
  const auto frame = request.method == acp::kSetMode ? stored_frame(request) : std::nullopt;
  client_calls_.add(request.call, client_call(kGoneClient, request.rpc_id, request.method,
                                              frame ? frame->params() : std::string_view()));
}

// A prompt that may have been written, or not, is not written again.
void MessageRouter::restore_turn(const MessageRecord& prompt, bool was_written) {
  turn_ = Turn{prompt.call, kGoneClient, moment_.steady, {}};
  if (const auto frame = stored_frame(prompt)) turn_->trace = trace_of(*frame);
  if (!was_written) turn_->doubtful_until = moment_.steady + kDoubt;
  client_calls_.add(prompt.call, client_call(kGoneClient, prompt.rpc_id, prompt.method, {}));
}

void MessageRouter::output_lost() {
  if (turn_) turn_->output_lost = true;
}

void MessageRouter::doubt_end_of_turn() {
  turn_->doubtful_until = moment_.steady + kSilent;
  doubt_error_ = make_error(ErrorType::kDockerNotAvailable,
                            "the agent does not answer the cancellation: the end of its turn is "
                            "among the output that was lost")
                     .because("the Engine cut the agent's output off, or its log was rotated")
                     .suggest("go on with another prompt")
                     .retryable();
}

// A cancelled turn is doubted on, until the agent is silent: what it says may be its answer to a
// cancellation for which it had no turn.
void MessageRouter::settle_doubt(const Frame& from_agent) {
  if (!turn_ || !turn_->doubtful_until) return;
  if (!shows_turn(from_agent, session_ids_.agent(), turn_->relay_id)) return;
  if (turn_->cancelled) {
    turn_->doubtful_until = moment_.steady + kSilent;
  } else {
    turn_->doubtful_until.reset();
  }
}

void MessageRouter::give_up_doubtful_turn(Effects& effects) {
  const auto call = client_calls_.take(turn_->relay_id);
  if (call) refuse(call->client, call->id, doubt_error_, effects, {turn_->relay_id});
  interrupt_agent(effects);
  fail_turn(doubt_error_, true, effects);
}

std::optional<std::chrono::steady_clock::time_point> MessageRouter::next_deadline() const {
  auto next = agent_calls_.next_deadline();
  if (turn_ && turn_->doubtful_until && (!next || *turn_->doubtful_until < *next)) {
    next = turn_->doubtful_until;
  }
  return next;
}

void MessageRouter::restore_question(const MessageRecord& request, Effects& effects) {
  const auto frame = stored_frame(request);
  if (!frame) return;
  AgentCall call;
  call.agent_id = request.peer_id;
  call.kind = acp::reverse_kind(request.method);
  call.to_client = request.body;
  call.sequence = request.sequence;
  call.place = request.sequence;
  call.since = moment_.steady - std::max(moment_.wall - request.time, WallTime::duration::zero());
  call.turn = turn_ ? turn_->relay_id : 0;
  call.of_request = acp::is_of_request(call.kind, frame->envelope().request_id.present());
  agent_calls_.add(request.call, std::move(call));
  settle_without_clients(request.call, effects);
}

}  // namespace relay
