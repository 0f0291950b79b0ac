// Turns over a connection that breaks: at every point, and again while they recover.
#include "bridge/testing/fake_relay.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace relay::bridge {
namespace {

namespace json = boost::json;
using testing::FakeRelay;
using Lines = std::vector<std::string>;

// What the editor does: each step is sent when the line before it has come.
struct Step {
  std::string after;  // a part of a line
  std::string send;   // {S} is the session's id, {Q} that of the latest request
};

const std::vector<Step> kTurns = {
    {"", R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":1}})"},
    {"protocolVersion",
     R"({"jsonrpc":"2.0","id":"n","method":"session/new","params":{"cwd":"/w"}})"},
    {"sess_",
     R"({"jsonrpc":"2.0","id":1,"method":"session/prompt","params":{"sessionId":"{S}","prompt":[{"t":"ask"}]}})"},
    {"request_permission", R"({"jsonrpc":"2.0","id":{Q},"result":{"outcome":"yes"}})"},
    {R"("id":1,"result")",
     R"({"jsonrpc":"2.0","id":"1","method":"session/prompt","params":{"sessionId":"{S}","prompt":[{"t":"wait"}]}})"},
    {"wait 1", R"({"jsonrpc":"2.0","method":"session/cancel","params":{"sessionId":"{S}"}})"},
    {R"("id":"1","result")",
     R"({"jsonrpc":"2.0","id":2,"method":"session/prompt","params":{"sessionId":"{S}","prompt":[{"t":"plain"}]}})"},
    {R"("id":2,"result")",
     R"({"jsonrpc":"2.0","id":3,"method":"session/load","params":{"sessionId":"{S}","cwd":"/w"}})"},
    {R"("id":3,"result")", ""},
};

class Editor {
 public:
  explicit Editor(const std::vector<Step>& steps) : steps_(steps) {}

  void act(Bridge& bridge) {
    for (std::string& line : bridge.take_lines()) hear(std::move(line));
    while (next_ < steps_.size() && heard(steps_[next_].after)) {
      std::string text = steps_[next_++].send;
      if (!text.empty()) bridge.from_editor(filled(std::move(text)));
    }
  }
  bool done() const { return next_ == steps_.size(); }
  // Session ids as {S}: which one it is depends on how often it was made.
  Lines lines() const {
    Lines out = lines_;
    for (std::string& line : out) replace(line, session_, "{S}");
    return out;
  }

 private:
  void hear(std::string line) {
    const json::object message = json::parse(line).as_object();
    if (const json::value* result = message.if_contains("result")) {
      const json::value* id =
          result->is_object() ? result->as_object().if_contains("sessionId") : nullptr;
      if (id != nullptr) session_ = id->as_string();
    }
    if (message.contains("method") && message.contains("id")) {
      question_ = json::serialize(message.at("id"));
    }
    lines_.push_back(std::move(line));
  }
  bool heard(const std::string& part) {
    if (part.empty()) return true;
    for (; at_ < lines_.size(); ++at_) {
      if (lines_[at_].find(part) != std::string::npos) return true;
    }
    return false;
  }
  static void replace(std::string& text, const std::string& from, const std::string& to) {
    if (from.empty()) return;
    for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at)) {
      text.replace(at, from.size(), to);
    }
  }
  std::string filled(std::string text) const {
    replace(text, "{S}", session_);
    replace(text, "{Q}", question_);
    return text;
  }

  const std::vector<Step>& steps_;
  std::size_t next_ = 0;
  std::size_t at_ = 0;
  Lines lines_;
  std::string session_;
  std::string question_;
};

// Bridge and relay with a line between them: one message moves at a time.
class World {
 public:
  explicit World(const std::vector<Step>& steps) : editor(steps), bridge("p") {
    bridge.connected();
  }

  // Moves one message; `down` prefers one to the bridge. False: nothing moves any more.
  bool step(bool down) {
    editor.act(bridge);
    const Batch batch = bridge.take_messages();
    for (const SharedBytes& message : batch.messages) up_.emplace_back(message.view());
    if (batch.mark != 0) up_.push_back("ping " + std::to_string(batch.mark));
    if (down_.empty() && up_.empty()) return false;
    if (down_.empty() || (!down && !up_.empty())) {
      deliver_up();
    } else {
      deliver_down();
    }
    for (; !relay.out().empty(); relay.out().pop_front()) down_.push_back(relay.out().front());
    return true;
  }
  // Whatever is on its way is lost.
  void cut(bool restart = false) {
    up_.clear();
    down_.clear();
    restart ? relay.restart() : relay.cut();
    bridge.dropped({});
    bridge.connected();
  }
  void run(bool down) {
    for (int steps = 0; step(down); ++steps) ASSERT_LT(steps, 10'000);
  }

  Editor editor;
  Bridge bridge;
  FakeRelay relay;

 private:
  void deliver_up() {
    const std::string text = std::move(up_.front());
    up_.pop_front();
    if (text.starts_with("ping ")) {
      down_.push_back("pong " + text.substr(5));
    } else {
      relay.receive(text);
    }
  }
  void deliver_down() {
    std::string text = std::move(down_.front());
    down_.pop_front();
    if (text.starts_with("pong ")) {
      bridge.acknowledged(std::stoull(text.substr(5)));
    } else {
      bridge.from_relay(std::move(text));
    }
  }

  std::deque<std::string> up_, down_;
};

// Cancellations may arrive twice, which changes nothing.
Lines without_cancels(Lines told) {
  std::erase(told, "cancel");
  return told;
}

struct Undisturbed {
  Lines lines, told;
  int steps = 0;
};

Undisturbed undisturbed(const std::vector<Step>& steps, bool down) {
  World world(steps);
  Undisturbed out;
  while (world.step(down)) ++out.steps;
  EXPECT_TRUE(world.editor.done());
  out.lines = world.editor.lines();
  out.told = world.relay.told();
  return out;
}

void expect_whole(const World& world, const Undisturbed& whole, const std::string& where) {
  EXPECT_TRUE(world.editor.done()) << where;
  EXPECT_EQ(world.editor.lines(), whole.lines) << where;
  EXPECT_EQ(without_cancels(world.relay.told()), without_cancels(whole.told)) << where;
  EXPECT_THAT(world.relay.told(), ::testing::Contains("cancel")) << where;
  EXPECT_TRUE(world.bridge.idle()) << where;
}

TEST(BridgeCuts, ATurnWithoutACutIsAsTheRelayTellsIt) {
  const Undisturbed whole = undisturbed(kTurns, true);
  EXPECT_THAT(whole.told, ::testing::ElementsAre("prompt ask", R"(answer {"outcome":"yes"})",
                                                 "prompt wait", "cancel", "prompt plain"));
  EXPECT_THAT(
      whole.lines,
      ::testing::Contains(
          R"({"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"{S}","text":"ask 1"}})")
          .Times(2))
      << "once live, once by session/load";
}

TEST(BridgeCuts, ACutAtAnyPointLosesNothingAndRepeatsNothing) {
  for (const bool down : {true, false}) {
    const Undisturbed whole = undisturbed(kTurns, down);
    for (int at = 0; at <= whole.steps; ++at) {
      World world(kTurns);
      for (int i = 0; i < at; ++i) world.step(down);
      world.cut();
      world.run(down);
      expect_whole(world, whole, "cut after " + std::to_string(at));
      if (HasFailure()) return;
    }
  }
}

TEST(BridgeCuts, ACutWhileItRecoversLosesNothingEither) {
  for (const bool down : {true, false}) {
    const Undisturbed whole = undisturbed(kTurns, down);
    for (int first = 0; first <= whole.steps; ++first) {
      for (int second = 0; second <= 8; ++second) {
        World world(kTurns);
        for (int i = 0; i < first; ++i) world.step(down);
        world.cut();
        for (int i = 0; i < second; ++i) world.step(down);
        world.cut();
        world.run(down);
        expect_whole(world, whole, std::to_string(first) + " and " + std::to_string(second));
        if (HasFailure()) return;
      }
    }
  }
}

TEST(BridgeCuts, ManyCutsInAnyOrderLoseNothing) {
  const Undisturbed whole = undisturbed(kTurns, true);
  for (unsigned seed = 0; seed < 400; ++seed) {
    std::minstd_rand random(seed);
    World world(kTurns);
    for (int cuts = 0; cuts < 12; ++cuts) {
      const auto steps = random() % 15;
      for (unsigned i = 0; i < steps; ++i) world.step(random() % 2 == 0);
      world.cut();
    }
    world.run(true);
    expect_whole(world, whole, "seed " + std::to_string(seed));
    if (HasFailure()) return;
  }
}

// How often each of the editor's calls was answered.
std::map<std::string, int> answers(const Lines& lines) {
  std::map<std::string, int> out;
  for (const std::string& line : lines) {
    const json::object message = json::parse(line).as_object();
    if (!message.contains("method")) ++out[json::serialize(message.at("id"))];
  }
  return out;
}

TEST(BridgeCuts, ARelayThatIsStartedAgainLeavesNoRequestOpen) {
  const Undisturbed whole = undisturbed(kTurns, true);
  for (int at = 0; at <= whole.steps; ++at) {
    World world(kTurns);
    for (int i = 0; i < at; ++i) world.step(true);
    world.cut(true);
    world.run(true);
    EXPECT_TRUE(world.bridge.idle()) << at;
    for (const auto& [id, times] : answers(world.editor.lines())) {
      EXPECT_EQ(times, 1) << id << " at " << at;
    }
    Lines told = world.relay.told();
    std::ranges::sort(told);
    EXPECT_EQ(std::ranges::adjacent_find(told,
                                         [](const std::string& a, const std::string& b) {
                                           return a == b && a != "cancel";
                                         }),
              told.end())
        << at;
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace relay::bridge
