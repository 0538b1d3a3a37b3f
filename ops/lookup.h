// Lookup tables: maps from keys to values that live in the session.
//
//   Output ids = HashTable(g, DT_STRING, DT_INT64);
//   InitializeTable(ids, Const(g, words), Const(g, numbers));    // runs with TablesInitializer(g)
//   Output id = LookupTableFind(ids, word, Const(g, Tensor(int64_t{-1})));
//
// Keys are int32, int64 or string; values numbers, bool or strings. Not thread-safe: all of them add to the graph.
// Source: tf.lookup (TensorFlow 1.15).
#ifndef STATICFLOW_OPS_LOOKUP_H_
#define STATICFLOW_OPS_LOOKUP_H_

#include <source_location>
#include <string>

#include "graph/node_builder.h"

namespace staticflow {

struct TableOptions {
  std::string shared_name = "";  // tables of one name in a session are one table; "": the node's
  Shape value_shape = Shape();   // of MutableHashTable: the shape of each value
  std::string name = "";
  std::source_location where = std::source_location::current();
};
// The handle of a table that is initialized once, and of one that can be changed at any time and begins empty.
Output HashTable(Graph& g, DataType key_dtype, DataType value_dtype, const TableOptions& options = {});
Output MutableHashTable(Graph& g, DataType key_dtype, DataType value_dtype, const TableOptions& options = {});

// Sets the contents of a HashTable: values[i] for keys[i]. A member of the collection table_initializer.
// When run: FailedPrecondition if a key comes with two values or the table has other contents already.
Operation InitializeTable(Operand table, Operand keys, Operand values, const OpOptions& options = {});

// The value of each key, or `default_value` (one value, or one for each key). FailedPrecondition when run before the
// table is initialized. No gradient.
Output LookupTableFind(Operand table, Operand keys, Operand default_value, const OpOptions& options = {});
// Adds or replaces entries of a mutable table; removes keys; replaces all contents.
Operation LookupTableInsert(Operand table, Operand keys, Operand values, const OpOptions& options = {});
Operation LookupTableRemove(Operand table, Operand keys, const OpOptions& options = {});
Operation LookupTableImport(Operand table, Operand keys, Operand values, const OpOptions& options = {});
// All entries, sorted by key; how many there are (int64 scalar).
struct LookupTableEntries {
  Output keys, values;
};
LookupTableEntries LookupTableExport(Operand table, DataType key_dtype, DataType value_dtype,
                                     const OpOptions& options = {});
Output LookupTableSize(Operand table, const OpOptions& options = {});

}  // namespace staticflow

#endif  // STATICFLOW_OPS_LOOKUP_H_
