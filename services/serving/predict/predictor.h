// Predictor: rows in, answers out, with one version of a model.

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <google/protobuf/repeated_field.h>

#include "millrace/schema/v1/schema.pb.h"
#include "millrace/schema/v1/value.pb.h"
#include "millrace/serving/v1/serving_service.pb.h"

#include "common/features/transformer.h"
#include "common/network/inference_plan.h"
#include "common/network/loss.h"

namespace millrace::serving {

/// Applies Transforms, network and loss to the rows of requests. A row's answer has the same bits
/// alone, first, last or among others. Thread-safe; each thread has buffers of its own, so that
/// answering a small request allocates nothing. They grow to `buffer_bytes_max`, and go when they
/// are large and the request is answered: more rows than fit are computed in blocks, and one row
/// that does not fit is RESOURCE_EXHAUSTED.
class Predictor {
 public:
  static constexpr std::int64_t kBufferBytesMax = std::int64_t{64} << 20;

  /// Does not own its parts, which must outlive it. Columns of `schema` that are no features may be
  /// sent and say nothing.
  Predictor(const schema::v1::Schema& schema,
            const features::Transformer& transformer,
            const network::InferencePlan& plan,
            const network::Loss& loss,
            std::int64_t buffer_bytes_max = kBufferBytesMax);

  /// Answers raw rows, at least one: cells named by `columns`. INVALID_ARGUMENT, naming the row and
  /// the feature, for anything that does not fit; `predictions` is then undefined.
  absl::Status Predict(const google::protobuf::RepeatedPtrField<std::string>& columns,
                       const google::protobuf::RepeatedPtrField<schema::v1::Row>& rows,
                       google::protobuf::RepeatedPtrField<v1::Prediction>& predictions) const;

  /// Answers rows that are transformed already: x [rows, input_count()], finite; answers
  /// [rows, answer_count()] are probabilities, or the value of a regression. Requires: at least one
  /// row. INVALID_ARGUMENT when an answer is not a finite number.
  absl::Status Infer(std::int64_t rows, std::span<const float> x, std::span<float> answers) const;

  /// A rough upper estimate of the time that answering takes on one core, in microseconds.
  [[nodiscard]] double EstimateMicroseconds(std::int64_t rows, std::int64_t columns) const;

  [[nodiscard]] std::int64_t input_count() const { return transformer_.input_count(); }

  /// The most bytes that the answer to one row takes in a PredictResponse or ModelInferResponse.
  [[nodiscard]] std::int64_t answer_bytes_max() const { return answer_bytes_max_; }

  /// Rows that are computed together at the most; 0: not one fits.
  [[nodiscard]] std::int64_t block_rows() const { return block_rows_; }

  /// Classes, or 1 for a regression.
  [[nodiscard]] std::int64_t answer_count() const { return loss_.probability_count(); }

  /// The class labels in the order of the answers; empty for a regression.
  [[nodiscard]] const google::protobuf::RepeatedPtrField<std::string>& classes() const {
    return transformer_.set().label().classes();
  }

 private:
  absl::StatusOr<const features::Transformer::Binding*> Bind(
      const google::protobuf::RepeatedPtrField<std::string>& columns) const;

  [[nodiscard]] absl::Status CheckRowFits() const;

  absl::Status InferBlock(std::int64_t first,
                          std::int64_t rows,
                          std::span<const float> x,
                          std::span<float> answers) const;

  void Answer(std::span<const float> answers, v1::Prediction& prediction) const;

  const std::uint64_t serial_;  // different for every predictor of the process
  const features::Transformer& transformer_;
  const network::InferencePlan& plan_;
  const network::Loss& loss_;
  std::vector<std::string> ignored_;
  const std::int64_t buffer_bytes_max_;
  const std::int64_t row_bytes_;  // of buffers
  const std::int64_t block_rows_;
  const std::int64_t answer_bytes_max_;
};

}  // namespace millrace::serving
