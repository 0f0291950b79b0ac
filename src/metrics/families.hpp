// Builds the metric families of one scrape. Internal to this folder: prometheus types stop here.
#pragma once

#include "metrics/counts.hpp"
#include "metrics/labels.hpp"

#include <prometheus/metric_family.h>

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace relay::metrics {

// Names are whole; those of the relay's own metrics begin with "acp_relay_".
class Families {
 public:
  void counter(std::string_view name, std::string_view help, double value);
  void gauge(std::string_view name, std::string_view help, double value);
  // A gauge that is always 1 and whose label carries the text.
  void info(std::string_view name, std::string_view help, std::string_view key, std::string value);
  template <const auto& Bounds>
  void histogram(std::string_view name, std::string_view help, const Histogram<Bounds>& value) {
    add(family(prometheus::MetricType::Histogram, name, help), {}, value.bounds(), value.buckets(),
        value.sum_seconds());
  }

  // One series a label value; label() gives the text of a label value.
  template <class Label, Label Last, class Number>
  void counters(std::string_view name, std::string_view help, std::string_view key,
                const Counts<Label, Last, Number>& counts) {
    series(family(prometheus::MetricType::Counter, name, help), {}, key, counts);
  }
  // One series for each pair of label values.
  template <class Outer, Outer LastOuter, class Inner>
  void counters(std::string_view name, std::string_view help, std::string_view outer_key,
                std::string_view key, const Counts<Outer, LastOuter, Inner>& counts) {
    pairs(family(prometheus::MetricType::Counter, name, help), outer_key, key, counts);
  }
  template <class Label, Label Last, class Number>
  void gauges(std::string_view name, std::string_view help, std::string_view key,
              const Counts<Label, Last, Number>& counts) {
    series(family(prometheus::MetricType::Gauge, name, help), {}, key, counts);
  }
  template <class Outer, Outer LastOuter, class Inner>
  void gauges(std::string_view name, std::string_view help, std::string_view outer_key,
              std::string_view key, const Counts<Outer, LastOuter, Inner>& counts) {
    pairs(family(prometheus::MetricType::Gauge, name, help), outer_key, key, counts);
  }
  template <class Label, Label Last, const auto& Bounds>
  void histograms(std::string_view name, std::string_view help, std::string_view key,
                  const Counts<Label, Last, Histogram<Bounds>>& counts) {
    prometheus::MetricFamily& target = family(prometheus::MetricType::Histogram, name, help);
    for (std::size_t i = 0; i < counts.kSize; ++i) {
      const auto value = static_cast<Label>(i);
      const Histogram<Bounds>& histogram = counts[value];
      add(target, {{std::string(key), std::string(label(value))}}, histogram.bounds(),
          histogram.buckets(), histogram.sum_seconds());
    }
  }

  // The same by names that are known only at run time, of a part of what stands under each.
  template <class Of, class Label, Label Last, class Number>
  void counters_by(std::string_view name, std::string_view help, std::string_view outer_key,
                   std::string_view key, const std::map<std::string, Of>& by_name,
                   Counts<Label, Last, Number> Of::*part) {
    prometheus::MetricFamily& target = family(prometheus::MetricType::Counter, name, help);
    for (const auto& [value, of_it] : by_name) {
      series(target, {{std::string(outer_key), value}}, key, of_it.*part);
    }
  }
  template <class Of>
  void counters_by(std::string_view name, std::string_view help, std::string_view key,
                   const std::map<std::string, Of>& by_name, std::uint64_t Of::*part) {
    prometheus::MetricFamily& target = family(prometheus::MetricType::Counter, name, help);
    for (const auto& [value, of_it] : by_name) {
      add(target, {{std::string(key), value}}, static_cast<double>(of_it.*part));
    }
  }
  void flags_by(std::string_view name, std::string_view help, std::string_view key,
                const std::map<std::string, bool>& flags);
  template <class Of, const auto& Bounds>
  void histograms_by(std::string_view name, std::string_view help, std::string_view key,
                     const std::map<std::string, Of>& by_name, Histogram<Bounds> Of::*part) {
    prometheus::MetricFamily& target = family(prometheus::MetricType::Histogram, name, help);
    for (const auto& [value, of_it] : by_name) {
      const Histogram<Bounds>& histogram = of_it.*part;
      add(target, {{std::string(key), value}}, histogram.bounds(), histogram.buckets(),
          histogram.sum_seconds());
    }
  }

  std::string text() const;

 private:
  using Labels = std::vector<prometheus::ClientMetric::Label>;

  template <class Outer, Outer LastOuter, class Inner>
  static void pairs(prometheus::MetricFamily& target, std::string_view outer_key,
                    std::string_view key, const Counts<Outer, LastOuter, Inner>& counts) {
    for (std::size_t i = 0; i < counts.kSize; ++i) {
      const auto value = static_cast<Outer>(i);
      series(target, {{std::string(outer_key), std::string(label(value))}}, key, counts[value]);
    }
  }
  template <class Label, Label Last, class Number>
  static void series(prometheus::MetricFamily& target, const Labels& outer, std::string_view key,
                     const Counts<Label, Last, Number>& counts) {
    for (std::size_t i = 0; i < counts.kSize; ++i) {
      const auto value = static_cast<Label>(i);
      Labels labels = outer;
      labels.push_back({std::string(key), std::string(label(value))});
      add(target, std::move(labels), static_cast<double>(counts[value]));
    }
  }

  prometheus::MetricFamily& family(prometheus::MetricType type, std::string_view name,
                                   std::string_view help);
  static void add(prometheus::MetricFamily& target, Labels labels, double value);
  static void add(prometheus::MetricFamily& target, Labels labels, std::span<const double> bounds,
                  std::span<const std::uint64_t> buckets, double sum);

  std::vector<prometheus::MetricFamily> families_;
};

}  // namespace relay::metrics
