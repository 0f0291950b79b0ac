#include "protocol/rpc.hpp"

#include "protocol/json_text.hpp"

#include <boost/json.hpp>
#include <gtest/gtest.h>

namespace relay {
namespace {

TEST(RpcError, CarriesEverythingThatHelps) {
  const Error error = make_error(ErrorType::kAgentExited, "the agent exited with code 3")
                          .because("a bug")
                          .suggest("read the log")
                          .with("exit_code", std::int64_t{3})
                          .with("stderr", std::string("bad \xff byte"))
                          .retryable();
  const auto message =
      boost::json::parse(rpc::error("\"a\"", error, rpc::Dialect::kRelay)).as_object();
  EXPECT_EQ(message.at("id"), "a");
  const auto& object = message.at("error").as_object();
  EXPECT_EQ(object.at("code"), -32000);
  const auto& data = object.at("data").as_object();
  EXPECT_EQ(data.at("error_type"), "agent_exited");
  EXPECT_EQ(data.at("explanation"), "the agent exited with code 3");
  EXPECT_EQ(data.at("possible_causes").as_array().at(0), "a bug");
  EXPECT_EQ(data.at("suggested_actions").as_array().at(0), "read the log");
  EXPECT_EQ(data.at("relevant_state").as_object().at("exit_code"), 3);
  EXPECT_EQ(data.at("relevant_state").as_object().at("stderr"), "bad \xEF\xBF\xBD byte");
  EXPECT_EQ(data.at("recoverable"), true);
}

TEST(RpcError, HasACauseAndAnActionWhateverIsKnown) {
  const Error error = make_error(ErrorType::kUnauthorized, "who are you");
  const auto data = boost::json::parse(rpc::error_object(error, rpc::Dialect::kRelay))
                        .as_object()
                        .at("data")
                        .as_object();
  EXPECT_EQ(data.at("possible_causes").as_array().size(), 1u);
  EXPECT_EQ(data.at("suggested_actions").as_array().at(0),
            "send the header Authorization: Bearer <token>");
}

TEST(RpcError, NeverSaysLogInFirstOnAcp) {
  EXPECT_EQ(rpc::error_code(ErrorType::kSessionNotFound, rpc::Dialect::kAcp), -32002);
  EXPECT_EQ(rpc::error_code(ErrorType::kAgentExited, rpc::Dialect::kAcp), -32603);
  EXPECT_EQ(rpc::error_code(ErrorType::kInvalidParams, rpc::Dialect::kAcp), -32602);
  EXPECT_EQ(rpc::error_code(ErrorType::kSessionNotFound, rpc::Dialect::kRelay), -32000);
}

TEST(RpcMessages, AreFramesThatParse) {
  for (const std::string& text :
       {rpc::request("1", "m", ""), rpc::notification("m", R"({"a":1})"), rpc::result("null", "{}"),
        rpc::plain_error("2", -32800, "cancelled \"x\"")}) {
    EXPECT_TRUE(Frame::parse(text, {})) << text;
  }
}

TEST(JsonString, EscapesWhatMustBe) {
  EXPECT_EQ(json_string("a\"b\\c\n\x01"), R"("a\"b\\c\n\u0001")");
  EXPECT_EQ(json_string("\xE2\x82\xAC"), "\"\xE2\x82\xAC\"");
  EXPECT_EQ(json_string("\xE2\x82"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

}  // namespace
}  // namespace relay
