#include "config/load.hpp"

#include "config/apply.hpp"
#include "config/expand.hpp"
#include "config/validate.hpp"
#include "config/yaml_text.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <sys/stat.h>
#include <tuple>
#include <unistd.h>

namespace relay::config {
namespace {

void expand_variables(Value& root, const std::string& source, const Environment& environment,
                      Loading& loading) {
  std::set<std::pair<std::string, std::string>> warned;
  const Lookup lookup = [&](std::string_view name) -> std::optional<std::string> {
    const auto found = environment.find(name);
    if (found == environment.end()) return std::nullopt;
    return found->second;
  };
  ExpansionReport report;
  report.missed = [&](const std::string& path, Mark mark, const std::string& variable) {
    if (!warned.emplace(variable, path).second) return;
    loading.warnings.push_back(
        {source, mark.line, mark.column, path,
         "the variable " + variable + " is not set, so ${" + variable + "} is empty",
         "set " + variable + ", or write ${" + variable + ":-default}"});
  };
  report.malformed = [&](const std::string& path, Mark mark, const std::string& message) {
    loading.problems.push_back(
        {source, mark.line, mark.column, path, message, "write $${ for a literal ${"});
  };
  expand_all(root, "", lookup, report);
}

void check_rules(const std::string& source, Loading& loading) {
  // A value that was not read is still at its default: what the rules say about it is only noise.
  std::set<std::string> not_read;
  for (const Problem& problem : loading.problems) not_read.insert(problem.key);
  for (const Finding& finding : validate(loading.config)) {
    if (not_read.contains(finding.key)) continue;
    Problem problem = locate(loading, finding.key, finding.message, finding.remedy);
    if (problem.source.empty()) problem.source = source;
    (finding.severity == Severity::kWarning ? loading.warnings : loading.problems)
        .push_back(std::move(problem));
  }
}

// What the relay reads only when somebody needs it: better found missing here.
void check_files(const std::string& source, Loading& loading) {
  for (const UpstreamConfig& upstream : loading.config.egress.upstreams) {
    const std::string& path = upstream.ca_file;
    if (path.empty() || ::access(path.c_str(), R_OK) == 0) continue;
    Problem problem = locate(loading, "egress.upstreams." + upstream.name + ".ca_file",
                             path + " can't be read: " + std::strerror(errno),
                             "give a PEM file with the upstream's certificate authority");
    if (problem.source.empty()) problem.source = source;
    problem.is_unread = true;
    loading.problems.push_back(std::move(problem));
  }
}

// Problems of the file in the order of its lines, then the others.
void sort_by_place(std::vector<Problem>& problems) {
  std::stable_sort(problems.begin(), problems.end(), [](const Problem& a, const Problem& b) {
    return std::tuple(a.line == 0, a.line, a.column) < std::tuple(b.line == 0, b.line, b.column);
  });
}

LoadResult read_text(std::string_view text, const std::string& name, std::string file,
                     const Environment& environment) {
  Loading loading;
  loading.config.file = std::move(file);
  ParsedYaml parsed = parse_yaml(text, name);
  loading.problems = std::move(parsed.problems);
  expand_variables(parsed.root, name, environment, loading);
  apply_file(parsed.root, name, loading);
  apply_environment(environment, loading);
  apply_agents(environment, name, loading);
  apply_presets(loading);
  check_rules(name, loading);
  check_files(name, loading);
  sort_by_place(loading.problems);
  sort_by_place(loading.warnings);
  return {std::move(loading.config), std::move(loading.warnings), std::move(loading.problems)};
}

LoadResult unread(const std::string& path, std::string message, std::string remedy) {
  LoadResult result;
  result.problems.push_back({path, 0, 0, "", std::move(message), std::move(remedy), true});
  return result;
}

// As one that is mounted alone into a container, where an editor puts a new one in its place.
bool has_been_replaced(const std::string& path) {
  struct stat facts = {};
  return ::stat(path.c_str(), &facts) == 0 && facts.st_nlink == 0;
}

}  // namespace

Environment process_environment() {
  Environment environment;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto equals = text.find('=');
    if (equals != std::string_view::npos && equals > 0)
      environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return environment;
}

std::string describe(const Problem& problem) {
  std::string text = problem.source;
  if (problem.line > 0)
    text += ":" + std::to_string(problem.line) + ":" + std::to_string(problem.column);
  if (!problem.key.empty()) text += ": " + problem.key;
  text += ": " + problem.message;
  if (!problem.remedy.empty()) text += "; " + problem.remedy;
  // Keys and messages may quote the file; a terminal must not act on what it holds.
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  return text;
}

LoadResult load_text(std::string_view text, const std::string& name,
                     const Environment& environment) {
  return read_text(text, name, {}, environment);
}

LoadResult load(const std::string& path, const Environment& environment) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) {
    const bool missing = status.type() == std::filesystem::file_type::not_found;
    return unread(path, missing ? "no such file" : error.message(),
                  "give the path with --config, or copy config/relay.example.yaml there");
  }
  if (std::filesystem::is_directory(status))
    return unread(path, "is a directory", "give the file in it with --config");
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return unread(path, std::string("can't be read: ") + std::strerror(errno),
                  "check who may read it with: ls -l " + path);
  }
  // One byte more than allowed, so that the size is noticed and the memory is bounded.
  std::string text(kMaxTextBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) return unread(path, "can't be read to its end", "check the disk it lies on");
  text.resize(static_cast<std::size_t>(file.gcount()));
  LoadResult result = read_text(text, path, path, environment);
  if (has_been_replaced(path)) {
    result.warnings.push_back({path, 0, 0, "",
                               "it has been replaced or deleted where it comes from, and this is "
                               "what it was before",
                               "mount its directory rather than the file, or start the container "
                               "anew"});
  }
  return result;
}

}  // namespace relay::config
