// Which rows of the audit trail an agent's requests become. Pure.
//
// An agent may make thousands a second, and the trail is for people, and of a bounded number of
// rows. So in each window the first kOwnRows requests of a session have a row of their own, at
// once; of denials of one kind (upstream, method, path, status and code) only the first. The others
// are one row for each kind, at the window's end, with their number and sums; those of more than
// kMostKinds kinds are one row together.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace relay::app {

struct RequestSums {
  std::uint64_t count = 0;
  std::uint64_t sent_bytes = 0;
  std::uint64_t received_bytes = 0;
  std::uint64_t tokens = 0;
  std::chrono::milliseconds duration{0};
};

struct AuditedRequest {
  bool denied = false;
  std::string begin;  // "own POST 200"
  std::string path;
  RequestSums sums;  // of one
};

struct RequestRow {
  std::string action;
  std::string detail;  // "own POST 200 sent=5 received=64 tokens=3 ms=12 /v1/messages"
};

class RequestTrail {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::minutes kWindow{10};
  static constexpr std::size_t kOwnRows = 30;
  static constexpr std::size_t kMostKinds = 30;

  // The row of this one, if it has one. Not before due() was asked about `now`.
  std::optional<RequestRow> take(const AuditedRequest& request, Clock::time_point now);
  // The rows that end the window, when it is over.
  std::vector<RequestRow> due(Clock::time_point now);
  // Ends it.
  std::vector<RequestRow> finish();

  // Nothing is kept.
  bool is_idle() const { return !end_; }

 private:
  std::optional<Clock::time_point> end_;  // of the window
  std::size_t own_rows_ = 0;
  std::map<std::string, AuditedRequest> kinds_;  // with the sums of those that have no row
  RequestSums others_;
};

}  // namespace relay::app
