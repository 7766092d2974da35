#include "services/training/rpc/create_run.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/model/signature.h"
#include "common/resource/name.h"
#include "common/rpc/channel.h"
#include "common/rpc/request_id.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "services/training/train/memory.h"
#include "services/training/train/spec.h"

namespace millrace::training {

namespace {

constexpr std::size_t kRequestIdBytesMax = 64;

absl::Status CheckRequestId(std::string_view id) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  };
  if (id.size() > kRequestIdBytesMax || !std::all_of(id.begin(), id.end(), allowed)) {
    return InvalidArgument("request_id must be up to {} characters of A-Z, a-z, 0-9, _ and -",
                           kRequestIdBytesMax);
  }
  return absl::OkStatus();
}

absl::Status CheckModel(const std::string& model) {
  ASSIGN_OR_RETURN(const VersionedName name, ParseVersionedName("models", "model", model));
  if (name.version != 0) {
    return WithFix(InvalidArgument("model must name no version, found '{}'", model),
                   "write " + CollectionName("models", name.id) + ": serving counts its versions");
  }
  return absl::OkStatus();
}

// One request on its way. Alive while a step of it is under way; each step holds it.
class Creation : public std::enable_shared_from_this<Creation> {
 public:
  Creation(const ServiceParts& parts,
           grpc::CallbackServerContext& context,
           const v1::CreateRunRequest& request,
           v1::Run& response)
      : parts_(parts),
        context_(context),
        request_(request),
        response_(response),
        reactor_(context.DefaultReactor()),
        outgoing_(grpc::ClientContext::FromCallbackServerContext(context)) {
    rpc::SetRequestId(*outgoing_, rpc::RequestId(context));
  }

  grpc::ServerUnaryReactor* Start() {
    grpc::ServerUnaryReactor* const reactor = reactor_;
    InPool([self = shared_from_this()] { self->Check(); });
    return reactor;
  }

 private:
  void Finish(const absl::Status& status) { reactor_->Finish(ToGrpcStatus(status)); }

  void InPool(std::function<void()> step) {
    const absl::Status submitted = parts_.pool.Submit(std::move(step));
    if (!submitted.ok()) {
      Finish(submitted);
    }
  }

  // What the request says by itself, and whether it was made before.
  void Check() {
    const absl::Status checked = CheckRequest();
    if (!checked.ok()) {
      Finish(checked);
      return;
    }
    if (!request_.request_id().empty() && !request_.validate_only()) {
      absl::StatusOr<std::optional<v1::Run>> known =
          parts_.store.FindByRequest(request_.request_id());
      if (!known.ok()) {
        Finish(known.status());
        return;
      }
      if (known->has_value()) {
        response_ = **std::move(known);
        Finish(absl::OkStatus());
        return;
      }
    }
    AskForDataset();
  }

  absl::Status CheckRequest() {
    RETURN_IF_ERROR(
        ParseVersionedName("datasets", "dataset_version", request_.dataset_version()).status());
    RETURN_IF_ERROR(CheckModel(request_.model()));
    RETURN_IF_ERROR(CheckRequestId(request_.request_id()));
    run_.set_model(request_.model());
    run_.set_no_traffic(request_.no_traffic());
    *run_.mutable_spec() = request_.spec();
    // What no version of ours knows would only be carried along, into every list.
    run_.mutable_spec()->DiscardUnknownFields();
    FillDefaults(*run_.mutable_spec());
    return Validate(run_.spec(), parts_.spec_limits);
  }

  void AskForDataset() {
    rpc::SetDeadline(*outgoing_, parts_.data_timeout);
    question_.set_name(request_.dataset_version());
    parts_.data_service.async()->GetDataset(
        outgoing_.get(),
        &question_,
        &dataset_,
        [self = shared_from_this()](const grpc::Status& status) { self->TakeDataset(status); });
  }

  void TakeDataset(const grpc::Status& status) {
    if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
      Finish(WithFix(Unavailable("the data service did not answer in time"),
                     "see that it runs, and that data_address of the training service names it"));
    } else if (!status.ok()) {
      Finish(FromGrpcStatus(status));
    } else {
      InPool([self = shared_from_this()] { self->Fit(); });
    }
  }

  void Fit() {
    const absl::Status fits = CheckFit();
    if (!fits.ok()) {
      Finish(fits);
      return;
    }
    AskForModel();
  }

  absl::Status CheckFit() {
    ASSIGN_OR_RETURN(const BoundSpec bound,
                     Bind(run_.spec(),
                          {.transforms = dataset_.transforms(),
                           .train_count = dataset_.train_count(),
                           .validation_count = dataset_.validation_count()}));
    if (bound.network.parameter_count() > parts_.parameters_max) {
      return WithFix(InvalidArgument("the network has {} weights, more than the limit of {}",
                                     bound.network.parameter_count(),
                                     parts_.parameters_max),
                     "use fewer units, or raise limits.parameters_max of the training service");
    }
    const std::int64_t examples =
        dataset_.train_count() + dataset_.validation_count() + dataset_.test_count();
    const std::int64_t bytes = TrainingBytes(run_.spec(), bound.network, examples);
    if (bytes > parts_.run_bytes_max) {
      return WithFix(
          InvalidArgument("the run needs {} bytes of memory, more than the {} that a run may take",
                          bytes,
                          parts_.run_bytes_max),
          "use fewer units, a smaller batch or fewer rows, or raise run_bytes_max of the training "
          "service");
    }
    run_.mutable_spec()->set_loss(bound.loss.kind());
    run_.set_dataset_version(dataset_.name());
    return absl::OkStatus();
  }

  // Nobody is to train for what serving will refuse.
  void AskForModel() {
    to_serving_ = grpc::ClientContext::FromCallbackServerContext(context_);
    rpc::SetRequestId(*to_serving_, rpc::RequestId(context_));
    rpc::SetDeadline(*to_serving_, parts_.serving_timeout);
    serving::v1::UploadHeader& header = *model_question_.mutable_header();
    header.set_model(run_.model());
    header.set_no_traffic(run_.no_traffic());
    *header.mutable_signature() = model::SignatureOf(dataset_.transforms());
    parts_.serving_service.async()->CheckModel(
        to_serving_.get(),
        &model_question_,
        &model_answer_,
        [self = shared_from_this()](const grpc::Status& status) { self->TakeModelAnswer(status); });
  }

  // Only a refusal ends the call: it is asked once more when there is a model to publish.
  void TakeModelAnswer(const grpc::Status& status) {
    if (status.error_code() == grpc::StatusCode::FAILED_PRECONDITION ||
        status.error_code() == grpc::StatusCode::INVALID_ARGUMENT) {
      Finish(FromGrpcStatus(status));
    } else {
      InPool([self = shared_from_this()] { self->Accept(); });
    }
  }

  void Accept() {
    absl::StatusOr<v1::Run> run =
        request_.validate_only() ? std::move(run_)
                                 : parts_.executor.Create(std::move(run_), request_.request_id());
    const absl::Status status = run.status();
    if (status.ok()) {
      response_ = *std::move(run);
    }
    Finish(status);
  }

  const ServiceParts& parts_;
  grpc::CallbackServerContext& context_;
  const v1::CreateRunRequest& request_;
  v1::Run& response_;
  grpc::ServerUnaryReactor* reactor_;
  std::unique_ptr<grpc::ClientContext> outgoing_;    // takes over deadline and cancellation
  std::unique_ptr<grpc::ClientContext> to_serving_;  // likewise
  v1::Run run_;
  data::v1::GetDatasetRequest question_;
  data::v1::DatasetVersion dataset_;
  serving::v1::CheckModelRequest model_question_;
  serving::v1::CheckModelResponse model_answer_;
};

}  // namespace

grpc::ServerUnaryReactor* StartCreateRun(const ServiceParts& parts,
                                         grpc::CallbackServerContext& context,
                                         const v1::CreateRunRequest& request,
                                         v1::Run& response) {
  return std::make_shared<Creation>(parts, context, request, response)->Start();
}

}  // namespace millrace::training
