// The bounds of the audit trail, as pure rules.
#pragma once

#include "storage/records.hpp"

#include <cstddef>
#include <string>

namespace relay::storage {

inline constexpr std::size_t kMaxAuditDetail = 200;  // bytes of a text of a row

// 0 = no limit.
struct AuditLimits {
  std::int64_t days = 0;
  std::int64_t rows = 0;
  bool any() const { return days > 0 || rows > 0; }
};

// No text of it is longer than kMaxAuditDetail, nor cut within a character.
void bound(AuditRecord& record);

// Rows from before this time go; the earliest time there is without a limit.
WallTime oldest_audit(const AuditLimits& limits, WallTime now);

}  // namespace relay::storage
