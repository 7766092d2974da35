#include "services/data/import/file_reading.h"

#include <utility>

#include "common/features/row_groups.h"
#include "common/status/status.h"

namespace millrace::data {

absl::Status FileReading::ReadAll(BlockSource& source, Spill& spill, int threads) {
  facts_.assign(reader_.rules().columns.size(), {});
  const auto read = [&](std::size_t /*thread*/) {
    ReadBlocks(source, spill);
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(features::InParallel(threads, static_cast<std::size_t>(threads), read));
  RETURN_IF_ERROR(error_);
  return spill.Close();
}

// What one thread does.
void FileReading::ReadBlocks(BlockSource& source, Spill& spill) {
  Block block;
  while (true) {
    const absl::StatusOr<bool> more = source.Next(block);
    if (!more.ok()) {
      Fail(~std::size_t{0} - 1, more.status());  // what stands before it is told first
      return;
    }
    if (!*more || HasFailedBefore(block.place.index)) {
      return;
    }
    std::vector<ColumnFacts> facts;
    SpilledGroup group;
    const absl::Status kept = Keep(block, spill, facts, group);
    if (!kept.ok()) {
      Fail(block.place.index, kept);
      return;
    }
    if (group.rows > 0) {
      const std::lock_guard lock(mutex_);
      groups_.emplace(block.place.index, group);
    }
    Merge(block.place.index, std::move(facts));
  }
}

absl::Status FileReading::Keep(const Block& block,
                               Spill& spill,
                               std::vector<ColumnFacts>& facts,
                               SpilledGroup& group) {
  ASSIGN_OR_RETURN(ReadColumns read, reader_.Read(block));
  group.place = block.place;
  group.rows = static_cast<std::int64_t>(read.lines.size());
  GroupWriter writer(read.columns.size());
  writer.AddLines(read.lines);
  for (std::size_t i = 0; i < read.columns.size(); ++i) {
    ColumnBuilder& column = read.columns[i];
    facts.push_back(column.Facts());
    RETURN_IF_ERROR(column.kind() == CellKind::kTexts
                        ? texts_.Add(reader_.rules().columns[i].index, column.texts())
                        : absl::OkStatus());
    writer.AddColumn(column.Release(), facts.back().kind);
  }
  if (group.rows > 0) {
    ASSIGN_OR_RETURN(group.at, spill.Append(writer.bytes()));
  }
  return absl::OkStatus();
}

// Facts are merged in the order of the file, for what they say of first values.
void FileReading::Merge(std::size_t index, std::vector<ColumnFacts> facts) {
  const std::lock_guard lock(mutex_);
  unmerged_.emplace(index, std::move(facts));
  for (auto next = unmerged_.find(merged_); next != unmerged_.end();
       next = unmerged_.find(merged_)) {
    for (std::size_t i = 0; i < facts_.size(); ++i) {
      facts_[i].Merge(std::move(next->second[i]));
    }
    unmerged_.erase(next);
    ++merged_;
  }
}

void FileReading::Fail(std::size_t index, const absl::Status& status) {
  const std::lock_guard lock(mutex_);
  if (index < failed_) {
    failed_ = index;
    error_ = status;
  }
}

bool FileReading::HasFailedBefore(std::size_t index) {
  const std::lock_guard lock(mutex_);
  return failed_ < index;
}

absl::Status FileReading::ReadAgain(const BlockSource& source,
                                    std::vector<SpilledGroup>& groups,
                                    Spill& spill,
                                    int threads) {
  facts_.assign(reader_.rules().columns.size(), {});
  std::vector<std::vector<ColumnFacts>> facts(groups.size());
  const auto read = [&](std::size_t i) -> absl::Status {
    Block block;
    RETURN_IF_ERROR(source.Again(groups[i].place, block));
    SpilledGroup again;
    RETURN_IF_ERROR(Keep(block, spill, facts[i], again));
    groups[i].again_at = again.at;
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(features::InParallel(threads, groups.size(), read));
  for (std::vector<ColumnFacts>& of_group : facts) {
    for (std::size_t i = 0; i < facts_.size(); ++i) {
      facts_[i].Merge(std::move(of_group[i]));
    }
  }
  return spill.Close();
}

std::vector<SpilledGroup> FileReading::TakeGroups() {
  std::vector<SpilledGroup> groups;
  for (auto& entry : std::exchange(groups_, {})) {
    groups.push_back(entry.second);
  }
  return groups;
}

}  // namespace millrace::data
