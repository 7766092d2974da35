#include "services/training/worker/checkpoint.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "common/storage/sha256.h"
#include "tests/unit/common/storage/faulty_file_system.h"
#include "tests/unit/common/storage/temporary_folder.h"
#include "tests/unit/services/training/fails.h"
#include "tests/unit/services/training/whole_file.h"

namespace millrace::training {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

v1::CheckpointHeader Header() {
  v1::CheckpointHeader header;
  header.mutable_identity()->set_run("runs/r1-ab");
  header.mutable_identity()->set_spec_sha256("5bec");
  header.mutable_identity()->set_dataset_sha256("da7a");
  header.mutable_identity()->set_parameter_count(3);
  header.add_builds("0.2.0+ab");
  header.set_kernel_level("AVX2");
  return header;
}

// Numbers that a conversion would change: a denormal, a negative zero, many digits.
TrainerState StateAt(std::int64_t step) {
  TrainerState state;
  state.epoch = 4;
  state.step = step;
  state.examples_done = 32;
  state.loss_sum = 0.1 + 0.2;
  state.seconds = 1.0 / 3;
  state.weights = {1.1F, -0.0F, std::numeric_limits<float>::denorm_min()};
  state.optimizer_slots = {0.25F, 3e38F, -1e-38F, 7.0F, 8.0F, 9.0F};
  state.best_epoch = 2;
  state.best_loss = 0.7;
  state.best_weights = {3.0F, 2.0F, 1.0F};
  return state;
}

class CheckpointTest : public testing::Test {
 protected:
  void Write(std::int64_t step) {
    const absl::Status written = checkpoints_.Write(Header(), StateAt(step));
    ASSERT_TRUE(written.ok()) << written;
  }

  absl::StatusOr<Checkpoint> Read() {
    return ReadCheckpoint(storage::PosixFileSystem(), newest_, Header().identity());
  }

  // Changes what the newest says of its numbers.
  void WriteNumerics(std::int32_t numerics) {
    std::string bytes = ReadAll(newest_);
    std::uint32_t length = 0;
    std::memcpy(&length, bytes.data() + 12, sizeof length);
    v1::CheckpointHeader header;
    ASSERT_TRUE(header.ParseFromString(bytes.substr(16, length)));
    header.set_numerics(numerics);
    const std::string arrays = bytes.substr((std::size_t{length} + 16 + 63) / 64 * 64);
    const std::string changed = header.SerializeAsString();
    length = static_cast<std::uint32_t>(changed.size());
    std::memcpy(bytes.data() + 12, &length, sizeof length);
    bytes = bytes.substr(0, 16) + changed;
    bytes.resize((bytes.size() + 63) / 64 * 64);
    bytes += arrays.substr(0, arrays.size() - 32);
    bytes += storage::Sha256Of(bytes);
    std::ofstream(newest_, std::ios::binary | std::ios::trunc) << bytes;
  }

  // The step of the checkpoint that is found; 0: none is.
  std::int64_t FoundStep() {
    const auto found = checkpoints_.Find(Header().identity(), 4);
    EXPECT_TRUE(found.ok()) << found.status();
    return found.ok() && found->checkpoint.has_value() ? found->checkpoint->state.step : 0;
  }

  storage::TemporaryFolder folder_;
  const std::string newest_ = folder_.path() + "/checkpoint";
  const std::string previous_ = folder_.path() + "/checkpoint.previous";
  CheckpointFolder checkpoints_{storage::PosixFileSystem(), folder_.path()};
};

TEST_F(CheckpointTest, EveryBitOfAStateComesBack) {
  Write(340);

  const auto checkpoint = Read();

  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  const TrainerState& state = checkpoint->state;
  const TrainerState expected = StateAt(340);
  EXPECT_EQ(state.epoch, 4);
  EXPECT_EQ(state.step, 340);
  EXPECT_EQ(state.examples_done, 32);
  EXPECT_EQ(state.loss_sum, 0.1 + 0.2);
  EXPECT_EQ(state.seconds, 1.0 / 3);
  EXPECT_EQ(state.best_epoch, 2);
  EXPECT_EQ(state.best_loss, 0.7);
  EXPECT_EQ(state.weights, expected.weights);
  EXPECT_TRUE(std::signbit(state.weights[1]));
  EXPECT_EQ(state.optimizer_slots, expected.optimizer_slots);
  EXPECT_EQ(state.best_weights, expected.best_weights);
  EXPECT_THAT(checkpoint->header.builds(), ElementsAre("0.2.0+ab"));
  EXPECT_EQ(checkpoint->header.kernel_level(), "AVX2");
}

TEST_F(CheckpointTest, OneOfAnOlderContractOfNumbersIsPassedOverWithANote) {
  for (const std::int32_t numerics : {0, 1}) {
    Write(340);
    WriteNumerics(numerics);

    const auto found = checkpoints_.Find(Header().identity(), 4);

    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_FALSE(found->checkpoint.has_value());
    ASSERT_FALSE(found->notes.empty());
    EXPECT_THAT(found->notes[0], HasSubstr("expected numerics 2, found 1"));
    std::filesystem::remove(newest_);
    std::filesystem::remove(previous_);
  }
}

TEST_F(CheckpointTest, OneOfANewerContractOfNumbersIsNotThrownAway) {
  Write(340);
  WriteNumerics(3);

  const auto found = checkpoints_.Find(Header().identity(), 4);

  EXPECT_EQ(found.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(Message(found.status())),
              HasSubstr("numerics 3, this build computes up to 2"));
}

TEST_F(CheckpointTest, AStateWithoutSlotsOrABestEpochComesBackToo) {
  TrainerState state = StateAt(1);
  state.optimizer_slots.clear();
  state.best_weights.clear();
  state.best_loss = std::numeric_limits<double>::infinity();
  ASSERT_TRUE(checkpoints_.Write(Header(), state).ok());

  const auto checkpoint = Read();

  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_THAT(checkpoint->state.optimizer_slots, IsEmpty());
  EXPECT_THAT(checkpoint->state.best_weights, IsEmpty());
  EXPECT_TRUE(std::isinf(checkpoint->state.best_loss));
}

// The format as checkpoint.proto writes it down.
TEST_F(CheckpointTest, TheFileIsAsItsFormatSays) {
  Write(340);

  const std::string bytes = ReadAll(newest_);

  EXPECT_EQ(bytes.substr(0, 8), "MRCHECKP");
  std::array<std::uint32_t, 2> numbers{};
  std::memcpy(numbers.data(), bytes.data() + 8, sizeof numbers);
  EXPECT_EQ(numbers[0], 1U);
  v1::CheckpointHeader header;
  ASSERT_TRUE(header.ParseFromString(bytes.substr(16, numbers[1])));
  EXPECT_THAT(header.array_sizes(), ElementsAre(3, 6, 3));
  const std::size_t start = (std::size_t{numbers[1]} + 16 + 63) / 64 * 64;
  ASSERT_EQ(bytes.size(), start + 12 * sizeof(float) + 32);
  float first = 0;
  std::memcpy(&first, bytes.data() + start, sizeof first);
  EXPECT_EQ(first, 1.1F);
  EXPECT_EQ(bytes.substr(bytes.size() - 32),
            storage::Sha256Of(std::string_view(bytes).substr(0, bytes.size() - 32)));
}

TEST_F(CheckpointTest, AFileThatIsCutAnywhereIsDamaged) {
  Write(340);
  const std::string bytes = ReadAll(newest_);

  for (std::size_t size = 0; size < bytes.size(); ++size) {
    WriteAll(newest_, bytes.substr(0, size));
    EXPECT_THAT(Read(), Fails(absl::StatusCode::kDataLoss, "checkpoint is damaged"))
        << size << " of " << bytes.size() << " bytes";
  }
  WriteAll(newest_, bytes + '\0');
  EXPECT_THAT(Read(), Fails(absl::StatusCode::kDataLoss, "checkpoint is damaged"));
}

TEST_F(CheckpointTest, AFlippedBitIsFoundWhereverItIs) {
  Write(340);
  const std::string bytes = ReadAll(newest_);

  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string flipped = bytes;
    flipped[i] = static_cast<char>(flipped[i] ^ (1 << (i % 8)));
    WriteAll(newest_, flipped);
    if (i < 8) {
      EXPECT_THAT(Read(), Fails(absl::StatusCode::kInvalidArgument, "is no checkpoint"));
    } else {
      EXPECT_THAT(Read(), Fails(absl::StatusCode::kDataLoss, "its SHA-256")) << "byte " << i;
    }
  }
}

// Makes what would be a whole file of another build.
std::string WithNumber(std::string bytes, std::size_t position, std::uint32_t number) {
  bytes.resize(bytes.size() - 32);
  std::memcpy(bytes.data() + position, &number, sizeof number);
  return bytes + storage::Sha256Of(bytes);
}

TEST_F(CheckpointTest, ANewerFormatIsToldAndNotPassedOver) {
  Write(300);
  Write(340);
  WriteAll(newest_, WithNumber(ReadAll(newest_), 8, 2));

  EXPECT_THAT(Read(), Fails(absl::StatusCode::kFailedPrecondition, "reads up to 1"));
  const auto found = checkpoints_.Find(Header().identity(), 4);
  EXPECT_THAT(found, Fails(absl::StatusCode::kFailedPrecondition, "format version 2"));
  EXPECT_THAT(Fix(found.status()), HasSubstr("at least as new"));
}

TEST_F(CheckpointTest, AWholeFileOfNonsenseIsRefused) {
  Write(340);
  const std::string bytes = ReadAll(newest_);

  WriteAll(newest_, WithNumber(bytes, 8, 0));
  EXPECT_THAT(Read(), Fails(absl::StatusCode::kInvalidArgument, "format version 0"));
  WriteAll(newest_, WithNumber(bytes, 12, 0xffffffffU));
  EXPECT_THAT(Read(), Fails(absl::StatusCode::kInvalidArgument, "header of 4294967295 bytes"));
  WriteAll(newest_, WithNumber(bytes, 12, 3));
  EXPECT_THAT(Read(), Fails(absl::StatusCode::kDataLoss, "damaged"));
}

TEST_F(CheckpointTest, ACheckpointOfAnotherTrainingIsRefused) {
  Write(340);
  const auto read_as = [&](const std::function<void(v1::CheckpointIdentity&)>& change) {
    v1::CheckpointIdentity identity = Header().identity();
    change(identity);
    return ReadCheckpoint(storage::PosixFileSystem(), newest_, identity);
  };

  EXPECT_THAT(read_as([](auto& identity) { identity.set_run("runs/r1-cd"); }),
              Fails(absl::StatusCode::kInvalidArgument, "expected runs/r1-cd, found runs/r1-ab"));
  EXPECT_THAT(read_as([](auto& identity) { identity.set_spec_sha256("0"); }),
              Fails(absl::StatusCode::kInvalidArgument, "another spec or dataset"));
  EXPECT_THAT(read_as([](auto& identity) { identity.set_dataset_sha256("0"); }),
              Fails(absl::StatusCode::kInvalidArgument, "another spec or dataset"));
  EXPECT_THAT(read_as([](auto& identity) { identity.set_parameter_count(4); }),
              Fails(absl::StatusCode::kInvalidArgument, "another spec or dataset"));
}

TEST_F(CheckpointTest, ASpecsThreadsAreNoPartOfItsDigest) {
  model::v1::TrainingSpec spec;
  spec.set_seed(4);
  const std::string digest = SpecSha256(spec);

  spec.set_threads(2);
  EXPECT_EQ(SpecSha256(spec), digest);
  spec.set_seed(5);
  EXPECT_NE(SpecSha256(spec), digest);
}

TEST_F(CheckpointTest, TheLastTwoAreKept) {
  for (const std::int64_t step : {100, 200, 300}) {
    Write(step);
  }

  EXPECT_EQ(FoundStep(), 300);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_.path()), {}), 2);
  std::filesystem::remove(newest_);
  EXPECT_EQ(FoundStep(), 200);
  std::filesystem::remove(previous_);
  EXPECT_EQ(FoundStep(), 0);
}

TEST_F(CheckpointTest, ADamagedOneIsPassedOverForTheOneBeforeIt) {
  Write(100);
  Write(200);
  WriteAll(newest_, ReadAll(newest_).substr(0, 100));

  const auto found = checkpoints_.Find(Header().identity(), 4);

  ASSERT_TRUE(found.ok() && found->checkpoint.has_value()) << found.status();
  EXPECT_EQ(found->checkpoint->state.step, 100);
  EXPECT_THAT(
      found->notes,
      ElementsAre(HasSubstr("passed over a checkpoint of this run: checkpoint is damaged")));
}

TEST_F(CheckpointTest, TwoDamagedOnesMeanTheBeginning) {
  Write(100);
  Write(200);
  WriteAll(newest_, "");
  WriteAll(previous_, "something else");

  const auto found = checkpoints_.Find(Header().identity(), 4);

  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_FALSE(found->checkpoint.has_value());
  EXPECT_THAT(
      found->notes,
      ElementsAre(HasSubstr("it has 0 bytes"), HasSubstr("checkpoint.previous is no checkpoint")));
}

TEST_F(CheckpointTest, OneThatWouldLeaveAGapInTheHistoryIsPassedOver) {
  v1::CheckpointHeader header = Header();
  header.add_recent_epochs()->set_epoch(3);
  header.add_recent_epochs()->set_epoch(4);
  ASSERT_TRUE(checkpoints_.Write(header, StateAt(340)).ok());

  EXPECT_TRUE(checkpoints_.Find(Header().identity(), 5)->checkpoint.has_value());
  EXPECT_TRUE(checkpoints_.Find(Header().identity(), 4)->checkpoint.has_value());
  EXPECT_TRUE(checkpoints_.Find(Header().identity(), 2)->checkpoint.has_value());
  const auto found = checkpoints_.Find(Header().identity(), 1);
  EXPECT_FALSE(found->checkpoint.has_value());
  EXPECT_THAT(found->notes, ElementsAre(HasSubstr("does not tell the epochs after 1")));
}

// Goal: whatever fails while one is written, an older one, or the new one, is there. Method: let
// the first, the second ... operation on the disk fail.
TEST_F(CheckpointTest, AFailureOfTheDiskNeverCostsTheOneBefore) {
  Write(100);
  Write(200);
  storage::FaultyFileSystem sound;
  ASSERT_TRUE(CheckpointFolder(sound, folder_.path()).Write(Header(), StateAt(300)).ok());
  const auto operations = sound.operations();
  EXPECT_THAT(operations,
              ElementsAre("remove",
                          "create",
                          "append",
                          "append",
                          "append",
                          "append",
                          "append",
                          "sync",
                          "close",
                          "rename",
                          "rename",
                          "sync folder"));

  std::int64_t newest = 300;
  for (int failing = 1; failing <= static_cast<int>(operations.size()); ++failing) {
    storage::FaultyFileSystem faulty(failing);
    const std::int64_t step = 1000 + failing;
    EXPECT_THAT(CheckpointFolder(faulty, folder_.path()).Write(Header(), StateAt(step)),
                Fails(absl::StatusCode::kUnavailable, "on purpose"));
    const std::int64_t found = FoundStep();
    EXPECT_TRUE(found == newest || found == step) << "failing " << failing << " found " << found;
    newest = found;
  }
  Write(2000);
  EXPECT_EQ(FoundStep(), 2000);
}

}  // namespace
}  // namespace millrace::training
