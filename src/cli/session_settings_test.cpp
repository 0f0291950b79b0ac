#include "cli/session_settings.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relay::cli {
namespace {

using ::testing::HasSubstr;

boost::json::object settings(const char* text) { return boost::json::parse(text).as_object(); }

const char* const kModes =
    R"({"modes":{"currentModeId":"bypassPermissions","availableModes":[{"id":"default","name":"Always ask"},
        {"id":"bypassPermissions","name":"Bypass Permissions"}]},
        "models":{"currentModelId":"a","availableModels":[{"modelId":"a","name":"Big"},{"modelId":"b"}]}})";
const char* const kOptions =
    R"({"configOptions":[7,{"id":"sound","category":"mode","type":"boolean","currentValue":true},
        {"id":"approval","category":"mode","type":"select","currentValue":"full-access",
         "options":[{"value":"read-only","name":"Read Only"},{"value":"full-access","name":"Full"}]},
        {"id":"llm","category":"model","type":"select","currentValue":"m1","options":[
          {"group":"g","name":"Old","options":[{"value":"m1","name":"One"}]},
          {"group":"h","name":"New","options":[{"value":"m2","name":"Two"}]}]}]})";

std::string shown(const Outcome<SettingCall>& call) {
  if (!call) return call.error().text;
  return call->method + " " + boost::json::serialize(call->params) + " " + call->value;
}

TEST(SessionSettings, FindTheCallThatSetsAModeOrAModel) {
  EXPECT_EQ(shown(mode_call(settings(kModes), "default")),
            R"(session/set_mode {"modeId":"default"} default)");
  EXPECT_EQ(shown(mode_call(settings(kModes), "always ask")),
            R"(session/set_mode {"modeId":"default"} default)");
  EXPECT_EQ(shown(mode_call(settings(kOptions), "readonly")),
            R"(session/set_config_option {"configId":"approval","value":"read-only"} read-only)");
  EXPECT_EQ(shown(model_call(settings(kOptions), "m2")),
            R"(session/set_config_option {"configId":"llm","value":"m2"} m2)");
  EXPECT_EQ(shown(model_call(settings(kModes), "big")),
            R"(session/request {"method":"session/set_model","params":{"modelId":"a"}} a)");
}

TEST(SessionSettings, NameWhatThereIs) {
  const auto mode = mode_call(settings(kModes), "nope");
  ASSERT_FALSE(mode);
  EXPECT_EQ(mode.error().code, ExitCode::kUsage);
  EXPECT_THAT(mode.error().text, HasSubstr("take one of: default (Always ask), bypassPermissions"));
  EXPECT_THAT(shown(model_call(settings(kOptions), "m3")), HasSubstr("m1 (One), m2 (Two)"));
  EXPECT_THAT(shown(mode_call(settings("{}"), "x")), HasSubstr("offers no modes"));
  EXPECT_THAT(shown(model_call(settings(R"({"configOptions":{}})"), "x")),
              HasSubstr("offers no models"));
}

TEST(SessionSettings, KnowTheModeInForce) {
  EXPECT_EQ(current_mode(settings(kModes)), "bypassPermissions");
  EXPECT_EQ(current_mode(settings(kOptions)), "full-access");
  EXPECT_EQ(current_mode(settings("{}")), "");
}

TEST(SessionSettings, TellWhoExpectsQuestionsThatNoneWillCome) {
  const auto note = unasked_note(settings(kModes), "bypassPermissions", PermissionPolicy::kReject);
  EXPECT_EQ(note,
            "[mode] the agent is in mode bypassPermissions, in which it asks for nothing; --no "
            "rejects only what is asked; --mode takes: default (Always ask), bypassPermissions\n");
  EXPECT_EQ(unasked_note(settings("{}"), "auto_edit", PermissionPolicy::kAsk),
            "[mode] the agent is in mode auto_edit, in which it changes files without asking\n");
  EXPECT_EQ(unasked_note(settings(kModes), "default", PermissionPolicy::kReject), "");
  EXPECT_EQ(unasked_note(settings(kModes), "yolo", PermissionPolicy::kAllow), "");
}

}  // namespace
}  // namespace relay::cli
