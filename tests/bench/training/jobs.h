// Job: one of the three trainings that are measured, with its examples.

#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "millrace/model/v1/training_spec.pb.h"
#include "millrace/schema/v1/schema.pb.h"

namespace millrace::training {

/// What to learn, and how much of it in one measurement.
struct Job {
  std::string_view name;
  model::v1::TrainingSpec spec;
  std::int64_t inputs = 0;
  std::int64_t classes = 0;
  std::int64_t examples = 0;  // a whole number of batches
  std::int32_t epochs = 0;    // of one measurement, after one to warm up

  [[nodiscard]] schema::v1::Task task() const {
    return classes == 2 ? schema::v1::TASK_BINARY : schema::v1::TASK_MULTICLASS;
  }

  [[nodiscard]] std::int64_t steps_per_epoch() const { return examples / spec.batch_size(); }
};

/// The first example (2-10-1, batch 10, SGD), a table (30-64-32-1, batch 32, Adam) and images
/// (784-512-256-10, batch 128, Adam). Specs are complete, with seed 1.
std::span<const Job> Jobs();

/// A job's examples, the same on every machine: x [examples, inputs] in [0, 1] and labels
/// [examples]. Some labels are wrong on purpose, so that no network reaches a loss of 0.
struct Examples {
  std::vector<float> x;
  std::vector<float> labels;
};

Examples MakeExamples(const Job& job);

/// Writes into `folder`, for programs of other languages: `spec.json` (the TrainingSpec), and as
/// little-endian float32 `x.f32`, `labels.f32` and `weights.f32`, the weights before the first step
/// in the order of network::Network's flat array; and the examples once more as `examples.csv`.
void WriteJob(const Job& job, const std::filesystem::path& folder);

}  // namespace millrace::training
