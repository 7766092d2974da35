#include "services/serving/predict/predictor.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "common/status/status.h"

namespace millrace::serving {

namespace {

using google::protobuf::RepeatedPtrField;

// Microseconds to read one cell and to write one row's answer, measured generously.
constexpr double kCellMicroseconds = 0.05;
constexpr double kRowMicroseconds = 0.2;

// The binding of the column list that a thread saw last with some predictor.
struct CachedBinding {
  std::uint64_t serial = 0;
  std::vector<std::string> columns;
  std::optional<features::Transformer::Binding> binding;
};

// What a thread computes in.
struct Scratch {
  std::vector<float> x;
  std::vector<float> y;
  std::vector<float> answers;
  network::InferenceScratch network;
  // Clients repeat their column lists, and a thread serves a few models: a slot each.
  std::array<CachedBinding, 8> bindings;
};

Scratch& ThisThreadsScratch() {
  thread_local Scratch scratch;
  return scratch;
}

std::uint64_t NextSerial() {
  static std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

// More than this is not kept for the next request.
constexpr std::int64_t kKeptBytes = std::int64_t{4} << 20;

// Gives this thread's buffers back when it goes, if a request made them large.
class LargeBuffers {
 public:
  explicit LargeBuffers(std::int64_t bytes) : is_large_(bytes > kKeptBytes) {}

  ~LargeBuffers() {
    if (is_large_) {
      Scratch& scratch = ThisThreadsScratch();
      scratch.x = std::vector<float>();  // {} would keep its memory
      scratch.y = std::vector<float>();
      scratch.answers = std::vector<float>();
      scratch.network = network::InferenceScratch();
    }
  }

  LargeBuffers(const LargeBuffers&) = delete;
  LargeBuffers& operator=(const LargeBuffers&) = delete;

 private:
  const bool is_large_;
};

std::span<float> Sized(std::int64_t size, std::vector<float>& buffer) {
  const auto count = static_cast<std::size_t>(size);
  if (buffer.size() < count) {
    buffer.resize(count);
  }
  return std::span(buffer).first(count);
}

// Of a row: inputs, the widest layer twice, outputs and answers.
std::int64_t BufferBytesOf(const network::Network& network, std::int64_t answers) {
  std::int64_t widest = 0;
  for (const network::LayerPlan& layer : network.layers()) {
    widest = std::max(widest, layer.outputs);
  }
  return (network.inputs() + 2 * widest + network.outputs() + answers) *
         static_cast<std::int64_t>(sizeof(float));
}

// A label, a probability a class, and what frames them.
std::int64_t AnswerBytesOf(const RepeatedPtrField<std::string>& classes) {
  constexpr std::int64_t kFrame = 32;
  std::size_t longest = 0;
  for (const std::string& label : classes) {
    longest = std::max(longest, label.size());
  }
  return kFrame + static_cast<std::int64_t>(longest) +
         static_cast<std::int64_t>(classes.size()) * static_cast<std::int64_t>(sizeof(float));
}

bool IsSame(const std::vector<std::string>& cached, const RepeatedPtrField<std::string>& columns) {
  return std::equal(cached.begin(), cached.end(), columns.begin(), columns.end());
}

// The label, and what training set aside: a client that sends whole rows of its file may leave them
// in.
std::vector<std::string> ColumnsWithoutFeatures(const schema::v1::Schema& schema,
                                                const schema::v1::TransformSet& set) {
  std::set<std::string_view> features;
  for (const schema::v1::FeatureTransform& feature : set.features()) {
    features.insert(feature.column().name());
  }
  std::vector<std::string> others;
  for (const schema::v1::Column& column : schema.columns()) {
    if (!features.contains(column.name())) {
      others.push_back(column.name());
    }
  }
  return others;
}

}  // namespace

Predictor::Predictor(const schema::v1::Schema& schema,
                     const features::Transformer& transformer,
                     const network::InferencePlan& plan,
                     const network::Loss& loss,
                     std::int64_t buffer_bytes_max)
    : serial_(NextSerial()),
      transformer_(transformer),
      plan_(plan),
      loss_(loss),
      ignored_(ColumnsWithoutFeatures(schema, transformer.set())),
      buffer_bytes_max_(buffer_bytes_max),
      row_bytes_(BufferBytesOf(plan.network(), answer_count())),
      block_rows_(buffer_bytes_max / row_bytes_),
      answer_bytes_max_(AnswerBytesOf(classes())) {}

absl::StatusOr<const features::Transformer::Binding*> Predictor::Bind(
    const RepeatedPtrField<std::string>& columns) const {
  auto& bindings = ThisThreadsScratch().bindings;
  CachedBinding& cached = bindings[serial_ % bindings.size()];
  if (cached.serial == serial_ && IsSame(cached.columns, columns)) {
    return &*cached.binding;
  }
  const std::vector<std::string_view> names(columns.begin(), columns.end());
  ASSIGN_OR_RETURN(features::Transformer::Binding binding, transformer_.Bind(names, ignored_));
  cached.serial = serial_;
  cached.columns.assign(columns.begin(), columns.end());
  cached.binding = std::move(binding);
  return &*cached.binding;
}

absl::Status Predictor::CheckRowFits() const {
  if (block_rows_ > 0) {
    return absl::OkStatus();
  }
  return WithFix(ResourceExhausted("one row of this model takes buffers of {} bytes, of {} bytes "
                                   "that a prediction may take",
                                   row_bytes_,
                                   buffer_bytes_max_),
                 "raise limits.compute_bytes_max of the serving service");
}

absl::Status Predictor::Predict(const RepeatedPtrField<std::string>& columns,
                                const RepeatedPtrField<schema::v1::Row>& rows,
                                RepeatedPtrField<v1::Prediction>& predictions) const {
  RETURN_IF_ERROR(CheckRowFits());
  ASSIGN_OR_RETURN(const features::Transformer::Binding* const binding, Bind(columns));
  const LargeBuffers buffers(std::min<std::int64_t>(rows.size(), block_rows_) * row_bytes_);
  Scratch& scratch = ThisThreadsScratch();
  const auto inputs = static_cast<std::size_t>(input_count());
  const auto width = static_cast<std::size_t>(answer_count());
  predictions.Clear();
  predictions.Reserve(rows.size());
  for (std::int64_t first = 0; first < rows.size(); first += block_rows_) {
    const std::int64_t count = std::min<std::int64_t>(block_rows_, rows.size() - first);
    const std::span<float> x = Sized(count * input_count(), scratch.x);
    for (std::int64_t i = 0; i < count; ++i) {
      const int row = static_cast<int>(first + i);
      const std::span<float> target = x.subspan(static_cast<std::size_t>(i) * inputs, inputs);
      if (absl::Status status = transformer_.Encode(*binding, rows[row], target); !status.ok()) {
        return Annotate(status, fmt::format("rows[{}]", row));
      }
    }
    const std::span<float> answers = Sized(count * answer_count(), scratch.answers);
    RETURN_IF_ERROR(InferBlock(first, count, x, answers));
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      Answer(answers.subspan(i * width, width), *predictions.Add());
    }
  }
  return absl::OkStatus();
}

absl::Status Predictor::Infer(std::int64_t rows,
                              std::span<const float> x,
                              std::span<float> answers) const {
  RETURN_IF_ERROR(CheckRowFits());
  const LargeBuffers buffers(std::min(rows, block_rows_) * row_bytes_);
  const auto inputs = static_cast<std::size_t>(input_count());
  const auto width = static_cast<std::size_t>(answer_count());
  for (std::int64_t first = 0; first < rows; first += block_rows_) {
    const std::int64_t count = std::min(block_rows_, rows - first);
    const auto begin = static_cast<std::size_t>(first);
    const auto size = static_cast<std::size_t>(count);
    RETURN_IF_ERROR(InferBlock(first,
                               count,
                               x.subspan(begin * inputs, size * inputs),
                               answers.subspan(begin * width, size * width)));
  }
  return absl::OkStatus();
}

// Some rows of a request, of which `first` is the first.
absl::Status Predictor::InferBlock(std::int64_t first,
                                   std::int64_t rows,
                                   std::span<const float> x,
                                   std::span<float> answers) const {
  Scratch& scratch = ThisThreadsScratch();
  const std::span<float> y = Sized(rows * plan_.network().outputs(), scratch.y);
  plan_.Run(rows, x, y, scratch.network);
  loss_.Probabilities(rows, y, answers);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (!std::isfinite(answers[i])) {
      return InvalidArgument(
          "rows[{}] is so far from what the model was trained on that its answer "
          "is not a finite number",
          first + static_cast<std::int64_t>(i) / answer_count());
    }
  }
  return absl::OkStatus();
}

double Predictor::EstimateMicroseconds(std::int64_t rows, std::int64_t columns) const {
  return plan_.EstimateMicroseconds(rows) + static_cast<double>(rows) * kRowMicroseconds +
         static_cast<double>(rows * std::max(columns, input_count())) * kCellMicroseconds;
}

void Predictor::Answer(std::span<const float> answers, v1::Prediction& prediction) const {
  if (classes().empty()) {
    prediction.set_value(answers[0]);
    return;
  }
  prediction.mutable_probabilities()->Assign(answers.begin(), answers.end());
  const auto best = std::max_element(answers.begin(), answers.end()) - answers.begin();
  prediction.set_label(classes().Get(static_cast<int>(best)));
}

}  // namespace millrace::serving
