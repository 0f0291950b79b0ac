#include "protocol/json_scan.hpp"

#include <gmock/gmock.h>

namespace relay {
namespace {

TEST(ArrayElements, AreTheBytesBetweenTheCommas) {
  EXPECT_THAT(array_elements(R"([ {"a":[1,2],"b":"],\"x"} , "y,z" ,1e5, [] ])"),
              testing::ElementsAre(R"({"a":[1,2],"b":"],\"x"})", R"("y,z")", "1e5", "[]"));
}

TEST(ArrayElements, OfSomethingElseAreNone) {
  EXPECT_TRUE(array_elements("[]").empty());
  EXPECT_TRUE(array_elements("[ ]").empty());
  EXPECT_TRUE(array_elements("\"[1]\"").empty());
  EXPECT_TRUE(array_elements("").empty());
}

TEST(ObjectMember, IsFoundByItsKey) {
  const std::string_view object = R"({"a":{"b":1}, "b" : [1,2] ,"c":"}"})";
  EXPECT_EQ(object_member(object, "b"), "[1,2]");
  EXPECT_EQ(object_member(object, "c"), "\"}\"");
  EXPECT_EQ(object_member(object, "d"), std::nullopt);
  EXPECT_EQ(object_member("[]", "d"), std::nullopt);
}

TEST(ObjectMembers, ComeInTheirOrder) {
  std::vector<std::string> all;
  for (const auto& [key, value] : object_members(R"({"a":{"b":1}, "b" : [1,2] ,"c":"}"})")) {
    all.push_back(std::string(key) + "=" + std::string(value));
  }
  EXPECT_THAT(all, testing::ElementsAre(R"(a={"b":1})", "b=[1,2]", "c=\"}\""));
  EXPECT_TRUE(object_members("{}").empty());
  EXPECT_TRUE(object_members("[1]").empty());
}

TEST(WithMember, ReplacesOrAdds) {
  EXPECT_EQ(with_member("{}", "a", "1"), R"({"a":1})");
  EXPECT_EQ(with_member(R"({"b":2})", "a", "1"), R"({"a":1,"b":2})");
  EXPECT_EQ(with_member(R"({"b":2, "a" : [3] ,"c":4})", "a", "1"), R"({"b":2, "a" : 1 ,"c":4})");
  EXPECT_EQ(with_member(R"({"x":{"a":5}})", "a", "1"), R"({"a":1,"x":{"a":5}})");
  EXPECT_EQ(with_member("null", "a", "1"), R"({"a":1})");
}

TEST(WithMembers, ReplacesAndAddsAllOfThem) {
  EXPECT_EQ(with_members("{}", R"({"a":1, "b":[2]})"), R"({"a":1,"b":[2]})");
  EXPECT_EQ(with_members(R"({"b":2, "a" : [3] ,"c":4})", R"({"x":1,"a":{"b":5},"y":2,"c":null})"),
            R"({"x":1,"y":2,"b":2, "a" : {"b":5} ,"c":null})");
  EXPECT_EQ(with_members(R"({ "a":1 })", "{}"), R"({ "a":1 })");
  EXPECT_EQ(with_members("{ }", R"({"a":1})"), R"({"a":1 })");
  EXPECT_EQ(with_members("null", R"({"a":1})"), R"({"a":1})");
  EXPECT_EQ(with_members(R"({"a":1})", R"({"a":2,"b":3,"a":4,"b":5})"), R"({"b":5,"a":4})");
}

// What is the same as one member after the other, however many they are.
TEST(WithMembers, TakesAnyNumberOfThem) {
  std::string old, update, both;
  for (int i = 0; i < 20'000; ++i) {
    const std::string key = (i == 0 ? "\"k" : ",\"k") + std::to_string(i) + "\":";
    old += key + "1";
    if (i % 2 == 0) update += key + "2";
    both += key + (i % 2 == 0 ? "2" : "1");
  }
  EXPECT_EQ(with_members("{" + old + "}", "{" + update + R"(,"new":3})"),
            R"({"new":3,)" + both + "}");
}

TEST(WithoutMember, LeavesTheRest) {
  EXPECT_EQ(without_member(R"({"a":1,"b":2,"c":{"a":3}})", "a"), R"({"b":2,"c":{"a":3}})");
  EXPECT_EQ(without_member(R"({ "a":1 })", "a"), "{}");
  EXPECT_EQ(without_member(R"({ "b" : 1 })", "a"), R"({ "b" : 1 })");
  EXPECT_EQ(without_member("[]", "a"), "[]");
}

TEST(WithMeta, AddsToWhatIsThere) {
  EXPECT_EQ(with_meta("{}", R"("x":1)"), R"({"_meta":{"x":1}})");
  EXPECT_EQ(with_meta(R"({"a":2})", R"("x":1)"), R"({"_meta":{"x":1},"a":2})");
  EXPECT_EQ(with_meta(R"({"a":2,"_meta":{"y":3}})", R"("x":1)"),
            R"({"a":2,"_meta":{"x":1,"y":3}})");
  EXPECT_EQ(with_meta(R"({"_meta":{ },"a":2})", R"("x":1)"), R"({"_meta":{"x":1 },"a":2})");
  EXPECT_EQ(with_meta(R"({"_meta":null,"a":2})", R"("x":1)"), R"({"_meta":{"x":1},"a":2})");
  EXPECT_EQ(with_meta("null", R"("x":1)"), R"({"_meta":{"x":1}})");
}

}  // namespace
}  // namespace relay
