#include "tests/faults/power_loss_sweep.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>

#include <fmt/core.h>

#include "common/status/status.h"
#include "tests/faults/power_loss_catalogs.h"
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

// What one may find after a power cut.
struct Aftermath {
  Loss files;
  CatalogLoss catalogs = CatalogLoss::kNone;
};

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

// Every loss of files beside catalogs that lost nothing and all; every loss of catalogs beside
// files that lost all and nothing.
std::vector<Aftermath> AftermathsOf(const PowerLossDisk& disk,
                                    const PowerLossCatalogs::Files& catalogs) {
  std::vector<Aftermath> aftermaths;
  const bool unsynced = PowerLossCatalogs::HasUnsynced(catalogs);
  for (const Loss& loss : LossesOf(disk)) {
    aftermaths.push_back({.files = loss, .catalogs = CatalogLoss::kAll});
    if (unsynced) {
      aftermaths.push_back({.files = loss, .catalogs = CatalogLoss::kNone});
    }
  }
  if (unsynced) {
    const std::vector<bool> all(disk.pending_changes(), true);
    for (const CatalogLoss loss : {CatalogLoss::kHalf, CatalogLoss::kLast}) {
      aftermaths.push_back({.files = {}, .catalogs = loss});
      aftermaths.push_back(
          {.files = {.bytes = Loss::Bytes::kAll, .changes = all}, .catalogs = loss});
    }
  }
  return aftermaths;
}

std::string_view Show(CatalogLoss loss) {
  switch (loss) {
    case CatalogLoss::kNone:
      return "no";
    case CatalogLoss::kHalf:
      return "half of the";
    case CatalogLoss::kLast:
      return "the last";
    case CatalogLoss::kAll:
      return "every";
  }
  return {};
}

std::string Show(const Aftermath& aftermath) {
  const Loss& loss = aftermath.files;
  std::string text = loss.bytes == Loss::Bytes::kNone   ? "no unsynced byte"
                     : loss.bytes == Loss::Bytes::kHalf ? "half of the unsynced bytes"
                                                        : "all unsynced bytes";
  text += ", changes ";
  for (const bool kept : loss.changes) {
    text += kept ? '1' : '0';
  }
  return text + fmt::format(", {} unsynced change of catalogs", Show(aftermath.catalogs));
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
    PowerLossCatalogs::Lose(CatalogLoss::kNone, catalogs_.files());
    CopyFolder(state_, base_);
    base_catalogs_ = catalogs_.files();
    ASSIGN_OR_RETURN(old_text_, flow_.describe(*base_disk_.Clone(), state_));
    Restore(base_, base_catalogs_);
    const auto disk = base_disk_.Clone();
    RETURN_IF_ERROR(flow_.perform(*disk, state_, [] {}));
    ASSIGN_OR_RETURN(new_text_, flow_.describe(*disk, state_));
    return old_text_ == new_text_ ? Internal("the new state is not another: {}", new_text_)
                                  : absl::OkStatus();
  }

  // False when the flow ended before the cut.
  bool RunUntil(int operation) {
    Restore(base_, base_catalogs_);
    const auto disk = base_disk_.Clone();
    bool acknowledged = false;
    disk->CutAt(operation, [&] { Keep(); });
    catalogs_.AskBefore([&](std::string_view change) { return disk->Count(change); });
    const absl::Status status =
        flow_.perform(*disk, state_, [&] { acknowledged = acknowledged || !disk->is_cut(); });
    catalogs_.AskBefore(nullptr);
    const bool cut = disk->is_cut();
    if (!cut) {
      Keep();
      if (!status.ok() || !acknowledged) {
        Fail(operation, "the undisturbed run", std::string(Message(status)));
      }
    }
    for (const Aftermath& aftermath : AftermathsOf(*disk, cut_catalogs_)) {
      const auto world = disk->Clone();
      world->Lose(aftermath.files);
      Note(operation, Show(aftermath), CheckCut(*world, aftermath.catalogs, acknowledged));
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

  // What is beside the disk: the real files, and what SQLite wrote.
  void Keep() {
    CopyFolder(state_, at_cut_);
    cut_catalogs_ = catalogs_.files();
  }

  void Restore(const std::string& folder, const PowerLossCatalogs::Files& catalogs) {
    CopyFolder(folder, state_);
    catalogs_.files() = catalogs;
  }

  std::string CheckCut(PowerLossDisk& disk, CatalogLoss loss, bool acknowledged) {
    Restore(at_cut_, cut_catalogs_);
    PowerLossCatalogs::Lose(loss, catalogs_.files());
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
    Restore(at_cut_, cut_catalogs_);
    return Repeat(disk);
  }

  // Repeats the operation, cuts the power, and looks whether all is still there.
  std::string Repeat(PowerLossDisk& disk) {
    const absl::Status again = flow_.perform(disk, state_, [] {});
    if (!again.ok()) {
      return fmt::format("the operation cannot be repeated: {}", Message(again));
    }
    // Of a clone: to describe is to open, and to open syncs.
    const std::string again_folder = base_ + ".again";
    CopyFolder(state_, again_folder);
    const PowerLossCatalogs::Files again_catalogs = catalogs_.files();
    const auto before = flow_.describe(*disk.Clone(), state_);
    Restore(again_folder, again_catalogs);
    disk.Lose({});
    PowerLossCatalogs::Lose(CatalogLoss::kNone, catalogs_.files());
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
  PowerLossCatalogs catalogs_;
  PowerLossCatalogs::Files base_catalogs_;
  PowerLossCatalogs::Files cut_catalogs_;
  std::string old_text_;
  std::string new_text_;
  PowerLossSweep sweep_;
};

}  // namespace

PowerLossSweep SweepPowerLoss(const Flow& flow, const std::string& folder) {
  return Sweeper(flow, folder).Run();
}

}  // namespace millrace::faults
