#include "clients/cli/uploads.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/core.h>
#include <fmt/ranges.h>

#include "millrace/transfer/v1/transfer.pb.h"

#include "clients/cli/connection.h"
#include "clients/cli/console.h"
#include "clients/cli/listing.h"
#include "clients/cli/moment.h"
#include "clients/cli/output.h"
#include "clients/cli/reference.h"
#include "clients/cli/spelling.h"
#include "clients/cli/table.h"
#include "clients/cli/verb.h"
#include "common/status/status.h"
#include "common/transfer/upload_store.h"

namespace millrace::cli {

namespace {

using transfer::v1::DeleteUploadRequest;
using transfer::v1::DeleteUploadResponse;
using transfer::v1::ListUploadsRequest;
using transfer::v1::ListUploadsResponse;
using transfer::v1::Upload;

constexpr std::array kReceivers{Service::kData, Service::kServing};

absl::StatusOr<ListUploadsResponse> ListOf(Service service, int limit, Shell& shell) {
  return service == Service::kData ? List(shell,
                                          shell.connection.Data(),
                                          &DataStub::ListUploads,
                                          ListUploadsRequest(),
                                          limit)
                                   : List(shell,
                                          shell.connection.Serving(),
                                          &ServingStub::ListUploads,
                                          ListUploadsRequest(),
                                          limit);
}

absl::Status Delete(Service service, const std::string& name, Connection& connection) {
  DeleteUploadRequest request;
  request.set_name(name);
  return service == Service::kData
             ? connection.Call(connection.Data(), &DataStub::DeleteUpload, request).status()
             : connection.Call(connection.Serving(), &ServingStub::DeleteUpload, request).status();
}

void AddRow(Service service, const Upload& upload, const Shell& shell, Table& table) {
  table.Add({ShortName(upload.name()),
             std::string(NameOf(service)),
             ShortName(upload.subject()),
             SpellBytes(upload.received_bytes(), shell.piped()),
             Spell(upload.last_chunk_time(), shell.piped()),
             Spell(upload.expire_time(), shell.piped()),
             upload.open() ? "yes" : "no"});
}

// What both services have. What one of them has is shown when the other cannot be asked.
absl::Status ListAll(int limit, Shell& shell) {
  Table table({"NAME", "SERVICE", "FOR", ">RECEIVED", "LAST CHUNK (UTC)", "EXPIRES (UTC)", "OPEN"});
  Result result{.json = "{"};
  absl::Status failed;
  for (const Service service : kReceivers) {
    const absl::StatusOr<ListUploadsResponse> list = ListOf(service, limit, shell);
    if (!list.ok()) {
      failed = failed.ok() ? list.status() : failed;
      continue;
    }
    for (const Upload& upload : list->uploads()) {
      AddRow(service, upload, shell, table);
      result.names.push_back(upload.name());
    }
    result.json += fmt::format(
        "{}\"{}\": {}", result.json.size() == 1 ? "" : ", ", NameOf(service), ToJson(*list));
  }
  result.json += "}\n";
  if (table.empty() && shell.for_people()) {
    shell.console.Note(failed.ok() ? "no unfinished uploads" : "no unfinished uploads elsewhere");
    return failed;
  }
  result.text = table.ToString(shell.style());
  shell.Print(result);
  return failed;
}

// Where the upload is: at the service that knows it. `NOT_FOUND` when none does.
absl::Status RemoveOne(const std::string& name, Shell& shell) {
  for (const Service service : kReceivers) {
    const absl::Status deleted = Delete(service, name, shell.connection);
    if (!absl::IsNotFound(deleted)) {
      return deleted;
    }
  }
  return WithFix(NotFound("there is no upload '{}'", ShortName(name)),
                 "'millrace upload ls' lists those that are not finished");
}

absl::Status CheckThere(const std::vector<std::string>& names, Shell& shell) {
  std::vector<std::string> known;
  for (const Service service : kReceivers) {
    ASSIGN_OR_RETURN(const ListUploadsResponse list, ListOf(service, kListMax, shell));
    for (const Upload& upload : list.uploads()) {
      known.push_back(upload.name());
    }
  }
  for (const std::string& name : names) {
    if (std::find(known.begin(), known.end(), FullName("uploads", name)) == known.end()) {
      return WithFix(NotFound("there is no upload '{}'", name),
                     "'millrace upload ls' lists those that are not finished");
    }
  }
  return absl::OkStatus();
}

absl::Status Remove(const std::vector<std::string>& names, const Consent& consent, Shell& shell) {
  if (consent.dry_run) {
    RETURN_IF_ERROR(CheckThere(names, shell));
  }
  ASSIGN_OR_RETURN(
      const bool agreed,
      Agree(shell, consent, fmt::format("delete what came of {}", fmt::join(names, ", "))));
  if (!agreed) {
    return absl::OkStatus();
  }
  for (const std::string& word : names) {
    const std::string name = FullName("uploads", word);
    RETURN_IF_ERROR(RemoveOne(name, shell));
    shell.Print({.json = "{}\n",
                 .text = fmt::format("deleted upload {}\n", ShortName(name)),
                 .names = {name}});
  }
  return absl::OkStatus();
}

}  // namespace

std::string GiveUpUpload(Shell& shell, Service service, std::string_view upload_id) {
  const Moment moment;
  Connection connection(shell.connection.endpoints(), moment.stop(), shell.connection.request_id());
  const std::string name = transfer::UploadName(upload_id);
  // The stream that broke off may still be open there: that is a call before this one.
  const absl::Status deleted = Delete(service, name, connection);
  if (deleted.ok()) {
    return "what had arrived was deleted";
  }
  if (absl::IsNotFound(deleted)) {
    return "nothing is left of it";
  }
  return fmt::format("what arrived stays for a day, or until 'millrace upload rm {}'",
                     ShortName(name));
}

void AddUpload(CLI::App& app, Action& chosen) {
  CLI::App* const noun = app.add_subcommand("upload", "files on their way that never arrived");
  const auto list = [](int limit, Shell& shell) { return ListAll(limit, shell); };
  AddListOfAll(*noun, chosen, "list unfinished uploads", list);

  const auto names = std::make_shared<std::vector<std::string>>();
  const auto consent = std::make_shared<Consent>();
  CLI::App* const remove = noun->add_subcommand("rm", "delete what came of uploads");
  remove->add_option("UPLOAD", *names, "names as 'upload ls' shows them")->required();
  AddConsent(*remove, *consent, /*asks=*/true);
  remove->callback([names, consent, &chosen] {
    chosen = [names, consent](Shell& shell) { return Remove(*names, *consent, shell); };
  });
}

}  // namespace millrace::cli
