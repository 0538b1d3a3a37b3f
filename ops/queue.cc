// The ops on queues, each for handles (...V2) and for the references that came before them. Contracts: ops/queue.h.
#include "ops/queue.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "graph/shape_inference.h"
#include "graph/variable_key.h"
#include "ops/queue_storage.h"
#include "ops/step_objects.h"
#include "runtime/kernel.h"

namespace staticflow {
namespace {

// FIFOQueue, PaddingFIFOQueue, RandomShuffleQueue, PriorityQueue: the handle of a queue, made when first used.
absl::Status HandleOnlyShape(ShapeContext& c) {
  c.set_output(0, HandleShape(c.node().output_dtype(0)));
  return absl::OkStatus();
}

// By the first letters of the four types.
QueueKind KindOf(absl::string_view type) {
  switch (type[0]) {
    case 'F':
      return QueueKind::kFifo;
    case 'R':
      return QueueKind::kShuffle;
    default:
      return type[1] == 'a' ? QueueKind::kPadding : QueueKind::kPriority;
  }
}

// InvalidArgument for attributes that contradict each other.
absl::StatusOr<QueueForm> FormOf(const Node& node) {
  QueueForm form = {.kind = KindOf(node.type()),
                    .types = node.attr<std::vector<DataType>>("component_types"),
                    .shapes = node.attr<std::vector<Shape>>("shapes"),
                    .capacity = std::max<int64_t>(-1, node.attr<int64_t>("capacity"))};
  if (form.kind == QueueKind::kPriority) {
    form.types.insert(form.types.begin(), DT_INT64);
    if (form.types.size() == 1 || !form.shapes.empty()) form.shapes.insert(form.shapes.begin(), Shape());
  }
  if (form.kind == QueueKind::kShuffle) {
    form.min_after_dequeue = node.attr<int64_t>("min_after_dequeue");
    form.seed = node.attr<int64_t>("seed");
    form.seed2 = node.attr<int64_t>("seed2");
    if (form.min_after_dequeue < 0 || (form.capacity >= 0 && form.min_after_dequeue >= form.capacity)) {
      return absl::InvalidArgumentError(absl::StrCat("min_after_dequeue is ", form.min_after_dequeue,
                                                     ", expected at least 0 and less than the capacity ",
                                                     form.capacity));
    }
  }
  const bool must_have_shapes = form.kind == QueueKind::kPadding || form.kind == QueueKind::kPriority;
  if (form.shapes.size() != form.types.size() && (must_have_shapes || !form.shapes.empty())) {
    return absl::InvalidArgumentError(
        absl::StrCat("there are ", form.shapes.size(), " shapes for ", form.types.size(), " components"));
  }
  for (const Shape& shape : form.shapes) {
    if (shape.has_rank() && (shape.IsFullyDefined() || form.kind == QueueKind::kPadding)) continue;
    return absl::InvalidArgumentError(absl::StrCat("no component of this queue can have shape ", shape.ToString()));
  }
  return form;
}

absl::StatusOr<Kernel> DeclarationKernel(const KernelSetup& setup) {
  const std::string key = VariableKey(setup.node());
  SF_ASSIGN_OR_RETURN(const QueueForm form, FormOf(setup.node()));
  return Kernel([form, key](KernelContext& c) -> absl::Status {
    SF_ASSIGN_OR_RETURN(TensorQueue * queue, c.step().resources->FindOrCreate<TensorQueue>(
                                                 key, [&] { return std::make_unique<TensorQueue>(key, form); }));
    if (queue->form() != form) {
      return absl::InvalidArgumentError(absl::StrCat("queue ", key, " exists with other attributes"));
    }
    SetHandle(c, 0, key);
    return absl::OkStatus();
  });
}

struct Declaration {
  Declaration(const std::string& name, std::vector<std::string> attrs, const std::string& doc)
      : reference(Spec(name, "Ref(string)", attrs, doc)), handle(Spec(name + "V2", "resource", attrs, doc)) {}
  static OpSpec Spec(std::string name, absl::string_view handle_type, std::vector<std::string> attrs, std::string doc) {
    attrs.insert(attrs.end(), {"container: string = ''", "shared_name: string = ''"});
    return {.name = std::move(name),
            .outputs = {absl::StrCat("handle: ", handle_type)},
            .attrs = std::move(attrs),
            .shape = HandleOnlyShape,
            .gradient = kNotDifferentiable,
            .kernel = DeclarationKernel,
            .traits = kStateful,
            .doc = std::move(doc)};
  }
  OpRegistrar reference, handle;
};
constexpr char kTypes[] = "component_types: list(type) >= 1", kShapes[] = "shapes: list(shape) = []",
               kCapacity[] = "capacity: int = -1";
const Declaration fifo("FIFOQueue", {kTypes, kShapes, kCapacity}, "A queue that gives first what came first.");
const Declaration padding("PaddingFIFOQueue", {kTypes, kShapes, kCapacity},
                          "A queue that pads what it gives together to one shape.");
const Declaration shuffle("RandomShuffleQueue",
                          {kTypes, kShapes, kCapacity, "min_after_dequeue: int = 0", "seed: int = 0", "seed2: int = 0"},
                          "A queue that gives any of its elements.");
const Declaration priority("PriorityQueue", {"component_types: list(type) = []", "shapes: list(shape)", kCapacity},
                           "A queue that gives first what has the smallest priority.");

// What is done to a queue.
struct OnQueue {
  explicit OnQueue(const OpSpec& spec)
      : reference(Form(spec, "", "Ref(string)")), handle(Form(spec, "V2", "resource")) {}
  static OpSpec Form(OpSpec spec, absl::string_view ending, absl::string_view handle_type) {
    absl::StrAppend(&spec.name, ending);
    spec.inputs.insert(spec.inputs.begin(), absl::StrCat("handle: ", handle_type));
    spec.gradient = kNotDifferentiable;
    spec.traits = kStateful;
    return spec;
  }
  OpRegistrar reference, handle;
};

absl::StatusOr<TensorQueue*> QueueBehind(const KernelContext& c) {
  SF_ASSIGN_OR_RETURN(const absl::string_view name, HandleName(c, 0));
  return c.step().resources->Find<TensorQueue>(name);
}

absl::Status CheckTimeout(const KernelSetup& setup) {
  if (setup.attr<int64_t>("timeout_ms") == -1) return absl::OkStatus();
  return absl::InvalidArgumentError("timeout_ms is set, but nothing here waits");
}

// QueueEnqueue, QueueEnqueueMany.
absl::Status EnqueueElement(KernelContext& c, TensorQueue& queue) {
  TensorQueue::Element element;
  for (int i = 1; i < c.num_inputs(); ++i) {
    SF_ASSIGN_OR_RETURN(const Tensor component, c.InputTensor(i));
    SF_ASSIGN_OR_RETURN(element.emplace_back(), component.Clone());
  }
  std::vector<TensorQueue::Element> elements;
  elements.push_back(std::move(element));
  return queue.Add(std::move(elements));
}
absl::Status EnqueueRows(KernelContext& c, TensorQueue& queue) {
  int64_t rows = -1;
  for (int i = 1; i < c.num_inputs(); ++i) {
    const TensorView& component = c.input(i);
    if (component.rank() == 0 || (rows >= 0 && component.dim(0) != rows)) {
      return absl::InvalidArgumentError(absl::StrCat("component ", i - 1, " has shape ", component.shape->ToString(),
                                                     ", expected as many rows as the others"));
    }
    rows = component.dim(0);
  }
  std::vector<TensorQueue::Element> elements(static_cast<size_t>(rows));
  for (int i = 1; i < c.num_inputs(); ++i) {
    const TensorView& component = c.input(i);
    const Shape shape = component.shape->Slice(1, component.rank());
    for (int64_t row = 0; row < rows; ++row) {
      SF_ASSIGN_OR_RETURN(Tensor tensor, Tensor::Create(component.dtype, shape));
      const int64_t n = tensor.num_elements();
      const char* from = component.as<char>() + row * n * DataTypeSize(component.dtype);
      if (n > 0) CopyElements(component.dtype, from, tensor.raw(), n);
      elements[static_cast<size_t>(row)].push_back(std::move(tensor));
    }
  }
  return queue.Add(std::move(elements));
}
template <bool many>
absl::StatusOr<Kernel> EnqueueKernel(const KernelSetup& setup) {
  SF_RETURN_IF_ERROR(CheckTimeout(setup));
  return Kernel([types = setup.attr<std::vector<DataType>>("Tcomponents")](KernelContext& c) -> absl::Status {
    SF_ASSIGN_OR_RETURN(TensorQueue * queue, QueueBehind(c));
    SF_RETURN_IF_ERROR(queue->CheckTypes(types));
    return many ? EnqueueRows(c, *queue) : EnqueueElement(c, *queue);
  });
}
template <bool many>
OpSpec EnqueueOp(std::string name, std::string doc) {
  return {.name = std::move(name),
          .inputs = {"components: Tcomponents"},
          .attrs = {"Tcomponents: list(type) >= 1", "timeout_ms: int = -1"},
          .shape = NoOutputs,
          .kernel = EnqueueKernel<many>,
          .doc = std::move(doc)};
}
const OnQueue enqueue(EnqueueOp<false>("QueueEnqueue", "Adds one element to a queue."));
const OnQueue enqueue_many(EnqueueOp<true>("QueueEnqueueMany", "Adds an element for each index of dimension 0."));

// The shape of component i as far as the queue's declaration tells it, where the handle comes straight from there.
Shape ComponentShape(const ShapeContext& c, int i) {
  const Output handle = c.node().input(0);
  if (!handle.valid() || !handle.node()->has_attr("shapes") || !handle.node()->has_attr("component_types")) {
    return Shape::Unknown();
  }
  const absl::StatusOr<QueueForm> form = FormOf(*handle.node());
  if (!form.ok() || i >= static_cast<int>(form->shapes.size())) return Shape::Unknown();
  return form->shapes[static_cast<size_t>(i)];
}

// Hands a tensor on, into the plan's memory where that is known.
absl::Status Deliver(KernelContext& c, int i, const Shape& planned, Tensor tensor) {
  if (!planned.IsFullyDefined()) return c.SetOutput(i, std::move(tensor));
  if (tensor.shape() != planned) {
    return absl::InvalidArgumentError(
        absl::StrCat("component ", i, " has shape ", tensor.shape().ToString(), ", expected ", planned.ToString()));
  }
  CopyElements(tensor.dtype(), tensor.raw(), c.output(i).data, tensor.num_elements());
  return absl::OkStatus();
}
std::vector<Shape> PlannedShapes(const KernelSetup& setup) {
  std::vector<Shape> planned;
  for (int i = 0; i < setup.node().num_outputs(); ++i) planned.push_back(setup.output_shape(i));
  return planned;
}

// QueueDequeue.
absl::Status DequeueShape(ShapeContext& c) {
  for (int i = 0; i < c.num_outputs(); ++i) c.set_output(i, ComponentShape(c, i));
  return absl::OkStatus();
}
absl::StatusOr<Kernel> DequeueKernel(const KernelSetup& setup) {
  SF_RETURN_IF_ERROR(CheckTimeout(setup));
  return Kernel([types = setup.attr<std::vector<DataType>>("component_types"),
                 planned = PlannedShapes(setup)](KernelContext& c) -> absl::Status {
    SF_ASSIGN_OR_RETURN(TensorQueue * queue, QueueBehind(c));
    SF_RETURN_IF_ERROR(queue->CheckTypes(types));
    SF_ASSIGN_OR_RETURN(std::vector<TensorQueue::Element> taken, queue->Take(1, false));
    for (size_t i = 0; i < types.size(); ++i) {
      SF_RETURN_IF_ERROR(Deliver(c, static_cast<int>(i), planned[i], std::move(taken[0][i])));
    }
    return absl::OkStatus();
  });
}
const OnQueue dequeue(OpSpec{.name = "QueueDequeue",
                             .outputs = {"components: component_types"},
                             .attrs = {"component_types: list(type) >= 1", "timeout_ms: int = -1"},
                             .shape = DequeueShape,
                             .kernel = DequeueKernel,
                             .doc = "Takes one element from a queue."});

// QueueDequeueMany, QueueDequeueUpTo.
template <bool up_to>
absl::Status DequeueRowsShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(1, 0).status());
  SF_ASSIGN_OR_RETURN(const auto n, c.Integers(1));
  if (n.has_value() && (*n)[0] < 0) {
    return absl::InvalidArgumentError(absl::StrCat("n is ", (*n)[0], ", expected at least 0"));
  }
  const int64_t rows = n.has_value() && !up_to ? (*n)[0] : Shape::kUnknownDim;
  for (int i = 0; i < c.num_outputs(); ++i) c.set_output(i, Shape({rows}).Concatenate(ComponentShape(c, i)));
  return absl::OkStatus();
}
template <bool up_to>
absl::StatusOr<Kernel> DequeueRowsKernel(const KernelSetup& setup) {
  SF_RETURN_IF_ERROR(CheckTimeout(setup));
  return Kernel([types = setup.attr<std::vector<DataType>>("component_types"),
                 planned = PlannedShapes(setup)](KernelContext& c) -> absl::Status {
    SF_ASSIGN_OR_RETURN(TensorQueue * queue, QueueBehind(c));
    SF_RETURN_IF_ERROR(queue->CheckTypes(types));
    const QueueForm& form = queue->form();
    if (form.shapes.empty()) {
      return absl::InvalidArgumentError("the queue gives elements one by one only: it was made without shapes");
    }
    const int32_t n = c.scalar<int32_t>(1);
    if (n < 0) return absl::InvalidArgumentError(absl::StrCat("n is ", n, ", expected at least 0"));
    std::vector<TensorQueue::Element> taken;
    if (n > 0) {
      SF_ASSIGN_OR_RETURN(taken, queue->Take(n, up_to));
    }
    for (size_t i = 0; i < types.size(); ++i) {
      SF_ASSIGN_OR_RETURN(Tensor stacked, StackComponent(taken, i, types[i], form.shapes[i]));
      SF_RETURN_IF_ERROR(Deliver(c, static_cast<int>(i), planned[i], std::move(stacked)));
    }
    return absl::OkStatus();
  });
}
template <bool up_to>
OpSpec DequeueRowsOp(std::string name, std::string doc) {
  return {.name = std::move(name),
          .inputs = {"n: int32"},
          .outputs = {"components: component_types"},
          .attrs = {"component_types: list(type) >= 1", "timeout_ms: int = -1"},
          .shape = DequeueRowsShape<up_to>,
          .kernel = DequeueRowsKernel<up_to>,
          .doc = std::move(doc)};
}
const OnQueue dequeue_many(DequeueRowsOp<false>("QueueDequeueMany", "Takes n elements from a queue, stacked."));
const OnQueue dequeue_up_to(DequeueRowsOp<true>("QueueDequeueUpTo",
                                                "Takes n elements from a queue, or what a closed one still has."));

// QueueSize, QueueIsClosed, QueueClose.
absl::Status SizeKernel(KernelContext& c) {
  SF_ASSIGN_OR_RETURN(TensorQueue * queue, QueueBehind(c));
  *c.out<int32_t>(0) = static_cast<int32_t>(std::min<int64_t>(queue->size(), std::numeric_limits<int32_t>::max()));
  return absl::OkStatus();
}
const OnQueue size(OpSpec{.name = "QueueSize",
                          .outputs = {"size: int32"},
                          .shape = ScalarShape,
                          .kernel = SizeKernel,
                          .doc = "How many elements a queue holds."});

absl::Status IsClosedKernel(KernelContext& c) {
  SF_ASSIGN_OR_RETURN(TensorQueue * queue, QueueBehind(c));
  *c.out<bool>(0) = queue->closed();
  return absl::OkStatus();
}
const OnQueue is_closed(OpSpec{.name = "QueueIsClosed",
                               .outputs = {"is_closed: bool"},
                               .shape = ScalarShape,
                               .kernel = IsClosedKernel,
                               .doc = "Whether a queue is closed."});

absl::StatusOr<Kernel> CloseKernel(const KernelSetup& setup) {
  return Kernel([cancel = setup.attr<bool>("cancel_pending_enqueues")](KernelContext& c) -> absl::Status {
    SF_ASSIGN_OR_RETURN(TensorQueue * queue, QueueBehind(c));
    return queue->Close(cancel);
  });
}
const OnQueue close(OpSpec{.name = "QueueClose",
                           .attrs = {"cancel_pending_enqueues: bool = false"},
                           .shape = NoOutputs,
                           .kernel = CloseKernel,
                           .doc = "Lets nothing be added to a queue any more."});

NodeBuilder QueueNode(Graph& g, absl::string_view type, const QueueOptions& options) {
  return NodeBuilder(g, type, options.where)
      .Attr("component_types", options.component_types)
      .Attr("shapes", options.shapes)
      .Attr("capacity", options.capacity)
      .Attr("shared_name", options.shared_name)
      .Name(options.name);
}
// A queue of a file may be a reference.
std::string FormFor(absl::string_view type, const Operand& queue) {
  const bool is_reference = queue.output().valid() && queue.output().dtype() == DT_STRING;
  return absl::StrCat(type, is_reference ? "" : "V2");
}
Operation EnqueueNode(absl::string_view type, const Operand& queue, absl::Span<const Output> components,
                      const OpOptions& options) {
  return NodeBuilder(FormFor(type, queue), {queue}).Inputs(components).Name(options.name).BuildNode();
}
std::vector<Output> DequeueNode(NodeBuilder builder, absl::Span<const DataType> types, const OpOptions& options) {
  Node* node =
      builder.Attr("component_types", std::vector<DataType>(types.begin(), types.end())).Name(options.name).BuildNode();
  std::vector<Output> outputs;
  for (int i = 0; node != nullptr && i < node->num_outputs(); ++i) outputs.push_back(node->output(i));
  return outputs;
}

}  // namespace

Output FIFOQueue(Graph& g, const QueueOptions& options) { return QueueNode(g, "FIFOQueueV2", options).Build(); }
Output PaddingFIFOQueue(Graph& g, const QueueOptions& options) {
  return QueueNode(g, "PaddingFIFOQueueV2", options).Build();
}
Output PriorityQueue(Graph& g, const QueueOptions& options) { return QueueNode(g, "PriorityQueueV2", options).Build(); }
Output RandomShuffleQueue(Graph& g, const QueueOptions& options, const RandomShuffleOptions& shuffle) {
  const auto [seed, seed2] = g.OpSeeds(shuffle.seed);
  return QueueNode(g, "RandomShuffleQueueV2", options)
      .Attr("min_after_dequeue", shuffle.min_after_dequeue)
      .Attr("seed", seed)
      .Attr("seed2", seed2)
      .Build();
}

Operation QueueEnqueue(Operand queue, absl::Span<const Output> components, const OpOptions& options) {
  return EnqueueNode("QueueEnqueue", queue, components, options);
}
Operation QueueEnqueueMany(Operand queue, absl::Span<const Output> components, const OpOptions& options) {
  return EnqueueNode("QueueEnqueueMany", queue, components, options);
}
std::vector<Output> QueueDequeue(Operand queue, absl::Span<const DataType> types, const OpOptions& options) {
  return DequeueNode(NodeBuilder(FormFor("QueueDequeue", queue), {queue}), types, options);
}
std::vector<Output> QueueDequeueMany(Operand queue, Operand n, absl::Span<const DataType> types,
                                     const OpOptions& options) {
  return DequeueNode(NodeBuilder(FormFor("QueueDequeueMany", queue), {queue, n}), types, options);
}
std::vector<Output> QueueDequeueUpTo(Operand queue, Operand n, absl::Span<const DataType> types,
                                     const OpOptions& options) {
  return DequeueNode(NodeBuilder(FormFor("QueueDequeueUpTo", queue), {queue, n}), types, options);
}
Output QueueSize(Operand queue, const OpOptions& options) {
  return NodeBuilder(FormFor("QueueSize", queue), {queue}).Name(options.name).Build();
}
Output QueueIsClosed(Operand queue, const OpOptions& options) {
  return NodeBuilder(FormFor("QueueIsClosed", queue), {queue}).Name(options.name).Build();
}
Operation QueueClose(Operand queue, const OpOptions& options) {
  return NodeBuilder(FormFor("QueueClose", queue), {queue}).Name(options.name).BuildNode();
}

}  // namespace staticflow
