#include "services/data/pipeline/options.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "common/features/cell.h"
#include "common/status/status.h"

namespace millrace::data {

namespace {

constexpr double kTrainFraction = 0.7;
constexpr double kValidationFraction = 0.15;
constexpr int kMissingSpellingsMax = 100;
constexpr std::size_t kMissingSpellingBytesMax = 256;

absl::Status CheckDelimiter(const std::string& delimiter) {
  if (delimiter.empty()) {
    return absl::OkStatus();
  }
  const char c = delimiter.front();
  const bool usable = delimiter.size() == 1 && (c == '\t' || (c >= ' ' && c <= '~')) && c != '"';
  if (!usable) {
    return WithFix(InvalidArgument("options.delimiter must be one ASCII character and no quote, "
                                   "found '{}'",
                                   features::Excerpt(delimiter)),
                   "leave it empty to have it detected");
  }
  return absl::OkStatus();
}

absl::Status CheckFractions(const v1::ImportOptions& options) {
  const double train = options.train_fraction();
  const double validation = options.validation_fraction();
  if (!(train >= 0 && train <= 1)) {
    return InvalidArgument("options.train_fraction must be in (0, 1], found {}", train);
  }
  if (!(validation >= 0 && validation < 1)) {
    return InvalidArgument("options.validation_fraction must be in [0, 1), found {}", validation);
  }
  constexpr double kRounding = 1e-9;  // 0.7 + 0.3 may be a little more than 1
  if (train > 0 && train + validation > 1 + kRounding) {
    return WithFix(InvalidArgument("options.train_fraction and options.validation_fraction must be "
                                   "at most 1 together, found {}",
                                   train + validation),
                   "what the two leave is the test split");
  }
  return absl::OkStatus();
}

absl::Status CheckColumns(const v1::ImportOptions& options) {
  const auto& dropped = options.drop_columns();
  if (!options.label().empty() &&
      std::find(dropped.begin(), dropped.end(), options.label()) != dropped.end()) {
    return WithFix(InvalidArgument("options.drop_columns must not have the label, found '{}'",
                                   features::Excerpt(options.label())),
                   "choose another label, or keep the column");
  }
  if (!options.positive_class().empty() && options.label().empty()) {
    return InvalidArgument("options.positive_class needs a label, found '{}' without one",
                           features::Excerpt(options.positive_class()));
  }
  for (const auto& entry : options.column_types()) {
    if (!schema::v1::ColumnType_IsValid(entry.second)) {
      return InvalidArgument("options.column_types must be known types, found {} for '{}'",
                             static_cast<int>(entry.second),
                             features::Excerpt(entry.first));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckMissingSpellings(const v1::ImportOptions& options) {
  if (options.missing_spellings_size() > kMissingSpellingsMax) {
    return InvalidArgument("options.missing_spellings must be at most {}, found {}",
                           kMissingSpellingsMax,
                           options.missing_spellings_size());
  }
  for (const std::string& spelling : options.missing_spellings()) {
    if (spelling.size() > kMissingSpellingBytesMax) {
      return InvalidArgument("options.missing_spellings must have at most {} bytes each, found {}",
                             kMissingSpellingBytesMax,
                             spelling.size());
    }
  }
  return absl::OkStatus();
}

absl::Status CheckEnums(const v1::ImportOptions& options) {
  if (!v1::ImportOptions::Header_IsValid(options.header())) {
    return InvalidArgument("options.header must be present or absent, found {}",
                           static_cast<int>(options.header()));
  }
  if (!v1::Scaling_IsValid(options.scaling())) {
    return InvalidArgument("options.scaling must be min-max, standard or none, found {}",
                           static_cast<int>(options.scaling()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<v1::ImportOptions> CompleteOptions(const v1::ImportOptions& options) {
  RETURN_IF_ERROR(CheckDelimiter(options.delimiter()));
  RETURN_IF_ERROR(CheckEnums(options));
  RETURN_IF_ERROR(CheckFractions(options));
  RETURN_IF_ERROR(CheckColumns(options));
  RETURN_IF_ERROR(CheckMissingSpellings(options));
  v1::ImportOptions complete = options;
  if (complete.train_fraction() == 0) {
    complete.set_train_fraction(kTrainFraction);
    complete.set_validation_fraction(kValidationFraction);
  }
  if (complete.scaling() == v1::SCALING_UNSPECIFIED) {
    complete.set_scaling(v1::SCALING_MIN_MAX);
  }
  return complete;
}

}  // namespace millrace::data
