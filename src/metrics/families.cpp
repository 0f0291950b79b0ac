#include "metrics/families.hpp"

#include <prometheus/text_serializer.h>

#include <limits>
#include <sstream>

namespace relay::metrics {

prometheus::MetricFamily& Families::family(prometheus::MetricType type, std::string_view name,
                                           std::string_view help) {
  prometheus::MetricFamily& family = families_.emplace_back();
  family.name = "acp_relay_" + std::string(name);
  family.help = help;
  family.type = type;
  return family;
}

void Families::counter(std::string_view name, std::string_view help, double value) {
  family(prometheus::MetricType::Counter, name, help).metric.emplace_back().counter.value = value;
}

void Families::gauge(std::string_view name, std::string_view help, double value) {
  family(prometheus::MetricType::Gauge, name, help).metric.emplace_back().gauge.value = value;
}

void Families::info(std::string_view name, std::string_view help, std::string_view key,
                    std::string value) {
  auto& metric = family(prometheus::MetricType::Gauge, name, help).metric.emplace_back();
  metric.label.push_back({std::string(key), std::move(value)});
  metric.gauge.value = 1;
}

void Families::histogram(std::string_view name, std::string_view help,
                         const DurationHistogram& value) {
  auto& histogram =
      family(prometheus::MetricType::Histogram, name, help).metric.emplace_back().histogram;
  for (std::size_t i = 0; i < value.buckets().size(); ++i) {
    histogram.sample_count += value.buckets()[i];
    const bool last = i == DurationHistogram::kBounds.size();
    const double bound =
        last ? std::numeric_limits<double>::infinity() : DurationHistogram::kBounds[i];
    histogram.bucket.push_back({histogram.sample_count, bound});
  }
  histogram.sample_sum = value.sum_seconds();
}

void Families::series(prometheus::MetricType type, std::string_view name, std::string_view help,
                      std::string_view key, const Labelled& values) {
  prometheus::MetricFamily& target = family(type, name, help);
  for (const auto& [text, value] : values) {
    auto& metric = target.metric.emplace_back();
    metric.label.push_back({std::string(key), std::string(text)});
    metric.counter.value = value;  // the serializer reads the one that `type` names
    metric.gauge.value = value;
  }
}

std::string Families::text() const {
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, families_);
  return std::move(out).str();
}

}  // namespace relay::metrics
