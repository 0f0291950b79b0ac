#include "backend/process/process_backend.hpp"

#include "backend/process/process_fixture.hpp"
#include "base/open_files.hpp"

#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>
#include <sys/resource.h>

namespace relay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

class ProcessBackendTest : public ProcessFixture {
 protected:
  ProcessBackendTest() {
    std::string pattern = testing::TempDir() + "relay_process_XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
  }
  ~ProcessBackendTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  std::string file(const std::string& name, const std::string& content, bool executable) {
    std::string path = directory_ + "/" + name;
    std::ofstream(path) << content;
    std::filesystem::permissions(
        path, executable ? std::filesystem::perms::owner_all : std::filesystem::perms::owner_read);
    return path;
  }

  Error launch_error(ProcessOptions options, LaunchSpec spec = {}) {
    run(sleep_for(0ms));  // the loop's own descriptors come with its first timer
    const std::size_t before = open_descriptors();
    auto agent = try_launch(std::move(options), std::move(spec));
    EXPECT_FALSE(agent);
    if (agent) return {};
    EXPECT_EQ(open_descriptors(), before);
    EXPECT_FALSE(agent.error().suggested_actions.empty());
    return agent.error();
  }

  static ProcessOptions command(std::string name) {
    ProcessOptions options;
    options.command = std::move(name);
    return options;
  }

  std::string directory_;
};

TEST_F(ProcessBackendTest, GivesTheAgentExactlyTheListedEnvironment) {
  ::setenv("RELAY_CANARY", "secret", 1);
  ::setenv("LC_CANARY", "kept", 1);
  ProcessOptions options = command("env");
  options.env = {{"FROM_CONFIG", "1"}, {"TERM", "dumb"}, {"BOTH", "config"}};
  LaunchSpec spec;
  spec.environment = {{"FROM_CLIENT", "a=b"}, {"BOTH", "client"}};
  auto agent = launch(options, spec);
  std::vector<std::string> names;
  for (const std::string& line : all_lines(*agent)) {
    EXPECT_THAT(line, testing::Not(HasSubstr("secret")));
    const std::string name = line.substr(0, line.find('='));
    if (name != "LANG" && !name.starts_with("LC_")) names.push_back(line);
    if (name == "LC_CANARY") names.push_back(line);
  }
  std::erase_if(names, [](const std::string& line) {
    return line.starts_with("PATH=") || line.starts_with("HOME=");
  });
  EXPECT_THAT(names, UnorderedElementsAre("FROM_CONFIG=1", "TERM=dumb", "BOTH=client",
                                          "FROM_CLIENT=a=b", "LC_CANARY=kept"));
  ::unsetenv("RELAY_CANARY");
  ::unsetenv("LC_CANARY");
  run(agent->stop(1s));
}

TEST_F(ProcessBackendTest, InheritsNoDescriptorsAndNoSignalSettings) {
  const UniqueFd canary(::dup(STDOUT_FILENO));
  auto agent = launch_shell("ls /proc/self/fd | wc -l; grep SigIgn /proc/self/status");
  const std::vector<std::string> lines = all_lines(*agent);
  ASSERT_EQ(lines.size(), 2U);
  // The three standard ones and the directory that ls reads.
  EXPECT_EQ(lines[0], "4");
  // The C library keeps its two internal signals ignored until it needs them.
  constexpr unsigned long kInternal = 0x180000000UL;
  EXPECT_EQ(std::stoul(lines[1].substr(lines[1].find('\t')), nullptr, 16) & ~kInternal, 0U);
  run(agent->stop(1s));
}

TEST_F(ProcessBackendTest, WorksWhereTheClientWants) {
  ProcessOptions options = command("pwd");
  options.working_directory = "/";
  auto at_default = launch(options);
  EXPECT_THAT(all_lines(*at_default), ElementsAre("/"));
  run(at_default->stop(1s));
  LaunchSpec spec;
  spec.working_directory = std::filesystem::canonical(directory_).string();
  auto agent = launch(options, spec);
  EXPECT_EQ(agent->working_directory(), spec.working_directory);
  EXPECT_THAT(all_lines(*agent), ElementsAre(spec.working_directory));
  run(agent->stop(1s));
}

TEST_F(ProcessBackendTest, FindsTheCommandInTheConfiguredPath) {
  file("my-agent", "#!/bin/sh\necho found\n", true);
  ProcessOptions options = command("my-agent");
  options.env = {{"PATH", "/nowhere:" + directory_}};
  auto agent = launch(options);
  EXPECT_THAT(all_lines(*agent), ElementsAre("found"));
  run(agent->stop(1s));
}

TEST_F(ProcessBackendTest, NamesAMissingCommand) {
  const Error error = launch_error(command("no-such-agent"));
  EXPECT_EQ(error.type, ErrorType::kAgentStartFailed);
  EXPECT_EQ(error.explanation,
            "agent command \"no-such-agent\" not found in PATH; set agent.command");
  EXPECT_THAT(launch_error(command("/no/such/agent")).explanation, HasSubstr("does not exist"));
  EXPECT_THAT(launch_error(command("")).explanation, HasSubstr("no agent command"));
  EXPECT_THAT(launch_error(command("/tmp")).explanation, HasSubstr("is a directory"));
}

TEST_F(ProcessBackendTest, NamesACommandThatCannotBeExecuted) {
  const std::string plain = file("plain", "text", false);
  const Error error = launch_error(command(plain));
  EXPECT_EQ(error.type, ErrorType::kAgentStartFailed);
  EXPECT_THAT(error.explanation, HasSubstr("is not an executable file"));
  const Error no_format = launch_error(command(file("no-format", "text", true)));
  EXPECT_THAT(no_format.explanation, HasSubstr("not a program this machine can run"));
  const Error no_interpreter = launch_error(command(file("lost", "#!/no/such/sh\n", true)));
  EXPECT_THAT(no_interpreter.explanation, HasSubstr("interpreter or loader"));
}

TEST_F(ProcessBackendTest, NamesAMissingWorkingDirectory) {
  LaunchSpec spec;
  spec.working_directory = directory_ + "/missing";
  const Error error = launch_error(command("cat"), spec);
  EXPECT_EQ(error.type, ErrorType::kWorkspaceUnavailable);
  EXPECT_THAT(error.explanation, HasSubstr("does not exist"));
  spec.working_directory = file("file", "", true);
  EXPECT_THAT(launch_error(command("cat"), spec).explanation, HasSubstr("is not a directory"));
  spec.working_directory = "relative";
  EXPECT_THAT(launch_error(command("cat"), spec).explanation, HasSubstr("not an absolute path"));
}

TEST_F(ProcessBackendTest, NamesTooLargeArguments) {
  ProcessOptions options = command("cat");
  options.env = {{"BIG", std::string(1U << 20U, 'x')}};
  EXPECT_THAT(launch_error(options).explanation, HasSubstr("larger than the system allows"));
  options.env = {{"NUL", std::string("a\0b", 3)}};
  EXPECT_THAT(launch_error(options).explanation, HasSubstr("NUL byte"));
}

TEST_F(ProcessBackendTest, GivesTheLimitOfOpenFilesThatTheRelayWasStartedWith) {
  rlimit original{};
  ::getrlimit(RLIMIT_NOFILE, &original);
  ASSERT_GT(original.rlim_max, 257U);
  rlimit low = original;
  low.rlim_cur = 256;
  ::setrlimit(RLIMIT_NOFILE, &low);
  const auto limits_of_agent = [this] {
    auto agent = launch(shell("ulimit -Sn; ulimit -Hn; cat"));
    std::vector<std::string> lines = read_lines(*agent, 2);
    run(agent->stop(1s));
    return lines;
  };
  const std::vector<std::string> wanted{"256", std::to_string(original.rlim_max)};
  EXPECT_EQ(limits_of_agent(), wanted);
  raise_open_files();
  rlimit raised{};
  ::getrlimit(RLIMIT_NOFILE, &raised);
  EXPECT_EQ(raised.rlim_cur, original.rlim_max);
  EXPECT_EQ(limits_of_agent(), wanted);
  ::setrlimit(RLIMIT_NOFILE, &original);
}

TEST_F(ProcessBackendTest, NamesExhaustedDescriptorsAndRecovers) {
  rlimit original{};
  ::getrlimit(RLIMIT_NOFILE, &original);
  rlimit tight = original;
  // Room for two pipes, not for three.
  const UniqueFd lowest_free(::dup(STDOUT_FILENO));
  tight.rlim_cur = static_cast<rlim_t>(lowest_free.get()) + 5;
  ::setrlimit(RLIMIT_NOFILE, &tight);
  auto agent = try_launch(command("cat"));
  ::setrlimit(RLIMIT_NOFILE, &original);
  ASSERT_FALSE(agent);
  EXPECT_THAT(agent.error().explanation, HasSubstr("no file descriptors left"));
  EXPECT_TRUE(agent.error().recoverable);
  run(launch(command("cat"))->stop(1s));
}

}  // namespace
}  // namespace relay
