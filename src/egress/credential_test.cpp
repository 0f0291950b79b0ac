#include "egress/credential.hpp"

#include "egress/secret_command.hpp"
#include "http/testing/run.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace relay::egress {
namespace {

namespace fs = std::filesystem;
using http::testing::run;
using ::testing::HasSubstr;
using ::testing::Not;

class CredentialTest : public ::testing::Test {
 protected:
  void SetUp() override { fs::create_directories(directory_); }
  void TearDown() override { fs::remove_all(directory_); }

  void write(const std::string& text) const { std::ofstream(file_) << text; }
  // A script that prints the number of its runs.
  CredentialSource counting() const {
    const std::string script = "echo x >> " + file_ + "; grep -c x " + file_;
    return {"", "", {"/bin/sh", "-c", script}, std::chrono::hours(1)};
  }
  // A script that prints "first", and from then on waits for what comes through the pipe.
  CredentialSource hanging(
      std::chrono::milliseconds refresh,
      std::chrono::milliseconds patience = std::chrono::milliseconds(0)) const {
    EXPECT_EQ(::mkfifo(pipe_.c_str(), 0600), 0);
    const std::string script =
        "if [ -e " + file_ + " ]; then cat " + pipe_ + "; else echo first | tee " + file_ + "; fi";
    CredentialSource source{"", "", {"/bin/sh", "-c", script}, refresh};
    source.patience = patience;
    return source;
  }

  const std::string directory_ =
      ::testing::TempDir() + "relay_credential_" + std::to_string(::getpid());
  const std::string file_ = directory_ + "/secret";
  const std::string pipe_ = directory_ + "/pipe";
};

TEST_F(CredentialTest, SaysWhatIsWrongWithAFileAndNotWhatIsInIt) {
  struct Case {
    std::string text;
    std::string_view why;
  };
  for (const Case& row : {Case{"", "it is empty"}, Case{" \n", "it is empty"},
                          Case{"s3cret\nline", "more than one line"},
                          Case{std::string(70'000, 's'), "larger than 64 KiB"}}) {
    write(row.text);
    const auto read = read_secret_file(file_);
    ASSERT_FALSE(read);
    EXPECT_THAT(read.error().explanation, HasSubstr(row.why));
    EXPECT_THAT(read.error().explanation, HasSubstr(file_));
    EXPECT_THAT(read.error().explanation, Not(HasSubstr("s3cret")));
  }
  EXPECT_THAT(read_secret_file(directory_ + "/none").error().explanation,
              HasSubstr("No such file"));
}

TEST_F(CredentialTest, IsWhatAProgramPrints) {
  const auto printed =
      run_secret_command({"sh", "-c", "echo ' s3cret'; echo noise >&2"}, std::chrono::seconds(20));
  ASSERT_TRUE(printed) << printed.error().explanation;
  EXPECT_EQ(*printed, "s3cret");
}

TEST_F(CredentialTest, SaysWhatIsWrongWithAProgramAndNotWhatItPrints) {
  struct Case {
    std::vector<std::string> command;
    std::string_view why;
  };
  for (const Case& row : {
           Case{{"/nowhere/program"}, "No such file"},
           Case{{"/bin/sh", "-c", "echo s3cret; exit 3"}, "it ended with code 3"},
           Case{{"/bin/sh", "-c", "echo s3cret; kill -TERM $$"}, "it was ended by signal 15"},
           Case{{"/bin/sh", "-c", "exec >&-; exit 4"}, "it ended with code 4"},
           Case{{"/bin/sh", "-c", "exit 0"}, "it is empty"},
           Case{{"/bin/sh", "-c", "yes s3cret"}, "larger than 64 KiB"},
       }) {
    const auto printed = run_secret_command(row.command, std::chrono::seconds(20));
    ASSERT_FALSE(printed) << row.why;
    EXPECT_THAT(printed.error().explanation, HasSubstr(row.why));
    EXPECT_THAT(printed.error().explanation, Not(HasSubstr("s3cret")));
  }
}

TEST_F(CredentialTest, IsNotWaitedForWithoutEnd) {
  for (const char* script : {"sleep 600", "sleep 600 & echo x", "echo x; exec >&-; sleep 600"}) {
    const auto printed =
        run_secret_command({"/bin/sh", "-c", script}, std::chrono::milliseconds(100));
    ASSERT_FALSE(printed) << script;
    EXPECT_THAT(printed.error().explanation, HasSubstr("it took longer than 100 ms"));
  }
}

TEST_F(CredentialTest, IsHadOnceForAllThatAskAndAgainWhenItIsRefused) {
  run([this]() -> Task<void> {
    const auto executor = co_await asio::this_coro::executor;
    Credential credential(executor, counting());
    std::vector<std::string> had;
    TaskScope asking(executor, ignore_failure);
    for (int i = 0; i < 5; ++i) {
      asking.spawn("ask", [&credential, &had]() -> Task<void> {
        const auto secret = co_await credential.get();
        had.push_back(secret ? *secret : secret.error().explanation);
      });
    }
    co_await asking.join();
    EXPECT_EQ(had, std::vector<std::string>(5, "1"));
    const auto kept = co_await credential.get();
    EXPECT_EQ(*kept, "1");
    credential.refused("1");
    const auto again = co_await credential.get("1");
    EXPECT_EQ(*again, "2");
    co_await credential.close();
  });
}

TEST_F(CredentialTest, TellsEverySecretThatIsReadBeforeAnybodyHasIt) {
  run([this]() -> Task<void> {
    std::vector<std::string> told;
    const auto executor = co_await asio::this_coro::executor;
    Credential credential(executor, counting(),
                          [&told](const std::string& secret) { told.push_back(secret); });
    const auto first = co_await credential.get();
    EXPECT_EQ(told, std::vector<std::string>{"1"});
    credential.refused(*first);
    const auto second = co_await credential.get(*first);
    EXPECT_EQ(told, (std::vector<std::string>{"1", *second}));
    co_await credential.close();
  });
}

TEST_F(CredentialTest, IsReadOnThoughTheOneWhoAskedFirstHasLeft) {
  run([this]() -> Task<void> {
    const auto executor = co_await asio::this_coro::executor;
    Credential credential(executor, counting());
    std::string had;
    TaskScope first(executor, ignore_failure);
    TaskScope second(executor, ignore_failure);
    first.spawn("ask", [&credential]() -> Task<void> {
      [[maybe_unused]] const auto secret = co_await credential.get();
    });
    second.spawn("ask", [&credential, &had]() -> Task<void> {
      const auto secret = co_await credential.get();
      had = secret ? *secret : secret.error().explanation;
    });
    first.cancel();
    co_await first.join();
    co_await second.join();
    EXPECT_EQ(had, "1");
    co_await credential.close();
  });
}

// An agent can have the upstream refuse it as often as it asks.
TEST_F(CredentialTest, IsNotReadForEachRefusal) {
  run([this]() -> Task<void> {
    const auto executor = co_await asio::this_coro::executor;
    CredentialSource source = counting();
    source.retry = std::chrono::hours(1);
    Credential credential(executor, source);
    std::string refused;
    for (const char* expected : {"1", "2", "2"}) {
      const auto secret = co_await credential.get(refused);
      EXPECT_EQ(*secret, expected);
      credential.refused(*secret);
      refused = *secret;
    }
    credential.refused("1");  // which it no longer is
    const auto last = co_await credential.get();
    EXPECT_EQ(*last, "2");
    co_await credential.close();
  });
}

// A store of secrets that hangs must not hold up everybody because of one who was refused.
TEST_F(CredentialTest, StandsForOthersWhileOneWaitsForItsSuccessor) {
  run([this]() -> Task<void> {
    const auto executor = co_await asio::this_coro::executor;
    Credential credential(executor, hanging(std::chrono::hours(1)));
    const auto first = co_await credential.get();
    EXPECT_EQ(*first, "first");
    credential.refused("first");
    const auto meanwhile = co_await credential.get();
    EXPECT_EQ(*meanwhile, "first");
    std::thread store([this] { std::ofstream(pipe_) << "second"; });
    const auto second = co_await credential.get("first");
    EXPECT_EQ(*second, "second");
    store.join();
    co_await credential.close();
  });
}

TEST_F(CredentialTest, IsNotGivenToOthersAsLongAsTheyHavePatience) {
  run([this]() -> Task<void> {
    const auto executor = co_await asio::this_coro::executor;
    Credential credential(executor, hanging(std::chrono::hours(1), std::chrono::hours(1)));
    const auto first = co_await credential.get();
    EXPECT_EQ(*first, "first");
    credential.refused("first");
    std::thread store([this] { std::ofstream(pipe_) << "second"; });
    const auto others = co_await credential.get();
    EXPECT_EQ(*others, "second");
    store.join();
    co_await credential.close();
  });
}

TEST_F(CredentialTest, StandsForOthersWhereItIsRefusedWhileItIsRead) {
  run([this]() -> Task<void> {
    const auto executor = co_await asio::this_coro::executor;
    Credential credential(executor, hanging(std::chrono::milliseconds(0)));
    const auto first = co_await credential.get();
    EXPECT_EQ(*first, "first");
    std::string had;
    TaskScope asking(executor, ignore_failure);
    asking.spawn("ask", [&credential, &had]() -> Task<void> {
      const auto secret = co_await credential.get();  // it is due
      had = secret.value_or("none");
    });
    co_await asio::post(executor, asio::use_awaitable);
    EXPECT_EQ(had, "");
    credential.refused("first");
    co_await asking.join();
    EXPECT_EQ(had, "first");
    std::thread store([this] { std::ofstream(pipe_) << "second"; });
    const auto second = co_await credential.get("first");
    EXPECT_EQ(*second, "second");
    store.join();
    co_await credential.close();
  });
}

TEST_F(CredentialTest, IsNotReadForARefusalWhereThatHasJustFailed) {
  run([this]() -> Task<void> {
    const auto executor = co_await asio::this_coro::executor;
    const std::string script =
        "echo x >> " + file_ + "; [ $(grep -c x " + file_ + ") = 1 ] && echo 1";
    CredentialSource source{"", "", {"/bin/sh", "-c", script}, std::chrono::milliseconds(0)};
    source.retry = std::chrono::hours(1);
    Credential credential(executor, source);
    for (int i = 0; i < 2; ++i) {  // the second time it fails
      const auto secret = co_await credential.get();
      EXPECT_EQ(*secret, "1");
    }
    credential.refused("1");
    const auto kept = co_await credential.get("1");
    EXPECT_EQ(*kept, "1");
    co_await credential.close();
    EXPECT_EQ(fs::file_size(file_), 4U) << "two runs";
  });
}

TEST_F(CredentialTest, IsTriedAgainAfterAFailureButNotAtOnce) {
  run([this]() -> Task<void> {
    const auto executor = co_await asio::this_coro::executor;
    CredentialSource source{"", file_, {}, std::chrono::hours(1)};
    source.retry = std::chrono::hours(1);
    Credential patient(executor, source);
    source.retry = std::chrono::milliseconds(0);
    Credential hasty(executor, source);
    const auto none = co_await patient.get();
    EXPECT_FALSE(none);
    const auto none_either = co_await hasty.get();
    EXPECT_FALSE(none_either);
    write("there\n");
    const auto still_none = co_await patient.get();
    EXPECT_THAT(still_none.error().explanation, HasSubstr("No such file"));
    const auto there = co_await hasty.get();
    EXPECT_EQ(*there, "there");
    co_await patient.close();
    co_await hasty.close();
  });
}

TEST_F(CredentialTest, IsKeptWhileItCannotBeReadAgain) {
  run([this]() -> Task<void> {
    const auto executor = co_await asio::this_coro::executor;
    CredentialSource source{"", file_, {}, std::chrono::milliseconds(0)};
    source.retry = std::chrono::milliseconds(0);
    Credential credential(executor, source);
    write("first");
    const auto first = co_await credential.get();
    EXPECT_EQ(*first, "first");
    fs::remove(file_);
    for (int i = 0; i < 3; ++i) {
      const auto kept = co_await credential.get();
      EXPECT_EQ(kept.value_or("none"), "first");
    }
    write("second");
    std::string had = "first";
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (had == "first" && std::chrono::steady_clock::now() < deadline) {
      const auto secret = co_await credential.get();
      had = secret.value_or("none");
      co_await asio::post(executor, asio::use_awaitable);
    }
    EXPECT_EQ(had, "second");
    fs::remove(file_);
    const auto second = co_await credential.get();
    EXPECT_EQ(second.value_or("none"), "second");
    credential.refused("second");  // what an agent asked was not for it
    const auto still = co_await credential.get();
    EXPECT_EQ(still.value_or("none"), "second");
    co_await credential.close();
  });
}

}  // namespace
}  // namespace relay::egress
