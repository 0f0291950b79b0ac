#include "egress/tunnels.hpp"

#include "egress/own_addresses.hpp"
#include "http/connect_to_any.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace relay::egress {
namespace {

using tcp = asio::ip::tcp;
using Addresses = std::vector<asio::ip::address>;

constexpr std::size_t kNamesAtOnce = 16;

Error failed(const TunnelPassage& passage, int number, const std::string& reason) {
  return make_error(ErrorType::kInternalError, passage.host + " " + reason)
      .with("errno", std::int64_t{number});
}

struct Found {
  Addresses addresses;  // of the host
  Addresses own;        // of this machine
};

Result<Found> addresses_of(const TunnelPassage& passage) {
  asio::io_context loop;
  tcp::resolver resolver(loop);
  boost::system::error_code failure;
  const auto found = resolver.resolve(passage.host, std::to_string(passage.port), failure);
  if (failure) return failed(passage, ENXIO, "is not found: " + failure.message());
  Addresses addresses;
  for (const auto& entry : found) addresses.push_back(entry.endpoint().address());
  Result<Addresses> own = own_addresses(addresses);
  if (!own) return own.error();
  return Found{std::move(addresses), std::move(*own)};
}

}  // namespace

Tunnels::Tunnels(asio::any_io_executor executor, const UpstreamConnections::Limits& limits,
                 Admits admits)
    : executor_(executor),
      limits_(limits),
      admits_(std::move(admits)),
      names_(std::move(executor), kNamesAtOnce, limits.connect_timeout),
      places_(limits.max_open) {}

Task<Result<UpstreamConnections::Connection>> Tunnels::connect(const TunnelPassage& passage,
                                                               Holder holder) {
  const std::shared_ptr<Places::Place> place = places_.take(holder);
  if (!place) {
    co_return failed(passage, EUSERS,
                     "would be one of more than " + std::to_string(open()) + " tunnels" +
                         of_share(limits_.max_open));
  }
  const std::function<Result<Found>()> call = [passage] { return addresses_of(passage); };
  const Result<Found> found = co_await names_.run(passage.host, call);
  if (!found) {
    const bool is_late = found.error().type == ErrorType::kWorkspaceUnavailable;
    co_return is_late ? failed(passage, ETIMEDOUT, "is not found in time") : found.error();
  }
  http::Addresses admitted;
  for (const asio::ip::address& address : found->addresses) {
    // What was looked at is what is connected to, whatever the name stands for by then.
    if (admits_(address, found->own)) admitted.emplace_back(tcp::endpoint(address, passage.port));
  }
  if (admitted.empty()) co_return failed(passage, EACCES, "stands for this machine");
  const auto until = std::chrono::steady_clock::now() + limits_.connect_timeout;
  auto socket = co_await http::connect_to_any(executor_, admitted, until);
  if (!socket) {
    const Error& error = socket.error();
    co_return failed(passage, static_cast<int>(number_of(error, "errno")),
                     "cannot be reached: " + error.explanation);
  }
  co_return UpstreamConnections::Connection(new http::ClientConnection(std::move(*socket)),
                                            UpstreamConnections::Release{place});
}

}  // namespace relay::egress
