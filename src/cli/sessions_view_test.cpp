#include "cli/sessions_view.hpp"

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

namespace relay::cli {
namespace {

boost::json::array array(const char* text) { return boost::json::parse(text).as_array(); }

TEST(SessionsView, ListsSessions) {
  EXPECT_EQ(
      session_table(array(R"([{"id":"s1","isActive":true,"createdAt":"T","isolation":"process",
                "workingDirectory":"/a","title":null},{"id":"s2","closedAt":"T2","image":"demo:1",
                "imageId":"sha256:0123456789abcdef"},{"id":"s3","image":"demo:2","imageId":null},7])")),
      "ID  STATE   CREATED  ISOLATION  IMAGE                DIRECTORY  TITLE\n"
      "s1  open    T        process    -                    /a         -\n"
      "s2  closed  -        -          demo:1@0123456789ab  -          -\n"
      "s3  open    -        -          demo:2               -          -\n");
}

TEST(SessionsView, ListsTheAuditTrail) {
  EXPECT_EQ(audit_table(array(R"([{"number":7,"time":"T","session":"s1","action":"changed_mode",
                "detail":"code","principal":null,"transport":"acp_http","peer":"127.0.0.1:9"},8])")),
            "TIME  SESSION  PRINCIPAL  ACTION        DETAIL  TRANSPORT  PEER\n"
            "T     s1       -          changed_mode  code    acp_http   127.0.0.1:9\n");
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
