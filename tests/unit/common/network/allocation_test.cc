// Goal: a step, an optimizer's pass and a repeated inference allocate nothing. Method: operator new
// of this program counts.

#include <atomic>
#include <cstdlib>
#include <new>
#include <vector>

#include <gtest/gtest.h>

#include "common/network/inference_plan.h"
#include "common/network/kernels/kernels.h"
#include "common/network/training_plan.h"
#include "reference_network.h"

namespace {

std::atomic<int> allocation_count{0};

void* Allocate(std::size_t size, std::size_t alignment) {
  allocation_count.fetch_add(1);
  void* memory = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (memory == nullptr) {
    std::abort();
  }
  return memory;
}

}  // namespace

void* operator new(std::size_t size) {
  return Allocate(size, alignof(std::max_align_t));
}

void* operator new(std::size_t size, std::align_val_t alignment) {
  return Allocate(size, static_cast<std::size_t>(alignment));
}

void operator delete(void* memory) noexcept {
  std::free(memory);
}

void operator delete(void* memory, std::size_t /*size*/) noexcept {
  std::free(memory);
}

void operator delete(void* memory, std::align_val_t /*alignment*/) noexcept {
  std::free(memory);
}

void operator delete(void* memory, std::size_t /*size*/, std::align_val_t /*alignment*/) noexcept {
  std::free(memory);
}

namespace millrace::network {
namespace {

int CountStepAllocations(const std::vector<std::string>& layers, std::int64_t rows, int threads) {
  const Network network = MakeNetwork(layers, 64);
  const Loss loss =
      Loss::Create(model::v1::LOSS_UNSPECIFIED, network, schema::v1::TASK_MULTICLASS, 10).value();
  const auto plan =
      TrainingPlan::Create(network, loss, {.batch_rows_max = rows, .seed = 1}).value();
  const std::vector<float> x = RandomFloats(static_cast<std::size_t>(rows) * 64, 1);
  const std::vector<float> labels(static_cast<std::size_t>(rows), 3.0F);
  ThreadTeam team(threads);
  int counted = 0;
  team.Run([&](ThreadTeam::Member& member) {
    plan->Step(member, 0, rows, x.data(), labels.data());  // the first call picks the kernels
    const int before = allocation_count.load();
    for (int step = 1; step < 20; ++step) {
      plan->Step(member, step, rows, x.data(), labels.data());
      const kernels::Range part = member.Part(network.parameter_count(), 16);
      kernels::Sgd({.learning_rate = 0.1F},
                   part.last - part.first,
                   plan->gradients().data() + part.first,
                   nullptr,
                   plan->parameters().data() + part.first);
    }
    member.Barrier();
    if (member.index() == 0) {
      counted = allocation_count.load() - before;
    }
  });
  return counted;
}

TEST(AllocationTest, TheCounterCounts) {
  const int before = allocation_count.load();
  const std::vector<float> floats(100);

  EXPECT_EQ(allocation_count.load(), before + 1);
}

TEST(AllocationTest, AStepAllocatesNothing) {
  EXPECT_EQ(CountStepAllocations({"dense 10 sigmoid", "dense 10 softmax"}, 10, 1), 0);
  EXPECT_EQ(CountStepAllocations({"dense 20 gelu", "dropout 0.5", "dense 10"}, 33, 1), 0);
  EXPECT_EQ(CountStepAllocations({"dense 512 relu", "dense 256 relu", "dense 10 softmax"}, 128, 2),
            0);
}

TEST(AllocationTest, ARepeatedInferenceAllocatesNothing) {
  const Network network = MakeNetwork({"dense 20 gelu", "dense 10 softmax"}, 64);
  std::vector<float> parameters(static_cast<std::size_t>(network.parameter_count()));
  network.Initialize(1, parameters);
  const InferencePlan plan = InferencePlan::Create(network, parameters).value();
  const std::vector<float> x = RandomFloats(std::size_t{300} * 64, 1);
  std::vector<float> y(300 * 10);
  InferenceScratch scratch;
  plan.Run(300, x, y, scratch);

  const int before = allocation_count.load();
  plan.Run(300, x, y, scratch);
  plan.Run(1, x, y, scratch);

  EXPECT_EQ(allocation_count.load(), before);
}

}  // namespace
}  // namespace millrace::network
