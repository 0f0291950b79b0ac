#include "egress/own_addresses.hpp"

#include "base/unique_fd.hpp"

#include <boost/asio/ip/address.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <ifaddrs.h>
#include <iterator>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <unistd.h>
#include <vector>

namespace relay::egress {
namespace {

namespace ip = boost::asio::ip;
using ::testing::Contains;
using ::testing::Not;

// As another call tells them.
std::vector<ip::address> listed_addresses() {
  std::vector<ip::address> addresses;
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return addresses;
  for (const ifaddrs* one = first; one != nullptr; one = one->ifa_next) {
    const bool is_up = one->ifa_addr != nullptr && (one->ifa_flags & IFF_UP) != 0;
    if (!is_up) continue;
    if (one->ifa_addr->sa_family == AF_INET) {
      const auto* const v4 = reinterpret_cast<const sockaddr_in*>(one->ifa_addr);
      addresses.emplace_back(ip::address_v4(ntohl(v4->sin_addr.s_addr)));
    } else if (one->ifa_addr->sa_family == AF_INET6) {
      const auto* const v6 = reinterpret_cast<const sockaddr_in6*>(one->ifa_addr);
      ip::address_v6::bytes_type bytes;
      std::copy_n(std::begin(v6->sin6_addr.s6_addr), bytes.size(), bytes.begin());
      const ip::address_v6 address(bytes);
      if (!address.is_link_local()) addresses.emplace_back(address);
    }
  }
  ::freeifaddrs(first);
  return addresses;
}

TEST(OwnAddresses, AreThoseOfEveryInterface) {
  const std::vector<ip::address> expected = listed_addresses();
  EXPECT_THAT(expected, Contains(ip::make_address("127.0.0.1")));
  const auto own = own_addresses(expected);
  ASSERT_TRUE(own);
  for (const ip::address& address : expected) EXPECT_THAT(*own, Contains(address));
}

TEST(OwnAddresses, OfIPv4AreThereForWhateverTarget) {
  const auto own = own_addresses({});
  ASSERT_TRUE(own);
  for (const ip::address& address : listed_addresses()) {
    if (!address.is_v4()) continue;
    EXPECT_THAT(*own, Contains(address));
  }
}

TEST(OwnAddresses, NamesExhaustedDescriptorsAndNeedsOneAtATime) {
  const std::vector<ip::address> targets{ip::make_address("127.0.0.1")};
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  rlimit tight = before;
  UniqueFd lowest_free(::dup(STDOUT_FILENO));
  tight.rlim_cur = static_cast<rlim_t>(lowest_free.get()) + 1;
  ::setrlimit(RLIMIT_NOFILE, &tight);
  const auto with_none = own_addresses(targets);
  lowest_free.reset();
  const auto with_one = own_addresses(targets);
  ::setrlimit(RLIMIT_NOFILE, &before);
  ASSERT_FALSE(with_none);
  EXPECT_EQ(number_of(with_none.error(), "errno"), EMFILE);
  ASSERT_TRUE(with_one);
  EXPECT_THAT(*with_one, Contains(targets.front()));
}

TEST(OwnAddresses, AreNotThoseOfOthers) {
  // Documentation, RFC 5737 and 3849.
  const std::vector<ip::address> others{ip::make_address("203.0.113.77"),
                                        ip::make_address("2001:db8::77")};
  const auto own = own_addresses(others);
  ASSERT_TRUE(own);
  for (const ip::address& other : others) EXPECT_THAT(*own, Not(Contains(other)));
}

}  // namespace
}  // namespace relay::egress
