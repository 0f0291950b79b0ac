// AcpConnection: what the relay answers itself.
#include "frontend/acp/acp_connection.hpp"
#include "frontend/acp/acp_errors.hpp"
#include "protocol/json_scan.hpp"
#include "protocol/rpc.hpp"
#include "protocol/secrets.hpp"

namespace relay::frontend {
namespace {

SharedBytes stored(const Frame& frame) {
  return SharedBytes(without_request_secrets(frame.method(), frame.bytes()));
}

// Ready JSON texts as an array.
std::string json_list(const std::vector<std::string>& texts) {
  std::string list = "[";
  for (const std::string& text : texts) list.append(list.size() > 1 ? "," : "").append(text);
  return list + ']';
}

}  // namespace

AcpConnection::Call AcpConnection::call_of(std::string_view method) {
  using Self = AcpConnection;
  static constexpr std::pair<std::string_view, Call> kCalls[] = {
      {"session/new", &Self::open_session},
      {"session/fork", &Self::fork_session},
      {"session/load", &Self::return_to_session},
      {"session/resume", &Self::return_to_session},
      {"session/list", &Self::list},
      {"session/close", &Self::close},
      {"session/delete", &Self::erase},
  };
  for (const auto& [name, call] : kCalls) {
    if (name == method) return call;
  }
  return nullptr;
}

void AcpConnection::start_call(Call call, Frame frame) {
  std::string id(frame.id());
  start(std::move(id), std::move(frame), {},
        [this, call](std::shared_ptr<Frame> kept) { return (this->*call)(*kept); });
}

Task<void> AcpConnection::list(const Frame& frame) {
  auto query = read_acp_list(frame.params());
  if (!query) {
    refuse(frame, query.error());
    co_return;
  }
  query->agent = agent_;
  const auto page = co_await api_.page(principal_, std::move(*query));
  answer(frame, page ? Result<std::string>(acp_session_list(*page)) : page.error());
}

Task<void> AcpConnection::close(const Frame& frame) {
  const auto closed = co_await api_.close(principal_, std::string(frame.params()));
  forget_closed();
  answer(frame, closed, frame.session_id());
}

Task<void> AcpConnection::erase(const Frame& frame) {
  const auto erased = co_await api_.erase(principal_, std::string(frame.params()));
  forget_closed();
  answer(frame, erased, frame.session_id());
}

// There is no session yet whose agent could be asked, so one is started for the question. Agents of
// later sessions are logged in the same way.
Task<void> AcpConnection::log_in(const Frame& frame) {
  if (is_observer()) {
    refuse(frame, forbidden_for_observers("authenticate"));
    co_return;
  }
  Greeting attempt = greeting();
  attempt.authenticate = frame.params().empty() ? "{}" : frame.params();
  const auto accepted = co_await api_.sessions().try_login(agent_, attempt);
  if (accepted) login_ = attempt.authenticate;
  answer(frame, accepted ? Result<std::string>("{}") : accepted.error());
}

Task<void> AcpConnection::open_session(const Frame& frame) {
  if (is_observer()) {
    refuse(frame, forbidden_for_observers("session/new"));
    co_return;
  }
  auto wanted = read_acp_new(frame.params());
  if (!wanted) {
    refuse(frame, wanted.error());
    co_return;
  }
  wanted->owner = principal_.name;
  wanted->actor = actor_of(principal_);
  wanted->agent = agent_;
  wanted->greeting = greeting();
  wanted->request_id = frame.id();
  wanted->stored_request = stored(frame);
  const auto session = co_await api_.sessions().create(std::move(*wanted));
  if (!session) {
    refuse(frame, session.error());
    co_return;
  }
  present(*session, frame, {});
}

Task<void> AcpConnection::fork_session(const Frame& frame) {
  auto wanted = read_acp_fork(frame.params());
  if (!wanted) {
    refuse(frame, wanted.error(), frame.session_id());
    co_return;
  }
  wanted->session.greeting = greeting();
  wanted->session.agent = agent_;
  const auto session = co_await api_.fork(principal_, std::move(*wanted), frame);
  if (!session) {
    refuse(frame, session.error(), frame.session_id());
    co_return;
  }
  present(*session, frame, frame.session_id());
}

// What was made for the request, and all that it has said by itself. `asked` is the session that
// the request is about. A client that does not read learns of no session, though its connection has
// not ended yet.
void AcpConnection::present(const std::shared_ptr<Session>& session, const Frame& frame,
                            std::string_view asked) {
  const auto is_open = [this] {
    return !has_ended_ && streams_.of_connection()->end() == Outbox::End::kOpen;
  };
  if (!is_open()) return RelayApi::undo(*session);
  const std::string result = acp_session_result(*session);
  Attachment attachment;
  attachment.after = session->forked_at();
  if (streams_.are_one()) {  // in the agent's order: what it said before its answer comes first
    const SharedBytes text(response(frame.id(), result));
    attachment.answer = {text, session->opened_at(), DeliveryKind::kResponse};
    attachment.answer_at = session->opened_at();
  } else {
    answer(frame, result, asked);
  }
  const auto attached = attach(session, std::move(attachment), AttachedSessions::Chosen::kYes);
  if (!is_open()) return RelayApi::undo(*session);  // HTTP: the answer was too much
  if (!attached && streams_.are_one()) refuse(frame, attached.error());
}

// The live session, or the closed one with an agent that is started for it.
Task<Result<std::shared_ptr<Session>>> AcpConnection::revive(const AcpReturn& request,
                                                             const Frame& frame) {
  if (auto live = api_.find_live(principal_, request.session_id)) co_return live;
  auto record = co_await api_.find_record(principal_, request.session_id);
  if (!record) co_return record.error();
  if (is_observer()) co_return forbidden_for_observers(frame.method());
  NewSession wanted;
  wanted.actor = actor_of(principal_);
  wanted.working_directory =
      request.working_directory.empty() ? record->working_directory : request.working_directory;
  wanted.greeting = greeting();
  if (record->agent != agent_) wanted.greeting->authenticate.clear();  // the login of another agent
  wanted.session_params = without_member(frame.params(), "sessionId");
  wanted.method = frame.method();
  wanted.request_id = frame.id();
  wanted.stored_request = stored(frame);
  auto session = co_await api_.sessions().reopen(record->id, std::move(wanted));
  co_return session;
}

// session/load answers behind the replay, session/resume at once and then replays what its caller
// asks for.
Task<void> AcpConnection::return_to_session(const Frame& frame) {
  auto request = read_acp_return(frame.params());
  if (!request) {
    refuse(frame, request.error());
    co_return;
  }
  const bool loads = frame.method() == "session/load";
  const auto session = co_await revive(*request, frame);
  if (!session) {
    refuse(frame, session.error());
    co_return;
  }
  const auto result = co_await resume_result(*session, *request);
  if (!result) {
    refuse(frame, result.error());
    co_return;
  }
  const std::string text = response(frame.id(), *result);
  Attachment attachment;
  attachment.after = loads ? std::optional<storage::Sequence>(0) : request->after;
  // Who comes back finds the answers that it missed.
  attachment.feed = request->after.has_value();
  // Without a replay the answer says where in the stream the client begins.
  const storage::Sequence place = loads || request->after ? 0 : (*session)->last_sequence();
  attachment.answer = {SharedBytes(text), place, DeliveryKind::kAttachResponse};
  attachment.answer_at = loads ? Attachment::kAfterReplay : 0;
  attachment.tell_state = true;
  const auto attached = attach(*session, std::move(attachment), AttachedSessions::Chosen::kYes);
  if (attached) {
    streams_.answer_follows((*session)->id().value());
  } else {
    refuse(frame, attached.error());
  }
}

Task<Result<std::string>> AcpConnection::resume_result(std::shared_ptr<Session> session,
                                                       AcpReturn request) {
  std::string result = acp_session_result(*session);
  if (request.requests.empty()) co_return result;
  const auto seen =
      co_await api_.sessions().seen_requests(session, request.requests, request.after.value_or(0));
  if (!seen) co_return seen.error();
  co_return with_meta(result, R"("acp-relay/requests":)" + json_list(seen->known) +
                                  R"(,"acp-relay/lost":)" + json_list(seen->lost));
}

}  // namespace relay::frontend
