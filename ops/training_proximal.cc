// Update rules with L1 and L2 penalties solved exactly in every step, which can make elements zero.
#include "ops/update_rules.h"

namespace staticflow {
namespace {

const RuleSignature kProximalGradientDescent = {.name = "ProximalGradientDescent",
                                                .variables = {"var"},
                                                .arguments = {"alpha", "l1", "l2", "delta"},
                                                .doc = "Gradient descent with exact L1 and L2 penalties."};
const OpRegistrar proximal_descent(ReferenceForm<ProximalGradientDescent>(kProximalGradientDescent));
const OpRegistrar resource_proximal_descent(HandleForm<ProximalGradientDescent>(kProximalGradientDescent));

const RuleSignature kProximalAdagrad = {.name = "ProximalAdagrad",
                                        .variables = {"var", "accum"},
                                        .arguments = {"lr", "l1", "l2", "grad"},
                                        .doc = "Adagrad with exact L1 and L2 penalties."};
const OpRegistrar proximal_adagrad(ReferenceForm<ProximalAdagrad>(kProximalAdagrad));
const OpRegistrar resource_proximal_adagrad(HandleForm<ProximalAdagrad>(kProximalAdagrad));

const RuleSignature kAdagradDA = {.name = "AdagradDA",
                                  .variables = {"var", "gradient_accumulator", "gradient_squared_accumulator"},
                                  .arguments = {"grad", "lr", "l1", "l2", "global_step: int64"},
                                  .doc = "Adagrad by dual averaging."};
const OpRegistrar adagrad_da(ReferenceForm<AdagradDA>(kAdagradDA));
const OpRegistrar resource_adagrad_da(HandleForm<AdagradDA>(kAdagradDA));

const RuleSignature kFtrl = {.name = "Ftrl",
                             .variables = {"var", "accum", "linear"},
                             .arguments = {"grad", "lr", "l1", "l2", "lr_power"},
                             .flag = "multiply_linear_by_lr: bool = false",
                             .doc = "Follow the regularized leader."};
const OpRegistrar ftrl(ReferenceForm<Ftrl>(kFtrl));
const OpRegistrar resource_ftrl(HandleForm<Ftrl>(kFtrl));

const RuleSignature kFtrlV2 = {.name = "FtrlV2",
                               .variables = {"var", "accum", "linear"},
                               .arguments = {"grad", "lr", "l1", "l2", "l2_shrinkage", "lr_power"},
                               .flag = "multiply_linear_by_lr: bool = false",
                               .doc = "Follow the regularized leader, with L2 shrinkage of the gradient."};
const OpRegistrar ftrl_v2(ReferenceForm<FtrlV2>(kFtrlV2));
const OpRegistrar resource_ftrl_v2(HandleForm<FtrlV2>(kFtrlV2));

}  // namespace
}  // namespace staticflow
