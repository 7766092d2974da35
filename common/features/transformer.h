// Transformer: a TransformSet, ready to apply. Everything that is done to one row happens here,
// once for training and for serving alike.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "millrace/schema/v1/transforms.pb.h"
#include "millrace/schema/v1/value.pb.h"

#include "common/features/cell.h"
#include "common/features/table.h"

namespace millrace::features {

/// Immutable, thread-safe; cheap to copy (shared state).
class Transformer {
 public:
  /// INVALID_ARGUMENT when the set contradicts itself (an encoding that does not fit the type,
  /// counts that do not add up): a bundle may come from anywhere.
  static absl::StatusOr<Transformer> Create(schema::v1::TransformSet set);

  [[nodiscard]] const schema::v1::TransformSet& set() const;

  /// Inputs of the network.
  [[nodiscard]] std::int64_t input_count() const;

  /// Encodes rows of a table whose schema has every feature by name and type.
  /// x [rows.size(), input_count()], row-major. A cell whose scaled number a float cannot hold is
  /// INVALID_ARGUMENT, here and below: an input is always finite.
  absl::Status Encode(const Table& table,
                      std::span<const std::int64_t> rows,
                      std::span<float> x) const;

  /// Labels of rows of a table: the class's index, or the number. Fails on a missing or unknown
  /// one.
  absl::Status EncodeLabels(const Table& table,
                            std::span<const std::int64_t> rows,
                            std::span<float> labels) const;

  /// Where each named cell of a request goes. Valid for one list of names; thread-safe.
  class Binding {
   public:
    [[nodiscard]] std::size_t size() const { return feature_of_.size(); }

   private:
    friend class Transformer;
    std::vector<std::int32_t> feature_of_;  // a name; -1: ignored
    std::vector<std::int32_t> unnamed_;     // features that no name gives
  };

  /// `ignored` are names that may be given and are passed over: the label, columns set aside.
  /// INVALID_ARGUMENT for a repeated or unknown name, with the closest feature as the fix.
  [[nodiscard]] absl::StatusOr<Binding> Bind(std::span<const std::string_view> names,
                                             std::span<const std::string> ignored) const;

  /// Encodes one raw row; x [input_count()]. Features that the binding does not name are imputed.
  /// INVALID_ARGUMENT names the feature, or says how many values were expected. Allocates nothing
  /// when the row has only numbers.
  absl::Status Encode(const Binding& binding, const schema::v1::Row& row, std::span<float> x) const;

 private:
  struct State;

  [[nodiscard]] absl::Status UnknownName(std::string_view name) const;

  std::shared_ptr<const State> state_;
};

}  // namespace millrace::features
