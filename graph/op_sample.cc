#include "graph/op_sample.h"

#include <algorithm>

#include "graph/node_builder.h"

namespace staticflow {
namespace {

bool Allows(DataTypeSet types, DataType type) { return types == 0 || (types & TypeBit(type)) != 0; }

DataType SampleType(DataTypeSet allowed) {
  for (DataType type : {DT_FLOAT, DT_DOUBLE, DT_INT32, DT_INT64, DT_BOOL, DT_STRING}) {
    if (Allows(allowed, type)) return type;
  }
  int type = 1;
  while (!Allows(allowed, DataType(type))) ++type;
  return DataType(type);
}

template <typename T>
AttrValue OneOrList(const AttrDef& attr, int n, T value) {
  return attr.is_list ? AttrValue(std::vector<T>(n, value)) : AttrValue(value);
}

AttrValue SampleAttr(const AttrDef& attr, int rank) {
  const int at_least = static_cast<int>(std::max<int64_t>(1, attr.minimum.value_or(1)));
  switch (attr.kind) {
    case AttrKind::kInt:
      return attr.is_list ? AttrValue(std::vector<int64_t>(rank, 1)) : AttrValue(int64_t{at_least});
    case AttrKind::kFloat:
      return OneOrList(attr, rank, 1.0f);
    case AttrKind::kBool:
      return OneOrList(attr, rank, false);
    case AttrKind::kType:
      return OneOrList(attr, at_least, SampleType(attr.allowed_types));
    case AttrKind::kShape:
      return OneOrList(attr, at_least, Shape::Unknown());
    case AttrKind::kString:  // any text will do but for an equation, and this is one
      return OneOrList(attr, at_least, attr.allowed_strings.empty() ? std::string("i->i") : attr.allowed_strings[0]);
    case AttrKind::kTensor:
      return OneOrList(attr, at_least, Tensor(1.0f));
    case AttrKind::kFunction:
      return OneOrList(attr, at_least, FunctionRef{.name = "f", .attrs = nullptr});
  }
  return {};
}

}  // namespace

OpSample SampleOp(const Op& op, int rank) {
  OpSample sample;
  for (const AttrDef& attr : op.attrs) {
    sample.attrs[attr.name] = attr.default_value.has_value() ? *attr.default_value : SampleAttr(attr, rank);
  }
  for (const ArgDef& arg : op.inputs) {
    if (!arg.type_list_attr.empty()) {
      const auto* types = sample.attrs[arg.type_list_attr].find<std::vector<DataType>>();
      for (DataType type : types == nullptr ? std::vector<DataType>() : *types) sample.inputs.push_back({&arg, type});
      continue;
    }
    const DataType type = arg.type_attr.empty() ? arg.dtype : sample.attrs[arg.type_attr].get<DataType>();
    const int64_t count = arg.number_attr.empty() ? 1 : sample.attrs[arg.number_attr].get<int64_t>();
    sample.inputs.insert(sample.inputs.end(), count, {&arg, type});
  }
  return sample;
}

Node* BuildSample(const Op& op, const OpSample& sample, absl::Span<const Output> operands, Graph& g) {
  NodeBuilder builder(g, op.name(), std::source_location::current());
  size_t next = 0;
  for (const ArgDef& arg : op.inputs) {
    const size_t first = next;
    while (next < sample.inputs.size() && sample.inputs[next].argument == &arg) ++next;
    const bool is_list = !arg.number_attr.empty() || !arg.type_list_attr.empty();
    if (is_list) {
      builder.Inputs(operands.subspan(first, next - first));
    } else {
      builder.Input(operands[first]);
    }
  }
  for (const auto& [name, value] : sample.attrs) builder.Attr(name, value);
  return builder.BuildNode();
}

}  // namespace staticflow
