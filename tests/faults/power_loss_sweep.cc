#include "tests/faults/power_loss_sweep.h"

#include <cstdint>
#include <filesystem>
#include <memory>

#include <fmt/core.h>

#include "common/status/status.h"
#include "tests/faults/power_loss_disk.h"

namespace millrace::faults {

namespace {

constexpr std::size_t kSubsetsOfMax = 4;  // pending changes, of which every subset is tried

void CopyFolder(const std::string& from, const std::string& to) {
  std::filesystem::remove_all(to);
  if (std::filesystem::exists(from)) {
    std::filesystem::copy(from, to, std::filesystem::copy_options::recursive);
  }
}

std::vector<std::vector<bool>> SubsetsOf(std::size_t changes) {
  std::vector<std::vector<bool>> subsets;
  if (changes <= kSubsetsOfMax) {
    for (std::uint32_t mask = 0; mask < (1U << changes); ++mask) {
      std::vector<bool>& subset = subsets.emplace_back(changes);
      for (std::size_t i = 0; i < changes; ++i) {
        subset[i] = ((mask >> i) & 1U) != 0;
      }
    }
    return subsets;
  }
  for (std::size_t first = 0; first <= changes; ++first) {
    std::vector<bool>& subset = subsets.emplace_back(changes);
    for (std::size_t i = 0; i < first; ++i) {
      subset[i] = true;
    }
  }
  return subsets;
}

std::vector<Loss> LossesOf(const PowerLossDisk& disk) {
  std::vector<Loss> losses;
  for (const std::vector<bool>& changes : SubsetsOf(disk.pending_changes())) {
    losses.push_back({.bytes = Loss::Bytes::kNone, .changes = changes});
    if (disk.has_unsynced_bytes()) {
      losses.push_back({.bytes = Loss::Bytes::kHalf, .changes = changes});
      losses.push_back({.bytes = Loss::Bytes::kAll, .changes = changes});
    }
  }
  return losses;
}

std::string Show(const Loss& loss) {
  std::string text = loss.bytes == Loss::Bytes::kNone   ? "no unsynced byte"
                     : loss.bytes == Loss::Bytes::kHalf ? "half of the unsynced bytes"
                                                        : "all unsynced bytes";
  text += ", changes ";
  for (const bool kept : loss.changes) {
    text += kept ? '1' : '0';
  }
  return text;
}

std::string TextOf(const absl::StatusOr<std::string>& described) {
  return described.ok() ? *described : "an error: " + std::string(Message(described.status()));
}

class Sweeper {
 public:
  Sweeper(const Flow& flow, const std::string& folder)
      : flow_(flow),
        base_(folder + "/base"),
        at_cut_(folder + "/at_cut"),
        state_(folder + "/state"),
        base_disk_(folder) {}

  PowerLossSweep Run() {
    const absl::Status learned = Learn();
    if (!learned.ok()) {
      sweep_.failures.emplace_back(Message(learned));
      return sweep_;
    }
    for (bool cut = true; cut;) {
      cut = RunUntil(++sweep_.points);
    }
    return sweep_;
  }

 private:
  // Makes the old state, and learns how the old and the new one read.
  absl::Status Learn() {
    RETURN_IF_ERROR(flow_.prepare(base_disk_, state_));
    base_disk_.Lose({});  // acknowledged and durable: whatever is not is lost here
    CopyFolder(state_, base_);
    ASSIGN_OR_RETURN(old_text_, flow_.describe(*base_disk_.Clone(), state_));
    CopyFolder(base_, state_);
    const auto disk = base_disk_.Clone();
    RETURN_IF_ERROR(flow_.perform(*disk, state_, [] {}));
    ASSIGN_OR_RETURN(new_text_, flow_.describe(*disk, state_));
    return old_text_ == new_text_ ? Internal("the new state is not another: {}", new_text_)
                                  : absl::OkStatus();
  }

  // False when the flow ended before the cut.
  bool RunUntil(int operation) {
    CopyFolder(base_, state_);
    const auto disk = base_disk_.Clone();
    bool acknowledged = false;
    disk->CutAt(operation, [&] { CopyFolder(state_, at_cut_); });
    const absl::Status status =
        flow_.perform(*disk, state_, [&] { acknowledged = acknowledged || !disk->is_cut(); });
    const bool cut = disk->is_cut();
    if (!cut) {
      CopyFolder(state_, at_cut_);
      if (!status.ok() || !acknowledged) {
        Fail(operation, "the undisturbed run", std::string(Message(status)));
      }
    }
    for (const Loss& loss : LossesOf(*disk)) {
      const auto world = disk->Clone();
      world->Lose(loss);
      Note(operation, Show(loss), CheckCut(*world, acknowledged));
    }
    Note(operation, "killed, and the power went out later", CheckKilled(*disk->Clone()));
    return cut;
  }

  void Note(int operation, const std::string& how, const std::string& wrong) {
    ++sweep_.disks;
    if (!wrong.empty()) {
      Fail(operation, how, wrong);
    }
  }

  void Fail(int operation, const std::string& how, const std::string& wrong) {
    sweep_.failures.push_back(fmt::format("operation {}, {}: {}", operation, how, wrong));
  }

  std::string CheckCut(PowerLossDisk& disk, bool acknowledged) {
    CopyFolder(at_cut_, state_);
    const auto found = flow_.describe(disk, state_);
    if (!found.ok() || (*found != old_text_ && *found != new_text_)) {
      return "neither the old state nor the new: " + TextOf(found);
    }
    if (acknowledged && *found != new_text_) {
      return "what was acknowledged is lost";
    }
    return Repeat(disk);
  }

  std::string CheckKilled(PowerLossDisk& disk) {
    CopyFolder(at_cut_, state_);
    return Repeat(disk);
  }

  // Repeats the operation, cuts the power, and looks whether all is still there.
  std::string Repeat(PowerLossDisk& disk) {
    const absl::Status again = flow_.perform(disk, state_, [] {});
    if (!again.ok()) {
      return fmt::format("the operation cannot be repeated: {}", Message(again));
    }
    // Of a clone: to describe is to open, and to open syncs.
    CopyFolder(state_, base_ + ".again");
    const auto before = flow_.describe(*disk.Clone(), state_);
    CopyFolder(base_ + ".again", state_);
    disk.Lose({});
    const auto after = flow_.describe(disk, state_);
    if (!before.ok() || !after.ok() || *before != *after) {
      return fmt::format(
          "after it was repeated: {}; and after a power cut: {}", TextOf(before), TextOf(after));
    }
    return {};
  }

  const Flow& flow_;
  std::string base_;    // the real files of the old state
  std::string at_cut_;  // and those at the moment of the cut
  std::string state_;
  PowerLossDisk base_disk_;
  std::string old_text_;
  std::string new_text_;
  PowerLossSweep sweep_;
};

}  // namespace

PowerLossSweep SweepPowerLoss(const Flow& flow, const std::string& folder) {
  return Sweeper(flow, folder).Run();
}

}  // namespace millrace::faults
