#include "storage/message_log.hpp"

#include "storage/sqlite_log.hpp"

namespace relay::storage {

LogLimits limits_of(const LogOptions& options) {
  return {{options.retention_days, options.max_rows, options.max_bytes},
          {options.audit_days, options.audit_rows}};
}

Result<std::unique_ptr<MessageLog>> MessageLog::open(asio::any_io_executor loop, LogOptions options,
                                                     Logger log) {
  auto opened = SqliteLog::open(std::move(loop), std::move(options), std::move(log));
  if (!opened) return std::move(opened.error());
  return std::unique_ptr<MessageLog>(std::move(*opened));
}

}  // namespace relay::storage
