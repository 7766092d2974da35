// InferenceService: the Open Inference Protocol over the same models.

#pragma once

#include <string>

#include <grpcpp/grpcpp.h>

#include "common/rpc/access.h"
#include "common/rpc/call_metrics.h"
#include "inference/open_inference_grpc.grpc.pb.h"
#include "services/serving/rpc/message_pool.h"
#include "services/serving/rpc/serving_parts.h"

namespace millrace::serving {

/// A model has one input, `features` [rows, inputs], of rows that the client has transformed
/// itself, and one output: `probabilities` [rows, classes], or `value` [rows, 1] for a regression.
/// Model names are ids without `models/`, versions are numbers; an empty one means what the route
/// chooses. Parameters that clients add to requests are passed over where they change nothing.
/// Thread-safe.
class InferenceService final : public inference::GRPCInferenceService::CallbackService {
 public:
  /// The method that counts its calls itself, in `metrics`.
  static constexpr const char* kModelInfer = "inference.GRPCInferenceService/ModelInfer";

  explicit InferenceService(const ServingParts& parts);

  /// Readers ask. The contract is not ours, so it cannot say that.
  static rpc::Permissions Permissions();

  grpc::ServerUnaryReactor* ServerLive(grpc::CallbackServerContext* context,
                                       const inference::ServerLiveRequest* request,
                                       inference::ServerLiveResponse* response) override;
  grpc::ServerUnaryReactor* ServerReady(grpc::CallbackServerContext* context,
                                        const inference::ServerReadyRequest* request,
                                        inference::ServerReadyResponse* response) override;
  grpc::ServerUnaryReactor* ModelReady(grpc::CallbackServerContext* context,
                                       const inference::ModelReadyRequest* request,
                                       inference::ModelReadyResponse* response) override;
  grpc::ServerUnaryReactor* ServerMetadata(grpc::CallbackServerContext* context,
                                           const inference::ServerMetadataRequest* request,
                                           inference::ServerMetadataResponse* response) override;
  grpc::ServerUnaryReactor* ModelMetadata(grpc::CallbackServerContext* context,
                                          const inference::ModelMetadataRequest* request,
                                          inference::ModelMetadataResponse* response) override;
  grpc::ServerUnaryReactor* ModelInfer(grpc::CallbackServerContext* context,
                                       const inference::ModelInferRequest* request,
                                       inference::ModelInferResponse* response) override;

 private:
  using InferMessages = MessagePool<inference::ModelInferRequest, inference::ModelInferResponse>;

  [[nodiscard]] inference::ModelMetadataResponse MetadataOf(const std::string& name,
                                                            const ServedVersion& version) const;

  const ServingParts parts_;
  rpc::CallMetrics infer_calls_;
  InferMessages infer_messages_;
};

}  // namespace millrace::serving
