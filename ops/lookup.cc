// The ops on lookup tables: each one for handles (...V2) and for the references that came before them.
#include "ops/lookup.h"

#include "absl/strings/str_cat.h"
#include "graph/batch_dependence.h"
#include "graph/gradients.h"
#include "graph/shape_inference.h"
#include "graph/variable_key.h"
#include "ops/lookup_table.h"
#include "ops/step_objects.h"

namespace staticflow {
namespace {

// HashTable, MutableHashTable, MutableHashTableOfTensors, MutableDenseHashTable: the handle of a table, made when
// first used.
absl::Status TableShape(ShapeContext& c) {
  c.set_output(0, HandleShape(c.node().output_dtype(0)));
  return absl::OkStatus();
}

absl::StatusOr<Kernel> TableKernel(const KernelSetup& setup) {
  const DataType key_dtype = setup.attr<DataType>("key_dtype"), value_dtype = setup.attr<DataType>("value_dtype");
  Shape value_shape;
  if (setup.node().op().FindAttr("value_shape") != nullptr) value_shape = setup.attr<Shape>("value_shape");
  if (!value_shape.IsFullyDefined()) return absl::InvalidArgumentError("value_shape must be known completely");
  for (DataType type : {key_dtype, value_dtype}) {
    if (DataTypeSize(type) == 0 || type == DT_RESOURCE) {
      return absl::UnimplementedError(absl::StrCat("no table of ", DataTypeName(type)));
    }
  }
  const bool fixed = absl::string_view(setup.node().type()).substr(0, 9) == "HashTable";
  return Kernel([=, key = VariableKey(setup.node())](KernelContext& c) -> absl::Status {
    SF_ASSIGN_OR_RETURN(LookupTable * table, c.step().resources->FindOrCreate<LookupTable>(key, [&] {
      auto made = std::make_unique<LookupTable>(key_dtype, value_dtype, value_shape, fixed);
      for (int i = 0; i < c.num_inputs(); ++i) made->Forbid(ElementBytes(c.input(i), 0, c.input(i).num_elements));
      return made;
    }));
    if (table->key_dtype() != key_dtype || table->value_dtype() != value_dtype) {
      return absl::InvalidArgumentError(absl::StrCat("the table ", key, " exists with other types"));
    }
    SetHandle(c, 0, key);
    return absl::OkStatus();
  });
}

// The spec of a table's declaration, or of what is done to a table; `is_reference` for the older form.
OpSpec Declaration(std::string name, bool is_reference, std::vector<std::string> more_attrs, std::string doc) {
  OpSpec spec = {.name = name + (is_reference ? "" : "V2"),
                 .outputs = {is_reference ? "table_handle: Ref(string)" : "table_handle: resource"},
                 .attrs = {"container: string = ''", "shared_name: string = ''", "use_node_name_sharing: bool = false",
                           "key_dtype: type", "value_dtype: type"},
                 .shape = TableShape,
                 .gradient = kNotDifferentiable,
                 .kernel = TableKernel,
                 .traits = kStateful,
                 .doc = std::move(doc)};
  if (name == "MutableDenseHashTable") {
    spec.inputs = {"empty_key: key_dtype"};
    if (!is_reference) spec.inputs.push_back("deleted_key: key_dtype");
  }
  spec.attrs.insert(spec.attrs.end(), more_attrs.begin(), more_attrs.end());
  return spec;
}
OpSpec OnTable(bool is_reference, OpSpec spec) {
  if (!is_reference) spec.name += "V2";
  spec.inputs.insert(spec.inputs.begin(), is_reference ? "table_handle: Ref(string)" : "table_handle: resource");
  spec.gradient = kNotDifferentiable;
  spec.traits = kStateful;
  return spec;
}

struct BothDeclarations {
  BothDeclarations(const char* name, const std::vector<std::string>& more, const char* doc)
      : reference(Declaration(name, true, more, doc)), handle(Declaration(name, false, more, doc)) {}
  OpRegistrar reference, handle;
};
struct BothForms {
  BothForms(const OpSpec& spec) : reference(OnTable(true, spec)), handle(OnTable(false, spec)) {}  // NOLINT
  OpRegistrar reference, handle;
};

const BothDeclarations hash_table("HashTable", {}, "A table that is initialized once.");
const BothDeclarations mutable_table("MutableHashTable", {}, "A table that can change.");
const BothDeclarations table_of_tensors("MutableHashTableOfTensors", {"value_shape: shape = scalar"},
                                        "A table of tensors of one shape that can change.");
const std::vector<std::string> kDenseAttrs = {"value_shape: shape = scalar", "initial_num_buckets: int = 131072",
                                              "max_load_factor: float = 0.8"};
const BothDeclarations dense_table("MutableDenseHashTable", kDenseAttrs,
                                   "A table that can change, with keys that may not be used.");

// Find: the shape of the keys and that of a value, as the default shows it.
absl::Status FindShape(ShapeContext& c) {
  const Shape &keys = c.input(1), &value = c.input(2);
  if (!keys.has_rank() || !value.has_rank()) return absl::OkStatus();
  // One default per key has the whole shape.
  if (keys.rank() > 0 && value.rank() >= keys.rank()) {
    if (!value.IsFullyDefined() || !keys.IsFullyDefined()) return absl::OkStatus();
    if (value.Slice(0, keys.rank()) == keys) return absl::OkStatus();
  }
  c.set_output(0, keys.Concatenate(value));
  return absl::OkStatus();
}
absl::StatusOr<Kernel> FindKernel(const KernelSetup& setup) {
  const bool allocate = !setup.output_shape(0).IsFullyDefined();
  return Kernel([allocate](KernelContext& c) -> absl::Status {
    SF_ASSIGN_OR_RETURN(LookupTable * table, TableBehind(c));
    if (allocate) SF_RETURN_IF_ERROR(c.AllocateOutput(0, c.input(1).shape->Concatenate(table->value_shape())));
    return table->Find(c.input(1), c.input(2), c.output(0));
  });
}
// Each key finds values of its own, behind its dimensions.
void FindBatch(BatchContext& c) {
  if (!c.input(1).is_rows() || !c.input(0).is_constant() || !c.input(2).is_constant()) return c.SetWorst();
  c.set_all(c.input(1));
}
const BothForms find({.name = "LookupTableFind",
                      .inputs = {"keys: Tin", "default_value: Tout"},
                      .outputs = {"values: Tout"},
                      .attrs = {"Tin: type", "Tout: type"},
                      .shape = FindShape,
                      .kernel = FindKernel,
                      .batch = FindBatch,
                      .doc = "The values of keys in a table."});

absl::Status InitializeKernel(KernelContext& c) {
  SF_ASSIGN_OR_RETURN(LookupTable * table, TableBehind(c));
  return table->Initialize(c.input(1), c.input(2));
}
const BothForms initialize({.name = "InitializeTable",
                            .inputs = {"keys: Tkey", "values: Tval"},
                            .attrs = {"Tkey: type", "Tval: type"},
                            .shape = NoOutputs,
                            .kernel = InitializeKernel,
                            .doc = "Sets the contents of a table once."});

template <bool clear>
absl::Status InsertKernel(KernelContext& c) {
  SF_ASSIGN_OR_RETURN(LookupTable * table, TableBehind(c));
  return table->Insert(c.input(1), c.input(2), clear);
}
const BothForms insert({.name = "LookupTableInsert",
                        .inputs = {"keys: Tin", "values: Tout"},
                        .attrs = {"Tin: type", "Tout: type"},
                        .shape = NoOutputs,
                        .kernel = InsertKernel<false>,
                        .doc = "Adds entries to a table or replaces them."});
const BothForms import_all({.name = "LookupTableImport",
                            .inputs = {"keys: Tin", "values: Tout"},
                            .attrs = {"Tin: type", "Tout: type"},
                            .shape = NoOutputs,
                            .kernel = InsertKernel<true>,
                            .doc = "Replaces the contents of a table."});

absl::Status RemoveKernel(KernelContext& c) {
  SF_ASSIGN_OR_RETURN(LookupTable * table, TableBehind(c));
  return table->Remove(c.input(1));
}
const OpRegistrar remove(OnTable(false, {.name = "LookupTableRemove",
                                         .inputs = {"keys: Tin"},
                                         .attrs = {"Tin: type"},
                                         .shape = NoOutputs,
                                         .kernel = RemoveKernel,
                                         .doc = "Removes keys from a table."}));

absl::Status ExportShape(ShapeContext& c) {
  c.set_output(0, Shape::UnknownOfRank(1));
  return absl::OkStatus();
}
absl::Status ExportKernel(KernelContext& c) {
  SF_ASSIGN_OR_RETURN(LookupTable * table, TableBehind(c));
  SF_ASSIGN_OR_RETURN(auto entries, table->Export());
  if (entries.first.dtype() != c.output(0).dtype || entries.second.dtype() != c.output(1).dtype) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the table has ", DataTypeName(entries.first.dtype()), " keys and ", DataTypeName(entries.second.dtype()),
        " values, expected ", DataTypeName(c.output(0).dtype), " and ", DataTypeName(c.output(1).dtype)));
  }
  SF_RETURN_IF_ERROR(c.SetOutput(0, std::move(entries.first)));
  return c.SetOutput(1, std::move(entries.second));
}
const BothForms export_all({.name = "LookupTableExport",
                            .outputs = {"keys: Tkeys", "values: Tvalues"},
                            .attrs = {"Tkeys: type", "Tvalues: type"},
                            .shape = ExportShape,
                            .kernel = ExportKernel,
                            .doc = "All entries of a table."});

absl::Status SizeKernel(KernelContext& c) {
  SF_ASSIGN_OR_RETURN(LookupTable * table, TableBehind(c));
  *c.out<int64_t>(0) = table->size();
  return absl::OkStatus();
}
const BothForms size({.name = "LookupTableSize",
                      .outputs = {"size: int64"},
                      .shape = ScalarShape,
                      .kernel = SizeKernel,
                      .doc = "How many entries a table has."});

Operation BuildOperation(const char* type, std::initializer_list<Operand> operands, const OpOptions& options) {
  return NodeBuilder(type, operands).Name(options.name).BuildNode();
}

Output BuildTable(Graph& g, std::string type, DataType key_dtype, DataType value_dtype, const TableOptions& options) {
  NodeBuilder builder(g, type, options.where);
  builder.Attr("key_dtype", key_dtype).Attr("value_dtype", value_dtype).Attr("shared_name", options.shared_name);
  if (type == "MutableHashTableOfTensorsV2") builder.Attr("value_shape", options.value_shape);
  return builder.Name(options.name, "hash_table").Build();
}

}  // namespace

Output HashTable(Graph& g, DataType key_dtype, DataType value_dtype, const TableOptions& options) {
  return BuildTable(g, "HashTableV2", key_dtype, value_dtype, options);
}
Output MutableHashTable(Graph& g, DataType key_dtype, DataType value_dtype, const TableOptions& options) {
  const bool scalars = options.value_shape.IsScalar();
  return BuildTable(g, scalars ? "MutableHashTableV2" : "MutableHashTableOfTensorsV2", key_dtype, value_dtype, options);
}

Operation InitializeTable(Operand table, Operand keys, Operand values, const OpOptions& options) {
  const Operation made = BuildOperation("InitializeTableV2", {table, keys, values}, options);
  if (made.valid()) made.node()->graph().AddToCollection("table_initializer", made);
  return made;
}
Output LookupTableFind(Operand table, Operand keys, Operand default_value, const OpOptions& options) {
  return NodeBuilder("LookupTableFindV2", {table, keys, default_value}).Name(options.name).Build();
}
Operation LookupTableInsert(Operand table, Operand keys, Operand values, const OpOptions& options) {
  return BuildOperation("LookupTableInsertV2", {table, keys, values}, options);
}
Operation LookupTableRemove(Operand table, Operand keys, const OpOptions& options) {
  return BuildOperation("LookupTableRemoveV2", {table, keys}, options);
}
Operation LookupTableImport(Operand table, Operand keys, Operand values, const OpOptions& options) {
  return BuildOperation("LookupTableImportV2", {table, keys, values}, options);
}
LookupTableEntries LookupTableExport(Operand table, DataType key_dtype, DataType value_dtype,
                                     const OpOptions& options) {
  Node* node = NodeBuilder("LookupTableExportV2", {table})
                   .Attr("Tkeys", key_dtype)
                   .Attr("Tvalues", value_dtype)
                   .Name(options.name)
                   .BuildNode();
  return node == nullptr ? LookupTableEntries() : LookupTableEntries{node->output(0), node->output(1)};
}
Output LookupTableSize(Operand table, const OpOptions& options) {
  return NodeBuilder("LookupTableSizeV2", {table}).Name(options.name).Build();
}

}  // namespace staticflow
