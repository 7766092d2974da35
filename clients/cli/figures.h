// Figures: evaluations and lineage as tables, for every command that shows them.

#pragma once

#include <string>
#include <vector>

#include <google/protobuf/repeated_ptr_field.h>

#include "millrace/model/v1/bundle.pb.h"
#include "millrace/model/v1/evaluation.pb.h"
#include "millrace/model/v1/network.pb.h"
#include "millrace/schema/v1/schema.pb.h"

#include "clients/cli/table.h"

namespace millrace::cli {

/// One row a split; only the columns that some split has.
std::string EvaluationTable(
    const google::protobuf::RepeatedPtrField<model::v1::Evaluation>& evaluations,
    TableStyle style = {});

/// The one figure that a list has room for, of `split`: `accuracy 0.9565`; empty when there is
/// none.
std::string FigureOf(const google::protobuf::RepeatedPtrField<model::v1::Evaluation>& evaluations,
                     schema::v1::Split split);

/// True classes down, predicted ones across; where that is wider than the terminal, a line a class
/// with what it was taken for most. Empty when there is none or `classes` do not fit it.
std::string ConfusionTable(const model::v1::Evaluation& evaluation,
                           const std::vector<std::string>& classes,
                           TableStyle style = {});

/// From the model version back to the bytes of the files, one line each with its digest, which is
/// shortened but in the wide form.
std::string LineageTable(const model::v1::Lineage& lineage, TableStyle style = {});

/// `10 sigmoid, dropout 0.5, 1 sigmoid`.
std::string NetworkLine(const model::v1::NetworkSpec& network);

}  // namespace millrace::cli
