// What the cells of recurrent networks share. Inside ops/layers/recurrent*.cc.
#ifndef STATICFLOW_OPS_LAYERS_RECURRENT_CELL_H_
#define STATICFLOW_OPS_LAYERS_RECURRENT_CELL_H_

#include <string>
#include <vector>

#include "ops/initializers.h"
#include "ops/layers/layer_scope.h"
#include "ops/layers/recurrent.h"

namespace staticflow::layers {

// A cell with variables: its first call makes them, in a scope of its own.
class WeightedCell : public RnnCell {
 public:
  WeightedCell(std::string kind, std::string default_name, std::string name, int64_t num_units,
               std::source_location where)
      : num_units_(num_units),
        kind_(std::move(kind)),
        default_name_(std::move(default_name)),
        name_(std::move(name)),
        where_(where) {}

  RnnStep Call(Graph& g, Output input, const RnnState& state, Output time) final;

 protected:
  // Makes the variables for an input of `input_size` columns. An invalid Variable tells of an error.
  virtual void MakeWeights(const LayerScope& layer, DataType dtype, int64_t input_size) = 0;
  virtual RnnStep Compute(Graph& g, Output input, const RnnState& state, Output time) = 0;
  // [rows, columns] with the given or the scope's initializer; a vector that begins as `value`.
  static Variable Matrix(const LayerScope& layer, absl::string_view name, DataType dtype, int64_t rows, int64_t columns,
                         const Initializer& initializer);
  static Variable Vector(const LayerScope& layer, absl::string_view name, DataType dtype, int64_t size, double value);

  const int64_t num_units_;

 private:
  bool Check(const LayerScope& layer, Output input, const RnnState& state) const;

  std::string kind_, default_name_, name_;
  std::source_location where_;
  Graph* graph_ = nullptr;  // that the variables are in
};

}  // namespace staticflow::layers

#endif  // STATICFLOW_OPS_LAYERS_RECURRENT_CELL_H_
