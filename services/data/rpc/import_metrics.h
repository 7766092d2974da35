// ImportMetrics: what Prometheus is told about imports.

#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include <prometheus/counter.h>
#include <prometheus/registry.h>

namespace millrace::data {

/// Keeps `millrace_imported_rows_total` and `millrace_imported_bytes_total`. Thread-safe.
class ImportMetrics {
 public:
  explicit ImportMetrics(
      std::shared_ptr<prometheus::Registry> registry = std::make_shared<prometheus::Registry>())
      : registry_(std::move(registry)),
        rows_(prometheus::BuildCounter()
                  .Name("millrace_imported_rows_total")
                  .Help("Rows of the versions that imports gave.")
                  .Register(*registry_)
                  .Add({})),
        bytes_(prometheus::BuildCounter()
                   .Name("millrace_imported_bytes_total")
                   .Help("Bytes of the raw files that were imported.")
                   .Register(*registry_)
                   .Add({})) {}

  /// Counts an import that gave a version, a new one or one that was there already.
  void Imported(std::int64_t rows, std::int64_t bytes) {
    rows_.Increment(static_cast<double>(rows));
    bytes_.Increment(static_cast<double>(bytes));
  }

 private:
  const std::shared_ptr<prometheus::Registry> registry_;
  prometheus::Counter& rows_;
  prometheus::Counter& bytes_;
};

}  // namespace millrace::data
