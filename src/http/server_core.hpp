// What the connections of one server share. Owned by the server; outlives every connection.
#pragma once

#include "http/scratch.hpp"
#include "http/server.hpp"
#include "http/tls.hpp"

#include <chrono>
#include <list>
#include <memory>
#include <string>
#include <string_view>

namespace relay::http {

class ServerConnection;

struct ServerCore {
  ServerCore(ServerOptions with, Handler handle, Logger logger)
      : options(std::move(with)), handler(std::move(handle)), log(std::move(logger)) {}

  // The value of the Date header, renewed once a second.
  std::string_view date();
  std::string error_body(int status, std::string_view explanation) const;

  ServerOptions options;
  Handler handler;
  Logger log;
  std::shared_ptr<TlsContext> tls;
  Scratch scratch;
  bool stopping = false;
  std::list<ServerConnection*> connections;

 private:
  std::chrono::sys_seconds date_of_{};
  std::string date_;
};

}  // namespace relay::http
