// What tests of living sessions share: a directory with real agents, a log in memory, and clients
// that read all they are sent. Included by tests only.
#pragma once

#include "backend/process/process_fixture.hpp"
#include "protocol/rpc.hpp"
#include "session/session_directory.hpp"
#include "storage/sqlite_log.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/detached.hpp>

#include <cerrno>
#include <list>
#include <sys/wait.h>

namespace relay {

class SessionFixture : public ProcessFixture {
 protected:
  struct Client {
    ClientId id;
    std::shared_ptr<Outbox> outbox;
    std::vector<Delivery> got;

    std::string text(std::size_t at) const { return std::string(got.at(at).bytes.view()); }
    // Where the first message with these words is; got.size() when there is none.
    std::size_t find(std::string_view words) const {
      std::size_t at = 0;
      while (at < got.size() && got[at].bytes.view().find(words) == std::string_view::npos) ++at;
      return at;
    }
    bool has(std::string_view words) const { return find(words) < got.size(); }
  };

  SessionFixture() {
    agent_.command = RELAY_BINARY_DIR "/acp-demo-agent";
    options_.stop_grace = 5000ms;
  }
  // Not in the destructor: backends of derived fixtures are gone by then.
  void TearDown() override {
    if (!sessions_) return;
    run_void(sessions_->close_all());
    for (const Client& client : clients_) client.outbox->close();
    io_.restart();
    io_.poll();
    sessions_.reset();
    EXPECT_FALSE(has_children());
  }

  // Before the first use of a session: with what was set in agent_, options_ and limits_.
  // Sessions get their agents from `other_backend_` where a test sets it.
  SessionDirectory& sessions() {
    if (sessions_) return *sessions_;
    storage::LogOptions log_options;
    log_options.path = log_path_;
    auto log = storage::MessageLog::open(io_.get_executor(), log_options, Logger::silent());
    if (!log) throw std::runtime_error(log.error().explanation);
    log_ = std::move(*log);
    backend_.emplace(io_.get_executor(), agent_, Logger::silent());
    AgentBackend& backend = other_backend_ != nullptr ? *other_backend_ : *backend_;
    SessionContext context{io_.get_executor(), backend,          *log_,   metrics_,
                           request_ids_,       Logger::silent(), options_};
    sessions_ = std::make_unique<SessionDirectory>(std::move(context), limits_, others_);
    return *sessions_;
  }

  static NewSession wanted() {
    NewSession request;
    request.stored_request =
        SharedBytes(R"({"jsonrpc":"2.0","id":1,"method":"session/new","params":{}})");
    request.request_id = "1";
    return request;
  }
  Result<std::shared_ptr<Session>> try_create() { return run(sessions().create(wanted())); }
  std::shared_ptr<Session> create() {
    auto made = try_create();
    if (!made) throw std::runtime_error(made.error().explanation);
    return *made;
  }

  storage::SqliteLog& log() { return dynamic_cast<storage::SqliteLog&>(*log_); }
  // Fills what is left of the database, so that it can't be written.
  void fill() {
    ASSERT_TRUE(run(log().set_page_limit(1)));
    const SessionId other("filler");
    storage::SessionRecord session;
    session.id = other;
    session.closed_at = wall_now();
    log_->session_created(std::move(session));
    storage::Sequence next = 1;
    run_until([&] {
      storage::MessageRecord message;
      message.sequence = next++;
      message.body = SharedBytes(std::string(10'000, 'x'));
      log_->record(other, std::move(message));
      const auto page = run(log_->history(other, next, 1, 1));
      EXPECT_TRUE(page);
      return !log_->status().writable;
    });
  }
  void make_room() {
    ASSERT_TRUE(run(log().set_page_limit(1'000'000)));
    run_void(log_->flush());
  }

  Client& attach(Session& session, std::optional<storage::Sequence> after = std::nullopt,
                 OutboxLimits limits = {}, bool feed = false) {
    Client& client = clients_.emplace_back();
    client.outbox = std::make_shared<Outbox>(io_.get_executor(), limits, metrics_.slow_clients);
    Attachment attachment;
    attachment.outbox = client.outbox;
    attachment.after = after;
    attachment.feed = feed;
    attachment.closes = feed;
    const auto id = session.attach(std::move(attachment));
    if (!id) throw std::runtime_error(id.error().explanation);
    client.id = *id;
    return client;
  }
  // Reads from now on.
  Client& reading(Client& client) {
    const auto outbox = client.outbox;
    const auto got = &client.got;
    asio::co_spawn(io_, read(outbox, got), asio::detached);
    return client;
  }

  void prompt(Session& session, const Client& client, const std::string& id,
              const std::string& words) {
    auto frame =
        Frame::parse(rpc::request(id, "session/prompt",
                                  R"({"prompt":[{"type":"text","text":")" + words + "\"}]}"),
                     {});
    if (!frame) throw std::runtime_error("the words are no JSON text");
    session.submit(client.id, std::move(*frame));
  }
  void wait_for(const Client& client, std::string_view words) {
    run_until([&] { return client.has(words); });
  }

  void run_void(Task<void> task) {
    bool ended = false;
    asio::co_spawn(io_, std::move(task), [&](std::exception_ptr) { ended = true; });
    run_until([&] { return ended; });
  }

  storage::HistoryPage history(const SessionId& id, storage::Sequence after = 0) {
    auto page = run(log_->history(id, after, 1'000'000, 1u << 30));
    EXPECT_TRUE(page);
    return page ? std::move(*page) : storage::HistoryPage{};
  }
  std::optional<storage::SessionRecord> record(const SessionId& id) {
    auto found = run(log_->find(id));
    EXPECT_TRUE(found);
    return found ? *found : std::nullopt;
  }

  // A process that was not ended, or was ended and not reaped.
  static bool has_children() {
    siginfo_t info{};
    return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD;
  }

  ProcessOptions agent_;
  SessionOptions options_;
  DirectoryOptions limits_;
  Metrics metrics_;
  RequestIds request_ids_;
  std::string log_path_ = ":memory:";
  std::unique_ptr<storage::MessageLog> log_;
  std::optional<ProcessBackend> backend_;
  AgentBackend* other_backend_ = nullptr;
  std::vector<AgentEntry> others_;  // beside the default agent
  std::unique_ptr<SessionDirectory> sessions_;
  std::list<Client> clients_;

 private:
  static Task<void> read(std::shared_ptr<Outbox> outbox, std::vector<Delivery>* got) {
    std::vector<Delivery> batch;
    while (true) {
      const bool open = co_await outbox->pop_all(batch);
      if (!open) co_return;
      got->insert(got->end(), batch.begin(), batch.end());
    }
  }
};

}  // namespace relay
