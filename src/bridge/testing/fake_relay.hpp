// For tests: a relay as a bridge sees it, with an agent that follows a script.
//
// It numbers and keeps every message of a session, gives them to connections that are attached, and
// replays after session/resume. The connection is two queues that can be cut at any moment.
#pragma once

#include "bridge/bridge.hpp"

#include <boost/json.hpp>

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace relay::bridge::testing {

class FakeRelay {
 public:
  // A message of the bridge has arrived.
  void receive(const std::string& text);
  // What goes to the bridge; empty: nothing.
  std::deque<std::string>& out() { return out_; }
  void cut();
  // A fresh process over the same log: its ids of requests begin anew, its agents are gone, and
  // what they had been asked is answered with an error.
  void restart();

  // What the agent was told, in order: "prompt TEXT", "answer TEXT", "cancel", "note TEXT".
  const std::vector<std::string>& told() const { return told_; }
  std::size_t sessions() const { return sessions_.size(); }
  // The texts of what came on the present connection.
  const std::vector<std::string>& received() const { return received_; }
  bool refuses_resume = false;

 private:
  struct Entry {
    std::int64_t number = 0;
    std::string text;
    bool question = false;
  };
  // Whose connection a message is not shown on, beside those who are not attached.
  enum class Hidden { kFromNobody, kFromPrompter };
  struct Session {
    std::int64_t last = 0;
    std::vector<Entry> log;
    std::set<std::string> seen;
    std::string prompt_id;  // of the turn that runs
    std::string question;   // its text while it is not answered
    std::string question_id;
  };

  void request(const std::string& id, const std::string& method, const boost::json::object& params);
  void prompt(const std::string& session, const std::string& id, const std::string& text);
  void answer(const std::string& id, const boost::json::object& message);
  void cancel(const std::string& session);
  void resume(const std::string& session, const std::string& id, const boost::json::object& params);
  void load(const std::string& session, const std::string& id);
  void say(const std::string& session, const std::string& text);
  void finish(const std::string& session, const std::string& reason);
  void log(const std::string& session, std::string text, bool question = false,
           Hidden hidden = Hidden::kFromNobody);
  void send(std::string text) { out_.push_back(std::move(text)); }

  std::map<std::string, Session> sessions_;
  std::set<std::string> attached_;
  bool greeted_ = false;
  int next_question_ = 1;
  std::deque<std::string> out_;
  std::vector<std::string> told_;
  std::vector<std::string> received_;
};

}  // namespace relay::bridge::testing
