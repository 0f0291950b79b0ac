#include "app/request_trail.hpp"

#include "egress/counts.hpp"

#include <utility>

namespace relay::app {
namespace {

void add(RequestSums& sums, const RequestSums& more) {
  sums.count += more.count;
  sums.sent_bytes += more.sent_bytes;
  sums.received_bytes += more.received_bytes;
  sums.tokens = egress::counted(sums.tokens, more.tokens);
  sums.duration += more.duration;
}

RequestRow row_of(const AuditedRequest& request) {
  const RequestSums& sums = request.sums;
  RequestRow row;
  row.action = request.denied ? "denied_upstream" : "used_upstream";
  row.detail = request.begin;
  if (sums.count > 1) row.detail += " count=" + std::to_string(sums.count);
  row.detail += " sent=" + std::to_string(sums.sent_bytes) +
                " received=" + std::to_string(sums.received_bytes) +
                " tokens=" + std::to_string(sums.tokens) +
                " ms=" + std::to_string(sums.duration.count());
  if (!request.path.empty()) row.detail += ' ' + request.path;
  return row;
}

}  // namespace

std::optional<RequestRow> RequestTrail::take(const AuditedRequest& request, Clock::time_point now) {
  if (!end_) end_ = now + kWindow;
  const std::string name = request.begin + ' ' + request.path;
  const auto known = kinds_.find(name);
  if (known != kinds_.end()) {
    add(known->second.sums, request.sums);
    return std::nullopt;
  }
  const bool has_row = own_rows_ < kOwnRows;
  // Of what has a row of its own anyway only denials are looked for again.
  if (!has_row || request.denied) {
    if (kinds_.size() == kMostKinds) {
      add(others_, request.sums);
      return std::nullopt;
    }
    AuditedRequest& kind = kinds_[name] = request;
    if (has_row) kind.sums = {};
  }
  if (!has_row) return std::nullopt;
  ++own_rows_;
  return row_of(request);
}

std::vector<RequestRow> RequestTrail::due(Clock::time_point now) {
  return end_ && now >= *end_ ? finish() : std::vector<RequestRow>();
}

std::vector<RequestRow> RequestTrail::finish() {
  std::vector<RequestRow> rows;
  for (const auto& [name, kind] : kinds_) {
    if (kind.sums.count > 0) rows.push_back(row_of(kind));
  }
  if (others_.count > 0) rows.push_back(row_of({false, "others", "", others_}));
  *this = {};
  return rows;
}

}  // namespace relay::app
