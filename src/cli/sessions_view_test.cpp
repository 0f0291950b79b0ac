#include "cli/sessions_view.hpp"

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

namespace relay::cli {
namespace {

boost::json::array array(const char* text) { return boost::json::parse(text).as_array(); }

TEST(SessionsView, ListsSessions) {
  EXPECT_EQ(
      session_table(array(R"([{"id":"s1","isActive":true,"createdAt":"T","isolation":"process",
                "workingDirectory":"/a","title":null},{"id":"s2","closedAt":"T2"},7])")),
      "ID  STATE   CREATED  ISOLATION  DIRECTORY  TITLE\n"
      "s1  open    T        process    /a         -\n"
      "s2  closed  -        -          -          -\n");
}

TEST(SessionsView, ListsMessages) {
  EXPECT_EQ(
      message_table(array(R"([{"id":9,"sequence":1,"timestamp":"T","direction":"client_to_relay",
                "messageType":"request","method":"a","jsonrpcId":"1","rawMessage":"{}"}])")),
      "SEQ  TIME  DIRECTION        TYPE     METHOD  RPC-ID  MESSAGE\n"
      "1    T     client_to_relay  request  a       1       {}\n");
}

TEST(SessionsView, FindsWhereTheNextPageBegins) {
  EXPECT_EQ(last_sequence(array(R"([{"sequence":4},{"sequence":5,"id":99}])")), 5);
  EXPECT_EQ(last_sequence(array(R"([{"id":7}])")), 7);
  EXPECT_EQ(last_sequence(array(R"([{"id":"x"}])")), std::nullopt);
  EXPECT_EQ(last_sequence({}), std::nullopt);
}

TEST(SessionsView, ShowsDetailsWithoutControlCharacters) {
  EXPECT_EQ(details({{"id", "a\x1b"}, {"longer", boost::json::array{1}}}),
            "id      a?\nlonger  [1]\n");
}

TEST(SessionsView, EncodesIdsForPaths) {
  EXPECT_EQ(percent_encoded("sess_0-a"), "sess_0-a");
  EXPECT_EQ(percent_encoded("../x?\xC3"), "%2E%2E%2Fx%3F%C3");
}

}  // namespace
}  // namespace relay::cli
