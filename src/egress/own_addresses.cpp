#include "egress/own_addresses.hpp"

#include "base/async.hpp"
#include "base/unique_fd.hpp"

#include <boost/asio/ip/udp.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <net/if.h>
#include <netinet/in.h>
#include <optional>
#include <string>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace relay::egress {
namespace {

using asio::ip::udp;
using boost::system::error_code;

Error unknown_addresses(const error_code& code) {
  return make_error(ErrorType::kInternalError,
                    "the addresses of this machine cannot be read: " + code.message())
      .with("errno", std::int64_t{code.value()});
}

error_code failure_of_call() { return {errno, boost::system::system_category()}; }

// Of IPv4 (netdevice(7)). An interface's second one is not what is sent from to itself, so it has
// to be listed. Not by getifaddrs(), for which a service would need sockets of AF_NETLINK.
Result<std::vector<asio::ip::address>> interface_addresses() {
  const UniqueFd any(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!any) return unknown_addresses(failure_of_call());
  std::vector<ifreq> entries(32);
  for (;;) {
    ifconf list{};
    list.ifc_len = static_cast<int>(entries.size() * sizeof(ifreq));
    list.ifc_req = entries.data();
    if (::ioctl(any.get(), SIOCGIFCONF, &list) != 0) return unknown_addresses(failure_of_call());
    const std::size_t count = static_cast<std::size_t>(list.ifc_len) / sizeof(ifreq);
    const bool has_room = count < entries.size();  // what does not fit is left out without a word
    entries.resize(has_room ? count : 2 * entries.size());
    if (has_room) break;
  }
  std::vector<asio::ip::address> addresses;
  for (const ifreq& entry : entries) {
    sockaddr_in address{};
    std::memcpy(&address, &entry.ifr_addr, sizeof(address));
    addresses.emplace_back(asio::ip::address_v4(ntohl(address.sin_addr.s_addr)));
  }
  return addresses;
}

// From where the kernel would send to `target`; nothing where there is no way. Not by a socket of
// Asio's, whose reactor throws when the descriptors have run out.
Result<std::optional<asio::ip::address>> address_towards(const asio::ip::address& target) {
  constexpr asio::ip::port_type kAnyPort = 9;
  const udp::endpoint there(target, kAnyPort);
  const UniqueFd socket(::socket(there.protocol().family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) {
    if (errno == EAFNOSUPPORT) return std::nullopt;
    return unknown_addresses(failure_of_call());
  }
  if (::connect(socket.get(), there.data(), static_cast<socklen_t>(there.size())) != 0) {
    return std::nullopt;
  }
  udp::endpoint here;
  auto size = static_cast<socklen_t>(here.capacity());
  if (::getsockname(socket.get(), here.data(), &size) != 0) return std::nullopt;
  here.resize(size);
  return here.address();
}

}  // namespace

Result<std::vector<asio::ip::address>> own_addresses(std::span<const asio::ip::address> targets) {
  Result<std::vector<asio::ip::address>> own = interface_addresses();
  if (!own) return own;
  for (const asio::ip::address& target : targets) {
    const Result<std::optional<asio::ip::address>> address = address_towards(target);
    if (!address) return address.error();
    if (*address) own->push_back(**address);
  }
  return own;
}

}  // namespace relay::egress
