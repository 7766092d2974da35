// Inference: what a column is, and why we think so.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "millrace/schema/v1/schema.pb.h"

#include "common/features/table.h"
#include "services/data/import/column_builder.h"

namespace millrace::data {

/// A type with its reason in words, for Column.reason.
struct TypeDecision {
  schema::v1::ColumnType type = schema::v1::COLUMN_TYPE_UNSPECIFIED;
  std::string reason = {};
  std::string true_spelling = {};  // booleans only
  std::string false_spelling = {};
};

/// What only a look at all values together tells.
struct Different {
  std::int64_t texts = 0;           // different ones
  bool all_numbers_differ = false;  // read only where MayBeIdentifier()
};

/// Whether numbers are an identifier if they all differ: 10 or more, all whole, that follow one
/// another without a gap in any order, or under a name that ends in "id".
bool MayBeIdentifier(const ColumnFacts& facts, std::string_view name);

/// Whether they would follow one another.
bool WouldFollow(const ColumnFacts& facts);

/// Decides from all cells of a column. The rules, first match first:
/// - No value: text.
/// - Only numbers: an identifier when there are 10 or more, all different whole numbers that follow
///   one another without a gap in any order, or under a name that ends in "id"; else an integer
///   when all are written as integers in [-2^53, 2^53]; else a real.
/// - Only ISO 8601 times: a timestamp.
/// - Two words that are a usual pair for yes and no (true/false, yes/no, t/f, y/n, on/off) without
///   regard to case: a boolean.
/// - Other texts: an identifier when there are 10 or more, all different; a category when there are
///   at most 20 different ones, or at most 1,024 and each stands twice or more on average; else
///   text.
/// The label is never an identifier or text: its texts are categories.
///
/// Requires: the column is not loosened.
TypeDecision InferType(const ColumnFacts& facts,
                       const Different& different,
                       std::string_view name,
                       bool is_label);

/// The spellings of a column that was said to be boolean: a usual pair, or 1 and 0. The decision's
/// type is unspecified when its texts are no such pair.
TypeDecision InferBoolean(const ColumnFacts& facts);

/// Turns texts that are a boolean's two spellings into 1 and 0.
features::ColumnCells ToBooleans(const features::ColumnCells& texts,
                                 std::string_view true_spelling);

}  // namespace millrace::data
