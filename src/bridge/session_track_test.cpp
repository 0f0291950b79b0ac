#include "bridge/session_track.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace relay::bridge {
namespace {

using State = SessionTrack::State;
constexpr auto kNotification = MessageKind::kNotification;

// Which of the numbers the editor gets.
std::vector<std::int64_t> taken(SessionTrack& track, std::vector<std::int64_t> numbers) {
  std::erase_if(numbers, [&](std::int64_t number) { return !track.take(kNotification, number); });
  return numbers;
}

using Numbers = std::vector<std::int64_t>;

TEST(SessionTrack, TakesEveryNumberOnce) {
  SessionTrack track;
  EXPECT_EQ(track.last(), std::nullopt);
  EXPECT_EQ(taken(track, {1, 2, 2, 5, 3, 6}), (Numbers{1, 2, 5, 6}));
  EXPECT_EQ(track.last(), 6);
}

TEST(SessionTrack, NeverRefusesRequestsAndResponses) {
  SessionTrack track;
  track.attach(10);
  EXPECT_TRUE(track.take(MessageKind::kRequest, 4)) << "shown again after a resume";
  EXPECT_TRUE(track.take(MessageKind::kResponse, 9));
  EXPECT_EQ(track.last(), 10);
  EXPECT_TRUE(track.take(MessageKind::kResponse, 12));
  EXPECT_EQ(track.last(), 12);
}

TEST(SessionTrack, KeepsWhatItHeardBeforeItWasAttached) {
  SessionTrack track;
  track.take(kNotification, 3);
  track.attach(2);
  EXPECT_EQ(track.last(), 3);
  EXPECT_EQ(track.state, State::kAttached);
  SessionTrack unknown;
  unknown.attach(std::nullopt);
  EXPECT_EQ(unknown.last(), std::nullopt) << "nothing is known of its numbers";
}

TEST(SessionTrack, LetsALoadReplayFromTheBeginning) {
  SessionTrack track;
  track.attach(3);
  track.begin_load();
  EXPECT_EQ(taken(track, {4, 1, 2, 3, 4}), (Numbers{4, 1, 2, 3, 4})) << "4 came before the replay";
  track.end_load();
  EXPECT_EQ(taken(track, {4, 5}), (Numbers{5}));
}

TEST(SessionTrack, GoesOnWithALoadThatWasCut) {
  for (const std::int64_t known : {0, 9}) {
    SessionTrack track;
    if (known > 0) track.attach(known);
    track.begin_load();
    EXPECT_EQ(taken(track, {1, 2}), (Numbers{1, 2}));
    track.drop();
    track.drop();
    EXPECT_EQ(track.last(), 2);
    track.begin_load();
    track.drop();
    track.begin_load();
    EXPECT_EQ(taken(track, {1, 2, 3}), (Numbers{3}));
    track.end_load();
    EXPECT_EQ(track.last(), 3);
    track.begin_load();
    EXPECT_EQ(taken(track, {1, 2, 3}), (Numbers{1, 2, 3})) << "another load";
  }
}

TEST(SessionTrack, BeginsALoadAgainThatWasCutBeforeItReplayed) {
  SessionTrack track;
  track.attach(2);
  track.begin_load();
  EXPECT_EQ(taken(track, {3}), (Numbers{3}));
  track.drop();
  EXPECT_EQ(track.last(), 3);
  track.begin_load();
  EXPECT_EQ(taken(track, {1, 2, 3}), (Numbers{1, 2, 3}));
}

TEST(SessionTrack, FollowsARelayThatLostItsLastMessages) {
  SessionTrack track;
  track.attach(57);
  track.rewind(60);
  EXPECT_EQ(track.last(), 57);
  track.rewind(56);
  EXPECT_EQ(taken(track, {55, 56, 57}), (Numbers{56, 57}));
}

TEST(SessionTrack, IsToBeResumedAfterADropOnlyWhenItWasAttached) {
  SessionTrack track;
  track.drop();
  EXPECT_EQ(track.state, State::kHeardOf);
  track.attach(1);
  track.drop();
  EXPECT_EQ(track.state, State::kDropped);
  track.state = State::kResuming;
  track.drop();
  EXPECT_EQ(track.state, State::kDropped);
  track.state = State::kDetached;
  track.drop();
  EXPECT_EQ(track.state, State::kDetached);
}

TEST(SessionTrack, GoesOnWhenSomethingNewComesAfterItWasClosed) {
  SessionTrack track;
  track.close();
  EXPECT_EQ(track.state, State::kHeardOf) << "it is not the editor's";
  track.attach(3);
  track.close();
  track.drop();
  EXPECT_EQ(track.state, State::kClosed);
  EXPECT_FALSE(track.take(kNotification, 3));
  track.take(MessageKind::kRequest, 2);
  EXPECT_EQ(track.state, State::kClosed) << "nothing of it is new";
  for (const MessageKind kind : {kNotification, MessageKind::kRequest, MessageKind::kResponse}) {
    track.take(kind, *track.last() + 1);
    EXPECT_EQ(track.state, State::kAttached);
    track.close();
  }
  EXPECT_EQ(track.last(), 6);
}

}  // namespace
}  // namespace relay::bridge
