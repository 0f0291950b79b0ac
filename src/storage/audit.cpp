#include "storage/audit.hpp"

#include <chrono>

namespace relay::storage {
namespace {

bool continues_character(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; }

void bound_text(std::string& text) {
  if (text.size() <= kMaxAuditDetail) return;
  std::size_t end = kMaxAuditDetail;
  while (end > 0 && continues_character(text[end])) --end;
  text.resize(end);
}

}  // namespace

void bound(AuditRecord& record) {
  bound_text(record.action);
  bound_text(record.detail);
  bound_text(record.actor.principal);
  bound_text(record.actor.transport);
  bound_text(record.actor.peer);
}

WallTime oldest_audit(const AuditLimits& limits, WallTime now) {
  return limits.days > 0 ? now - std::chrono::days(limits.days) : WallTime::min();
}

}  // namespace relay::storage
