// Agents that are asked to introduce themselves outside of any session.
#include "base/as_result.hpp"
#include "base/finally.hpp"
#include "session/conversation.hpp"
#include "session/session_directory.hpp"

#include <memory>
#include <utility>

namespace relay {

// What those who ask an agent to introduce itself wait for.
struct SessionDirectory::Introduction {
  Introduction(const SessionContext& of_agent, Greeting words)
      : context(of_agent), greeting(std::move(words)), done(of_agent.executor) {}

  const SessionContext& context;
  Greeting greeting;
  unsigned program = 0;  // of the agent, see AgentProfiles
  Result<std::string> result = shutting_down();
  Event done;
};

Task<Result<std::string>> SessionDirectory::agent_profile(std::string agent) {
  const SessionContext* const context = agents_.find(agent);
  if (context == nullptr) co_return unknown_agent(agent, agents_);
  if (const std::string* const known = profiles_.of(agent)) co_return *known;
  auto introduction = learning_[agent];
  if (!introduction) {
    introduction = std::make_shared<Introduction>(
        *context, Greeting{context->options.client_capabilities, {}, {}});
    introduction->program = profiles_.program(agent);
    learning_[agent] = introduction;
    scope_.spawn("learn what the agent can do",
                 [this, agent, introduction] { return learn_profile(agent, introduction); });
  }
  co_await introduction->done.wait();
  if (!introduction->done.happened()) co_return shutting_down();  // who asked has left
  if (introduction->result) co_return introduction->result;
  if (const std::string* const before = profiles_.before(agent)) co_return *before;
  co_return introduction->result;
}

Task<void> SessionDirectory::learn_profile(std::string agent,
                                           std::shared_ptr<Introduction> introduction) {
  co_await introduce_agent(introduction);
  if (introduction->result) profiles_.learn(agent, introduction->program, *introduction->result);
  const auto learned = learning_.find(agent);
  if (learned != learning_.end() && learned->second == introduction) learning_.erase(learned);
}

Task<Result<void>> SessionDirectory::try_login(std::string agent, Greeting greeting) {
  const SessionContext* const context = agents_.find(agent);
  if (context == nullptr) co_return unknown_agent(agent, agents_);
  const auto introduction = std::make_shared<Introduction>(*context, std::move(greeting));
  scope_.spawn("try a login", [this, introduction] { return introduce_agent(introduction); });
  co_await introduction->done.wait();
  if (!introduction->result) co_return introduction->result.error();
  co_return Result<void>();
}

// Whoever asked may leave: the agent is ended all the same.
Task<void> SessionDirectory::introduce_agent(std::shared_ptr<Introduction> introduction) {
  if (stopping_) {
    introduction->result = shutting_down();
  } else if (sessions_.size() + introductions_ >= options_.max_sessions) {
    introduction->result = session_limit_reached(options_.max_sessions);
  } else {
    ++introductions_;
    const Finally end([this] { --introductions_; });
    auto introducing =
        as_result(introduce(introduction->context, introduction->greeting, introductions_end_));
    introduction->result = co_await std::move(introducing);
  }
  introduction->done.happen();
}

void SessionDirectory::forget_profile(const std::string& agent) {
  profiles_.forget(agent);
  learning_.erase(agent);
}

}  // namespace relay
