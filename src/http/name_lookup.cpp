#include "http/name_lookup.hpp"

#include <memory>
#include <netdb.h>
#include <sys/socket.h>

namespace relay::http {

Result<Addresses> look_up(const std::string& host, std::uint16_t port) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const std::string service = std::to_string(port);
  const int failure = ::getaddrinfo(host.c_str(), service.c_str(), &wanted, &found);
  if (failure != 0) return make_error(ErrorType::kInternalError, ::gai_strerror(failure));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  Addresses addresses;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    addresses.emplace_back(one->ai_addr, one->ai_addrlen, one->ai_protocol);
  }
  return addresses;
}

}  // namespace relay::http
