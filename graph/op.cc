#include "graph/op.h"

#include <map>

#include "graph/gradients.h"
#include "graph/op_parser.h"
#include "graph/status.h"

namespace staticflow {
namespace {

struct Registry {
  std::map<std::string, Op, std::less<>> by_name;  // a map that never moves its values: nodes point to their op
  std::map<OpRole, const Op*> by_role;
};

// Static-storage registrars of any file may come first, so the registry is made on first use; it is never destroyed,
// because plans may outlive static destruction.
Registry& TheRegistry() {
  static Registry& registry = *new Registry;
  return registry;
}

}  // namespace

Signatures::Signatures() = default;
Signatures::Signatures(std::initializer_list<absl::string_view> items)
    : std::vector<std::string>(items.begin(), items.end()) {}
Signatures::Signatures(std::vector<std::string> items) : std::vector<std::string>(std::move(items)) {}
Signatures::Signatures(const Signatures&) = default;
Signatures::Signatures(Signatures&&) noexcept = default;
Signatures& Signatures::operator=(const Signatures&) = default;
Signatures& Signatures::operator=(Signatures&&) noexcept = default;
Signatures::~Signatures() = default;

OpSpec::~OpSpec() = default;

absl::StatusOr<Kernel> KernelSource::Make(const KernelSetup& setup) const {
  if (factory_ != nullptr) return factory_(setup);
  if (function_ != nullptr) return Kernel(function_);
  return absl::UnimplementedError("the op has no kernel");
}

const AttrDef* Op::FindAttr(absl::string_view attr) const {
  for (const AttrDef& def : attrs) {
    if (def.name == attr) return &def;
  }
  return nullptr;
}

const Op* FindOp(absl::string_view type) {
  const Registry& registry = TheRegistry();
  auto it = registry.by_name.find(type);
  return it == registry.by_name.end() ? nullptr : &it->second;
}

const Op& OpWithRole(OpRole role) {
  const Registry& registry = TheRegistry();
  auto it = registry.by_role.find(role);
  SF_CHECK(it != registry.by_role.end());
  return *it->second;
}

std::vector<const Op*> AllOps() {
  std::vector<const Op*> ops;
  for (const auto& [name, op] : TheRegistry().by_name) ops.push_back(&op);
  return ops;
}

OpRegistrar::OpRegistrar(OpSpec spec) {
  absl::StatusOr<Op> op = ParseOp(std::move(spec));
  if (!op.ok()) internal::InvariantFailed(__FILE__, __LINE__, op.status().ToString().c_str());
  Registry& registry = TheRegistry();
  auto [it, inserted] = registry.by_name.try_emplace(op->name(), *op);
  if (!inserted) internal::InvariantFailed(__FILE__, __LINE__, op->name().c_str());
  if (it->second.spec.role == OpRole::kNone) return;
  const Op*& chosen = registry.by_role[it->second.spec.role];
  const auto plainness = [](const Op& o) { return std::make_pair(o.name().size(), o.name()); };
  if (chosen == nullptr || plainness(it->second) < plainness(*chosen)) chosen = &it->second;
}

void kNotDifferentiable(GradientContext&) {}
void kGradientIsError(GradientContext& c) { c.Fail("it forbids differentiation"); }

}  // namespace staticflow
