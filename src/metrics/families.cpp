#include "metrics/families.hpp"

#include <prometheus/text_serializer.h>

#include <limits>
#include <sstream>

namespace relay::metrics {

prometheus::MetricFamily& Families::family(prometheus::MetricType type, std::string_view name,
                                           std::string_view help) {
  prometheus::MetricFamily& family = families_.emplace_back();
  family.name = name;
  family.help = help;
  family.type = type;
  return family;
}

void Families::counter(std::string_view name, std::string_view help, double value) {
  add(family(prometheus::MetricType::Counter, name, help), {}, value);
}

void Families::gauge(std::string_view name, std::string_view help, double value) {
  add(family(prometheus::MetricType::Gauge, name, help), {}, value);
}

void Families::info(std::string_view name, std::string_view help, std::string_view key,
                    std::string value) {
  add(family(prometheus::MetricType::Gauge, name, help), {{std::string(key), std::move(value)}}, 1);
}

void Families::flags_by(std::string_view name, std::string_view help, std::string_view key,
                        const std::map<std::string, bool>& flags) {
  prometheus::MetricFamily& target = family(prometheus::MetricType::Gauge, name, help);
  for (const auto& [value, flag] : flags) {
    add(target, {{std::string(key), value}}, flag ? 1 : 0);
  }
}

void Families::add(prometheus::MetricFamily& target, Labels labels, double value) {
  auto& metric = target.metric.emplace_back();
  metric.label = std::move(labels);
  metric.counter.value = value;  // the serializer reads the one that the family's type names
  metric.gauge.value = value;
}

void Families::add(prometheus::MetricFamily& target, Labels labels, std::span<const double> bounds,
                   std::span<const std::uint64_t> buckets, double sum) {
  auto& metric = target.metric.emplace_back();
  metric.label = std::move(labels);
  auto& histogram = metric.histogram;
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    histogram.sample_count += buckets[i];
    const double bound = i < bounds.size() ? bounds[i] : std::numeric_limits<double>::infinity();
    histogram.bucket.push_back({histogram.sample_count, bound});
  }
  histogram.sample_sum = sum;
}

std::string Families::text() const {
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, families_);
  return std::move(out).str();
}

}  // namespace relay::metrics
