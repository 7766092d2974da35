#include "clients/cli/context.h"

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/core.h>

#include "millrace/context/v1/context.pb.h"

#include "clients/cli/connection_options.h"
#include "clients/cli/console.h"
#include "clients/cli/context_file.h"
#include "clients/cli/failure.h"
#include "clients/cli/output.h"
#include "clients/cli/table.h"
#include "clients/cli/verb.h"
#include "common/rpc/channel.h"
#include "common/status/status.h"

namespace millrace::cli {

namespace {

using context::v1::Context;
using context::v1::ContextList;

// The words of `context add`.
struct AddWords {
  std::string name;
  bool use = false;
};

absl::Status CheckName(const std::string& name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._-").find(c) != std::string_view::npos;
  };
  constexpr std::size_t kNameMax = 63;
  if (name == kLocalContext || name.empty() || name.size() > kNameMax ||
      !std::all_of(name.begin(), name.end(), allowed)) {
    return UsageError(
        fmt::format("a context's name must be 1 to 63 of a-z, A-Z, 0-9, '.', '_' and '-', and not "
                    "'local', found '{}'",
                    name),
        "choose another name");
  }
  return absl::OkStatus();
}

// Whether its files can be used, and its token goes nowhere as plain text.
absl::Status CheckUsable(const Context& context) {
  const rpc::ChannelOptions options{.tls = context.tls(), .token_file = context.token_file()};
  for (const std::string& address :
       {context.data_address(), context.training_address(), context.serving_address()}) {
    RETURN_IF_ERROR(rpc::MakeChannel(address.empty() ? "127.0.0.1:1" : address, options).status());
  }
  return absl::OkStatus();
}

void Remove(const std::string& name, ContextList& list) {
  auto& contexts = *list.mutable_contexts();
  contexts.erase(std::remove_if(contexts.begin(),
                                contexts.end(),
                                [&name](const Context& context) { return context.name() == name; }),
                 contexts.end());
}

absl::Status Add(const AddWords& words, Shell& shell) {
  RETURN_IF_ERROR(CheckName(words.name));
  const Context context = ToContext(words.name, shell.flags);
  RETURN_IF_ERROR(CheckUsable(context));
  ASSIGN_OR_RETURN(ContextList list, LoadContexts());
  Remove(words.name, list);
  *list.add_contexts() = context;
  std::sort(list.mutable_contexts()->begin(),
            list.mutable_contexts()->end(),
            [](const Context& a, const Context& b) { return a.name() < b.name(); });
  if (words.use) {
    list.set_current(words.name);
  }
  RETURN_IF_ERROR(SaveContexts(list));
  shell.Print({.json = ToJson(context),
               .text = fmt::format("context {} is kept\n", words.name),
               .names = {words.name}});
  if (list.current() != words.name) {
    shell.console.Note(fmt::format("next: millrace context use {}", words.name));
  }
  return absl::OkStatus();
}

absl::Status Use(const std::string& name, Shell& shell) {
  ASSIGN_OR_RETURN(ContextList list, LoadContexts());
  ASSIGN_OR_RETURN(const Context context, FindContext(list, name));
  list.set_current(name == kLocalContext ? "" : name);
  RETURN_IF_ERROR(SaveContexts(list));
  shell.Print({.json = ToJson(context),
               .text = fmt::format("context {} is in use\n", name),
               .names = {name}});
  return absl::OkStatus();
}

void AddRow(const Context& context, const std::string& current, Table& table) {
  const Addresses defaults;
  const auto otherwise = [](const std::string& value, const std::string& instead) {
    return value.empty() ? instead : value;
  };
  table.Add({context.name(),
             context.name() == current ? "yes" : "",
             otherwise(context.data_address(), defaults.data),
             otherwise(context.training_address(), defaults.training),
             otherwise(context.serving_address(), defaults.serving),
             context.tls().authority().empty() ? "no" : "yes",
             context.token_file().empty() ? "no" : "yes",
             context.tls().authority(),
             context.tls().certificate(),
             context.token_file()});
}

absl::Status ListContexts(Shell& shell) {
  ASSIGN_OR_RETURN(ContextList list, LoadContexts());
  ASSIGN_OR_RETURN(*list.add_contexts(), FindContext(list, kLocalContext));
  list.set_current(list.current().empty() ? std::string(kLocalContext) : list.current());
  Table table({"NAME",
               "IN USE",
               "DATA",
               "TRAINING",
               "SERVING",
               "TLS",
               "TOKEN",
               "+AUTHORITY",
               "+CERTIFICATE",
               "+TOKEN FILE"});
  Result result{.json = ToJson(list)};
  for (const Context& context : list.contexts()) {
    AddRow(context, list.current(), table);
    result.names.push_back(context.name());
  }
  result.text = table.ToString(shell.style());
  shell.Print(result);
  return absl::OkStatus();
}

absl::Status Show(const std::string& name, Shell& shell) {
  ConnectionFlags flags = shell.flags;
  flags.context = name.empty() ? flags.context : name;
  ASSIGN_OR_RETURN(const Endpoints ends, Resolve(flags));
  const ContextList list = LoadContexts().value_or(ContextList());
  ASSIGN_OR_RETURN(const Context context, FindContext(list, ends.context));
  const security::v1::Tls& tls = ends.protection.tls;
  Table facts;
  facts.Add({"context", ends.context});
  facts.Add({"data", ends.addresses.data});
  facts.Add({"training", ends.addresses.training});
  facts.Add({"serving", ends.addresses.serving});
  facts.Add({"authority", tls.authority().empty() ? "none: plain text" : tls.authority()});
  facts.Add({"certificate", tls.certificate().empty() ? "none" : tls.certificate()});
  facts.Add({"token", ends.protection.token_file.empty() ? "none" : ends.protection.token_file});
  shell.Print({.json = ToJson(context), .text = facts.ToString(), .names = {ends.context}});
  return absl::OkStatus();
}

absl::Status Forget(const std::string& name, Shell& shell) {
  ASSIGN_OR_RETURN(ContextList list, LoadContexts());
  ASSIGN_OR_RETURN(const Context context, FindContext(list, name));
  if (name == kLocalContext) {
    return UsageError("the context 'local' is built in", "'millrace context ls' lists the others");
  }
  Remove(name, list);
  const bool current = list.current() == name;
  list.set_current(current ? "" : list.current());
  RETURN_IF_ERROR(SaveContexts(list));
  shell.Print({.json = ToJson(context),
               .text = fmt::format("context {} is forgotten\n", name),
               .names = {name}});
  if (current) {
    shell.console.Note("now 'local' is in use: the services of this machine");
  }
  return absl::OkStatus();
}

}  // namespace

void AddContext(CLI::App& app, Action& chosen) {
  CLI::App* const noun = app.add_subcommand("context", "named ways to the services");
  const auto words = std::make_shared<AddWords>();
  CLI::App* const add = noun->add_subcommand(
      "add", "keep the flags --data, --training, --serving, --ca, --cert, --key, --token-file");
  add->add_option("CONTEXT", words->name, "its name; one that exists is replaced")->required();
  add->add_flag("--use", words->use, "use it from now on");
  add->callback(
      [words, &chosen] { chosen = [words](Shell& shell) { return Add(*words, shell); }; });
  AddNamed(*noun, chosen, {"use", "use it from now on", "CONTEXT", "its name"}, Use);
  noun->add_subcommand("ls", "list the contexts")->callback([&chosen] { chosen = ListContexts; });
  AddNamed(*noun,
           chosen,
           {"show", "what a command would use now", "CONTEXT", "its name", /*required=*/false},
           Show);
  AddNamed(*noun, chosen, {"rm", "forget it", "CONTEXT", "its name"}, Forget);
}

}  // namespace millrace::cli
