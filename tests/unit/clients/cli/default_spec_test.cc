#include "clients/cli/default_spec.h"

#include <gtest/gtest.h>

#include "millrace/data/v1/data_service.pb.h"

namespace millrace::cli {
namespace {

data::v1::DatasetVersion With(schema::v1::Task task, int classes, int validation) {
  data::v1::DatasetVersion dataset;
  dataset.mutable_transforms()->set_task(task);
  dataset.set_validation_count(validation);
  for (int i = 0; i < classes; ++i) {
    dataset.mutable_transforms()->mutable_label()->add_classes("class");
  }
  return dataset;
}

TEST(DefaultSpecTest, TheOutputAndTheLossFitTheTask) {
  EXPECT_EQ(
      SpecLine(DefaultSpec(With(schema::v1::TASK_BINARY, 2, 9))),
      "64 relu, 32 relu, 1 sigmoid; binary_crossentropy; adam 0.001; batches of 32; up to 200 "
      "epochs, ends after 16 that validate no better");
  EXPECT_EQ(SpecLine(DefaultSpec(With(schema::v1::TASK_MULTICLASS, 19, 0))),
            "64 relu, 32 relu, 19 softmax; categorical_crossentropy; adam 0.001; batches of 32; up "
            "to 200 epochs");
  EXPECT_EQ(SpecLine(DefaultSpec(With(schema::v1::TASK_REGRESSION, 0, 0))),
            "64 relu, 32 relu, 1; mean_squared_error; adam 0.001; batches of 32; up to 200 epochs");
}

}  // namespace
}  // namespace millrace::cli
