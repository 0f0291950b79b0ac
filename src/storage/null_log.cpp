#include "storage/message_log.hpp"

namespace relay::storage {
namespace {

class NullLog final : public MessageLog {
 public:
  void session_created(SessionRecord) override {}
  void session_changed(SessionRecord) override {}
  void session_closed(SessionId, std::string, WallTime) override {}
  void session_used(SessionId, std::string) override {}
  void session_reopened(SessionRecord) override {}
  void record(const SessionId&, std::span<MessageRecord>, const Progress&) override {}
  void audit(AuditRecord) override {}
  void gap(const SessionId&, Gap) override {}
  void change_limits(const LogLimits&) override {}

  Task<Result<HistoryPage>> history(SessionId, Sequence, std::size_t, std::size_t) override {
    co_return HistoryPage{};
  }
  Task<Result<std::optional<SessionRecord>>> find(SessionId) override {
    co_return std::optional<SessionRecord>();
  }
  Task<Result<SessionPage>> list(SessionQuery) override { co_return SessionPage{}; }
  Task<Result<AuditPage>> audit_trail(AuditQuery) override { co_return AuditPage{}; }
  Task<Result<std::vector<std::string>>> known_requests(SessionId,
                                                        std::vector<std::string>) override {
    co_return std::vector<std::string>();
  }
  Task<Result<OpenCalls>> open_calls(SessionId) override { co_return OpenCalls{}; }
  Task<Result<void>> erase(SessionId session) override {
    co_return make_error(ErrorType::kSessionNotFound, "there is no session " + session.value())
        .because("no log is kept: database.enabled is false");
  }
  Task<void> flush() override { co_return; }
  std::string instance_id() const override { return {}; }
  bool is_backup() const override { return false; }
  Task<Result<void>> take_over() override { co_return Result<void>(); }
  std::int64_t run() const override { return 1; }
  LogStatus status() const override { return {}; }
  std::size_t backlog() const override { return 0; }
};

}  // namespace

std::unique_ptr<MessageLog> make_null_log() { return std::make_unique<NullLog>(); }

}  // namespace relay::storage
