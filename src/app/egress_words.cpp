#include "app/egress_words.hpp"

#include "egress/counts.hpp"
#include "protocol/json_text.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace relay::app {
namespace {

using metrics::RequestOutcome;

constexpr std::size_t kMaxMethod = 16;
constexpr std::size_t kMaxExplanation = 400;
constexpr std::size_t kMaxRedacted = 4096;  // what is shown of it is far from its end

RequestOutcome outcome_of_refusal(egress::Refusal refusal) {
  switch (refusal) {
    case egress::Refusal::kBadRequest:
      return RequestOutcome::kBadRequest;
    case egress::Refusal::kNoToken:
      return RequestOutcome::kNoToken;
    case egress::Refusal::kUnknownUpstream:
      return RequestOutcome::kUnknownUpstream;
    case egress::Refusal::kNotAllowed:
      return RequestOutcome::kNotAllowed;
    case egress::Refusal::kOverBudget:
      return RequestOutcome::kOverBudget;
    case egress::Refusal::kNoCredential:
      return RequestOutcome::kNoCredential;
    case egress::Refusal::kUnreachable:
      return RequestOutcome::kUnreachable;
    case egress::Refusal::kTimedOut:
      return RequestOutcome::kTimedOut;
    case egress::Refusal::kBadAnswer:
      return RequestOutcome::kBadAnswer;
    case egress::Refusal::kTooManyConnections:
      return RequestOutcome::kTooManyConnections;
    case egress::Refusal::kAgentLeft:
      return RequestOutcome::kAgentLeft;
  }
  return RequestOutcome::kBadRequest;
}

RequestOutcome outcome_of_status(int status) {
  constexpr int kClass = 100;
  constexpr std::array kClasses{RequestOutcome::k1xx, RequestOutcome::k2xx, RequestOutcome::k3xx,
                                RequestOutcome::k4xx, RequestOutcome::k5xx};
  const int index = std::clamp(status / kClass, 1, static_cast<int>(kClasses.size())) - 1;
  return kClasses[static_cast<std::size_t>(index)];
}

bool is_plain(char character) { return character > ' ' && character < '\x7f'; }

// At most `limit` bytes, "..." at the end of what was longer; what is not printable ASCII is
// percent-encoded.
std::string printable(std::string_view text, std::size_t limit) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  constexpr std::string_view kMore = "...";
  std::string out;
  for (const char character : text) {
    if (is_plain(character)) {
      out += character;
    } else {
      const auto byte = static_cast<unsigned char>(character);
      out += {'%', kHex[byte >> 4], kHex[byte & 0xf]};
    }
    if (out.size() <= limit) continue;
    out.resize(limit - kMore.size());
    return out.append(kMore);
  }
  return out;
}

// "/v1/messages" of "/own/v1/messages?beta=true".
std::string path_at_upstream(const egress::Account& account, const RedactText& redact) {
  std::string_view path = std::string_view(account.target).substr(0, account.target.find('?'));
  const std::string prefix = "/" + account.upstream;
  if (!account.upstream.empty() && path.starts_with(prefix)) path.remove_prefix(prefix.size());
  return printable(redact(path.substr(0, kMaxRedacted)), kMaxAuditedPath);
}

std::uint64_t number_in(const boost::json::object& object, std::string_view key) {
  const boost::json::value* const value = object.if_contains(key);
  if (value == nullptr) return 0;
  boost::system::error_code failure;
  const auto number = value->to_number<std::uint64_t>(failure);
  return failure ? 0 : number;
}

std::int64_t number_of_log(std::uint64_t count) {
  return static_cast<std::int64_t>(std::min(count, egress::kHighestCount));
}

}  // namespace

bool is_denied(const egress::Account& account) {
  return account.denial && account.status != 0 &&
         account.denial->refusal != egress::Refusal::kAgentLeft;
}

RequestOutcome outcome_of(const egress::Account& account) {
  if (account.status == 0) return RequestOutcome::kAgentLeft;
  return account.denial ? outcome_of_refusal(account.denial->refusal)
                        : outcome_of_status(account.status);
}

Error denial_notice(const egress::Account& account) {
  const egress::Denial& denial = *account.denial;
  std::string why = denial.explanation.substr(0, kMaxExplanation);
  if (why.size() < denial.explanation.size()) why += "...";
  Error notice =
      make_error(ErrorType::kUpstreamDenied, "a request of the agent did not go through: " + why);
  if (denial.refusal == egress::Refusal::kUnreachable) notice = std::move(notice).retryable();
  if (!denial.remedy.empty()) notice.suggested_actions.push_back(denial.remedy);
  if (!denial.key.empty()) notice.suggested_actions.push_back("look at " + denial.key);
  notice.state.emplace_back("code", std::string(egress::name_of(denial.refusal)));
  if (!account.upstream.empty()) notice.state.emplace_back("upstream", account.upstream);
  if (!denial.key.empty()) notice.state.emplace_back("key", denial.key);
  notice.state.emplace_back("status", std::int64_t{account.status});
  return notice;
}

std::string kind_of_notice(const egress::Account& account) {
  const egress::Denial& denial = *account.denial;
  return account.upstream + ' ' + std::string(egress::name_of(denial.refusal)) + ' ' + denial.key;
}

AuditedRequest audited(const egress::Account& account, const RedactText& redact) {
  AuditedRequest request;
  request.denied = is_denied(account);
  request.begin = account.upstream.empty() ? "-" : account.upstream;
  request.begin += ' ' + (account.method.empty() ? "-" : printable(account.method, kMaxMethod));
  request.begin += ' ' + (account.status == 0 ? "agent_left" : std::to_string(account.status));
  if (request.denied) request.begin += ' ' + std::string(egress::name_of(account.denial->refusal));
  request.path = path_at_upstream(account, redact);
  request.sums = {1, account.sent_bytes, account.received_bytes, account.tokens,
                  std::chrono::duration_cast<std::chrono::milliseconds>(account.duration)};
  return request;
}

std::string use_text(const egress::SpentByUpstream& spent) {
  if (spent.empty()) return {};
  JsonObject all;
  for (const auto& [upstream, used] : spent) {
    all.raw(upstream, JsonObject()
                          .number("requests", number_of_log(used.requests))
                          .number("sentBytes", number_of_log(used.sent_bytes))
                          .number("receivedBytes", number_of_log(used.received_bytes))
                          .number("tokens", number_of_log(used.tokens))
                          .number("failed", number_of_log(used.failed))
                          .take());
  }
  return all.take();
}

egress::SpentByUpstream spent_in(std::string_view text) {
  egress::SpentByUpstream spent;
  boost::system::error_code failure;
  const boost::json::value value = boost::json::parse(text, failure);
  if (failure || !value.is_object()) return spent;
  for (const auto& [upstream, used] : value.get_object()) {
    if (!used.is_object()) continue;
    const boost::json::object& sums = used.get_object();
    egress::Spent one;
    one.requests = number_in(sums, "requests");
    one.sent_bytes = number_in(sums, "sentBytes");
    one.received_bytes = number_in(sums, "receivedBytes");
    one.tokens = number_in(sums, "tokens");
    one.failed = number_in(sums, "failed");
    spent[std::string(upstream)] = one;
  }
  return spent;
}

}  // namespace relay::app
