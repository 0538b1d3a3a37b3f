// Optimizers' updates of rows. Each table serves the op on references and the one on handles. Values: TensorFlow 2.21.
#include <utility>
#include <vector>

#include "tests/op_test.h"

namespace staticflow {
namespace {

const Tensor kVar = M({{1, -2}, {3, 4}, {0.5, -0.25}});
const Tensor kSlot = M({{0.1, 0.2}, {0.3, 0.4}, {0.5, 0.6}});
const Tensor kSlot2 = M({{0.01, 0.02}, {0.03, 0.04}, {0.05, 0.06}});
const Tensor kSlot3 = M({{0, 0.3}, {-0.2, 0.1}, {1, -1}});
const Tensor kGrad = M({{0.5, -1}, {0.25, 2}, {-0.1, 0.3}});

Tensor InDouble(const Tensor& x) {
  const std::vector<double> values(x.data<float>(), x.data<float>() + x.num_elements());
  return Tensor::Of<double>(x.shape(), values);
}

// With the first row again for indices that are out of range, and for too few.
std::vector<OpCase> WithBadIndices(std::vector<OpCase> rows) {
  const auto add = [&](const char* name, Tensor indices, const char* want_error) {
    OpCase row = {.name = name, .inputs = rows[0].inputs, .want_error = want_error};
    for (Tensor& input : row.inputs) {
      if (input.dtype() == DT_INT32) input = indices;
    }
    rows.push_back(std::move(row));
  };
  add("index", T<int64_t>({0, -1, 1}), "indices[1] = -1 is not in [0, 3)");
  add("number of indices", T<int64_t>({0, 1}), "indices");
  return rows;
}

const std::vector<OpCase> kMomentum = WithBadIndices(
    {{.name = "rows",
      .inputs = {kVar, kSlot, Tensor(0.1f), kGrad, T<int32_t>({2, 0, 2}), Tensor(0.9f)},
      .want_variables = {M({{0.966, -2.218}, {3, 4}, {0.32950002, -0.1926}}),
                         M({{0.34, 2.18}, {0.3, 0.4}, {0.75499994, -0.11399996}})}},
     {.name = "rows use_nesterov",
      .inputs = {kVar, kSlot, Tensor(0.1f), kGrad, T<int32_t>({2, 0, 2}), Tensor(0.9f)},
      .attrs = {{"use_nesterov", true}},
      .want_variables = {M({{0.9444, -2.3962}, {3, 4}, {0.30655, -0.12834}}),
                         M({{0.34, 2.18}, {0.3, 0.4}, {0.75499994, -0.11399996}})}},
     {.name = "double",
      .inputs = {InDouble(kVar), InDouble(kSlot), Tensor(double{0.1f}), InDouble(kGrad), T<int32_t>({2, 0, 2}),
                 Tensor(double{0.9f})},
      .want_variables = {
          M<double>({{0.9659999995976687, -2.218000003039837}, {3, 4}, {0.32950000213831665, -0.19260000279247755}}),
          M<double>({{0.3399999989569187, 2.1799999979138374},
                     {0.30000001192092896, 0.4000000059604645},
                     {0.7549999651312831, -0.11399997067451545}})}}});
INSTANTIATE_OP_TEST(SparseApplyMomentum, kMomentum);
INSTANTIATE_OP_TEST(ResourceSparseApplyMomentum, kMomentum);

const std::vector<OpCase> kKerasMomentum = WithBadIndices(
    {{.name = "rows",
      .inputs = {kVar, kSlot, Tensor(0.1f), kGrad, T<int32_t>({2, 0, 2}), Tensor(0.9f)},
      .want_variables = {M({{1.065, -2.02}, {3, 4}, {1.27, 0.93600005}}),
                         M({{0.065, -0.02000001}, {0.3, 0.4}, {0.36999995, 0.546}})}},
     {.name = "rows use_nesterov",
      .inputs = {kVar, kSlot, Tensor(0.1f), kGrad, T<int32_t>({2, 0, 2}), Tensor(0.9f)},
      .attrs = {{"use_nesterov", true}},
      .want_variables = {M({{1.0335, -2.218}, {3, 4}, {1.1529999, 0.88740003}}),
                         M({{0.065, -0.02000001}, {0.3, 0.4}, {0.36999995, 0.546}})}},
     {.name = "double",
      .inputs = {InDouble(kVar), InDouble(kSlot), Tensor(double{0.1f}), InDouble(kGrad), T<int32_t>({2, 0, 2}),
                 Tensor(double{0.9f})},
      .want_variables = {
          M<double>({{1.0649999985843897, -2.020000005066395}, {3, 4}, {1.269999966695905, 0.9359999995231615}}),
          M<double>({{0.06499999858438965, -0.020000005066394877},
                     {0.30000001192092896, 0.4000000059604645},
                     {0.36999997936189205, 0.5459999908804886}})}}});
INSTANTIATE_OP_TEST(ResourceSparseApplyKerasMomentum, kKerasMomentum);

const std::vector<OpCase> kAdagrad = WithBadIndices(
    {{.name = "rows",
      .inputs = {kVar, kSlot, Tensor(0.1f), kGrad, T<int32_t>({2, 0, 2})},
      .want_variables = {M({{0.9379826, -2.09759}, {3, 4}, {0.45373577, -0.19401997}}),
                         M({{0.1625, 4.2}, {0.3, 0.4}, {0.76, 1.69}})}},
     {.name = "rows update_slots",
      .inputs = {kVar, kSlot, Tensor(0.1f), kGrad, T<int32_t>({2, 0, 2})},
      .attrs = {{"update_slots", false}},
      .want_variables = {M({{0.9209431, -2.4472136}, {3, 4}, {0.44343144, -0.15963039}}), kSlot}},
     {.name = "double",
      .inputs = {InDouble(kVar), InDouble(kSlot), Tensor(double{0.1f}), InDouble(kGrad), T<int32_t>({2, 0, 2})},
      .want_variables =
          {M<double>({{0.9379826320656129, -2.097590008714434}, {3, 4}, {0.4537357592538536, -0.19401998203294685}}),
           M<double>({{0.16250000149011612, 4.200000002980232},
                      {0.30000001192092896, 0.4000000059604645},
                      {0.7600000002980232, 1.6900000309944154}})}},
     {.name = "half",
      .inputs = {*As<Half>({1, -2, 3, 4, 0.5, -0.25}).Reshaped({3, 2}),
                 *As<Half>({0.099975586, 0.19995117, 0.30004883, 0.39990234, 0.5, 0.60009766}).Reshaped({3, 2}),
                 *As<Half>({0.099975586}).Reshaped({}),
                 *As<Half>({0.5, -1, 0.25, 2, -0.099975586, 0.30004883}).Reshaped({3, 2}), T<int32_t>({2, 0, 2})},
      .tolerance = 2e-3,
      .want_variables =
          {*As<Half>({0.9379883, -2.0976562, 3, 4, 0.45385742, -0.19396973}).Reshaped({3, 2}),
           *As<Half>({0.16247559, 4.1992188, 0.30004883, 0.39990234, 0.7597656, 1.6894531}).Reshaped({3, 2})}},
     {.name = "scalar",
      .inputs = {Tensor(1.0f), Tensor(1.0f), Tensor(0.1f), kGrad, T<int32_t>({2, 0, 2})},
      .want_error = "shape"}});
INSTANTIATE_OP_TEST(SparseApplyAdagrad, kAdagrad);
INSTANTIATE_OP_TEST(ResourceSparseApplyAdagrad, kAdagrad);

const std::vector<OpCase> kAdagradV2 = WithBadIndices(
    {{.name = "rows",
      .inputs = {kVar, kSlot, Tensor(0.1f), Tensor(0.01f), kGrad, T<int32_t>({2, 0, 2})},
      .want_variables = {M({{0.9394839, -2.0971162}, {3, 4}, {0.45426473, -0.19446391}}),
                         M({{0.1625, 4.2}, {0.3, 0.4}, {0.76, 1.69}})}},
     {.name = "rows update_slots",
      .inputs = {kVar, kSlot, Tensor(0.1f), Tensor(0.01f), kGrad, T<int32_t>({2, 0, 2})},
      .attrs = {{"update_slots", false}},
      .want_variables = {M({{0.9233664, -2.4374323}, {3, 4}, {0.4442203, -0.16078219}}), kSlot}},
     {.name = "double",
      .inputs = {InDouble(kVar), InDouble(kSlot), Tensor(double{0.1f}), Tensor(double{0.01f}), InDouble(kGrad),
                 T<int32_t>({2, 0, 2})},
      .want_variables = {
          M<double>({{0.9394838528745874, -2.0971161305308463}, {3, 4}, {0.4542647290354349, -0.19446391999585005}}),
          M<double>({{0.16250000149011612, 4.200000002980232},
                     {0.30000001192092896, 0.4000000059604645},
                     {0.7600000002980232, 1.6900000309944154}})}}});
INSTANTIATE_OP_TEST(SparseApplyAdagradV2, kAdagradV2);
INSTANTIATE_OP_TEST(ResourceSparseApplyAdagradV2, kAdagradV2);

const std::vector<OpCase> kAdadelta = WithBadIndices(
    {{.name = "rows",
      .inputs = {kVar, kSlot, kSlot2, Tensor(0.1f), Tensor(0.9f), Tensor(0.01f), kGrad, T<int32_t>({2, 0, 2})},
      .want_variables = {M({{0.9891535, -2.0450988}, {3, 4}, {0.48605347, -0.22781818}}),
                         M({{0.09625, 0.5800001}, {0.3, 0.4}, {0.42849997, 0.58500004}}),
                         M({{0.0101764705, 0.03833898}, {0.03, 0.04}, {0.043415986, 0.05942327}})}},
     {.name = "double",
      .inputs = {InDouble(kVar), InDouble(kSlot), InDouble(kSlot2), Tensor(double{0.1f}), Tensor(double{0.9f}),
                 Tensor(double{0.01f}), InDouble(kGrad), T<int32_t>({2, 0, 2})},
      .want_variables = {
          M<double>({{0.9891534770800696, -2.045098758291575}, {3, 4}, {0.48605347799714704, -0.2278181700045821}}),
          M<double>({{0.0962500004470348, 0.580000093281269},
                     {0.30000001192092896, 0.4000000059604645},
                     {0.4284999835789205, 0.5850000154972065}}),
          M<double>({{0.010176470400372383, 0.03833898335829225},
                     {0.029999999329447746, 0.03999999910593033},
                     {0.043415984994797374, 0.059423268878880935}})}}});
INSTANTIATE_OP_TEST(SparseApplyAdadelta, kAdadelta);
INSTANTIATE_OP_TEST(ResourceSparseApplyAdadelta, kAdadelta);

const std::vector<OpCase> kRMSProp = WithBadIndices(
    {{.name = "rows",
      .inputs = {kVar, kSlot, kSlot2, Tensor(0.1f), Tensor(0.9f), Tensor(0.5f), Tensor(0.01f), kGrad,
                 T<int32_t>({2, 0, 2})},
      .want_variables = {M({{0.9183035, -2.2703779}, {3, 4}, {0.36990762, -0.14784013}}),
                         M({{0.09625, 0.5800001}, {0.3, 0.4}, {0.42849997, 0.58500004}}),
                         M({{0.08169651, 0.2703778}, {0.03, 0.04}, {0.033296578, -0.008125145}})}},
     {.name = "double",
      .inputs = {InDouble(kVar), InDouble(kSlot), InDouble(kSlot2), Tensor(double{0.1f}), Tensor(double{0.9f}),
                 Tensor(0.5), Tensor(double{0.01f}), InDouble(kGrad), T<int32_t>({2, 0, 2})},
      .want_variables = {
          M<double>({{0.9183035001648278, -2.270377805084018}, {3, 4}, {0.36990760420210056, -0.14784012378072936}}),
          M<double>({{0.0962500004470348, 0.580000093281269},
                     {0.30000001192092896, 0.4000000059604645},
                     {0.4284999835789205, 0.5850000154972065}}),
          M<double>({{0.08169649983517228, 0.270377805084018},
                     {0.029999999329447746, 0.03999999910593033},
                     {0.03329657803604007, -0.008125142047140675}})}}});
INSTANTIATE_OP_TEST(SparseApplyRMSProp, kRMSProp);
INSTANTIATE_OP_TEST(ResourceSparseApplyRMSProp, kRMSProp);

const std::vector<OpCase> kCenteredRMSProp = WithBadIndices(
    {{.name = "rows",
      .inputs = {kVar, kSlot2, M({{1.1, 1.2}, {1.3, 1.4}, {1.5, 1.6}}), kSlot3, Tensor(0.1f), Tensor(0.9f),
                 Tensor(0.5f), Tensor(0.01f), kGrad, T<int32_t>({2, 0, 2})},
      .want_variables = {M({{0.97506344, -2.3165236}, {3, 4}, {-0.30496737, 0.59525454}}),
                         M({{0.034000006, 0.21800005}, {0.03, 0.04}, {0.075500004, -0.011400014}}),
                         M({{0.99625003, 1.4800001}, {1.3, 1.4}, {1.2384999, 1.3949999}}),
                         M({{0.024936566, 0.31652355}, {-0.2, 0.1}, {0.26234236, -0.26487777}})}},
     {.name = "double",
      .inputs = {InDouble(kVar), InDouble(kSlot2),
                 M<double>({{1.100000023841858, 1.2000000476837158},
                            {1.2999999523162842, 1.399999976158142},
                            {1.5, 1.600000023841858}}),
                 InDouble(kSlot3), Tensor(double{0.1f}), Tensor(double{0.9f}), Tensor(0.5), Tensor(double{0.01f}),
                 InDouble(kGrad), T<int32_t>({2, 0, 2})},
      .want_variables = {
          M<double>({{0.9750634323380825, -2.3165235674480487}, {3, 4}, {-0.30496740723823274, 0.5952545798572118}}),
          M<double>({{0.03400000552088023, 0.21800004680454732},
                     {0.029999999329447746, 0.03999999910593033},
                     {0.07550000546127525, -0.011400014390050422}}),
          M<double>({{0.996249996721744, 1.4800001096725452},
                     {1.2999999523162842, 1.399999976158142},
                     {1.2384999406635768, 1.394999972581863}}),
          M<double>({{0.024936567661917583, 0.3165235674480488},
                     {-0.20000000298023224, 0.10000000149011612},
                     {0.26234237266709787, -0.2648777634902447}})}}});
INSTANTIATE_OP_TEST(SparseApplyCenteredRMSProp, kCenteredRMSProp);
INSTANTIATE_OP_TEST(ResourceSparseApplyCenteredRMSProp, kCenteredRMSProp);

const std::vector<OpCase> kProximalGradientDescent = WithBadIndices(
    {{.name = "rows",
      .inputs = {kVar, Tensor(0.1f), Tensor(0.2f), Tensor(0.3f), kGrad, T<int32_t>({2, 0, 2})},
      .want_variables = {M({{0.9271845, -2.116505}, {3, 4}, {0.3956075, -0.13224623}})}},
     {.name = "double",
      .inputs = {InDouble(kVar), Tensor(double{0.1f}), Tensor(double{0.2f}), Tensor(double{0.3f}), InDouble(kGrad),
                 T<int32_t>({2, 0, 2})},
      .want_variables = {
          M<double>({{0.9271844636035445, -2.116504853315499}, {3, 4}, {0.39560750023539515, -0.1322462046922985}})}}});
INSTANTIATE_OP_TEST(SparseApplyProximalGradientDescent, kProximalGradientDescent);
INSTANTIATE_OP_TEST(ResourceSparseApplyProximalGradientDescent, kProximalGradientDescent);

const std::vector<OpCase> kProximalAdagrad = WithBadIndices(
    {{.name = "rows",
      .inputs = {kVar, kSlot, Tensor(0.1f), Tensor(0.2f), Tensor(0.3f), kGrad, T<int32_t>({2, 0, 2})},
      .want_variables = {M({{0.826835, -2.0577092}, {3, 4}, {0.38056955, -0.1556383}}),
                         M({{0.1625, 4.2}, {0.3, 0.4}, {0.76, 1.69}})}},
     {.name = "double",
      .inputs = {InDouble(kVar), InDouble(kSlot), Tensor(double{0.1f}), Tensor(double{0.2f}), Tensor(double{0.3f}),
                 InDouble(kGrad), T<int32_t>({2, 0, 2})},
      .want_variables = {
          M<double>({{0.8268349795558994, -2.0577092272872286}, {3, 4}, {0.38056953241059355, -0.15563829374632174}}),
          M<double>({{0.16250000149011612, 4.200000002980232},
                     {0.30000001192092896, 0.4000000059604645},
                     {0.7600000002980232, 1.6900000309944154}})}}});
INSTANTIATE_OP_TEST(SparseApplyProximalAdagrad, kProximalAdagrad);
INSTANTIATE_OP_TEST(ResourceSparseApplyProximalAdagrad, kProximalAdagrad);

const std::vector<OpCase> kAdagradDA = WithBadIndices(
    {{.name = "rows",
      .inputs = {kVar, kSlot3, kSlot, kGrad, T<int32_t>({2, 0, 2}), Tensor(0.1f), Tensor(0.05f), Tensor(0.3f),
                 Tensor(int64_t{3})},
      .want_variables = {M({{-0.020279333, -0.100495934}, {3, 4}, {-0.12996738, 0.111510776}}),
                         M({{0.25, 2.3}, {-0.2, 0.1}, {1.4, -1.7}}), M({{0.1625, 4.2}, {0.3, 0.4}, {0.76, 1.69}})}},
     {.name = "double",
      .inputs = {InDouble(kVar), InDouble(kSlot3), InDouble(kSlot), InDouble(kGrad), T<int32_t>({2, 0, 2}),
                 Tensor(double{0.1f}), Tensor(double{0.05f}), Tensor(double{0.3f}), Tensor(int64_t{3})},
      .want_variables = {
          M<double>(
              {{-0.020279331657128204, -0.1004959302464314}, {3, 4}, {-0.12996738161518445, 0.11151079065929219}}),
          M<double>({{0.25, 2.300000011920929},
                     {-0.20000000298023224, 0.10000000149011612},
                     {1.3999999985098839, -1.699999988079071}}),
          M<double>({{0.16250000149011612, 4.200000002980232},
                     {0.30000001192092896, 0.4000000059604645},
                     {0.7600000002980232, 1.6900000309944154}})}}});
INSTANTIATE_OP_TEST(SparseApplyAdagradDA, kAdagradDA);
INSTANTIATE_OP_TEST(ResourceSparseApplyAdagradDA, kAdagradDA);

const std::vector<OpCase> kFtrl = WithBadIndices(
    {{.name = "rows",
      .inputs = {kVar, kSlot, kSlot3, kGrad, T<int32_t>({2, 0, 2}), Tensor(0.1f), Tensor(0.05f), Tensor(0.3f),
                 Tensor(-0.5f)},
      .want_variables = {M({{0.12283209, -1.6257557}, {3, 4}, {-0.060044188, 0.032602515}}),
                         M({{0.1625, 4.2}, {0.3, 0.4}, {0.76, 1.69}}),
                         M({{-0.61885124, 34.34353}, {-0.2, 0.1}, {0.60947967, -0.49339426}})}},
     {.name = "rows multiply_linear_by_lr",
      .inputs = {kVar, kSlot, kSlot3, kGrad, T<int32_t>({2, 0, 2}), Tensor(0.1f), Tensor(0.05f), Tensor(0.3f),
                 Tensor(-0.5f)},
      .attrs = {{"multiply_linear_by_lr", true}},
      .want_variables = {M({{0.1228321, -1.7537547}, {3, 4}, {-1.0319399, 0.7118934}}),
                         M({{0.1625, 4.2}, {0.3, 0.4}, {0.76, 1.69}}),
                         M({{-0.061885126, 3.7043529}, {-0.2, 0.1}, {0.9665407, -0.97317505}})}},
     {.name = "double",
      .inputs = {InDouble(kVar), InDouble(kSlot), InDouble(kSlot3), InDouble(kGrad), T<int32_t>({2, 0, 2}),
                 Tensor(double{0.1f}), Tensor(double{0.05f}), Tensor(double{0.3f}), Tensor(-0.5)},
      .want_variables = {
          M<double>({{0.12283208108623174, -1.6257557204121105}, {3, 4}, {-0.06004419207927581, 0.03260250855219853}}),
          M<double>({{0.16250000149011612, 4.200000002980232},
                     {0.30000001192092896, 0.4000000059604645},
                     {0.7600000002980232, 1.6900000309944154}}),
          M<double>({{-0.6188511959558151, 34.343530636176375},
                     {-0.20000000298023224, 0.10000000149011612},
                     {0.6094796405669789, -0.4933941154031864}})}}});
INSTANTIATE_OP_TEST(SparseApplyFtrl, kFtrl);
INSTANTIATE_OP_TEST(ResourceSparseApplyFtrl, kFtrl);

const std::vector<OpCase> kFtrlV2 = WithBadIndices(
    {{.name = "rows",
      .inputs = {kVar, kSlot, kSlot3, kGrad, T<int32_t>({2, 0, 2}), Tensor(0.1f), Tensor(0.05f), Tensor(0.3f),
                 Tensor(0.2f), Tensor(-0.6f)},
      .want_variables = {M({{0.03772723, -1.6963854}, {3, 4}, {-0.0676144, 0.01939588}}),
                         M({{0.1625, 4.2}, {0.3, 0.4}, {0.76, 1.69}}),
                         M({{-0.19945025, 41.198284}, {-0.2, 0.1}, {0.6640606, -0.3273681}})}},
     {.name = "double",
      .inputs = {InDouble(kVar), InDouble(kSlot), InDouble(kSlot3), InDouble(kGrad), T<int32_t>({2, 0, 2}),
                 Tensor(double{0.1f}), Tensor(double{0.05f}), Tensor(double{0.3f}), Tensor(double{0.2f}),
                 Tensor(double{-0.6f})},
      .want_variables = {
          M<double>({{0.03772722917776649, -1.6963852792084224}, {3, 4}, {-0.06761442167818835, 0.019395868153379462}}),
          M<double>({{0.16250000149011612, 4.200000002980232},
                     {0.30000001192092896, 0.4000000059604645},
                     {0.7600000002980232, 1.6900000309944154}}),
          M<double>({{-0.19945025305078412, 41.198285665228354},
                     {-0.20000000298023224, 0.10000000149011612},
                     {0.6640608136796374, -0.3273679273064557}})}}});
INSTANTIATE_OP_TEST(SparseApplyFtrlV2, kFtrlV2);
INSTANTIATE_OP_TEST(ResourceSparseApplyFtrlV2, kFtrlV2);

INSTANTIATE_OP_TEST(ResourceApplyAdamWithAmsgrad,
                    {{.name = "step",
                      .inputs = {kVar, kSlot, kSlot2, M({{0, 0.09}, {0.040000003, 0.010000001}, {1, 1}}), Tensor(0.9f),
                                 Tensor(0.99f), Tensor(0.1f), Tensor(0.9f), Tensor(0.99f), Tensor(0.001f), kGrad},
                      .want_variables = {M({{0.87539536, -2.026578}, {2.8532338, 3.8022144}, {0.456044, -0.306943}}),
                                         M({{0.14000002, 0.07999997}, {0.29500002, 0.56000006}, {0.44, 0.57}}),
                                         M({{0.012399998, 0.02979999}, {0.030325, 0.07959996}, {0.0496, 0.0603}}),
                                         M({{0.012399998, 0.09}, {0.040000003, 0.07959996}, {1, 1}})}}});

}  // namespace
}  // namespace staticflow
