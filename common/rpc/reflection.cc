#include "common/rpc/reflection.h"

#include <algorithm>
#include <set>
#include <utility>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"

namespace millrace::rpc {

namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;

// The two published versions differ in nothing but their names.
struct V1 {
  using Service = ::grpc::reflection::v1::ServerReflection::CallbackService;
  using Request = ::grpc::reflection::v1::ServerReflectionRequest;
  using Response = ::grpc::reflection::v1::ServerReflectionResponse;
};

struct V1Alpha {
  using Service = ::grpc::reflection::v1alpha::ServerReflection::CallbackService;
  using Request = ::grpc::reflection::v1alpha::ServerReflectionRequest;
  using Response = ::grpc::reflection::v1alpha::ServerReflectionResponse;
};

const DescriptorPool& Pool() {
  return *DescriptorPool::generated_pool();
}

template <typename Response>
void SetError(grpc::StatusCode code, const std::string& message, Response& response) {
  response.mutable_error_response()->set_error_code(code);
  response.mutable_error_response()->set_error_message(message);
}

// The file and everything that it imports, imports first, each once.
void CollectFiles(const FileDescriptor& file,
                  std::set<const FileDescriptor*>& seen,
                  std::vector<const FileDescriptor*>& files) {
  if (!seen.insert(&file).second) {
    return;
  }
  for (int i = 0; i < file.dependency_count(); ++i) {
    CollectFiles(*file.dependency(i), seen, files);
  }
  files.push_back(&file);
}

template <typename Response>
void AnswerFile(const FileDescriptor* file, const std::string& asked, Response& response) {
  if (file == nullptr) {
    SetError(grpc::StatusCode::NOT_FOUND, "nothing here is called " + asked, response);
    return;
  }
  std::set<const FileDescriptor*> seen;
  std::vector<const FileDescriptor*> files;
  CollectFiles(*file, seen, files);
  auto& answer = *response.mutable_file_descriptor_response();
  std::reverse(files.begin(), files.end());  // the file that was asked for stands first
  for (const FileDescriptor* one : files) {
    google::protobuf::FileDescriptorProto proto;
    one->CopyTo(&proto);
    answer.add_file_descriptor_proto(proto.SerializeAsString());
  }
}

template <typename Request, typename Response>
void AnswerExtension(const Request& request, Response& response) {
  const auto& asked = request.file_containing_extension();
  const Descriptor* const type = Pool().FindMessageTypeByName(asked.containing_type());
  const FieldDescriptor* const field =
      type == nullptr ? nullptr : Pool().FindExtensionByNumber(type, asked.extension_number());
  AnswerFile(field == nullptr ? nullptr : field->file(), asked.containing_type(), response);
}

template <typename Response>
void AnswerExtensionNumbers(const std::string& name, Response& response) {
  const Descriptor* const type = Pool().FindMessageTypeByName(name);
  if (type == nullptr) {
    SetError(grpc::StatusCode::NOT_FOUND, "nothing here is called " + name, response);
    return;
  }
  std::vector<const FieldDescriptor*> extensions;
  Pool().FindAllExtensions(type, &extensions);
  auto& answer = *response.mutable_all_extension_numbers_response();
  answer.set_base_type_name(name);
  for (const FieldDescriptor* extension : extensions) {
    answer.add_extension_number(extension->number());
  }
}

template <typename Request, typename Response>
void Answer(const std::vector<std::string>& names, const Request& request, Response& response) {
  response.set_valid_host(request.host());
  *response.mutable_original_request() = request;
  switch (request.message_request_case()) {
    case Request::kListServices:
      response.mutable_list_services_response();
      for (const std::string& name : names) {
        response.mutable_list_services_response()->add_service()->set_name(name);
      }
      return;
    case Request::kFileByFilename:
      return AnswerFile(
          Pool().FindFileByName(request.file_by_filename()), request.file_by_filename(), response);
    case Request::kFileContainingSymbol:
      return AnswerFile(Pool().FindFileContainingSymbol(request.file_containing_symbol()),
                        request.file_containing_symbol(),
                        response);
    case Request::kFileContainingExtension:
      return AnswerExtension(request, response);
    case Request::kAllExtensionNumbersOfType:
      return AnswerExtensionNumbers(request.all_extension_numbers_of_type(), response);
    case Request::MESSAGE_REQUEST_NOT_SET:
      break;
  }
  SetError(grpc::StatusCode::INVALID_ARGUMENT, "the request asks nothing", response);
}

// One stream: a question, its answer, the next question.
template <typename Protocol>
class Stream final
    : public grpc::ServerBidiReactor<typename Protocol::Request, typename Protocol::Response> {
 public:
  explicit Stream(const std::vector<std::string>& names) : names_(names) {
    this->StartRead(&request_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      this->Finish(grpc::Status::OK);
      return;
    }
    response_.Clear();
    Answer(names_, request_, response_);
    this->StartWrite(&response_);
  }

  void OnWriteDone(bool ok) override {
    if (!ok) {
      this->Finish(grpc::Status::CANCELLED);
      return;
    }
    this->StartRead(&request_);
  }

  void OnDone() override { delete this; }

 private:
  const std::vector<std::string>& names_;
  typename Protocol::Request request_;
  typename Protocol::Response response_;
};

}  // namespace

template <typename Protocol>
class Reflection::ServiceOf final : public Protocol::Service {
 public:
  explicit ServiceOf(const std::vector<std::string>* const& names) : names_(names) {}

  grpc::ServerBidiReactor<typename Protocol::Request, typename Protocol::Response>*
  ServerReflectionInfo(grpc::CallbackServerContext* /*context*/) override {
    return new Stream<Protocol>(*names_);  // deletes itself when the stream is done
  }

 private:
  const std::vector<std::string>* const& names_;
};

Reflection::Reflection(const std::vector<std::string>* const& names) {
  owned_.push_back(std::make_unique<ServiceOf<V1>>(names));
  owned_.push_back(std::make_unique<ServiceOf<V1Alpha>>(names));
  for (const auto& service : owned_) {
    services_.push_back(service.get());
  }
}

Reflection::~Reflection() = default;

}  // namespace millrace::rpc
