#include "tests/integration/long_run.h"

#include <fmt/core.h>

#include "common/status/status.h"

namespace millrace::integration {

namespace {

using training::v1::Run;
using training::v1::RunEvent;

constexpr const char* kDataset = "long_run";

// Reads events until an epoch has ended, and leaves.
absl::Status WaitForEpoch(TrainingStub& stub, const std::string& run) {
  grpc::ClientContext context;
  rpc::SetDeadline(context, kCallMax);
  training::v1::WatchRunRequest request;
  request.set_name(run);
  const auto stream = stub.WatchRun(&context, request);
  RunEvent event;
  while (stream->Read(&event)) {
    if (event.has_epoch()) {
      context.TryCancel();
      while (stream->Read(&event)) {
      }
      stream->Finish();
      return absl::OkStatus();
    }
  }
  RETURN_IF_ERROR(FromGrpcStatus(stream->Finish()));
  return Internal("{} ended before an epoch had: {}", run, event.run().failure());
}

}  // namespace

absl::StatusOr<data::v1::DatasetVersion> ImportLongData(Clients& clients) {
  return Import(clients.data(),
                HeaderOf(kDataset, "breast_cancer.csv", "diagnosis"),
                ReadFile("tests/data/breast_cancer.csv"));
}

training::v1::CreateRunRequest LongRun(std::string_view model) {
  model::v1::TrainingSpec spec;
  for (int layer = 0; layer < 2; ++layer) {
    auto& dense = *spec.mutable_network()->add_layers()->mutable_dense();
    dense.set_units(1'024);
    dense.set_activation(model::v1::ACTIVATION_RELU);
  }
  auto& last = *spec.mutable_network()->add_layers()->mutable_dense();
  last.set_units(1);
  last.set_activation(model::v1::ACTIVATION_SIGMOID);
  spec.set_epochs(100'000);
  spec.set_threads(1);
  return RunRequest(fmt::format("datasets/{}", kDataset), model, spec);
}

absl::StatusOr<Run> StartRun(TrainingStub& stub, const training::v1::CreateRunRequest& request) {
  ASSIGN_OR_RETURN(const Run run, Call(stub, &TrainingStub::CreateRun, request));
  RETURN_IF_ERROR(WaitForEpoch(stub, run.name()));
  return run;
}

}  // namespace millrace::integration
