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

void AcpConnection::start_call(Frame frame) {
  if (frame.method() == "initialize") return refuse(frame, initialized_already());
  std::string id(frame.id());
  start(std::move(id), std::move(frame), {},
        [this](std::shared_ptr<Frame> kept) { return call(std::move(kept)); });
}

Task<void> AcpConnection::call(std::shared_ptr<Frame> frame) {
  const std::string_view method = frame->method();
  if (method == "session/new") {
    co_await open_session(*frame);
  } else if (method == "session/fork") {
    co_await fork_session(*frame);
  } else if (method == "session/load" || method == "session/resume") {
    co_await return_to_session(*frame);
  } else {
    const auto result = co_await perform(*frame);
    const bool of_session = method == "session/close" || method == "session/delete";
    answer(*frame, result, of_session ? frame->session_id() : std::string_view());
  }
}

Task<Result<std::string>> AcpConnection::perform(const Frame& frame) {
  const std::string_view method = frame.method();
  std::string params(frame.params());
  if (method == "session/list") co_return co_await list(std::move(params));
  if (method == "session/close") co_return co_await close(std::move(params));
  if (method == "session/delete") co_return co_await erase(std::move(params));
  co_return co_await log_in(std::move(params));
}

Task<Result<std::string>> AcpConnection::list(std::string params) {
  auto query = read_acp_list(params);
  if (!query) co_return query.error();
  query->agent = agent_;
  const auto page = co_await api_.page(principal_, std::move(*query));
  if (!page) co_return page.error();
  co_return acp_session_list(*page);
}

Task<Result<std::string>> AcpConnection::close(std::string params) {
  auto closed = co_await api_.close(principal_, std::move(params));
  forget_closed();
  co_return closed;
}

Task<Result<std::string>> AcpConnection::erase(std::string params) {
  auto erased = co_await api_.erase(principal_, std::move(params));
  forget_closed();
  co_return erased;
}

// There is no session yet whose agent could be asked, so one is started for the question. Agents of
// later sessions are logged in the same way.
Task<Result<std::string>> AcpConnection::log_in(std::string params) {
  if (is_observer()) co_return forbidden_for_observers("authenticate");
  Greeting attempt = greeting();
  attempt.authenticate = params.empty() ? "{}" : params;
  const auto accepted = co_await api_.sessions().try_login(agent_, attempt);
  if (!accepted) co_return accepted.error();
  login_ = attempt.authenticate;
  co_return std::string("{}");
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
// the request is about.
void AcpConnection::present(const std::shared_ptr<Session>& session, const Frame& frame,
                            std::string_view asked) {
  if (has_ended_) return RelayApi::undo(*session);
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
