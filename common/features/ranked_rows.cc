#include "common/features/ranked_rows.h"

#include <cstddef>
#include <vector>

#include "common/status/status.h"

namespace millrace::features {

namespace {

constexpr std::size_t kBufferRecords = (std::size_t{32} << 20U) / sizeof(RankedRow);

absl::StatusOr<std::vector<RankedRow>> RankGroup(const RowGroups& rows,
                                                 const RankOptions& options,
                                                 std::size_t group) {
  std::vector<ColumnCells> columns;
  for (std::size_t c = 0; c < rows.column_count(); ++c) {
    ASSIGN_OR_RETURN(ColumnCells cells, rows.Read(group, c));
    columns.push_back(std::move(cells));
  }
  const std::vector<Said> said = SayRows(columns, options.key);
  std::vector<RankedRow> ranked(said.size());
  for (std::size_t i = 0; i < said.size(); ++i) {
    ranked[i].said = said[i];
    ranked[i].row = rows.bounds()[group] + static_cast<std::int64_t>(i);
  }
  if (options.label >= 0) {
    const ColumnCells& label = columns[static_cast<std::size_t>(options.label)];
    std::vector<std::uint64_t> texts;
    for (const std::string_view text : label.dictionary) {
      texts.push_back(SipHash(options.key, text));
    }
    for (std::size_t i = 0; i < ranked.size(); ++i) {
      ranked[i].label = CellWord(label, i, texts);
    }
  }
  return ranked;
}

}  // namespace

absl::StatusOr<RankedRows> RankedRows::Rank(const RowGroups& rows,
                                            const RankOptions& options,
                                            const storage::Scratch& scratch) {
  auto sorter = std::make_unique<Sorter>(scratch, kBufferRecords);
  const auto rank = [&](std::size_t group) -> absl::Status {
    if (options.stop.stop_requested()) {
      return Cancelled("the import was stopped");
    }
    ASSIGN_OR_RETURN(const std::vector<RankedRow> ranked, RankGroup(rows, options, group));
    return sorter->Add(ranked);
  };
  RETURN_IF_ERROR(InParallel(options.threads, rows.group_count(), rank));
  RETURN_IF_ERROR(sorter->Finish(options.threads));
  return RankedRows(std::move(sorter));
}

}  // namespace millrace::features
