#include "session/audience.hpp"

#include <gtest/gtest.h>

namespace relay {
namespace {

const ClientId kNoClient;
const ClientId kThisClient(1);
const ClientId kOtherClient(2);

struct AudienceRow {
  const char* what;
  Audience audience;
  Receiver receiver;
  storage::Sequence sequence;
  DeliveryKind kind;
  Share share;
};

class AudienceTest : public testing::TestWithParam<AudienceRow> {};

TEST_P(AudienceTest, DecidesWhatAClientGets) {
  const AudienceRow& row = GetParam();
  const Delivery delivery{SharedBytes(std::string("x")), row.sequence, row.kind};
  EXPECT_EQ(share_of(row.audience, delivery, row.receiver), row.share) << row.what;
}

constexpr auto kAnUpdate = DeliveryKind::kUpdate;
constexpr auto kAnAnswer = DeliveryKind::kResponse;
constexpr auto kAQuestion = DeliveryKind::kRequest;
const Audience kToAll{kNoClient};
const Audience kToAllButMe{kNoClient, kThisClient};
const Audience kToMe{kThisClient};
const Audience kToOther{kOtherClient};
const Receiver kLiveClient{kThisClient};
const Receiver kClientBehind{kThisClient, false, false, false};
const Receiver kCallerOfOneTurn{kThisClient, true};
const Receiver kFeedClient{kThisClient, false, true};
const Receiver kClientThatRead{kThisClient, false, false, true, 7};
const Receiver kFeedThatRead{kThisClient, false, true, true, 7};

INSTANTIATE_TEST_SUITE_P(
    Table, AudienceTest,
    testing::Values(
        AudienceRow{"for all", kToAll, kLiveClient, 5, kAnUpdate, Share::kMessage},
        AudienceRow{"for all, still behind", kToAll, kClientBehind, 5, kAnUpdate, Share::kNothing},
        AudienceRow{"for all but me", kToAllButMe, kLiveClient, 5, kAnUpdate, Share::kNothing},
        AudienceRow{"for all but me, still behind", kToAllButMe, kClientBehind, 5, kAnUpdate,
                    Share::kOwnForm},
        AudienceRow{"read from the log", kToAll, kClientThatRead, 7, kAnUpdate, Share::kNothing},
        AudienceRow{"behind what was read", kToAll, kClientThatRead, 8, kAnUpdate, Share::kMessage},
        AudienceRow{"a question that was read", kToAll, kClientThatRead, 7, kAQuestion,
                    Share::kMessage},
        AudienceRow{"of another's turn",
                    {kNoClient, kNoClient, kOtherClient},
                    kCallerOfOneTurn,
                    5,
                    kAnUpdate,
                    Share::kNothing},
        AudienceRow{"of its own turn",
                    {kNoClient, kNoClient, kThisClient},
                    kCallerOfOneTurn,
                    5,
                    kAnUpdate,
                    Share::kMessage},
        AudienceRow{"of no turn", kToAll, kCallerOfOneTurn, 5, kAnUpdate, Share::kNothing},
        AudienceRow{"its answer", kToMe, kLiveClient, 5, kAnAnswer, Share::kMessage},
        AudienceRow{"its answer, still behind", kToMe, kClientBehind, 5, kAnAnswer, Share::kLater},
        AudienceRow{"its question, still behind", kToMe, kClientBehind, 5, kAQuestion,
                    Share::kNothing},
        AudienceRow{"outside the stream, still behind", kToMe, kClientBehind, 0, kAnUpdate,
                    Share::kMessage},
        AudienceRow{"its answer, read before", kToMe, kClientThatRead, 7, kAnAnswer,
                    Share::kMessage},
        AudienceRow{"its answer, read before, of a feed", kToMe, kFeedThatRead, 7, kAnAnswer,
                    Share::kNothing},
        AudienceRow{"another's answer", kToOther, kLiveClient, 5, kAnAnswer, Share::kNothing},
        AudienceRow{"another's answer, of a feed", kToOther, kFeedClient, 5, kAnAnswer,
                    Share::kMessage},
        AudienceRow{"another's question, of a feed", kToOther, kFeedClient, 5, kAQuestion,
                    Share::kNothing},
        AudienceRow{"another's answer, read, of a feed", kToOther, kFeedThatRead, 7, kAnAnswer,
                    Share::kNothing}));

}  // namespace
}  // namespace relay
