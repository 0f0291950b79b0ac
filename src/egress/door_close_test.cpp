// Requests that are about to begin when their door is closed.
#include "egress/testing/running_door.hpp"
#include "http/testing/running_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace relay::egress {
namespace {

using http::testing::eventually;
using http::testing::RawClient;
using testing::DoorTest;
using ::testing::EndsWith;
using testing::RunningDoor;

using DoorCloseTest = DoorTest;

TEST_F(DoorCloseTest, LetsNothingOutThatWouldBeginBehindIt) {
  using Moment = RunningDoor::Moment;
  struct Case {
    Moment moment;
    std::string requests;
  };
  const std::string get(kGet);
  for (const Case& row : {
           // The second one waits for its turn.
           Case{Moment::kRequestIsOver, "GET /other HTTP/1.1\r\nHost: x\r\n\r\n" + get},
           Case{Moment::kCredentialIsHad, get},
       }) {
    RunningDoor door(own());
    RawClient agent(door.port());
    const auto peer = ask(agent);
    peer->send(kOk);
    EXPECT_THAT(agent.read_answer(), EndsWith("ok"));
    door.accounts(1);  // the connection to the upstream is kept
    door.close_behind(row.moment);
    agent.send(row.requests);
    agent.read_all();
    door.connections();  // what would go out by now has done so
    peer->send(kOk);
    EXPECT_TRUE(eventually([&] { return door.connections() == 0; }));
    EXPECT_EQ(door.spent().requests, 1U) << row.requests;
  }
}

}  // namespace
}  // namespace relay::egress
