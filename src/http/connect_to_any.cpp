#include "http/connect_to_any.hpp"

#include "base/unique_fd.hpp"
#include "http/deadline.hpp"
#include "http/lost_peer.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <sys/socket.h>
#include <utility>

namespace relay::http {

namespace {

using boost::system::error_code;
using tcp = asio::ip::tcp;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using Address = Addresses::value_type;

bool is_tcp(const Address& address) {
  const int family = address.protocol().family();
  return family == AF_INET || family == AF_INET6;
}

std::string name_of(const Address& address) {
  if (!is_tcp(address)) return "it";
  tcp::endpoint endpoint;
  endpoint.resize(address.size());
  std::memcpy(endpoint.data(), address.data(), address.size());
  const std::string host = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? "[" + host + "]" : host) + ":" +
         std::to_string(endpoint.port());
}

constexpr milliseconds kOfASlowWay{2'000}, kOfMostWays{300};

// Zero: without an end.
milliseconds share_until(steady_clock::time_point until, std::size_t still_to_try) {
  if (until == steady_clock::time_point::max()) return milliseconds(0);
  const auto left = std::chrono::duration_cast<milliseconds>(until - steady_clock::now());
  return share_of(left, still_to_try);
}

// To connect, Asio has itself told when the socket may be written. It would go on to be told so,
// once for each wait, unless the socket is made known to it anew.
error_code make_known_anew(Transport::Socket& socket, const Address& address) {
  error_code code;
  UniqueFd file(socket.release(code));
  if (code) return code;
  Transport::Socket anew(socket.get_executor());
  anew.assign(address.protocol(), file.get(), code);
  if (code) return code;
  file.release();
  socket = std::move(anew);
  return code;
}

Task<error_code> connect_within(Transport::Socket& socket, const Address& address,
                                milliseconds share) {
  const Deadline deadline(socket.get_executor(), share, [&socket] {
    error_code ignored;
    socket.cancel(ignored);
  });
  const auto [failure] = co_await socket.async_connect(address, kNoThrow);
  if (failure == asio::error::operation_aborted && deadline.expired()) {
    co_return asio::error::timed_out;
  }
  if (failure) co_return failure;
  co_return make_known_anew(socket, address);
}

}  // namespace

milliseconds share_of(milliseconds left, std::size_t still_to_try) {
  const auto addresses = static_cast<std::int64_t>(still_to_try);
  const milliseconds equal = left / addresses;
  const milliseconds beside_others = left - (addresses - 1) * std::min(equal, kOfMostWays);
  return std::max({milliseconds(1), equal, std::min(beside_others, kOfASlowWay)});
}

Task<Result<Transport::Socket>> connect_to_any(asio::any_io_executor executor,
                                               const Addresses& addresses,
                                               std::chrono::steady_clock::time_point until) {
  error_code last = asio::error::timed_out;
  std::string silent;
  std::size_t still_to_try = addresses.size();
  for (const Address& address : addresses) {
    Transport::Socket socket(executor);
    const milliseconds share = share_until(until, still_to_try);
    --still_to_try;
    last = co_await connect_within(socket, address, share);
    if (!last && is_tcp(address)) {
      error_code ignored;
      socket.set_option(tcp::no_delay(true), ignored);
      notice_a_lost_peer(socket.native_handle());
    }
    if (!last) co_return socket;
    if (last == asio::error::timed_out) silent += (silent.empty() ? "" : ", ") + name_of(address);
  }
  std::string reason;
  if (last != asio::error::timed_out) reason = last.message();
  if (!silent.empty()) reason += (reason.empty() ? "" : "; ") + silent + " did not answer in time";
  if (reason.empty()) reason = "it took too long";
  co_return make_error(ErrorType::kInternalError, reason).with("errno", std::int64_t{last.value()});
}

}  // namespace relay::http
