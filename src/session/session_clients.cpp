// A session's clients: coming with a replay, sending, leaving.
#include "protocol/acp.hpp"
#include "protocol/json_scan.hpp"
#include "protocol/json_text.hpp"
#include "protocol/rpc.hpp"
#include "session/replay_view.hpp"
#include "session/session.hpp"
#include "session/trace_log.hpp"
#include "storage/gap.hpp"

#include <algorithm>
#include <iterator>
#include <set>

namespace relay {
namespace {

std::size_t held_size(const Delivery& delivery) { return kHeldBytes + delivery.bytes.size(); }

bool is_in(const std::vector<storage::Gap>& ranges, storage::Sequence sequence) {
  const auto behind = std::ranges::upper_bound(ranges, sequence, {}, &storage::Gap::from);
  return behind != ranges.begin() && std::prev(behind)->to >= sequence;
}

}  // namespace

Session::Watcher* Session::watcher(ClientId id) {
  const auto found = std::find_if(watchers_.begin(), watchers_.end(),
                                  [id](const Watcher& one) { return one.id == id; });
  return found != watchers_.end() ? &*found : nullptr;
}

Session::Watcher* Session::watcher(Replay replay) {
  Watcher* const one = watcher(replay.client);
  return one != nullptr && one->replays == replay.number ? one : nullptr;
}

Result<ClientId> Session::attach(Attachment attachment) {
  if (state_ == SessionState::kStarting) {
    return make_error(ErrorType::kInvalidRequest, "the session is still starting")
        .suggest("wait for the answer to session/new")
        .with("session_id", record_.id.value())
        .retryable();
  }
  if (left_) return close_error_;
  if (state_ != SessionState::kReady) {
    return make_error(ErrorType::kSessionClosed,
                      "the session is closed: " + close_error_.explanation)
        .suggest("read it with session/history, or make another with session/new")
        .with("session_id", record_.id.value())
        .with("cause", close_cause_);
  }
  Watcher* const before = attachment.in_place_of ? watcher(*attachment.in_place_of) : nullptr;
  if (before == nullptr && watchers_.size() >= context_.options.max_clients) {
    return make_error(ErrorType::kSessionLimitReached,
                      "the session has " + std::to_string(watchers_.size()) + " clients already")
        .suggest("let another client leave, or raise sessions.max_clients")
        .with("limit", static_cast<std::int64_t>(context_.options.max_clients))
        .retryable();
  }
  const ClientId id = before != nullptr ? before->id : ClientId(next_client_++);
  const bool replay = attachment.after.has_value();
  Watcher& one = before != nullptr ? *before : watchers_.emplace_back();
  const bool was_live = before != nullptr && before->live;
  const bool may_not_answer = before != nullptr && !attachment.traits.may_act;
  if (before == nullptr) one.held_bytes = ByteBudget(context_.options.router.max_pending_bytes);
  one.id = id;
  one.traits = attachment.traits;
  one.outbox = std::move(attachment.outbox);
  one.actor = std::move(attachment.actor);
  one.tells_leaving = !attachment.for_one_request && !attachment.aside;
  one.feed = attachment.feed;
  one.closes = attachment.closes;
  if (before == nullptr) one.asked = attachment.after.value_or(0);
  one.live = !replay;
  one.warned = false;
  one.not_for_it.clear();
  if (!was_live) one.replayed = last_sequence();
  ++one.replays;  // one that is under way ends
  router_->add_client(id, attachment.traits);
  if (was_live) {
    one.asked = last_sequence();
    router_->begin_anew(id, on_its_way_to(id));
  }
  if (before == nullptr && !attachment.aside) {
    const char* const as = attachment.for_one_request   ? "one_request"
                           : !attachment.traits.may_act ? "observer"
                                                        : "";
    audit(one.actor, "attached", as);
  }
  if (attachment.answer) {
    hold(one, *attachment.answer, attachment.answer_at);
    leave_out(one, attachment.answer_at);
  }
  release_held(
      one, replay ? std::min(*attachment.after, last_sequence()) + 1 : Attachment::kAfterReplay);
  if (!replay && attachment.tell_state) tell_state(one);
  if (replay) start_replay(one, *attachment.after);
  Effects& effects = fresh_effects();
  if (may_not_answer) {
    for (ToClients& message : undelivered_) {
      const bool is_asked = message.delivery.kind == DeliveryKind::kRequest;
      if (is_asked && message.audience.only == id) message.audience.only = kGoneClient;
    }
    router_->stop_asking(id, effects);
  }
  if (!replay) router_->show_pending(id, effects, one.asked, on_its_way_to(id));
  perform(effects);
  update_idle();
  return id;
}

bool Session::replay(ClientId client, std::shared_ptr<Outbox> outbox, storage::Sequence after,
                     const std::vector<Delivery>& answers) {
  Watcher* const one = watcher(client);
  if (one == nullptr) return false;
  one->outbox = std::move(outbox);
  one->live = false;
  one->warned = false;
  for (const Delivery& answer : answers) hold(*one, answer);
  one->asked = after;
  start_replay(*one, after);
  if (someone_overflowed_) drop_overflowed();
  return true;
}

// With durability strict what it was asked may wait for the disk.
MessageRouter::OnItsWay Session::on_its_way_to(ClientId client) const {
  return [this, client](const SharedBytes& request) {
    return std::ranges::any_of(undelivered_, [&](const ToClients& message) {
      return message.audience.only == client &&
             message.delivery.bytes.view().data() == request.view().data();
    });
  };
}

// Up to here clients have been told what they are told live.
storage::Sequence Session::told() const {
  return context_.options.durable_first ? told_ : last_sequence();
}

void Session::leave_out_untold(storage::HistoryPage& page) const {
  if (!context_.options.durable_first) return;
  const storage::Sequence end = told();
  std::erase_if(page.gaps, [end](const storage::Gap& one) { return one.from > end; });
  const auto left_out = std::erase_if(
      page.messages, [end](const storage::MessageRecord& one) { return one.sequence > end; });
  if (left_out > 0) page.complete = true;
}

storage::Sequence Session::leave_out_untold(storage::Sequence end) const {
  return context_.options.durable_first ? std::min(end, told()) : end;
}

void Session::start_replay(Watcher& one, storage::Sequence after) {
  one.replayed = 0;
  one.cursor = std::min(after, last_sequence());
  const Replay replay{one.id, ++one.replays};
  scope_.spawn("replay", [this, replay, after] { return catch_up(replay, after); });
}

// Not in the stream: they are there already, where they came.
void Session::tell_state(Watcher& one) {
  for (const std::string_view update : agent_state_.updates()) {
    const std::string params = R"({"sessionId":)" + json_string(record_.id.value()) +
                               R"(,"update":)" + std::string(update) + "}";
    deliver(one, {SharedBytes(rpc::notification(acp::kUpdate, params)), 0, DeliveryKind::kUpdate});
  }
}

void Session::collect_outboxes(std::set<const Outbox*>& into) const {
  for (const Watcher& one : watchers_) into.insert(one.outbox.get());
}

void Session::detach(ClientId client) {
  const auto found = std::find_if(watchers_.begin(), watchers_.end(),
                                  [client](const Watcher& one) { return one.id == client; });
  if (found == watchers_.end()) return;
  if (found->tells_leaving && state_ == SessionState::kReady) {
    const bool fell_behind = found->outbox->end() == Outbox::End::kOverflow;
    audit(found->actor, "left", fell_behind ? "slow_client" : "");
  }
  watchers_.erase(found);
  advance_clock();
  Effects effects;
  router_->remove_client(client, effects);
  perform(effects);
}

// Where the connection of one that fell behind goes on, its requests are not left open: answers go
// another way (Outbox::when_answers_drop). Those that the disk does not have yet can't be told.
void Session::answer_cut_off(const Watcher& one) const {
  for (const auto& [place, answer] : one.held) one.outbox->push(answer);
  std::vector<std::string> open = router_->requests_of(one.id);
  for (const ToClients& message : undelivered_) {
    if (message.audience.only != one.id || !is_answer(message.delivery)) continue;
    open.emplace_back(object_member(message.delivery.bytes.view(), "id").value_or("null"));
  }
  const Error error = answer_comes_no_more();
  for (const std::string& id : open) {
    const SharedBytes text(rpc::error(id, error, one.traits.dialect));
    one.outbox->push({text, 0, DeliveryKind::kResponse});
  }
}

// Reads the log page by page until it has seen the last message that others have been told; from
// then on the client is live. Nothing can come between: reading sees all that was recorded before,
// and the last step does not wait.
Task<void> Session::catch_up(Replay replay, storage::Sequence after) {
  co_await asio::post(context_.executor,
                      asio::use_awaitable);  // who attached answers its caller first
  storage::Sequence cursor = after;
  if (cursor > last_sequence()) {
    Watcher* const one = watcher(replay);
    if (one != nullptr) {
      const storage::Gap gap{last_sequence() + 1, cursor};
      deliver(*one, {gap_notice(record_.id, gap), 0, DeliveryKind::kNotification});
    }
    cursor = last_sequence();
  }
  if (Watcher* const one = watcher(replay); one != nullptr && cursor == 0 && !one->feed) {
    for (const Delivery& delivery : opening_) {
      release_held(*one, delivery.sequence);
      deliver(*one, delivery);
    }
    cursor = opening_end_;
    one->cursor = cursor;
  }
  int failures = 0;
  while (cursor < told()) {
    const Watcher* const waiting = watcher(replay);
    if (waiting == nullptr) co_return;
    const auto outbox = waiting->outbox;
    Outbox::Room given = co_await outbox->room();
    std::optional<Outbox::Room> room(std::move(given));
    auto page = co_await context_.log.history(record_.id, cursor, kLogPageMessages, kLogPageBytes);
    if (!page && ++failures <= kMostLogFailures) {
      room.reset();
      const bool slept = co_await sleep_for(kBetweenLogFailures);
      if (!slept) co_return;
      continue;
    }
    if (!page) {
      log_.error("history can't be read", {{"error", page.error().explanation}});
      const storage::Gap gap{cursor + 1, told()};
      Watcher* const one = watcher(replay);
      if (one != nullptr) {
        deliver(*one, {gap_notice(record_.id, gap), gap.to, DeliveryKind::kNotification});
      }
      cursor = gap.to;
      break;
    }
    failures = 0;
    leave_out_untold(*page);
    if (!replay_page(replay, *page, cursor)) co_return;
  }
  Watcher* const one = watcher(replay);
  if (one == nullptr) co_return;
  release_held(*one, Attachment::kAfterReplay);
  one->live = true;
  one->replayed = std::max(cursor, told());
  one->not_for_it.clear();
  Effects& effects = fresh_effects();
  router_->show_pending(replay.client, effects, one->asked, on_its_way_to(one->id));
  perform(effects);
}

// A client that replays so slowly that its answers fill a bound is too slow.
void Session::hold(Watcher& one, const Delivery& delivery, storage::Sequence place) {
  if (one.held_bytes.take(held_size(delivery))) {
    one.held.emplace(place, delivery);
  } else {
    one.outbox->overflow();
    one.outbox->push(delivery);  // it may come another way
    someone_overflowed_ = true;
  }
}

// What has its place before this one; at the end of the replay everything.
void Session::release_held(Watcher& one, storage::Sequence before) {
  const bool all = before == Attachment::kAfterReplay;
  while (!one.held.empty() && (all || one.held.begin()->first < before)) {
    const auto next = one.held.extract(one.held.begin());
    one.held_bytes.give(held_size(next.mapped()));
    deliver(one, next.mapped());
  }
}

// The log had it, too: it shows a feed all answers.
void Session::drop_held(Watcher& one, storage::Sequence place) {
  for (auto found = one.held.find(place); found != one.held.end(); found = one.held.find(place)) {
    one.held_bytes.give(held_size(found->second));
    one.held.erase(found);
  }
}

// It has it in another form than the log.
void Session::leave_out(Watcher& one, storage::Sequence sequence) {
  if (sequence != Attachment::kAfterReplay) storage::add_gap(one.not_for_it, {sequence, sequence});
}

// False: the client has gone. Moves the cursor past everything that the page speaks of.
bool Session::replay_page(Replay replay, const storage::HistoryPage& page,
                          storage::Sequence& cursor) {
  Watcher* const one = watcher(replay);
  if (one == nullptr) return false;
  const storage::Sequence before = cursor;
  const auto tell_gap = [&](const storage::Gap& gap) {
    deliver(*one, {gap_notice(record_.id, gap), gap.to, DeliveryKind::kNotification});
    cursor = gap.to;
  };
  const auto show = [&](const storage::MessageRecord& message) {
    release_held(*one, message.sequence);
    cursor = message.sequence;
    if (is_in(one->not_for_it, message.sequence) || !is_replayed(message, one->feed)) return;
    deliver(*one, {message.body, message.sequence, delivery_kind(message)});
    drop_held(*one, message.sequence);
  };
  storage::in_order(page, tell_gap, show);
  if (cursor == before) cursor = last_sequence();  // a log that keeps nothing
  one->cursor = cursor;
  if (!someone_overflowed_) return true;
  drop_overflowed();
  return watcher(replay) != nullptr;
}

void Session::submit(ClientId client, Frame frame) {
  if (state_ == SessionState::kClosed || !router_) return;
  context_.metrics.count_message(metrics::Direction::kClientToRelay, frame.bytes().size());
  if (inbox_bytes_ > context_.options.max_inbox_bytes && agent_is_stuck(client, frame)) return;
  Effects& effects = fresh_effects();
  const auto setting = audit_words_of_request(frame);
  const auto trace = trace_of(frame);
  router_->from_client(client, std::move(frame), effects);
  const bool is_timed =
      !effects.to_agent.empty() && context_.metrics.is_sampled(metrics::Route::kClientToAgent);
  if (is_timed && !timed_input_) timed_input_ = read_at_;
  if (const Watcher* const one = watcher(client)) {
    if (setting && !effects.to_agent.empty()) audit(one->actor, setting->action, setting->detail);
    audit_answers(one->actor, effects);
  }
  log_refusals(trace, effects);
  perform(effects);
}

void Session::audit(const storage::Actor& actor, std::string_view action,
                    std::string detail) const {
  context_.log.audit({0, wall_now(), record_.id, std::string(action), std::move(detail), actor});
}

void Session::audit_answers(const storage::Actor& actor, Effects& effects) const {
  for (AnsweredCall& answered : effects.answered) {
    audit(actor, answered.words.action, std::move(answered.words.detail));
  }
  effects.answered.clear();
}

bool Session::has_client(ClientId client) const {
  return std::ranges::any_of(watchers_, [client](const Watcher& one) { return one.id == client; });
}

bool Session::has_request(ClientId client, std::string_view id) const {
  return router_ && router_->has_request(client, id);
}

// The agent does not read its input. Answers and cancellations still go in, so that it can get
// free; beyond twice the bound nothing does.
bool Session::agent_is_stuck(ClientId client, const Frame& frame) {
  const bool eases = frame.is_response() || frame.method() == acp::kCancel ||
                     frame.method() == acp::kCancelRequest;
  if (eases && inbox_bytes_ <= kMostWaiting * context_.options.max_inbox_bytes) return false;
  if (frame.kind() != FrameKind::kRequest) {
    traced(log_, trace_of(frame))
        .warn("the agent does not read its input; a message for it was dropped",
              {{"method", frame.method()}, {"waiting_bytes", inbox_bytes_}});
    return true;
  }
  Watcher* const one = watcher(client);
  if (one == nullptr) return true;
  const Error error =
      make_error(ErrorType::kInternalError, "the agent does not read its input")
          .because("it is stuck, or slower than its clients")
          .suggest("wait, or end the turn with session/cancel, or the session with session/close")
          .suggest("raise agent.max_inbox_bytes")
          .with("waiting_bytes", static_cast<std::int64_t>(inbox_bytes_))
          .with("limit", static_cast<std::int64_t>(context_.options.max_inbox_bytes))
          .retryable();
  context_.metrics.count_error(error, record_.id.value());
  deliver(*one, {SharedBytes(rpc::error(frame.id(), error, one->traits.dialect)), 0,
                 DeliveryKind::kResponse});
  return true;
}

Result<void> Session::answer(std::int64_t request, std::string_view member, std::string_view json,
                             const storage::Actor& actor, std::size_t message_bytes) {
  context_.metrics.count_message(metrics::Direction::kClientToRelay, message_bytes);
  if (state_ == SessionState::kClosed || !router_ || !router_->is_pending(request)) {
    return make_error(ErrorType::kInvalidParams,
                      "no request " + std::to_string(request) + " waits for an answer")
        .because("it was answered already, cancelled, or never asked")
        .with("session_id", record_.id.value());
  }
  if (member == "result" && !router_->accepts(request, member, json)) {
    return make_error(ErrorType::kInvalidParams, "the result is no answer to a permission request")
        .suggest(R"(send {"outcome":{"outcome":"selected","optionId":"<one of the options>"}})"
                 R"( or {"outcome":{"outcome":"cancelled"}})")
        .retryable();
  }
  Effects& effects = fresh_effects();
  router_->answer(request, member, json, effects);
  audit_answers(actor, effects);
  perform(effects);
  return Result<void>();
}

bool Session::was_asked(std::int64_t request, ClientId client) const {
  return router_ && router_->was_asked(request, client);
}

void Session::cancel(std::string_view id, std::size_t message_bytes) {
  context_.metrics.count_message(metrics::Direction::kClientToRelay, message_bytes);
  if (state_ == SessionState::kClosed || !router_) return;
  Effects& effects = fresh_effects();
  router_->cancel_for(id, effects);
  perform(effects);
}

}  // namespace relay
