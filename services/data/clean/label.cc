#include "services/data/clean/label.h"

#include <algorithm>

#include <fmt/format.h>

#include "common/config/config.h"
#include "common/features/cell.h"
#include "common/status/status.h"

namespace millrace::data {

namespace {

using schema::v1::Column;
using schema::v1::Task;

constexpr std::int64_t kIntegerClassesMax = 20;
constexpr std::int64_t kRowsPerIntegerClass = 10;

bool IsClassified(const Column& column, std::int64_t classes, std::int64_t rows) {
  switch (column.type()) {
    case schema::v1::COLUMN_TYPE_BOOLEAN:
    case schema::v1::COLUMN_TYPE_CATEGORY:
      return true;
    case schema::v1::COLUMN_TYPE_INTEGER:
      return classes <= 2 ||
             (classes <= kIntegerClassesMax && rows >= kRowsPerIntegerClass * classes);
    default:
      return false;
  }
}

absl::Status CheckPositiveClass(const std::vector<std::string>& classes,
                                Task task,
                                const v1::ImportOptions& options,
                                std::string_view file_name) {
  const std::string& positive = options.positive_class();
  if (positive.empty() || (task == schema::v1::TASK_BINARY &&
                           std::find(classes.begin(), classes.end(), positive) != classes.end())) {
    return absl::OkStatus();
  }
  if (task != schema::v1::TASK_BINARY) {
    return WithFix(InvalidArgument("{}: a positive class needs a label of two classes, found {}",
                                   file_name,
                                   schema::v1::Task_Name(task)),
                   "leave out the positive class");
  }
  const std::string closest = config::Closest(positive, classes);
  return WithFix(InvalidArgument("{}: the positive class must be '{}' or '{}', found '{}'",
                                 file_name,
                                 features::Excerpt(classes.front()),
                                 features::Excerpt(classes.back()),
                                 features::Excerpt(positive)),
                 closest.empty() ? "give one of the two, as the file spells it"
                                 : fmt::format("did you mean '{}'?", features::Excerpt(closest)));
}

}  // namespace

absl::StatusOr<Task> DecideTask(const Column& column,
                                const LabelValues& values,
                                const v1::ImportOptions& options,
                                std::string_view file_name) {
  const std::string name = features::Excerpt(column.name());
  if (column.type() == schema::v1::COLUMN_TYPE_TIMESTAMP) {
    return WithFix(InvalidArgument("{}: label '{}' must be a number, boolean or category, found a "
                                   "timestamp",
                                   file_name,
                                   name),
                   "choose another label, or give it the type category");
  }
  const std::vector<std::string>& classes = values.classes;
  if (classes.size() == 1) {
    return WithFix(InvalidArgument("{}: label '{}' must have two classes or more, found only '{}'",
                                   file_name,
                                   name,
                                   features::Excerpt(classes.front())),
                   "add rows of another class, or choose another label");
  }
  const auto count = static_cast<std::int64_t>(classes.size());
  Task task = schema::v1::TASK_REGRESSION;
  if (IsClassified(column, count, values.rows)) {
    task = count == 2 ? schema::v1::TASK_BINARY : schema::v1::TASK_MULTICLASS;
  }
  if (task == schema::v1::TASK_MULTICLASS && count > values.classes_max) {
    return WithFix(InvalidArgument("{}: label '{}' must have at most {} classes, found more",
                                   file_name,
                                   name,
                                   values.classes_max),
                   "choose another label, or give it the type real if it is a number");
  }
  RETURN_IF_ERROR(CheckPositiveClass(classes, task, options, file_name));
  return task;
}

}  // namespace millrace::data
