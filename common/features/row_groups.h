// RowGroups: a table in groups of consecutive rows, wherever its cells are. What is larger than
// memory is read a group and a column at a time.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "millrace/schema/v1/schema.pb.h"

#include "common/features/dictionary.h"
#include "common/features/table.h"

namespace millrace::features {

/// Immutable and thread-safe. What is in a group follows from where the cells came from and means
/// nothing: whoever reads must come to the same with other groups.
class RowGroups {
 public:
  virtual ~RowGroups() = default;

  [[nodiscard]] virtual const schema::v1::Schema& schema() const = 0;

  /// Group i has the rows [bounds()[i], bounds()[i + 1]). Begins with 0, ends with the row count.
  [[nodiscard]] virtual std::span<const std::int64_t> bounds() const = 0;

  /// The cells of a column in a group, with a dictionary of their own. Fails as the disk does.
  [[nodiscard]] virtual absl::StatusOr<ColumnCells> Read(std::size_t group,
                                                         std::size_t column) const = 0;

  [[nodiscard]] std::int64_t row_count() const { return bounds().back(); }

  [[nodiscard]] std::size_t group_count() const { return bounds().size() - 1; }

  [[nodiscard]] std::size_t column_count() const {
    return static_cast<std::size_t>(schema().columns_size());
  }

  /// The column of that name, or -1.
  [[nodiscard]] int IndexOf(std::string_view name) const;
};

/// What became of each row of a table: its schema::v1::Split, or kDropped.
using RowMarks = std::vector<std::uint8_t>;

inline constexpr std::uint8_t kDropped = 0;

/// What a row has that stays, until it has a split.
inline constexpr std::uint8_t kKept = 1;

/// Takes the cells of one group, and the place of its first row.
using CellsSink = absl::FunctionRef<absl::Status(const ColumnCells& cells, std::int64_t first_row)>;

/// One column, group by group, as often as asked for. Keeps what it has read while that takes at
/// most kKeptBytesMax, so that small columns come from the disk once. Not thread-safe.
class ColumnReader {
 public:
  static constexpr std::size_t kKeptBytesMax = std::size_t{12} << 20U;

  /// Does not own `rows`.
  ColumnReader(const RowGroups& rows, std::size_t column, std::stop_token stop)
      : rows_(rows),
        column_(column),
        stop_(std::move(stop)) {}

  /// Gives every group in order. CANCELLED when `stop` was asked for; ends at the first error of
  /// `sink` or of the reading and returns it.
  absl::Status ForEach(CellsSink sink);

  /// The same, until `sink` says false.
  absl::Status ForEachWhile(absl::FunctionRef<absl::StatusOr<bool>(const ColumnCells& cells,
                                                                   std::int64_t first_row)> sink);

  [[nodiscard]] const schema::v1::Column& column() const {
    return rows_.schema().columns(static_cast<int>(column_));
  }

  [[nodiscard]] std::int64_t row_count() const { return rows_.row_count(); }

 private:
  const RowGroups& rows_;
  std::size_t column_;
  std::stop_token stop_;
  std::vector<ColumnCells> kept_;  // the first groups
  std::size_t kept_bytes_ = 0;
};

/// The different classes of a label's cells among the rows that are not dropped, in ascending byte
/// order. Stops looking once there are more than `limit`.
absl::StatusOr<std::vector<std::string>> ClassesOf(ColumnReader& reader,
                                                   const RowMarks& marks,
                                                   std::size_t limit);

/// Puts cells of one column together under one dictionary, in order of first appearance. Not
/// thread-safe.
class ColumnJoiner {
 public:
  /// `numeric` says whether the cells are numbers.
  explicit ColumnJoiner(bool numeric) : numeric_(numeric) {}

  /// Adds the cells [first, last), or fewer: up to the one with which text_bytes() reaches
  /// `text_bytes_max`. Returns the place after the last that was added.
  std::size_t Add(const ColumnCells& cells,
                  std::size_t first,
                  std::size_t last,
                  std::size_t text_bytes_max = ~std::size_t{0});

  [[nodiscard]] std::int64_t size() const { return joined_.size(); }

  /// Bytes of all texts in the dictionary.
  [[nodiscard]] std::size_t text_bytes() const { return text_bytes_; }

  /// Gives the cells away and begins anew.
  ColumnCells Release();

 private:
  bool numeric_;
  ColumnCells joined_;  // without the dictionary
  Dictionary dictionary_;
  std::size_t text_bytes_ = 0;
  std::vector<std::int32_t> new_code_;  // of the codes of the cells being added
};

/// The columns in the order in which threads take them: texts before the others, whose work is
/// less, so that no thread is left alone with a long one at the end.
std::vector<std::size_t> LongestFirst(const schema::v1::Schema& schema);

/// Runs `work(i)` for every i in [0, count) on up to `threads` threads, this one among them, in
/// ascending order of beginning. Returns the error of the smallest i that has one; what has not
/// begun when one fails is left. An exception of `work` is thrown again here.
absl::Status InParallel(int threads,
                        std::size_t count,
                        absl::FunctionRef<absl::Status(std::size_t)> work);

}  // namespace millrace::features
