#include "config/yaml_text.hpp"

#include "config/utf8.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <memory>
#include <sstream>
#include <unordered_map>

namespace relay::config {
namespace {

Mark to_mark(const YAML::Mark& mark) { return {mark.line + 1, mark.column + 1}; }

// Ends the parse with a problem at a place.
struct Refused {
  Mark mark;
  std::string message;
  std::string remedy;
};

// Builds the tree from the parser's events; a stack of what is open.
class TreeBuilder final : public YAML::EventHandler {
 public:
  explicit TreeBuilder(std::vector<Problem>& problems, const std::string& source)
      : problems_(problems), source_(source) {}

  Value take_root() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    check(mark, "", anchor);
    Value value;
    value.mark = to_mark(mark);
    put(std::move(value));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { refuse_anchor(mark); }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    check(mark, tag, anchor);
    Value value = tag == "!" ? Value::quoted(text) : Value::bare(text);
    value.mark = to_mark(mark);
    put(std::move(value));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Value::list());
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Value::map());
  }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    Value value;
    bool has_name = false;  // the name of a field was read, its value is due
    bool duplicate = false;
    std::string name;
    Mark name_mark;
    std::unordered_map<std::string, int> lines;  // of the names so far
  };

  [[noreturn]] static void refuse_anchor(const YAML::Mark& mark) {
    throw Refused{to_mark(mark), "anchors and aliases (& and *) are not supported",
                  "write the value out, or put it into quotes if it is text"};
  }

  static void check(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (anchor != 0) refuse_anchor(mark);
    if (!tag.empty() && tag != "?" && tag != "!") {
      throw Refused{to_mark(mark), "tags (!) are not supported",
                    "remove the tag, or put the value into quotes if it is text"};
    }
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, Value value) {
    check(mark, tag, anchor);
    if (static_cast<int>(stack_.size()) >= kMaxDepth) {
      throw Refused{to_mark(mark), "nested more than " + std::to_string(kMaxDepth) + " levels deep",
                    "no key needs that"};
    }
    value.mark = to_mark(mark);
    if (!stack_.empty() && stack_.back()->value.kind == Value::Kind::kMap &&
        !stack_.back()->has_name)
      refuse_name(value.mark);
    auto level = std::make_unique<Open>();
    level->value = std::move(value);
    stack_.push_back(std::move(level));
  }

  void close() {
    Value value = std::move(stack_.back()->value);
    stack_.pop_back();
    put(std::move(value));
  }

  [[noreturn]] static void refuse_name(Mark mark) {
    throw Refused{mark, "a key must be a plain name", "write name: value, and close every [ and {"};
  }

  void put(Value value) {
    if (++values_ > kMaxValues) {
      throw Refused{value.mark, "more than " + std::to_string(kMaxValues) + " values",
                    "this is hardly a configuration file: check the path"};
    }
    if (stack_.empty()) {
      root_ = std::move(value);
      return;
    }
    Open& top = *stack_.back();
    if (top.value.kind == Value::Kind::kList) {
      top.value.items.push_back(std::move(value));
    } else if (!top.has_name) {
      begin_field(top, value);
    } else {
      // The parser places an absent value at the next token, which may be lines away.
      if (value.kind == Value::Kind::kNull) value.mark = top.name_mark;
      top.has_name = false;
      if (!top.duplicate)
        top.value.fields.push_back({std::move(top.name), top.name_mark, std::move(value)});
    }
  }

  // Where a field of the innermost map stands: "server.tls.cert".
  std::string path_to(const std::string& name) const {
    std::string path;
    for (const auto& level : stack_) {
      if (level->has_name && level != stack_.back()) path += level->name + ".";
    }
    return path + name;
  }

  void begin_field(Open& top, const Value& name) {
    if (name.kind != Value::Kind::kScalar) refuse_name(name.mark);
    top.has_name = true;
    top.name = name.text;
    top.name_mark = name.mark;
    const auto [first, inserted] = top.lines.emplace(name.text, name.mark.line);
    top.duplicate = !inserted;
    if (top.duplicate) {
      problems_.push_back(
          {source_, name.mark.line, name.mark.column, path_to(name.text),
           "the key is there twice (first in line " + std::to_string(first->second) + ")",
           "remove one of the two"});
    }
  }

  std::vector<Problem>& problems_;
  const std::string& source_;
  std::vector<std::unique_ptr<Open>> stack_;
  Value root_;
  int values_ = 0;  // keys count too
};

// The first line that has a tab before its text, the most common reason of a syntax error; 0: none.
int line_indented_with_tab(std::string_view text) {
  int line = 1;
  bool before_text = true;
  for (const char c : text) {
    if (c == '\t' && before_text) return line;
    if (c == '\n') ++line;
    before_text = c == '\n' || (before_text && c == ' ');
  }
  return 0;
}

}  // namespace

ParsedYaml parse_yaml(std::string_view text, const std::string& source) {
  ParsedYaml parsed;
  const auto refuse = [&](Mark mark, std::string message, std::string remedy) {
    parsed.root = Value{};
    parsed.problems.push_back(
        {source, mark.line, mark.column, "", std::move(message), std::move(remedy)});
  };
  if (text.size() > kMaxTextBytes) {
    refuse({}, "larger than 1 MiB", "this is hardly a configuration file: check the path");
    return parsed;
  }
  if (const auto bad = find_bad_character(text)) {
    const std::string_view before = text.substr(0, *bad);
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const auto start = before.rfind('\n');
    const auto column = start == std::string_view::npos ? *bad + 1 : *bad - start;
    refuse({static_cast<int>(line), static_cast<int>(column)},
           "a control character or a byte that is not UTF-8", "save the file as UTF-8 text");
    return parsed;
  }
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    TreeBuilder builder(parsed.problems, source);
    if (parser.HandleNextDocument(builder)) {
      parsed.root = builder.take_root();
      TreeBuilder rest(parsed.problems, source);
      if (parser.HandleNextDocument(rest)) {
        refuse({}, "more than one YAML document", "remove the line --- and what follows it");
      }
    }
  } catch (const Refused& refused) {
    refuse(refused.mark, refused.message, refused.remedy);
  } catch (const YAML::Exception& error) {
    const int tab = line_indented_with_tab(text);
    refuse(to_mark(error.mark), "not valid YAML: " + error.msg,
           tab > 0 ? "indent with spaces: line " + std::to_string(tab) + " begins with a tab"
                   : "check indentation, colons and quotes there");
  }
  return parsed;
}

}  // namespace relay::config
