#include "session/session.hpp"

#include "protocol/acp.hpp"
#include "protocol/json_scan.hpp"
#include "protocol/json_text.hpp"
#include "protocol/rpc.hpp"
#include "session/agent_event.hpp"
#include "session/agent_failure.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>

#include <algorithm>
#include <iterator>
#include <utility>

namespace relay {
namespace {

metrics::SkipReason skip_reason(FrameError::Kind kind) {
  switch (kind) {
    case FrameError::Kind::kNotJson:
      return metrics::SkipReason::kNotJson;
    case FrameError::Kind::kDuplicateKey:
      return metrics::SkipReason::kDuplicateKeys;
    default:
      return metrics::SkipReason::kInvalid;
  }
}

Error reads_nothing(std::size_t waiting, std::size_t limit) {
  return make_error(ErrorType::kAgentProtocolError, "the agent does not read its input")
      .because("it asks on and on and takes no answer")
      .suggest("send another prompt: it starts another agent where sessions can be loaded")
      .suggest("raise agent.max_inbox_bytes if it is only slow")
      .with("waiting_bytes", static_cast<std::int64_t>(waiting))
      .with("limit", static_cast<std::int64_t>(limit));
}

}  // namespace

bool log_is_behind(const SessionContext& context) {
  if (context.options.durable_first && !context.log.status().writable) return true;
  return context.log.backlog() > context.options.max_log_pending_bytes;
}

Task<bool> log_room(const SessionContext& context, std::function<bool()> is_in_vain) {
  while (log_is_behind(context) && !(is_in_vain && is_in_vain())) {
    const bool slept = co_await sleep_for(kSessionLook);
    if (!slept) co_return false;
  }
  co_return true;
}

Task<void> until_durable(const SessionContext& context) {
  if (context.options.durable_first) co_await context.log.flush();
}

Session::Session(const SessionContext& context, storage::SessionRecord record)
    : context_(context),
      record_(std::move(record)),
      was_closed_(record_.closed_at.has_value()),
      log_(context.logger.with("session", record_.id.value())),
      scope_(context.executor,
             [this](const std::string& task, std::exception_ptr) { task_failed(task); }),
      network_(context.options.network),
      upstreams_(context.options.upstreams),
      connect_(context.options.connect),
      undelivered_ready_(context.executor),
      inbox_ready_(context.executor),
      deadline_(context.executor),
      start_aborted_(context.executor),
      closed_(context.executor) {}

// The agent is not to blame, and ends as one that has ended by itself.
void Session::task_failed(const std::string& task) {
  log_.error("a task of the session failed", {{"task", task}});
  Error failure = make_error(ErrorType::kInternalError, "a task of the session failed: " + task)
                      .suggest("read the relay's log and report it");
  if (state_ == SessionState::kStarting) return close(std::move(failure), "internal_error");
  if (state_ != SessionState::kReady || agent_failure_) return;
  agent_failure_ = std::move(failure);
  scope_.spawn("end agent", [this] { return end_failed_agent(); });
}

Task<void> Session::run() {
  const auto self = shared_from_this();
  scope_.spawn("write to agent", [this] { return write_to_agent(); });
  if (context_.options.durable_first) {
    scope_.spawn("deliver", [this] { return deliver_durable(); });
  }
  while (true) {
    // One that is closed is read to its end, whatever the log does.
    while (state_ == SessionState::kReady && log_is_behind(context_)) {
      const bool slept = co_await sleep_for(kSessionLook);
      if (!slept) break;
    }
    auto output = co_await agent_->receive();
    if (!output) break;
    wake_together([&] { take_output(std::move(*output)); });
  }
  agent_ended_ = true;
  if (left_) {
    co_await end_left();
    co_return;
  }
  const AgentExit exit = co_await agent_->stop(context_.options.stop_grace);
  co_await finish(exit);
  scope_.cancel();
  co_await scope_.join();
  agent_.reset();
  // What an agent leaves when it ends by itself stays, unless its session has been given up, be it
  // while this was told: then its cause says so too.
  context_.log.session_closed(record_.id, record_.cause, *record_.closed_at);
  if (given_up_) co_await context_.backend.release(record_.id);
  closed_.happen();
}

void Session::take_output(AgentOutput output) {
  context_.metrics.agent_lines_skipped[metrics::SkipReason::kOversized] += output.oversized_lines;
  if (output.oversized_lines > 0) {
    turn_log().warn("agent printed lines over server.max_message_bytes, skipped",
                    {{"lines", output.oversized_lines}});
  }
  Effects& effects = fresh_effects();
  for (std::string& line : output.lines) from_agent(std::move(line), effects);
  if (output.is_incomplete) router_->output_lost();
  for (const Error& notice : output.notices) {
    announce(acp::kAgentNotice, notice, {}, effects);
    const auto event = killed_for_memory(record_, notice);
    if (event) context_.metrics.recent.note(*event);
  }
  const bool is_timed =
      !effects.to_clients.empty() && context_.metrics.is_sampled(metrics::Route::kAgentToClient);
  if (is_timed && !timed_output_) timed_output_ = read_at_;
  perform(effects, output.position);
  if (!context_.options.durable_first) time_deliveries();
}

void Session::from_agent(std::string line, Effects& effects) {
  const std::size_t size = line.size();
  FrameLimits limits = context_.options.frame;
  limits.watched_id = router_->watched_id();
  limits.writer = Writer::kAgent;
  auto frame = Frame::parse(std::move(line), limits);
  if (!frame) {
    ++context_.metrics.agent_lines_skipped[skip_reason(frame.error().kind)];
    log_.debug("agent printed a line that is no message", {{"reason", frame.error().explanation}});
    const FrameError& error = frame.error();
    if (error.excerpt.find('{') == std::string::npos || !router_->someone_waits()) return;
    Error told = make_error(ErrorType::kAgentProtocolError,
                            "the agent printed a line that looks like a message and is none: " +
                                error.explanation)
                     .suggest("cancel the turn if nothing more comes")
                     .retryable();
    // What is a message to some readers is shown to none.
    if (error.kind == FrameError::Kind::kNotJson) {
      told.possible_causes.push_back("its beginning: " + json_string(error.excerpt));
    }
    effects.misunderstood.push_back(std::move(told));
  } else {
    context_.metrics.count_message(metrics::Direction::kAgentToRelay, size);
    router_->from_agent(std::move(*frame), effects);
  }
  if (!effects.misunderstood.empty()) tell_misunderstood(effects);
}

// What nobody understood may be what somebody waits for: it is logged, and told to all who watch,
// so often that a person notices and no more.
void Session::tell_misunderstood(Effects& effects) {
  constexpr std::size_t kMost = 20;
  for (const Error& error : std::exchange(effects.misunderstood, {})) {
    if (++misunderstood_ > kMost) return;
    const Error told = context_.redactor->redacted(error);
    turn_log().warn("agent was not understood while a client waits for it",
                    {{"reason", told.explanation}, {"last_told", misunderstood_ == kMost}});
    announce(acp::kAgentNotice, told, {}, effects);
  }
}

// Log, then deliver.
void Session::perform(Effects& effects, const OutputPosition& output) {
  if (!effects.records.empty()) {
    // First: what is learned from them says how many messages the log has.
    context_.log.record(record_.id, effects.records, {output, 0, 0});
    learn(effects);
  }
  if (agent_failure_) effects.to_agent.clear();  // it reads nothing any more
  for (SharedBytes& message : effects.to_agent) {
    context_.metrics.count_message(metrics::Direction::kRelayToAgent, message.size());
    inbox_bytes_ += message.size();
    inbox_.push_back(std::move(message));
  }
  if (inbox_bytes_ > kMostWaiting * context_.options.max_inbox_bytes && !agent_failure_) {
    agent_failure_ = reads_nothing(inbox_bytes_, context_.options.max_inbox_bytes);
    scope_.spawn("end agent", [this] { return end_failed_agent(); });
  }
  if (!effects.to_agent.empty()) {
    inbox_end_.advance({{}, last_sequence(), effects.prompt});
    inbox_ready_.notify();
  }
  if (context_.options.durable_first) {
    undelivered_.insert(undelivered_.end(), std::make_move_iterator(effects.to_clients.begin()),
                        std::make_move_iterator(effects.to_clients.end()));
    if (told_ < last_sequence() || !undelivered_.empty()) undelivered_ready_.notify();
  } else {
    for (const ToClients& message : effects.to_clients) deliver(message);
  }
  log_turns(effects);
  if (!effects.turns_ended.empty()) save_progress();
  for (const TurnEnd& end : effects.turns_ended) {
    ++context_.metrics.turns[metrics::stop_reason(end.stop_reason)];
    context_.metrics.turn.observe(end.took);
    context_.metrics.recent_turns.record(!end.failed, std::chrono::steady_clock::now());
  }
  context_.metrics.agent_lines_skipped[metrics::SkipReason::kUnknownId] +=
      effects.skipped.unknown_id;
  for (const Error& error : effects.refused) {
    context_.metrics.count_error(error, record_.id.value());
  }
  if (someone_overflowed_) drop_overflowed();
  arm_deadline();
  update_idle();
}

Task<void> Session::deliver_durable() {
  while (true) {
    while (undelivered_.empty() && told_ == last_sequence()) {
      const bool woken = co_await undelivered_ready_.wait();
      if (!woken) co_return;
    }
    co_await deliver_waiting();
  }
}

Task<void> Session::deliver_waiting() {
  const std::size_t asked = undelivered_.size();
  const storage::Sequence recorded = last_sequence();
  co_await context_.log.flush();
  told_ = recorded;
  const auto begin = undelivered_.begin();
  const auto end = begin + static_cast<std::ptrdiff_t>(std::min(asked, undelivered_.size()));
  const std::vector<ToClients> batch(std::make_move_iterator(begin), std::make_move_iterator(end));
  undelivered_.erase(begin, end);
  for (const ToClients& message : batch) deliver(message);
  time_deliveries();
  if (someone_overflowed_) drop_overflowed();
}

// Each client's outbox tells when it has handed them on.
void Session::time_deliveries() {
  if (!timed_output_) return;
  auto& histogram = context_.metrics.relay_time[metrics::Route::kAgentToClient];
  for (const Watcher& one : watchers_) one.outbox->time_from(*timed_output_, histogram);
  timed_output_.reset();
}

void Session::save_settings() {
  progress_unsaved_ = false;
  record_.agent_settings = agent_state_.result();
  record_.last_sequence = last_sequence();
  context_.log.session_changed(record_);
}

// It changes so often that it is written once a turn.
void Session::save_progress() {
  if (progress_unsaved_) save_settings();
}

// What lists of sessions and clients that come later are told. Written once, however much an agent
// says at a time: all of its settings are, and they may be many.
void Session::learn(const Effects& effects) {
  bool is_news = false;
  for (const SharedBytes& update : effects.states) is_news |= learn_from_update(update.view());
  if (record_.title.empty()) is_news |= learn_from_prompts(effects.records);
  if (is_news) save_settings();
}

// True: it is to be written now.
bool Session::learn_from_update(std::string_view update) {
  switch (agent_state_.observe(update)) {
    case AgentState::Learned::kNothing:
      return false;
    case AgentState::Learned::kProgress:
      progress_unsaved_ = true;
      return false;
    case AgentState::Learned::kSettings:
      return true;
    case AgentState::Learned::kTitle:
      // Before it is cut to its length: half a secret is not known as one.
      if (const auto clean = context_.redactor->redact(update)) agent_state_.observe(*clean);
      return set_title(agent_state_.title());
  }
  return false;
}

bool Session::learn_from_prompts(std::span<const storage::MessageRecord> records) {
  const auto prompt = std::ranges::find(records, acp::kPrompt, &storage::MessageRecord::method);
  if (prompt == records.end()) return false;
  const std::string body = context_.redactor->redacted(prompt->body.view());
  const auto params = object_member(body, "params");
  auto blocks = params ? object_member(*params, "prompt") : std::nullopt;
  if (params && !blocks) blocks = object_member(*params, "content");
  return blocks && set_title(title_of_prompt(*blocks));
}

bool Session::set_title(std::string title) {
  if (title.empty() || title == record_.title) return false;
  record_.title = std::move(title);
  return true;
}

void Session::deliver(const ToClients& message) {
  for (Watcher& one : watchers_) {
    const storage::Sequence read = one.live ? one.replayed : one.cursor;
    const Receiver receiver{one.id, one.traits.own_turns_only, one.feed, one.live, read};
    switch (share_of(message.audience, message.delivery, receiver)) {
      case Share::kNothing:
        break;
      case Share::kMessage:
        deliver(one, message.delivery);
        break;
      case Share::kLater:
        hold(one, message.delivery);
        break;
      case Share::kOwnForm:
        leave_out(one, message.delivery.sequence);
        break;
    }
  }
}

void Session::hold(Watcher& one, const Delivery& delivery) {
  const bool ends_replay = delivery.kind == DeliveryKind::kAttachResponse;
  hold(one, delivery, ends_replay ? Attachment::kAfterReplay : delivery.sequence);
}

void Session::deliver(Watcher& one, const Delivery& delivery) {
  context_.metrics.count_message(metrics::Direction::kRelayToClient, delivery.bytes.size());
  if (!one.outbox->push(delivery)) someone_overflowed_ = true;
  if (one.warned || !one.outbox->is_filling()) return;
  one.warned = true;
  log_.warn("client falls behind: it will be closed when server.max_outbox_bytes are waiting",
            {{"client", one.id.value()}, {"waiting_bytes", one.outbox->queued_bytes()}});
}

void Session::drop_overflowed() {
  someone_overflowed_ = false;
  std::vector<ClientId> gone;
  for (const Watcher& one : watchers_) {
    if (one.outbox->end() == Outbox::End::kOpen) continue;
    gone.push_back(one.id);
    if (one.outbox->end() == Outbox::End::kOverflow) {
      log_.warn("client does not take its messages, closed",
                {{"client", one.id.value()},
                 {"sequence", last_sequence()},
                 {"resume_after", one.outbox->last_taken()}});
      answer_cut_off(one);
    }
  }
  for (const ClientId id : gone) detach(id);
}

Task<void> Session::write_to_agent() {
  std::vector<SharedBytes> batch;
  while (true) {
    while (inbox_.empty()) {
      const bool woken = co_await inbox_ready_.wait();
      if (!woken) co_return;
    }
    batch.clear();
    batch.swap(inbox_);
    const storage::Progress end = inbox_end_;
    const auto timed = std::exchange(timed_input_, std::nullopt);
    const auto sent = co_await agent_->send(batch);
    if (timed && sent) {
      context_.metrics.relay_time[metrics::Route::kClientToAgent].observe(
          std::chrono::steady_clock::now() - *timed);
    }
    for (const SharedBytes& message : batch) inbox_bytes_ -= message.size();
    batch.clear();  // the next ones may be long in coming
    if (!sent) {
      co_await end_deaf_agent(sent.error());
      co_return;
    }
    // Only an agent that can outlive the relay is gone on with.
    if (outlives_relay()) context_.log.record(record_.id, {}, end);
  }
}

// Tells the clients, and the log, what the relay itself knows.
void Session::announce(std::string_view method, const Error& error, std::string_view cause,
                       Effects& effects) {
  JsonObject params;
  params.text("sessionId", record_.id.value());
  if (!cause.empty()) params.text("cause", cause);
  params.raw("error", rpc::error_object(context_.redactor->redacted(error), rpc::Dialect::kRelay));
  router_->announce(method, params.take(), effects);
}

bool Session::tell_notice(const Error& notice) {
  if (state_ != SessionState::kReady) return false;
  Effects& effects = fresh_effects();
  announce(acp::kAgentNotice, notice, {}, effects);
  perform(effects);
  return true;
}

Task<std::optional<AgentUsage>> Session::agent_usage() {
  const auto self = shared_from_this();
  if (!agent_) co_return std::nullopt;
  co_return co_await agent_->usage();
}

Task<void> Session::wait_closed() {
  const auto self = shared_from_this();
  co_await closed_.wait();
}

}  // namespace relay
