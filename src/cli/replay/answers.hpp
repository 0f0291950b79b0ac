// How a replay answers what the agent asks: as it was answered in the recording. Pure.
#pragma once

#include "cli/replay/recording.hpp"

#include <boost/json/object.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace relay::cli {

struct ReplayAnswer {
  boost::json::object member;  // {"result":...} or {"error":...}
  bool at_cancel = false;
  std::string note;  // for the person, when the recording has no such answer
};

// The n-th request of a method gets the answer to the n-th one of the recording. A permission is
// given by the kind of the option (allow_once, ...), for their ids may differ.
class RecordedAnswers {
 public:
  explicit RecordedAnswers(std::vector<RecordedQuestion> questions)
      : questions_(std::move(questions)), used_(questions_.size(), false) {}

  ReplayAnswer answer(std::string_view method, const boost::json::object& params);

 private:
  std::vector<RecordedQuestion> questions_;
  std::vector<bool> used_;
};

}  // namespace relay::cli
