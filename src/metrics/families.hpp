// Builds the metric families of one scrape. Internal to this folder: prometheus types stop here.
#pragma once

#include "metrics/counts.hpp"

#include <prometheus/metric_family.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace relay::metrics {

// Every name gets the prefix "acp_relay_".
class Families {
 public:
  void counter(std::string_view name, std::string_view help, double value);
  void gauge(std::string_view name, std::string_view help, double value);
  // A gauge that is always 1 and whose label carries the text.
  void info(std::string_view name, std::string_view help, std::string_view key, std::string value);
  void histogram(std::string_view name, std::string_view help, const DurationHistogram& value);

  // One series a label value. `name_of` gives the text of a label value.
  template <class Label, Label Last, class Number, class NameOf>
  void counters(std::string_view name, std::string_view help, std::string_view key,
                const Counts<Label, Last, Number>& counts, NameOf name_of) {
    series(prometheus::MetricType::Counter, name, help, key, collect(counts, name_of));
  }
  template <class Label, Label Last, class Number, class NameOf>
  void gauges(std::string_view name, std::string_view help, std::string_view key,
              const Counts<Label, Last, Number>& counts, NameOf name_of) {
    series(prometheus::MetricType::Gauge, name, help, key, collect(counts, name_of));
  }

  std::string text() const;

 private:
  using Labelled = std::vector<std::pair<std::string_view, double>>;

  template <class Label, Label Last, class Number, class NameOf>
  static Labelled collect(const Counts<Label, Last, Number>& counts, NameOf name_of) {
    Labelled values;
    for (std::size_t i = 0; i < counts.kSize; ++i) {
      const auto value = static_cast<Label>(i);
      values.emplace_back(name_of(value), static_cast<double>(counts[value]));
    }
    return values;
  }

  prometheus::MetricFamily& family(prometheus::MetricType type, std::string_view name,
                                   std::string_view help);
  void series(prometheus::MetricType type, std::string_view name, std::string_view help,
              std::string_view key, const Labelled& values);

  std::vector<prometheus::MetricFamily> families_;
};

}  // namespace relay::metrics
