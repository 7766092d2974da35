#include "services/training/train/trainer_state.h"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "tests/unit/services/training/fails.h"
#include "tests/unit/services/training/train/learner.h"

namespace millrace::training {
namespace {

// Keeps every state that it is given, and asks for one between any two steps.
class CuriousObserver final : public TrainObserver {
 public:
  absl::Status EpochEnded(const model::v1::EpochMetrics& metrics,
                          const TrainerState& state) override {
    epochs.push_back(metrics);
    states.push_back(state);
    return absl::OkStatus();
  }

  bool WantsState() override {
    ++questions;
    return !wants || wants();
  }

  absl::Status StateReached(const TrainerState& state) override {
    states.push_back(state);
    return answer;
  }

  std::vector<model::v1::EpochMetrics> epochs;
  std::vector<TrainerState> states;
  int questions = 0;
  std::function<bool()> wants;  // empty: always
  absl::Status answer;
};

std::vector<std::uint32_t> BitsOf(const std::vector<float>& floats) {
  std::vector<std::uint32_t> bits;
  for (const float number : floats) {
    bits.push_back(std::bit_cast<std::uint32_t>(number));
  }
  return bits;
}

void ExpectSameBits(const TrainerState& one, const TrainerState& other) {
  EXPECT_EQ(one.epoch, other.epoch);
  EXPECT_EQ(one.step, other.step);
  EXPECT_EQ(one.examples_done, other.examples_done);
  EXPECT_EQ(std::bit_cast<std::uint64_t>(one.loss_sum),
            std::bit_cast<std::uint64_t>(other.loss_sum));
  EXPECT_EQ(one.best_epoch, other.best_epoch);
  EXPECT_EQ(std::bit_cast<std::uint64_t>(one.best_loss),
            std::bit_cast<std::uint64_t>(other.best_loss));
  EXPECT_EQ(BitsOf(one.weights), BitsOf(other.weights));
  EXPECT_EQ(BitsOf(one.optimizer_slots), BitsOf(other.optimizer_slots));
  EXPECT_EQ(BitsOf(one.best_weights), BitsOf(other.best_weights));
}

// All but the wall time, byte for byte.
std::vector<std::string> Figures(std::vector<model::v1::EpochMetrics> epochs) {
  std::vector<std::string> figures;
  for (model::v1::EpochMetrics& metrics : epochs) {
    metrics.clear_seconds();
    metrics.clear_examples_per_second();
    figures.push_back(metrics.SerializeAsString());
  }
  return figures;
}

// A loss that any other weights change, up or down.
absl::StatusOr<model::v1::Evaluation> HashOf(std::span<const float> weights) {
  std::uint64_t hash = 14695981039346656037U;
  for (const float weight : weights) {
    hash = (hash ^ std::bit_cast<std::uint32_t>(weight)) * 1099511628211U;
  }
  model::v1::Evaluation evaluation;
  evaluation.set_loss(static_cast<double>(hash >> 11U) / 9007199254740992.0);
  return evaluation;
}

// Goal: where a training goes on changes nothing. Method: one that nobody disturbs, one that gives
// its state between any two steps, and one from each of those states with `threads` threads; all
// must agree in every bit, and the metrics of a part with those of the whole.
void ExpectSameFromEveryState(const std::string& spec, const Data& data, int threads) {
  SCOPED_TRACE(spec);
  RememberingObserver undisturbed;
  const auto expected = Learner(SpecOf(spec + " threads: 1"), data).Run(undisturbed, {}, HashOf);
  ASSERT_TRUE(expected.ok()) << expected.status();
  Learner learner(SpecOf(spec + " threads: " + std::to_string(threads)), data);
  learner.steps_per_question = 1;
  CuriousObserver curious;
  const auto whole = learner.Run(curious, {}, HashOf);
  ASSERT_TRUE(whole.ok()) << whole.status();
  ExpectSameBits(*whole, *expected);
  const std::vector<std::string> figures = Figures(undisturbed.epochs);
  EXPECT_EQ(Figures(curious.epochs), figures);
  EXPECT_EQ(curious.states.size(), static_cast<std::size_t>(expected->step));

  for (const TrainerState& state : curious.states) {
    SCOPED_TRACE("from epoch " + std::to_string(state.epoch) + ", step " +
                 std::to_string(state.step));
    RememberingObserver observer;
    const auto rest = learner.Run(observer, {}, HashOf, state);
    ASSERT_TRUE(rest.ok()) << rest.status();
    ExpectSameBits(*rest, *expected);
    EXPECT_EQ(Figures(observer.epochs),
              std::vector<std::string>(figures.begin() + state.epoch, figures.end()));
  }
}

TEST(TrainerStateTest, EveryOptimizerGoesOnFromEveryStep) {
  for (const char* optimizer : {"sgd { learning_rate: 0.1 }",
                                "sgd { learning_rate: 0.1 momentum: 0.9 }",
                                "sgd { learning_rate: 0.1 momentum: 0.9 nesterov: true }",
                                "adam { }",
                                "adamw { }",
                                "rmsprop { }"}) {
    for (const int threads : {1, 2}) {
      ExpectSameFromEveryState(std::string(kSeedNetwork) + "optimizer { " + optimizer +
                                   " } epochs: 4 batch_size: 16 seed: 5",
                               Separable(55),
                               threads);
    }
  }
}

TEST(TrainerStateTest, DropoutAndStepsThatAreSharedGoOnFromEveryStep) {
  for (const int threads : {1, 2, 3}) {
    ExpectSameFromEveryState(
        std::string(kWideNetwork) + "epochs: 3 batch_size: 64 seed: 9", Wide(230), threads);
  }
}

TEST(TrainerStateTest, EarlyStoppingGoesOnFromEveryStep) {
  for (const int threads : {1, 2}) {
    ExpectSameFromEveryState(std::string(kSeedNetwork) +
                                 "epochs: 60 batch_size: 16 seed: 2 early_stopping { patience: 5 }",
                             Separable(55),
                             threads);
  }
}

// The case above is only worth something when training ends early and after its best epoch.
TEST(TrainerStateTest, TheHashStopsEarly) {
  Learner learner(SpecOf(std::string(kSeedNetwork) +
                         "epochs: 60 batch_size: 16 seed: 2 early_stopping { patience: 5 }"),
                  Separable(55));
  RememberingObserver observer;

  const auto state = learner.Run(observer, {}, HashOf);

  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_LT(state->epoch, 60);
  EXPECT_GT(state->best_epoch, 1);
  EXPECT_EQ(state->epoch, state->best_epoch + 5);
}

TEST(TrainerStateTest, AnEpochOfOneStepGoesOnToo) {
  ExpectSameFromEveryState(
      std::string(kSeedNetwork) + "epochs: 3 batch_size: 64", Separable(55), 1);
}

TEST(TrainerStateTest, AFinishedTrainingDoesNothingMore) {
  Learner learner(SpecOf(std::string(kSeedNetwork) + "epochs: 3"), Separable(40));
  const auto state = learner.Run();
  ASSERT_TRUE(state.ok()) << state.status();
  CuriousObserver observer;

  const auto again = learner.Run(observer, {}, {}, *state);

  ASSERT_TRUE(again.ok()) << again.status();
  ExpectSameBits(*again, *state);
  EXPECT_TRUE(observer.epochs.empty());
}

TEST(TrainerStateTest, AStopGivesAStateToGoOnFrom) {
  const std::string spec = std::string(kSeedNetwork) + "epochs: 4 batch_size: 8 seed: 4";
  const auto expected = Learner(SpecOf(spec), Separable(64)).Run();
  Learner learner(SpecOf(spec), Separable(64));
  learner.steps_per_question = 1;
  std::stop_source stop;
  CuriousObserver observer;
  observer.wants = [&] {
    if (observer.questions == 11) {
      stop.request_stop();
    }
    return false;
  };

  EXPECT_THAT(learner.Run(observer, stop.get_token()),
              Fails(absl::StatusCode::kCancelled, "stopped in epoch 2"));

  const TrainerState& reached = observer.states.back();
  EXPECT_EQ(reached.epoch, 1);
  EXPECT_GT(reached.examples_done, 0);
  RememberingObserver rest;
  const auto resumed = learner.Run(rest, {}, {}, reached);
  ASSERT_TRUE(expected.ok() && resumed.ok());
  ExpectSameBits(*resumed, *expected);
}

TEST(TrainerStateTest, AnErrorWhereAStateIsTakenEndsTheTraining) {
  Learner learner(SpecOf(std::string(kSeedNetwork) + "epochs: 4 batch_size: 8"), Separable(64));
  learner.steps_per_question = 1;
  CuriousObserver observer;
  observer.answer = ResourceExhausted("the disk is full");

  EXPECT_THAT(learner.Run(observer),
              Fails(absl::StatusCode::kResourceExhausted, "the disk is full"));
  EXPECT_EQ(observer.states.size(), 1U);
}

TEST(TrainerStateTest, TheQuestionComesInStepsAndNeverAtAnEpochsEnd) {
  Learner learner(SpecOf(std::string(kSeedNetwork) + "epochs: 3 batch_size: 8"), Separable(64));
  learner.steps_per_question = 4;
  CuriousObserver observer;
  const std::thread::id here = std::this_thread::get_id();
  observer.wants = [&] {
    EXPECT_EQ(std::this_thread::get_id(), here);
    return true;
  };

  ASSERT_TRUE(learner.Run(observer).ok());

  // After steps 4, 12 and 20 of 24; 8, 16 and 24 end an epoch.
  EXPECT_EQ(observer.questions, 3);
  ASSERT_EQ(observer.states.size(), 6U);
  EXPECT_EQ(observer.states[0].step, 4);
  EXPECT_EQ(observer.states[2].step, 12);
}

TEST(TrainerStateTest, SmallStepsAreAskedAboutSeldomAndLargeOnesEachTime) {
  CuriousObserver small;
  CuriousObserver large;

  ASSERT_TRUE(
      Learner(SpecOf(std::string(kSeedNetwork) + "epochs: 1 batch_size: 8"), Separable(4000))
          .Run(small)
          .ok());
  ASSERT_TRUE(Learner(SpecOf(std::string(kWideNetwork) + "epochs: 1 batch_size: 64"), Wide(230))
                  .Run(large)
                  .ok());

  EXPECT_EQ(small.questions, 0);  // 500 steps of 240 multiply-adds are far from a million
  EXPECT_EQ(large.questions, 3);
}

TEST(TrainerStateTest, AStateOfAnotherTrainingIsRefused) {
  Learner learner(SpecOf(std::string(kSeedNetwork) + "epochs: 4 batch_size: 8"), Separable(60));
  learner.steps_per_question = 1;
  CuriousObserver observer;
  ASSERT_TRUE(learner.Run(observer).ok());
  const TrainerState good = observer.states[10];
  const std::vector<std::function<void(TrainerState&)>> changes{
      [](TrainerState& state) { state.weights.pop_back(); },
      [](TrainerState& state) { state.optimizer_slots.pop_back(); },
      [](TrainerState& state) { state.best_weights.resize(1); },
      [](TrainerState& state) { state.epoch = -1; },
      [](TrainerState& state) { state.epoch = 5; },
      [](TrainerState& state) { state.examples_done += 1; },
      [](TrainerState& state) { state.examples_done = 61; },
      [](TrainerState& state) { state.examples_done = -8; },
      [](TrainerState& state) { state.step += 1; },
      [](TrainerState& state) { state.best_epoch = 3; },
  };

  for (std::size_t i = 0; i < changes.size(); ++i) {
    TrainerState state = good;
    changes[i](state);
    RememberingObserver rest;
    EXPECT_THAT(learner.Run(rest, {}, {}, state),
                Fails(absl::StatusCode::kInvalidArgument, "of this training"))
        << "change " << i;
  }
}

}  // namespace
}  // namespace millrace::training
