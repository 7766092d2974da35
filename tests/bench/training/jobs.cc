#include "tests/bench/training/jobs.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <fstream>
#include <initializer_list>
#include <string>

#include <fmt/core.h>
#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>

#include "common/clock/random.h"
#include "common/network/network.h"
#include "common/status/check.h"
#include "services/training/train/spec.h"

namespace millrace::training {

namespace {

using model::v1::Activation;

struct Width {
  std::int32_t units;
  Activation activation;
};

model::v1::TrainingSpec MakeSpec(std::initializer_list<Width> widths, std::int32_t batch_size) {
  model::v1::TrainingSpec spec;
  for (const Width& width : widths) {
    model::v1::Dense& dense = *spec.mutable_network()->add_layers()->mutable_dense();
    dense.set_units(width.units);
    dense.set_activation(width.activation);
  }
  spec.set_batch_size(batch_size);
  spec.set_seed(1);
  return spec;
}

std::array<Job, 3> MakeJobs() {
  constexpr Activation kSigmoid = model::v1::ACTIVATION_SIGMOID;
  constexpr Activation kRelu = model::v1::ACTIVATION_RELU;
  constexpr Activation kSoftmax = model::v1::ACTIVATION_SOFTMAX;
  std::array<Job, 3> jobs = {
      Job{.name = "seed",
          .spec = MakeSpec({{10, kSigmoid}, {1, kSigmoid}}, 10),
          .inputs = 2,
          .classes = 2,
          .examples = 10'000,
          .epochs = 300},
      Job{.name = "tabular",
          .spec = MakeSpec({{64, kRelu}, {32, kRelu}, {1, kSigmoid}}, 32),
          .inputs = 30,
          .classes = 2,
          .examples = 8'192,
          .epochs = 100},
      Job{.name = "images",
          .spec = MakeSpec({{512, kRelu}, {256, kRelu}, {10, kSoftmax}}, 128),
          .inputs = 784,
          .classes = 10,
          .examples = 12'800,
          .epochs = 5}};
  jobs.front().spec.mutable_optimizer()->mutable_sgd()->set_learning_rate(0.1);
  for (Job& job : jobs) {
    FillDefaults(job.spec);
    CHECK(job.examples % job.spec.batch_size() == 0);
  }
  return jobs;
}

float Uniform(Random& random) {
  return static_cast<float>(random.Next() >> 8U) * 0x1p-24F;
}

// Points of a square; the label is the side of a diagonal that they lie on.
void MakePlane(Random& random, std::span<float> x, float& label) {
  do {
    x[0] = Uniform(random);
    x[1] = Uniform(random);
  } while (std::abs(x[0] + x[1] - 1) < 0.1F);
  label = x[0] + x[1] > 1 ? 1.0F : 0.0F;
}

// Columns of a table; the label follows a weighted sum of them and a product of two.
void MakeRow(Random& random, std::span<float> x, float& label) {
  float score = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = Uniform(random);
    const float weight = i % 2 == 0 ? 1.0F : -1.0F;
    score += weight * (x[i] - 0.5F);
  }
  score += 8 * (x[0] - 0.5F) * (x[1] - 0.5F);
  label = score > 0 ? 1.0F : 0.0F;
}

// Pictures of 256 shades: each class has its own dark and light places, under noise.
void MakePicture(Random& random, std::span<float> x, float label) {
  for (std::size_t i = 0; i < x.size(); ++i) {
    const auto place = static_cast<std::uint32_t>(i) * 2'654'435'761U;
    const bool light = ((place >> 7U) + (place >> 19U) * static_cast<std::uint32_t>(label)) % 5 < 2;
    const float shade = 0.8F * Uniform(random) + (light ? 0.2F : 0.0F);
    x[i] = std::round(shade * 255) / 255;
  }
}

void WriteFloats(std::span<const float> floats, const std::filesystem::path& path) {
  std::ofstream file(path, std::ios::binary);
  const auto bytes = std::as_bytes(floats);
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): what a stream takes
  file.write(reinterpret_cast<const char*>(bytes.data()), std::ssize(bytes));
  CHECK(file.flush().good());
}

void WriteCsv(const Job& job, const Examples& examples, const std::filesystem::path& path) {
  std::string text;
  for (std::int64_t i = 0; i < job.inputs; ++i) {
    fmt::format_to(std::back_inserter(text), "x{},", i);
  }
  text += "label\n";
  for (std::size_t row = 0; row < examples.labels.size(); ++row) {
    const auto inputs = static_cast<std::size_t>(job.inputs);
    for (const float x : std::span(examples.x).subspan(row * inputs, inputs)) {
      fmt::format_to(std::back_inserter(text), "{:.6g},", x);
    }
    fmt::format_to(std::back_inserter(text), "class{}\n", examples.labels[row]);
  }
  std::ofstream file(path, std::ios::binary);
  file << text;
  CHECK(file.flush().good());
}

}  // namespace

std::span<const Job> Jobs() {
  static const std::array<Job, 3> jobs = MakeJobs();
  return jobs;
}

Examples MakeExamples(const Job& job) {
  const auto inputs = static_cast<std::size_t>(job.inputs);
  Random random(1);
  Examples examples;
  examples.x.resize(static_cast<std::size_t>(job.examples) * inputs);
  examples.labels.resize(static_cast<std::size_t>(job.examples));
  for (std::size_t row = 0; row < examples.labels.size(); ++row) {
    const std::span<float> x = std::span(examples.x).subspan(row * inputs, inputs);
    float& label = examples.labels[row];
    if (job.classes > 2) {
      label = static_cast<float>(random.Below(static_cast<std::uint64_t>(job.classes)));
      MakePicture(random, x, label);
    } else if (job.inputs == 2) {
      MakePlane(random, x, label);
    } else {
      MakeRow(random, x, label);
    }
    if (random.Below(10) == 0) {
      label = static_cast<float>(random.Below(static_cast<std::uint64_t>(job.classes)));
    }
  }
  return examples;
}

void WriteJob(const Job& job, const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string json;
  CHECK(google::protobuf::util::MessageToJsonString(job.spec, &json, options).ok());
  std::ofstream file(folder / "spec.json");
  file << json << '\n';
  CHECK(file.flush().good());

  const auto network = network::Network::Create(job.spec.network(), job.inputs);
  CHECK(network.ok());
  std::vector<float> weights(static_cast<std::size_t>(network->parameter_count()));
  network->Initialize(job.spec.seed(), weights);
  WriteFloats(weights, folder / "weights.f32");

  const Examples examples = MakeExamples(job);
  WriteFloats(examples.x, folder / "x.f32");
  WriteFloats(examples.labels, folder / "labels.f32");
  WriteCsv(job, examples, folder / "examples.csv");
}

}  // namespace millrace::training
